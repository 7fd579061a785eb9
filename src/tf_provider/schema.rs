//! The schema of a provider, resource, data source or ephemeral resource, as a literal table.
//! Protocol 5 has attributes and blocks, no nested attributes.

use std::collections::BTreeMap;

use super::value::{Type, Value};

/// Who sets an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Required,
    Optional,
    /// The configuration may set it; if it does not, the provider does.
    OptionalComputed,
    Computed,
}

/// One attribute, with the planning rules that hold for it.
#[derive(Clone, Debug)]
pub struct Attribute {
    pub name: &'static str,
    pub ty: Type,
    pub mode: Mode,
    /// Markdown; rendered into `docs/` as well.
    pub description: String,
    pub sensitive: bool,
    /// Read from the configuration at apply, never stored. See [`Attribute::write_only`].
    pub write_only: bool,
    /// A change of this attribute destroys the object and makes it anew.
    pub requires_replace: bool,
    /// Planned where the configuration leaves the attribute out ([`Mode::OptionalComputed`] only).
    pub default: Option<Value>,
    /// A computed value that does not change once known: planned as it was.
    pub keeps_prior: bool,
    pub deprecated: bool,
    /// Part of what tells one object of the resource from all others: Terraform 1.12 and later keep it beside the state,
    /// and import by it.
    pub identifies: bool,
}

impl Attribute {
    fn new(name: &'static str, ty: Type, mode: Mode, description: impl Into<String>) -> Self {
        Attribute {
            name,
            ty,
            mode,
            description: description.into(),
            sensitive: false,
            write_only: false,
            requires_replace: false,
            default: None,
            keeps_prior: false,
            deprecated: false,
            identifies: false,
        }
    }

    pub fn required(name: &'static str, ty: Type, description: impl Into<String>) -> Self {
        Self::new(name, ty, Mode::Required, description)
    }

    pub fn optional(name: &'static str, ty: Type, description: impl Into<String>) -> Self {
        Self::new(name, ty, Mode::Optional, description)
    }

    pub fn optional_computed(name: &'static str, ty: Type, description: impl Into<String>) -> Self {
        Self::new(name, ty, Mode::OptionalComputed, description)
    }

    pub fn computed(name: &'static str, ty: Type, description: impl Into<String>) -> Self {
        Self::new(name, ty, Mode::Computed, description)
    }

    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }

    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    #[must_use]
    pub fn requires_replace(mut self) -> Self {
        self.requires_replace = true;
        self
    }

    #[must_use]
    pub fn identifies(mut self) -> Self {
        self.identifies = true;
        self
    }

    #[must_use]
    pub fn keeps_prior(mut self) -> Self {
        self.keeps_prior = true;
        self
    }
}

/// How often a nested block may stand, and how its values are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    Single,
    List,
    Set,
    /// A labelled block: the label is the key.
    Map,
    Group,
}

#[derive(Clone, Debug)]
pub struct NestedBlock {
    pub name: &'static str,
    pub nesting: Nesting,
    pub block: Block,
    pub min_items: i64,
    pub max_items: i64,
}

#[derive(Clone, Debug, Default)]
pub struct Block {
    pub description: String,
    pub attributes: Vec<Attribute>,
    pub blocks: Vec<NestedBlock>,
    pub deprecated: bool,
}

impl Block {
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The object type that values of this block have.
    pub fn ty(&self) -> Type {
        let mut attributes: BTreeMap<String, Type> =
            self.attributes.iter().map(|attribute| (attribute.name.to_owned(), attribute.ty.clone())).collect();
        for nested in &self.blocks {
            let inner = nested.block.ty();
            let ty = match nested.nesting {
                Nesting::Single | Nesting::Group => inner,
                Nesting::List => Type::list(inner),
                Nesting::Set => Type::set(inner),
                Nesting::Map => Type::map(inner),
            };
            attributes.insert(nested.name.to_owned(), ty);
        }
        Type::Object(attributes)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Raised when the shape of the state changes; see [`super::Resource::upgrade`].
    pub version: i64,
    pub block: Block,
}
