//! Where a tenant's extensions are to be, in which order they are made and dropped, and how one that is elsewhere, or of another
//! version, is put right. Pure.

use std::collections::BTreeSet;

use crate::postgres::catalog::inside::Extension;
use crate::postgres::{ExtensionName, ExtensionVersion, SchemaName};

use super::change::Change;
use super::charter::Desired;
use super::control::Control;
use super::names::{EXTENSIONS_SCHEMA, SYSTEM_SCHEMA};
use super::observed::Observed;

/// What the configuration says of an extension beside its name.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Pin {
    /// `None`: the schema for extensions, or the one that its control file fixes.
    pub schema: Option<SchemaName>,
    /// `None`: whichever is there.
    pub version: Option<ExtensionVersion>,
}

impl Desired {
    pub(super) fn pin(&self, extension: &str) -> Option<&Pin> {
        self.extensions.iter().find(|(wanted, _)| wanted.as_str() == extension).map(|(_, pin)| pin)
    }

    /// The schema in which a wanted extension is to be.
    fn place(&self, observed: &Observed, extension: &ExtensionName, pin: &Pin) -> SchemaName {
        let found = found(observed, extension.as_str());
        let fixed = match found {
            Some(found) => found.fixed.as_ref().filter(|fixed| **fixed == found.schema),
            None => {
                let offered = self.offered.get(extension.as_str());
                let version = pin.version.as_ref().map(ExtensionVersion::as_str);
                offered.and_then(|offered| offered.version(version)?.schema.as_ref())
            }
        };
        let fixed = fixed.and_then(|fixed| fixed.parse().ok());
        pin.schema.clone().or(fixed).unwrap_or_else(|| EXTENSIONS_SCHEMA.parse().expect("a name"))
    }

    fn places(&self, observed: &Observed) -> impl Iterator<Item = SchemaName> {
        self.extensions.iter().map(|(extension, pin)| self.place(observed, extension, pin))
    }

    /// Whether an extension is to be in the schema that they are all in unless something else is said.
    pub(super) fn has_extensions(&self, observed: &Observed) -> bool {
        self.places(observed).any(|place| place.as_str() == EXTENSIONS_SCHEMA)
    }

    /// The schemas beside that one in which extensions are to be: the admin owns them, and the tenant has USAGE.
    pub(super) fn extension_schemas(&self, observed: &Observed) -> BTreeSet<SchemaName> {
        let is_other = |place: &SchemaName| {
            ![EXTENSIONS_SCHEMA, SYSTEM_SCHEMA].contains(&place.as_str()) && !self.is_own_schema(place)
        };
        self.places(observed).filter(is_other).collect()
    }

    /// The schemas that go on record as ones of extensions: those that the configuration names.
    pub(super) fn pinned_schemas(&self) -> BTreeSet<String> {
        let pinned = self.extensions.values().filter_map(|pin| pin.schema.as_ref()).map(ToString::to_string);
        pinned.filter(|schema| ![EXTENSIONS_SCHEMA, SYSTEM_SCHEMA].contains(&schema.as_str())).collect()
    }

    fn is_own_schema(&self, schema: &SchemaName) -> bool {
        *schema == self.names.schema || self.schemas.contains(schema)
    }

    /// Whether the tenant may create in a schema, or might before it was one: an extension that is there is left there and told,
    /// and none is put there, for its script would run with the rights of a superuser among what the tenant planted.
    pub(super) fn is_exposed(&self, schema: &SchemaName) -> bool {
        schema.as_str() == "public" || self.is_own_schema(schema)
    }

    /// The schema and the version that an extension which is there is to have. `None` for one that is left where it is.
    pub(super) fn requires_of(&self, observed: &Observed, found: &Extension) -> Option<(SchemaName, String)> {
        let (name, pin) = self.extensions.iter().find(|(wanted, _)| wanted.as_str() == found.name)?;
        let place = self.place(observed, name, pin);
        let version = pin.version.as_ref().map_or_else(|| found.version.clone(), ToString::to_string);
        (!self.is_exposed(&place)).then_some((place, version))
    }

    /// The changes that make the wanted extensions that are missing: what one requires comes before it.
    pub(super) fn installs(&self, observed: &Observed) -> Vec<Change> {
        let may_install = |place: &SchemaName| !self.is_exposed(place) && !self.is_planted(observed);
        let missing = self.extensions.iter().filter(|(name, _)| found(observed, name.as_str()).is_none());
        let missing: Vec<_> = missing.filter(|(name, pin)| may_install(&self.place(observed, name, pin))).collect();
        let requires = |(name, pin): &(&ExtensionName, &Pin)| {
            let version = pin.version.as_ref().map(ExtensionVersion::as_str);
            let offered = self.offered.get(name.as_str()).and_then(|offered| offered.version(version));
            offered.map(|offered| offered.requires.clone()).unwrap_or_default()
        };
        let ordered = in_order(missing, |(name, _)| name.as_str(), requires);
        let create = |(name, pin): (&ExtensionName, &Pin)| Change::CreateExtension {
            database: self.names.database.clone(),
            extension: name.clone(),
            schema: self.place(observed, name, pin),
            version: pin.version.clone(),
        };
        ordered.into_iter().map(create).collect()
    }

    /// The changes that put an extension right that is there: what this admin may do of it, and what is safe.
    pub(super) fn mends(&self, observed: &Observed, extension: &str) -> Vec<Change> {
        let there = found(observed, extension).filter(|found| found.owner_usable);
        let Some((found, (name, pin))) = there.zip(self.extensions.iter().find(|(name, _)| name.as_str() == extension))
        else {
            return Vec::new();
        };
        let Some((place, version)) = self.requires_of(observed, found).filter(|_| !self.is_planted(observed)) else {
            return Vec::new();
        };
        let (database, mut changes) = (self.names.database.clone(), Vec::new());
        // What is accepted where it is stays there, unless the configuration says where it is to be.
        let is_meant = pin.schema.is_some() || !self.accept.contains_key(&Control::Extensions);
        let is_elsewhere = found.schema != place.as_str();
        if is_elsewhere && found.movable && is_meant {
            changes.push(Change::MoveExtension { database: database.clone(), extension: name.clone(), schema: place });
        } else if is_elsewhere {
            return changes;
        }
        if found.version != version
            && let Some(version) = pin.version.clone()
        {
            changes.push(Change::UpdateExtension { database, extension: name.clone(), version });
        }
        changes
    }

    /// Whether the tenant could have planted something where an extension is installed or updated, or in one of its own that another
    /// requires: that would run with the rights of a superuser. In `public` it is what an application had before it was a tenant.
    pub(super) fn is_planted(&self, observed: &Observed) -> bool {
        let creates = self.creates_schemas || observed.creates_schemas();
        let is_tenants = |extension: &Extension| {
            let is_own = observed.role.as_ref().is_some_and(|role| role.name == extension.owner);
            self.pin(&extension.name).is_some() && is_own && (creates || extension.schema != "public")
        };
        let planted = |schema: &str| {
            let mut schemas = observed.inside.iter().flat_map(|inside| &inside.schemas);
            observed.owns_schema(schema) || schemas.any(|found| found.name == schema && found.planted)
        };
        let governed = self.places(observed).filter(|place| !self.is_exposed(place));
        planted(EXTENSIONS_SCHEMA)
            || governed.into_iter().any(|place| planted(place.as_str()))
            || observed.inside.iter().flat_map(|inside| &inside.extensions).any(is_tenants)
    }

    /// The changes that drop what nobody wants and is this admin's to drop: what requires another comes before it. The schema that a
    /// control file fixes goes with it, if it is empty then.
    pub(super) fn drops(&self, observed: &Observed) -> Vec<Change> {
        let all = observed.inside.iter().flat_map(|inside| &inside.extensions);
        let is_unwanted = |found: &&Extension| {
            found.owner_usable && !self.leaves_extension(observed, found) && self.pin(&found.name).is_none()
        };
        let requires = |found: &&Extension| found.requires.iter().cloned().collect();
        let ordered = in_order(all.filter(is_unwanted).collect(), |found| found.name.as_str(), requires);
        let database = || self.names.database.clone();
        let dropped = ordered.iter().rev().filter_map(|found| found.name.parse().ok());
        let dropped = dropped.map(|extension| Change::DropExtension { database: database(), extension });
        let fixed: BTreeSet<SchemaName> = ordered
            .iter()
            .filter(|found| found.fixed.as_ref() == Some(&found.schema) && found.schema != SYSTEM_SCHEMA)
            .filter_map(|found| found.schema.parse().ok())
            .filter(|schema| !self.is_exposed(schema) && !self.places(observed).any(|place| place == *schema))
            .collect();
        dropped.chain(fixed.into_iter().map(|schema| Change::DropSchema { database: database(), schema })).collect()
    }
}

/// The schemas that extensions are seen in because their control files say so, as far as they are the admin's.
pub(super) fn fixed_schemas(observed: &Observed) -> impl Iterator<Item = &str> {
    let all = observed.inside.iter().flat_map(|inside| &inside.extensions);
    let is_fixed = |found: &&Extension| {
        found.owner_usable && found.fixed.as_ref() == Some(&found.schema) && found.schema != SYSTEM_SCHEMA
    };
    all.filter(is_fixed).map(|found| found.schema.as_str())
}

/// Whether an extension is where they all are: in the schema for extensions, or in the one that its control file fixes.
pub fn is_at_default(found: &Extension) -> bool {
    found.schema == EXTENSIONS_SCHEMA || found.fixed.as_ref() == Some(&found.schema)
}

fn found<'a>(observed: &'a Observed, extension: &str) -> Option<&'a Extension> {
    observed.inside.iter().flat_map(|inside| &inside.extensions).find(|found| found.name == extension)
}

/// Each after all those of the others that it requires; what requires each other in a circle stays as it was.
fn in_order<T: Copy>(
    mut left: Vec<T>,
    name: impl for<'a> Fn(&'a T) -> &'a str,
    requires: impl Fn(&T) -> BTreeSet<String>,
) -> Vec<T> {
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let waits = |one: &T| {
            let requires = requires(one);
            left.iter().any(|other| requires.contains(name(other)))
        };
        let next = left.iter().position(|one| !waits(one)).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::catalog::inside::Schema;
    use crate::postgres::catalog::offer::{Available, AvailableVersion};
    use crate::tenant::fixture::{self, texts};
    use crate::tenant::{Status, findings, repair};

    /// One that is there as `name schema version`, and this admin's.
    fn there(text: &str) -> Extension {
        let [name, schema, version] = <[_; 3]>::try_from(text.split(' ').collect::<Vec<_>>()).unwrap();
        let [name, schema, version, owner] = [name, schema, version, "admin"].map(str::to_owned);
        Extension { name, schema, version, owner, owner_usable: true, movable: true, ..Extension::default() }
    }

    /// A tenant that wants extensions as `name schema version`, where `-` is left out, and has those.
    fn tenant(wanted: &[&str], found: Vec<Extension>) -> (Desired, Observed) {
        let (mut desired, mut observed) = (fixture::desired(), fixture::observed());
        for text in wanted {
            let parts: Vec<_> = text.split(' ').collect();
            let said = |at: usize| parts.get(at).filter(|part| **part != "-");
            let schema = said(1).map(|schema| schema.parse().unwrap());
            let version = said(2).map(|version| version.parse().unwrap());
            desired.extensions.insert(parts[0].parse().unwrap(), Pin { schema, version });
        }
        observed.inside.as_mut().unwrap().extensions = found;
        (desired, observed)
    }

    /// What is run of extensions and their schemas.
    #[track_caller]
    fn check(desired: &Desired, observed: &Observed, expected: &[&str]) {
        let repair = repair(desired, observed);
        let all: Vec<_> = texts(&repair.needed).into_iter().chain(texts(&repair.tried)).collect();
        let of_extensions = |text: &&String| {
            ["EXTENSION", "SCHEMA \"", "search_path"].iter().any(|word| text.contains(word))
                && !text.starts_with("COMMENT")
        };
        assert_eq!(all.iter().filter(of_extensions).collect::<Vec<_>>(), expected);
    }

    fn offered(requires: &[&str], schema: Option<&str>) -> Available {
        let requires = requires.iter().map(|name| (*name).to_owned()).collect();
        let schema = schema.map(str::to_owned);
        let version = AvailableVersion { needs_superuser: false, requires, schema, movable: false };
        Available { default_version: "1".to_owned(), versions: [("1".to_owned(), version)].into() }
    }

    #[test]
    fn what_one_requires_is_made_before_it() {
        let (mut desired, observed) = tenant(&["a", "b gis 1", "c"], Vec::new());
        desired.offered = [("a", offered(&["b"], None)), ("b", offered(&["c"], None)), ("c", offered(&[], None))]
            .map(|(name, offered)| (name.to_owned(), offered))
            .into();
        check(
            &desired,
            &observed,
            &[
                "CREATE SCHEMA \"extensions\"",
                "CREATE SCHEMA \"gis\"",
                "GRANT USAGE ON SCHEMA \"extensions\" TO \"acme\"",
                "GRANT USAGE ON SCHEMA \"gis\" TO \"acme\"",
                "CREATE EXTENSION \"c\" SCHEMA \"extensions\"",
                "CREATE EXTENSION \"b\" SCHEMA \"gis\" VERSION \"1\"",
                "CREATE EXTENSION \"a\" SCHEMA \"extensions\"",
                "ALTER ROLE \"acme\" IN DATABASE \"acme\" SET \"search_path\" = \"app\", \"extensions\", \"gis\"",
            ],
        );
    }

    #[test]
    fn what_a_control_file_fixes_is_where_it_is_to_be() {
        let (mut desired, observed) = tenant(&["plperl", "topology"], Vec::new());
        desired.offered = [("plperl", offered(&[], Some("pg_catalog"))), ("topology", offered(&[], Some("topology")))]
            .map(|(name, offered)| (name.to_owned(), offered))
            .into();
        check(
            &desired,
            &observed,
            &[
                "CREATE SCHEMA \"topology\"",
                "GRANT USAGE ON SCHEMA \"topology\" TO \"acme\"",
                "CREATE EXTENSION \"plperl\" SCHEMA \"pg_catalog\"",
                "CREATE EXTENSION \"topology\" SCHEMA \"topology\"",
                "ALTER ROLE \"acme\" IN DATABASE \"acme\" SET \"search_path\" = \"app\", \"topology\"",
            ],
        );
        // Once they are there, that is seen in the database.
        let fixed = |text: &str| {
            let found = there(text);
            Extension { fixed: Some(found.schema.clone()), movable: false, ..found }
        };
        let (desired, observed) = tenant(&["plperl"], vec![fixed("plperl pg_catalog 1"), fixed("topology topology 1")]);
        assert_eq!(findings(&desired, &observed)[&Control::Extensions].status, Status::Enforced);
        check(&desired, &observed, &["DROP EXTENSION \"topology\"", "DROP SCHEMA \"topology\""]);
    }

    #[test]
    fn what_is_elsewhere_or_of_another_version_is_put_right_where_that_is_safe() {
        let control = |wanted: &str, found: Extension| {
            let (desired, observed) = tenant(&[wanted], vec![found]);
            let told = findings(&desired, &observed)[&Control::Extensions].describe();
            let mends = texts(&desired.mends(&observed, wanted.split(' ').next().unwrap())).join("; ");
            (told, mends)
        };
        let both = |told: &str, mends: &str| (told.to_owned(), mends.to_owned());
        assert_eq!(control("e", there("e extensions 1")), both("enforced", ""));
        assert_eq!(control("e gis 1", there("e gis 1")), both("enforced", ""));
        let moved = "ALTER EXTENSION \"e\" SET SCHEMA \"gis\"";
        assert_eq!(
            control("e gis 2", there("e extensions 1")),
            both(
                "found: extension e \"1\" is in schema extensions",
                &format!("{moved}; ALTER EXTENSION \"e\" UPDATE TO \"2\"")
            )
        );
        assert_eq!(control("e gis", there("e app 1")), both("found: extension e \"1\" is in schema app", moved));
        let stays = Extension { movable: false, ..there("e app 1") };
        assert_eq!(control("e gis", stays), both("not permitted: extension e \"1\" is in schema app", ""));
        let theirs = Extension { owner_usable: false, ..there("e app 1") };
        assert_eq!(control("e gis", theirs), both("not permitted: extension e \"1\" is in schema app", ""));
        // Where the tenant may create it stays, and is told.
        assert_eq!(control("e app", there("e app 1")), both("not permitted: extension e \"1\" is in schema app", ""));
        assert_eq!(control("e app 2", there("e app 1")).1, "");
    }

    #[test]
    fn what_is_accepted_where_it_is_stays_there_unless_it_is_to_be_elsewhere() {
        for (wanted, mends) in [("e", 0), ("e gis", 1)] {
            let (mut desired, observed) = tenant(&[wanted], vec![there("e public 1")]);
            desired.accept = [(Control::Extensions, "as it was".to_owned())].into();
            assert_eq!(desired.mends(&observed, "e").len(), mends, "{wanted}");
        }
    }

    #[test]
    fn nothing_is_put_where_something_is_planted() {
        for (schema, planted, installs) in
            [("gis", true, 0), ("gis", false, 1), ("other", true, 1), ("extensions", true, 0)]
        {
            let (desired, mut observed) = tenant(&["a gis", "b gis 2"], vec![there("b gis 1")]);
            let own = observed.inside.as_ref().unwrap().schemas[0].clone();
            let schemas = &mut observed.inside.as_mut().unwrap().schemas;
            schemas.push(Schema { name: schema.to_owned(), comment: None, planted, ..own });
            let (made, mended) = (desired.installs(&observed).len(), desired.mends(&observed, "b").len());
            assert_eq!((made, mended), (installs, installs), "{schema} {planted}");
        }
        for schema in ["app", "public"] {
            let (desired, observed) = tenant(&[&format!("a {schema}")], Vec::new());
            assert_eq!(desired.installs(&observed), [], "{schema}");
        }
    }

    #[test]
    fn what_requires_another_is_dropped_before_it() {
        let requiring = |text: &str, other: &str| Extension { requires: vec![other.to_owned()], ..there(text) };
        let (desired, observed) = tenant(
            &[],
            vec![
                there("a gis 1"),
                requiring("b extensions 1", "a"),
                requiring("c gis 1", "b"),
                requiring("d gis 1", "d"),
            ],
        );
        check(
            &desired,
            &observed,
            &["DROP EXTENSION \"d\"", "DROP EXTENSION \"c\"", "DROP EXTENSION \"b\"", "DROP EXTENSION \"a\""],
        );
    }
}
