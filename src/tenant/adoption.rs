//! What an adoption changes for those who use a database already, told before it is done: from the same findings and changes that
//! the apply goes by. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::catalog::inside::{Inside, Schema};
use crate::postgres::fact::{Attribute, Fact, Kind, Objects};
use crate::postgres::{ExtensionName, SchemaName};

use super::change::Change;
use super::charter::Desired;
use super::control::Control;
use super::diff::{Deviation, Finding};
use super::limits::Limits;
use super::names::{EXTENSIONS_SCHEMA, is_reserved_schema};
use super::observed::{Observed, Seen};
use super::repair::{findings, repair};

/// What is otherwise afterwards, for whoever uses the database now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoption {
    /// How many tables and sequences of the tenant's role are in schemas that are closed to it then.
    pub unreachable: BTreeMap<String, u64>,
    /// And how many are in schemas that it finds without naming them now, and not then.
    pub unnamed: BTreeMap<String, u64>,
    /// The database and the schemas that the admin takes over, and whose they are now.
    pub owned: Vec<(Objects, String)>,
    /// Attributes that the tenant's role loses.
    pub attributes: Vec<Attribute>,
    /// What others lose. `None` is PUBLIC.
    pub losses: BTreeMap<Option<String>, Loss>,
    /// Whether temporary tables were allowed, and are not then.
    pub temporary: bool,
    /// Those that are dropped, unless something depends on them.
    pub extensions: Vec<ExtensionName>,
    /// Parameters that are reset for the role or the database.
    pub parameters: BTreeSet<String>,
    /// Sessions of the tenant's role, where there are more than its limit allows then; and that limit.
    pub sessions: Option<(usize, i32)>,
}

/// What one role has now and not afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// CONNECT on the database.
    pub connect: bool,
    /// Privileges on so many objects.
    pub objects: u64,
    /// Privileges on what will be made.
    pub later: bool,
    /// It is a member of the tenant's role.
    pub member: bool,
    /// Its sessions at present, which are the last ones.
    pub sessions: usize,
}

impl Adoption {
    pub fn of(desired: &Desired, observed: &Observed) -> Self {
        let mut adoption = Adoption::default();
        let findings = findings(desired, observed);
        // What somebody holds on the same objects by several privileges counts once.
        let mut held: BTreeMap<(Option<String>, Kind, Option<String>), u64> = BTreeMap::new();
        for fact in findings.values().filter(|finding| finding.status.is_drift()).flat_map(taken) {
            match fact {
                Fact::Grant { objects, grantee, privilege, .. } if objects.kind == Kind::Database => {
                    let loss = adoption.losses.entry(grantee.clone()).or_default();
                    loss.connect |= privilege == "CONNECT";
                }
                Fact::Grant { objects, grantee, .. } if !objects.original => {
                    let key = (grantee.clone(), objects.kind.clone(), objects.schema.clone());
                    let count = held.entry(key).or_default();
                    *count = (*count).max(objects.count);
                }
                Fact::DefaultGrant { grantee, .. } => {
                    adoption.losses.entry(grantee.clone()).or_default().later = true;
                }
                Fact::Membership { role, member, .. } if observed.is_role(role) => {
                    adoption.losses.entry(Some(member.clone())).or_default().member = true;
                }
                Fact::Owner { objects, owner } if matches!(objects.kind, Kind::Database | Kind::Schema) => {
                    adoption.owned.push((objects.clone(), owner.clone()));
                }
                Fact::Attribute { role, attribute } if observed.is_role(role) => {
                    // It matters to members of a group alone.
                    let is_idle = *attribute == Attribute::Inherit && !observed.is_member();
                    if !is_idle && !matches!(attribute, Attribute::ConnectionLimit(_)) {
                        adoption.attributes.push(attribute.clone());
                    }
                }
                Fact::Parameter { name, .. } => {
                    adoption.parameters.insert(name.clone());
                }
                _ => {}
            }
        }
        for ((grantee, ..), count) in held {
            adoption.losses.entry(grantee).or_default().objects += count;
        }
        adoption.end_sessions(observed);
        adoption.losses.retain(|grantee, loss| {
            let is_tenants = grantee.as_deref().is_some_and(|grantee| observed.is_role(grantee));
            !is_tenants && *loss != Loss::default()
        });
        let is_public = |grant: &crate::postgres::catalog::acl::Grant| grant.grantee.is_none();
        let acl = observed.database.iter().flat_map(|database| &database.acl);
        adoption.temporary = !desired.temporary && acl.filter(|grant| grant.privilege == "TEMPORARY").any(is_public);
        adoption.unreachable = unreachable(desired, observed, &findings);
        adoption.unnamed = unnamed(desired, observed);
        adoption.unnamed.retain(|schema, _| !adoption.unreachable.contains_key(schema));
        let tried = repair(desired, observed).tried;
        adoption.extensions = tried.into_iter().filter_map(dropped).collect();
        let (sessions, limit) = (observed.as_role().count(), Limits::safe().connection_limit);
        let is_beyond = !observed.is_guarded() && usize::try_from(limit).is_ok_and(|limit| sessions > limit);
        adoption.sessions = is_beyond.then_some((sessions, limit));
        adoption
    }

    /// Counts the sessions of those who get in no more: by a CONNECT of their own, or by PUBLIC's.
    fn end_sessions(&mut self, observed: &Observed) {
        let closes = |losses: &BTreeMap<Option<String>, Loss>, grantee: &Option<String>| {
            losses.get(grantee).is_some_and(|loss| loss.connect)
        };
        let by_public = closes(&self.losses, &None);
        let at_home = observed.at_home();
        for session in observed.in_database().filter(|session| !at_home.contains(&session.role)) {
            let grantee = Some(session.role.clone());
            if by_public || closes(&self.losses, &grantee) {
                self.losses.entry(grantee).or_default().sessions += 1;
            }
        }
    }
}

/// What an apply takes away of one finding.
fn taken(finding: &Finding) -> impl Iterator<Item = &Fact> {
    finding.facts.iter().filter_map(|deviation| match deviation {
        Deviation::Unexpected(Seen { fact, ours: true }) => Some(fact),
        _ => None,
    })
}

fn dropped(change: Change) -> Option<ExtensionName> {
    match change {
        Change::DropExtension { extension, .. } => Some(extension),
        _ => None,
    }
}

/// The schemas that hold tables of the tenant's role and are none of its own.
fn unreachable(desired: &Desired, observed: &Observed, findings: &BTreeMap<Control, Finding>) -> BTreeMap<String, u64> {
    let first = observed.schema(&desired.names).map(|schema| schema.name.as_str());
    // Only where this admin may close it, as the owner of the database if not yet.
    let closes =
        |schema: &Schema| schema.owner == "pg_database_owner" || observed.acts_for(&schema.owner, schema.owner_usable);
    let mut schemas = observed.inside.iter().flat_map(|inside| &inside.schemas);
    let closes_public = schemas.any(|schema| schema.name == "public" && closes(schema))
        && findings.get(&Control::PublicSchema).is_some_and(|finding| finding.status.is_drift());
    let stays = |schema: &str| match schema {
        "public" if first != Some("public") => !closes_public,
        schema => {
            Some(schema) == first
                || schema == EXTENSIONS_SCHEMA
                || desired.schemas.iter().any(|own| own.as_str() == schema)
                || desired.leaves_to_tenant(observed, schema)
        }
    };
    owned(observed, |schema| !stays(schema))
}

/// The schemas with tables of the tenant's role that are in PostgreSQL's own `search_path`, where no other is set, and not in the
/// one that a tenant gets.
fn unnamed(desired: &Desired, observed: &Observed) -> BTreeMap<String, u64> {
    let role = observed.role.as_ref().map(|role| role.name.as_str());
    let database = observed.database.as_ref().map(|database| database.name.as_str());
    let levels = [(database, role), (None, role), (database, None)];
    if levels.into_iter().any(|(database, role)| observed.setting(database, role, "search_path").is_some()) {
        return BTreeMap::new();
    }
    let path = desired.search_path(observed);
    let is_first = |schema: &str| observed.schema(&desired.names).is_some_and(|first| first.name == schema);
    let finds = |schema: &str| is_first(schema) || path.iter().any(|other| other.as_str() == schema);
    owned(observed, |schema| (schema == "public" || Some(schema) == role) && !finds(schema))
}

/// How many tables and sequences the tenant's role owns in each of these schemas.
fn owned(observed: &Observed, is_one: impl Fn(&str) -> bool) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let relations = observed.inside.iter().flat_map(|inside| &inside.relations);
    for relations in relations.filter(|found| observed.is_role(&found.owner) && is_one(&found.schema)) {
        *counts.entry(relations.schema.clone()).or_default() += relations.count;
    }
    counts
}

/// The schema that a role lives in: the one with most of its tables, or else the one that is its own.
pub fn home(inside: &Inside, role: &str) -> Option<SchemaName> {
    let may_be = |schema: &str| !is_reserved_schema(schema);
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for found in inside.relations.iter().filter(|found| found.owner == role && may_be(&found.schema)) {
        *counts.entry(&found.schema).or_default() += found.count;
    }
    let own = || inside.schemas.iter().find(|schema| schema.owner == role && may_be(&schema.name));
    // Of equal ones the first by name.
    let most = counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(schema, _)| schema);
    most.or_else(|| own().map(|schema| schema.name.as_str())).and_then(|schema| schema.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::catalog::acl::Grant;
    use crate::postgres::catalog::inside::{Extension, ObjectGrant, Relations};
    use crate::tenant::fixture;

    fn relations(schema: &str, owner: &str, count: u64) -> Relations {
        Relations { kind: "r".to_owned(), schema: schema.to_owned(), owner: owner.to_owned(), count }
    }

    fn granted(grantee: &str, privilege: &str, count: u64) -> ObjectGrant {
        ObjectGrant {
            kind: "r".to_owned(),
            original: false,
            schema: Some("app".to_owned()),
            owner: "acme".to_owned(),
            owner_usable: true,
            grantee: Some(grantee.to_owned()),
            privilege: privilege.to_owned(),
            grantable: false,
            count,
            names: vec!["orders".to_owned()],
        }
    }

    /// A database `acme` that grew: its application, of the same name, owns it, and its tables are in `schema`.
    fn grown(schema: &str) -> Observed {
        let mut observed = fixture::observed();
        let (database, role) = (observed.database.as_mut().unwrap(), observed.role.as_mut().unwrap());
        (database.comment, database.owner, database.owner_usable) = (None, "acme".into(), true);
        database.acl = vec![fixture::grant(None, "CONNECT"), fixture::grant(None, "TEMPORARY")];
        (role.comment, role.inherit) = (None, true);
        let inside = observed.inside.as_mut().unwrap();
        inside.relations = vec![relations(schema, "acme", 3), relations(schema, "somebody", 2)];
        let mut public = inside.schemas[0].clone();
        public.acl = vec![fixture::grant(None, "USAGE")];
        inside.schemas = vec![Schema { name: schema.to_owned(), comment: None, ..public }];
        observed
    }

    fn adoption(observed: &Observed) -> Adoption {
        Adoption::of(&fixture::desired(), observed)
    }

    fn loser(adoption: &Adoption, role: &str) -> Option<Loss> {
        adoption.losses.get(&Some(role.to_owned())).cloned()
    }

    #[test]
    fn what_is_a_tenant_already_loses_nothing() {
        assert_eq!(adoption(&fixture::observed()), Adoption::default());
    }

    #[test]
    fn tables_outside_the_tenants_schemas_are_counted() {
        let reached = |schema: &str, desired: &Desired| {
            Adoption::of(desired, &grown(schema)).unreachable.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(reached("app", &fixture::desired()), []);
        assert_eq!(reached("public", &fixture::desired()), [("public".to_owned(), 3)]);
        assert_eq!(reached("billing", &fixture::desired()), [("billing".to_owned(), 3)]);
        let mut desired = fixture::desired();
        desired.schemas = BTreeSet::from(["billing".parse().unwrap()]);
        assert_eq!(reached("billing", &desired), []);
        desired.names.schema = "public".parse().unwrap();
        assert_eq!(reached("public", &desired), []);
        // Of one that this admin may not close nothing is lost.
        let mut theirs = grown("public");
        theirs.inside.as_mut().unwrap().schemas[0].owner_usable = false;
        theirs.inside.as_mut().unwrap().schemas[0].owner = "postgres".to_owned();
        assert_eq!(adoption(&theirs).unreachable, BTreeMap::new());
        // But it is not found without its name, unless somebody set a path that goes on as it is.
        let public = [("public".to_owned(), 3)].into();
        assert_eq!(adoption(&theirs).unnamed, BTreeMap::new());
        theirs.settings.retain(|setting| setting.name != "search_path");
        assert_eq!(adoption(&theirs).unnamed, public);
        let mut own = grown("acme");
        own.settings.retain(|setting| setting.name != "search_path");
        let mut desired = fixture::desired();
        desired.schemas = BTreeSet::from(["acme".parse().unwrap()]);
        assert_eq!(Adoption::of(&desired, &own).unnamed, [("acme".to_owned(), 3)].into());
        desired.names.schema = "acme".parse().unwrap();
        assert_eq!(Adoption::of(&desired, &own).unnamed, BTreeMap::new());
    }

    #[test]
    fn whoever_gets_in_no_more_is_named_with_what_it_has() {
        let mut observed = grown("app");
        let acl = &mut observed.database.as_mut().unwrap().acl;
        acl.push(Grant { grantee: Some("reader".into()), ..fixture::grant(None, "CONNECT") });
        let inside = observed.inside.as_mut().unwrap();
        inside.grants = vec![granted("reader", "SELECT", 3), granted("reader", "INSERT", 2)];
        observed.memberships.push(fixture::membership("acme", "person"));
        for role in ["acme", "admin", "reader", "reader", "visitor"] {
            observed.connected.push(fixture::connected(role, Some("acme")));
        }
        let found = adoption(&observed);
        assert_eq!(loser(&found, "reader"), Some(Loss { connect: true, objects: 3, sessions: 2, ..Loss::default() }));
        assert_eq!(loser(&found, "visitor"), Some(Loss { sessions: 1, ..Loss::default() }));
        assert_eq!(loser(&found, "person"), Some(Loss { member: true, ..Loss::default() }));
        assert!(found.losses[&None].connect && found.temporary);
        assert_eq!(found.losses.len(), 4);
        assert_eq!(found.owned, [(Objects::one(Kind::Database, "acme"), "acme".to_owned())]);
        // What is accepted stays.
        let mut desired = fixture::desired();
        let controls = [
            Control::PublicPrivileges,
            Control::OtherPrivileges,
            Control::SchemaPrivileges,
            Control::OtherRoles,
            Control::Memberships,
        ];
        desired.accept = controls.map(|control| (control, "until all are named".to_owned())).into();
        assert_eq!(Adoption::of(&desired, &observed).losses, BTreeMap::new());
    }

    #[test]
    fn what_the_role_itself_loses() {
        let mut observed = grown("app");
        observed.role.as_mut().unwrap().create_database = true;
        observed.settings.push(fixture::setting(None, Some("acme"), "work_mem", "1GB"));
        observed.inside.as_mut().unwrap().extensions = vec![Extension {
            name: "pg_trgm".into(),
            schema: "public".into(),
            version: "1.6".into(),
            owner: "acme".into(),
            owner_usable: true,
            movable: true,
            fixed: None,
            requires: Vec::new(),
        }];
        observed.connected = (0..11).map(|_| fixture::connected("acme", Some("acme"))).collect();
        let found = adoption(&observed);
        assert_eq!(found.attributes, [Attribute::CreateDb]);
        assert_eq!(found.parameters, BTreeSet::from(["work_mem".to_owned()]));
        assert_eq!(found.extensions, ["pg_trgm".parse().unwrap()]);
        assert_eq!(found.sessions, Some((11, 10)));
        observed.connected.pop();
        observed.memberships.push(fixture::membership("readers", "acme"));
        let found = adoption(&observed);
        assert_eq!((found.sessions, found.attributes), (None, vec![Attribute::CreateDb, Attribute::Inherit]));
    }

    #[test]
    fn a_role_lives_where_most_of_its_tables_are() {
        let home_of = |relations: Vec<Relations>, schemas: &[(&str, &str)]| {
            let schema = |(name, owner): &(&str, &str)| Schema {
                name: (*name).to_owned(),
                owner: (*owner).to_owned(),
                ..grown("app").inside.unwrap().schemas.remove(0)
            };
            let inside = Inside { relations, schemas: schemas.iter().map(schema).collect(), ..Inside::default() };
            home(&inside, "acme").map(|schema| schema.to_string())
        };
        let own = [("public", "postgres"), ("billing", "acme")];
        assert_eq!(home_of(vec![], &[("public", "postgres")]), None);
        assert_eq!(home_of(vec![], &own).as_deref(), Some("billing"));
        let both = vec![relations("billing", "acme", 1), relations("public", "acme", 2)];
        assert_eq!(home_of(both, &own).as_deref(), Some("public"));
        let equal = vec![relations("billing", "acme", 2), relations("public", "acme", 2)];
        assert_eq!(home_of(equal, &own).as_deref(), Some("billing"));
        assert_eq!(home_of(vec![relations("public", "somebody", 9)], &own).as_deref(), Some("billing"));
        assert_eq!(home_of(vec![relations("pg_temp", "acme", 9)], &own).as_deref(), Some("billing"));
    }
}
