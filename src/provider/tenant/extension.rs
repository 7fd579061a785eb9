//! The extensions of a tenant as its two attributes say them: a list of names, and blocks with a schema and a version.

use std::collections::{BTreeMap, BTreeSet};

use crate::object;
use crate::postgres::catalog::inside::{Extension, Inside};
use crate::postgres::catalog::offer::Update;
use crate::postgres::{ExtensionName, ExtensionVersion, SchemaName};
use crate::tenant::extensions::is_at_default;
use crate::tenant::names::{EXTENSIONS_SCHEMA, is_reserved_schema};
use crate::tenant::{Desired, Observed, Pin};
use crate::tf_provider::{Diagnostic, Diagnostics, Field, Item, Path};

use super::super::names;
use super::Model;

object! {
    /// A block `extension`.
    #[derive(Clone, Debug, PartialEq)]
    pub(super) struct Block {
        name: Item<String>,
        schema: Field<String>,
        version: Field<String>,
    }
}

impl Block {
    /// One that was found in a schema of its own.
    pub(super) fn found(name: &str, schema: &str) -> Self {
        Block { name: Item::Known(name.to_owned()), schema: Field::Known(schema.to_owned()), version: Field::Null }
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_known().map(String::as_str)
    }

    /// The schema that it names.
    pub(super) fn schema(&self) -> Option<&str> {
        self.schema.as_known().map(String::as_str)
    }

    fn pin(&self) -> Result<Pin, Diagnostic> {
        let path = || Path::attribute("extension");
        let schema = self.schema.as_known().map(|schema| names::parse(path(), schema)).transpose()?;
        let version = self.version.as_known().map(|version| names::parse(path(), version)).transpose()?;
        Ok(Pin { schema, version })
    }
}

/// All extensions that are known by name, with what is known of where they are to be.
pub(super) fn pins(model: &Model) -> Result<BTreeMap<ExtensionName, Pin>, Diagnostic> {
    let mut pins = BTreeMap::new();
    for name in model.extensions.known_elements() {
        pins.insert(names::parse(Path::attribute("extensions"), name)?, Pin::default());
    }
    for block in model.extension.known_elements() {
        if let Some(name) = block.name() {
            pins.insert(names::parse(Path::attribute("extension"), name)?, block.pin()?);
        }
    }
    Ok(pins)
}

/// The attribute that has an extension.
pub(super) fn attribute(model: &Model, extension: &ExtensionName) -> &'static str {
    let is_block = model.extension.known_elements().any(|block| block.name() == Some(extension.as_str()));
    if is_block { "extension" } else { "extensions" }
}

/// What can be told of a configuration alone.
pub(super) fn validate(config: &Model) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let mut refuse = |summary: String, detail: &str| {
        diagnostics.push(Diagnostic::error(summary, detail).at_attribute("extension"));
    };
    let mut names: BTreeSet<&str> = config.extensions.known_elements().map(String::as_str).collect();
    for block in config.extension.known_elements() {
        if let Some(name) = block.name()
            && !names.insert(name)
        {
            let detail = "A database has an extension once. Name it in one `extension` block, or in `extensions`.";
            refuse(format!("Extension {name:?} is declared twice"), detail);
        }
        if block.name() == Some("plpgsql") {
            refuse("Extension \"plpgsql\" is in every database".to_owned(), "Remove the block.");
        }
        let schema = block.schema().filter(|schema| ![EXTENSIONS_SCHEMA, "pg_catalog"].contains(schema));
        if let Some(schema) = schema.filter(|schema| is_reserved_schema(schema)) {
            let detail = "PostgreSQL keeps schemas that begin with `pg_`, and `information_schema`, for itself. Choose another \
                          `schema`, or remove it for `extensions`.";
            refuse(format!("No extension can be in schema {schema:?}"), detail);
        }
        let version = block.version.as_known().filter(|version| !is_version(version));
        if let Some(version) = version {
            let detail = "A version has no `--`, no `/` or `\\`, and no `-` at its ends. The server lists those that it has: SELECT name, \
                          version FROM pg_available_extension_versions.";
            refuse(format!("{version:?} is no version of an extension"), detail);
        }
    }
    if let Err(diagnostic) = pins(config) {
        diagnostics.push(diagnostic);
    }
    diagnostics
}

/// <https://www.postgresql.org/docs/current/extend-extensions.html>: `check_valid_version_name` of PostgreSQL.
fn is_version(text: &str) -> bool {
    !text.contains("--") && !text.contains(['/', '\\']) && !text.starts_with('-') && !text.ends_with('-')
}

/// Puts what was found in place of what was remembered: in a block what is in one or in a schema of its own, in the list the rest.
pub(super) fn observe(model: &mut Model, expected: &Desired, observed: &Observed, inside: &Inside) {
    let listed: BTreeSet<String> = model.extensions.known_elements().cloned().collect();
    let blocks: BTreeMap<String, Block> =
        model.extension.known_elements().filter_map(|block| Some((block.name()?.to_owned(), block.clone()))).collect();
    // One that is not this admin's to drop is a choice only if it was chosen; `isolation` tells of the others.
    let is_ours = |found: &Extension| found.owner_usable && !expected.leaves_extension(observed, found);
    let (mut list, mut found_blocks) = (Vec::new(), Vec::new());
    for found in &inside.extensions {
        if let Some(block) = blocks.get(&found.name) {
            // What it does not say is no choice.
            let said = |field: &Field<String>, found: &str| field.as_known().map(|_| found.to_owned()).into();
            let (schema, version) = (said(&block.schema, &found.schema), said(&block.version, &found.version));
            found_blocks.push(Block { name: block.name.clone(), schema, version });
        } else if listed.contains(&found.name) || is_ours(found) && is_at_default(found) {
            list.push(found.name.clone());
        } else if is_ours(found) {
            found_blocks.push(Block::found(&found.name, &found.schema));
        }
    }
    model.extensions = list.into_iter().collect();
    model.extension = found_blocks.into_iter().collect();
}

/// Schemas that no block names any more. Of blocks that are not known yet none are said to be.
pub(super) fn given_up(prior: &Model, planned: &Model) -> BTreeSet<String> {
    if !planned.extension.is_wholly_known() {
        return BTreeSet::new();
    }
    let schemas = |model: &Model| -> BTreeSet<String> {
        model.extension.known_elements().filter_map(Block::schema).map(str::to_owned).collect()
    };
    let kept = [EXTENSIONS_SCHEMA, "public", "pg_catalog"];
    let mut given_up = &schemas(prior) - &schemas(planned);
    given_up.retain(|schema| !kept.contains(&schema.as_str()) && !own(planned).contains(schema));
    given_up
}

/// The schemas in which the tenant may create, as far as they are known.
fn own(model: &Model) -> BTreeSet<String> {
    model.schemas.known_elements().chain(model.schema.as_known()).cloned().collect()
}

/// The schemas in which the tenant may have planted something: no extension is put there.
pub(super) fn exposed(prior: Option<&Model>, planned: &Model) -> BTreeSet<SchemaName> {
    let all = prior.into_iter().chain([planned]).flat_map(own).chain(["public".to_owned()]);
    all.filter_map(|schema| schema.parse().ok()).collect()
}

/// The updates that lead from what is there to what is wanted.
pub(super) fn updates(changed: &BTreeMap<ExtensionName, Pin>, inside: &Inside) -> Vec<Update> {
    let update = |(extension, pin): (&ExtensionName, &Pin)| {
        let found = inside.extensions.iter().find(|found| found.name == extension.as_str())?;
        let to: ExtensionVersion = pin.version.clone().filter(|version| version.as_str() != found.version)?;
        Some(Update { extension: extension.clone(), from: found.version.clone(), to })
    };
    changed.iter().filter_map(update).collect()
}
