//! What is right for one tenant: the facts that its configuration requires, and those that may be beside them, which are the
//! tenant's own affairs. Everything else is drift.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::catalog::inside::{Extension, Thing};
use crate::postgres::catalog::offer::Available;
use crate::postgres::fact::{Attribute, DatabaseAttribute, Fact, Kind, Level, Objects, Options, Text};
use crate::postgres::text;
use crate::postgres::{Authentication, Challenge, DatabaseName, Expiry, ExtensionName, RoleName, SchemaName, Verifier};

use super::access::Access;
use super::control::Control;
use super::diff::{Charter, Deviation};
use super::extensions::{self, Pin};
use super::limits::{ADMIN_CONNECTIONS, Limits};
use super::marker::{Marker, Stage};
use super::method::Method;
use super::names::{EXTENSIONS_SCHEMA, Names, TenantName};
use super::observed::{Observed, Seen};
use super::{Locale, Setting};

/// What is to become of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    Present,
    /// It may not log in, and its sessions are ended.
    Suspended,
    /// Closed, renamed and kept.
    Archived,
    /// Neither its role nor its database is there.
    Gone,
    /// Its database is not there; its role waits for a create that follows.
    Emptied,
}

/// What becomes of the tenant's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// It stays, whatever it is.
    Keep,
    /// This one is set, unless one of the same version is on record already.
    Set(Verifier),
    /// It is taken away.
    Take,
}

/// A tenant as it is wanted: all known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    pub names: Names,
    pub goal: Goal,
    /// Whether a tenant that is to end may be connected to.
    pub force: bool,
    /// The name by which Terraform knows the tenant; `None` for one that it does not know yet.
    pub known_as: Option<TenantName>,
    /// TEMPORARY on the database.
    pub temporary: bool,
    /// CREATE on the database.
    pub creates_schemas: bool,
    /// Logical replication slots in its database, and publications.
    pub replicates: bool,
    /// How many connections its database has for the admin's own work; less than 0: it has no limit of its own.
    pub admin_connections: i32,
    pub extensions: BTreeMap<ExtensionName, Pin>,
    /// What the server offers of them; empty where none is to be made.
    pub offered: BTreeMap<String, Available>,
    /// Beside the one of its names.
    pub schemas: BTreeSet<SchemaName>,
    /// Those that were among them until now.
    pub given_up: BTreeSet<SchemaName>,
    /// The roles that the tenant is to be a member of, beside that of its `authentication`.
    pub member_of: BTreeSet<RoleName>,
    pub authentication: Method,
    /// What its database is made from; `None` is `template0`.
    pub template: Option<DatabaseName>,
    /// `None`: its password does not expire.
    pub valid_until: Option<Expiry>,
    /// What people are to find in the database's comment; `None`: what is there.
    pub comment: Option<String>,
    pub locale: Locale,
    pub password: Password,
    pub password_version: Option<i64>,
    /// Controls whose findings are meant to be, and why.
    pub accept: BTreeMap<Control, String>,
}

/// Parameters that a client may choose for itself, for how it talks and shows things: they take nothing from anybody, and let
/// nobody in.
pub const HARMLESS: [&str; 20] = [
    "application_name",
    "bytea_output",
    "client_encoding",
    "client_min_messages",
    "datestyle",
    "default_text_search_config",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "extra_float_digits",
    "intervalstyle",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "quote_all_identifiers",
    "timezone",
    "timezone_abbreviations",
    "transform_null_equals",
    "xmlbinary",
    "xmloption",
];

/// Objects of these catalogs are a tenant's to make in its schemas.
const OWN_AFFAIRS: [&str; 9] = [
    "pg_collation",
    "pg_conversion",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_statistic_ext",
    "pg_transform",
    "pg_ts_config",
    "pg_ts_dict",
];

/// Why the schema `public` of a server before 15 is as it is.
pub(super) const PUBLIC_SCHEMA_IS_THEIRS: &str =
    "PostgreSQL 13 and 14: a superuser owns the schema public of each new database, and no other admin may change it";

impl Desired {
    /// Whether the schema for extensions is there before there are any: who may make schemas must not make that one.
    pub(super) fn has_extensions_schema(&self, observed: &Observed) -> bool {
        self.creates_schemas || self.has_extensions(observed)
    }

    /// What the role finds without naming a schema.
    pub(super) fn search_path(&self, observed: &Observed) -> Vec<SchemaName> {
        let mut path = vec![self.names.schema.clone()];
        if self.has_extensions(observed) {
            path.push(EXTENSIONS_SCHEMA.parse().expect("a name"));
        }
        path.extend(self.extension_schemas(observed));
        path
    }

    /// All roles that the tenant is to be a member of.
    pub fn groups(&self) -> BTreeSet<RoleName> {
        self.member_of.iter().cloned().chain(self.authentication.group()).collect()
    }

    /// Whether a schema is one that the tenant made, and may have made.
    pub(super) fn leaves_to_tenant(&self, observed: &Observed, schema: &str) -> bool {
        let given = [self.names.schema.as_str(), EXTENSIONS_SCHEMA, "public"];
        let is_one = |given: &SchemaName| given.as_str() == schema;
        let is_given = given.contains(&schema) || self.schemas.iter().any(is_one);
        let creates = self.creates_schemas && !is_given && observed.owns_schema(schema);
        creates && !self.extension_schemas(observed).iter().any(is_one)
    }

    /// Whether an extension is one that the tenant installed, and may have installed.
    pub fn leaves_extension(&self, observed: &Observed, extension: &Extension) -> bool {
        let is_wanted = self.pin(&extension.name).is_some();
        self.creates_schemas && !is_wanted && observed.role.as_ref().is_some_and(|role| role.name == extension.owner)
    }

    /// Whether the tenant is to log in.
    pub fn logs_in(&self) -> bool {
        self.goal == Goal::Present
    }

    /// The password that is to be written now: `Some(None)` takes it away. A password is written once for each version: what
    /// is stored cannot be compared, and who else holds it is told by the version alone.
    pub(super) fn due_password(&self, observed: &Observed) -> Option<Option<&Verifier>> {
        // Of a role without a marker no version is known, nor whether it has a password.
        let differs =
            |wanted: Option<i64>| observed.role_marker().is_none_or(|marker| marker.password_version != wanted);
        match &self.password {
            Password::Set(verifier) => differs(self.password_version).then_some(Some(verifier)),
            Password::Take => {
                let becomes = |marker: Marker| marker.authentication != self.authentication;
                let loses = !self.authentication.is_password() && observed.role_marker().is_none_or(becomes);
                (observed.role.is_some() && (differs(None) || loses)).then_some(None)
            }
            Password::Keep => None,
        }
    }

    /// That the role of this name has the VALID UNTIL that is wanted, if one is.
    pub(super) fn required_expiry(&self, role: &str) -> Option<(Control, Fact)> {
        let attribute = Attribute::ValidUntil(self.valid_until?.to_string());
        Some((Control::RoleAttributes, Fact::Attribute { role: role.to_owned(), attribute }))
    }

    /// The marker that a complete tenant's database carries.
    pub(super) fn marker(&self, observed: &Observed) -> Marker {
        let was = self.known_as.as_ref().filter(|known| **known != self.names.tenant).map(ToString::to_string);
        Marker { was, ..self.marked(Stage::Ready, observed) }
    }

    /// That of its schema, by which that is found.
    pub(super) fn schema_marker(&self, observed: &Observed) -> Marker {
        self.marked(Stage::Ready, observed)
    }

    /// A marker of this stage with the record of the password: that of the role, as long as none is written.
    pub(super) fn marked(&self, stage: Stage, observed: &Observed) -> Marker {
        let (version, password) = match self.due_password(observed) {
            Some(Some(verifier)) => (self.password_version, Some(verifier.challenge())),
            Some(None) => (None, None),
            None if observed.role.is_none() => (None, None),
            None => {
                // What the server shows of a password that was set before there was a record of it.
                let shown: Option<Challenge> = observed.recorded().or_else(|| observed.challenge());
                // Where the record was lost, what Terraform knows counts.
                (observed.role_marker().map_or(self.password_version, |marker| marker.password_version), shown)
            }
        };
        let schemas = self.schemas.iter().map(ToString::to_string).collect();
        Marker {
            password,
            authentication: self.authentication,
            valid_until: self.valid_until,
            schemas,
            extension_schemas: self.pinned_schemas(),
            creates_schemas: self.creates_schemas,
            replicates: self.replicates,
            admin_connections: (self.admin_connections != ADMIN_CONNECTIONS).then_some(self.admin_connections),
            ..Marker::new(&self.names, stage, version)
        }
    }

    /// That of its role, which no owner of a database can write: it also says whether there are guardrails, and whether
    /// Terraform is known to have the tenant.
    pub(super) fn role_marker(&self, observed: &Observed) -> Marker {
        let stage = if self.known_as.is_some() { Stage::Ready } else { Stage::Made };
        Marker {
            stage,
            guardrails: observed.is_guarded(),
            admitted: observed.admitted.clone(),
            ..self.marker(observed)
        }
    }
}

/// The charter of one tenant whose role and database are there, under the names that they have now.
pub struct TenantCharter<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    role: &'a str,
    database: &'a str,
    schema: &'a str,
    /// The roles that the tenant is meant to reach: what they hold elsewhere is told. What it reaches by another membership is
    /// not: that membership is.
    meant: BTreeSet<String>,
    /// The schemas in which it has extensions, beside the one that is there for them.
    extended: BTreeSet<SchemaName>,
}

impl<'a> TenantCharter<'a> {
    pub fn new(desired: &'a Desired, observed: &'a Observed) -> Self {
        let role = observed.role.as_ref().map_or(desired.names.role.as_str(), |role| &role.name);
        let database = observed.database.as_ref().map_or(desired.names.database.as_str(), |database| &database.name);
        let schema = observed.schema(&desired.names).map_or(desired.names.schema.as_str(), |schema| &schema.name);
        let (meant, extended) = (meant(desired, observed), desired.extension_schemas(observed));
        TenantCharter { desired, observed, role, database, schema, meant, extended }
    }

    /// Whether a role is reached by a membership that is not meant.
    fn is_borrowed(&self, role: &str) -> bool {
        role != self.role && self.observed.reached.contains(role) && !self.meant.contains(role)
    }

    fn is_home_schema(&self, name: &str) -> bool {
        let mut others = self.desired.schemas.iter().chain(&self.extended);
        name == self.schema || name == EXTENSIONS_SCHEMA || others.any(|own| own.as_str() == name)
    }

    /// The schemas in which the tenant makes its objects, under the names that they have now.
    fn own_schemas(&self) -> impl Iterator<Item = &str> {
        [self.schema].into_iter().chain(self.desired.schemas.iter().map(SchemaName::as_str))
    }

    /// One that the tenant made for itself.
    fn is_tenants_schema(&self, name: &str) -> bool {
        self.desired.leaves_to_tenant(self.observed, name)
    }

    /// Whether a thing in the database is one that who may create there makes, a publication of its own tables, or one that is
    /// meant to carry changes out of it.
    fn is_tenants_thing(&self, objects: &Objects) -> bool {
        if self.desired.replicates && matches!(objects.kind, Kind::Publication | Kind::ReplicationSlot) {
            return true;
        }
        let things = || self.observed.inside.iter().flat_map(|inside| &inside.things);
        let is_own = |thing: &Thing| {
            objects.is(Kind::of_catalog(&thing.class), &thing.name) && thing.owner.as_deref() == Some(self.role)
        };
        self.desired.creates_schemas && objects.kind == Kind::Publication && things().any(is_own)
    }

    fn parameter(&self, level: Level, name: &str, value: &Setting) -> Fact {
        Fact::Parameter { level, name: name.to_owned(), value: Text::whole(value.text()) }
    }

    /// Without guardrails a tenant has the safe limits, no others.
    fn required_limits(&self) -> Vec<(Control, Fact)> {
        let limits = Limits::safe();
        let rows = limits.settings().into_iter().filter_map(|(name, value)| {
            let level = Level::Database(self.database.to_owned());
            if self.observed.is_guarded() {
                // That there is one; which one is what the guardrails say.
                let found = self.observed.setting(Some(self.database), None, name.as_str());
                found.is_none().then(|| self.parameter(level, name.as_str(), &value))
            } else {
                Some(self.parameter(level, name.as_str(), &value))
            }
        });
        let mut required: Vec<Fact> = rows.collect();
        if !self.observed.is_guarded() {
            let level = || Level::Role(self.role.to_owned());
            required
                .extend(limits.settings().iter().map(|(name, value)| self.parameter(level(), name.as_str(), value)));
        }
        required.into_iter().map(|fact| (Control::Governed, fact)).collect()
    }

    fn allows_owner(&self, objects: &Objects, owner: &str) -> bool {
        if objects.is(Kind::Database, self.database) {
            return owner == self.observed.server.admin;
        }
        if objects.database.is_some() || objects.original {
            return false;
        }
        if objects.kind == Kind::Schema {
            // Who owns `public` is initdb's choice; of another schema its presence is told.
            let public = objects.name() == Some("public") && self.schema != "public";
            // `pg_database_owner` is whoever owns the database, which is told.
            let as_made = [self.observed.server.bootstrap.as_str(), "pg_database_owner"];
            // From outside they have no names.
            let is_own = match objects.name() {
                Some(name) => self.is_tenants_schema(name),
                None => self.desired.creates_schemas && self.observed.inside.is_err(),
            };
            let tenants = owner == self.role && is_own;
            return self.observed.manages(owner) || public && as_made.contains(&owner) || tenants;
        }
        let own = match &objects.kind {
            Kind::Relation
            | Kind::Sequence
            | Kind::Routine
            | Kind::DefinerRoutine
            | Kind::Type
            | Kind::LargeObject
            | Kind::DefaultPrivileges => true,
            Kind::Other(catalog) => OWN_AFFAIRS.contains(&catalog.as_str()),
            // Each of them is told by itself.
            Kind::Publication if self.desired.replicates => true,
            Kind::Publication | Kind::Extension => self.desired.creates_schemas && owner == self.role,
            _ => false,
        };
        // What it would grant on what it makes goes to nobody, for it makes nothing: of that it is told otherwise.
        let idle = objects.kind == Kind::DefaultPrivileges && self.is_let_in(owner);
        // The admin's own routines must not act for whoever calls them.
        idle || own && (owner == self.role || self.observed.manages(owner) && objects.kind != Kind::DefinerRoutine)
    }

    /// Whether a role is a further one of the tenant's, or one that somebody else made and that is let in.
    fn is_let_in(&self, role: &str) -> bool {
        self.observed.access_of(role).is_some() || self.observed.admits(role).is_some()
    }

    /// What a role that somebody else made may hold, beside CONNECT: what its access takes, and no more.
    fn allows_admitted(&self, objects: &Objects, access: Access, privilege: &str, grantable: bool) -> bool {
        if grantable || objects.original || objects.database.is_some() {
            return false;
        }
        let is_home = |schema: &str| self.is_home_schema(schema) || self.is_tenants_schema(schema);
        let at_home = objects.schema.as_deref().is_some_and(is_home);
        match (&objects.kind, objects.name()) {
            (Kind::Database, _) => false,
            // From outside they have no names, and privileges neither.
            _ if self.observed.inside.is_err() => true,
            (Kind::Schema, name) => name.is_some_and(is_home) && access.on(&Kind::Schema).contains(&privilege),
            (kind, _) => at_home && access.on(kind).contains(&privilege),
        }
    }

    /// What a further role of the tenant may hold: what its access takes, and what the tenant gives it on its own.
    fn allows_companion(&self, objects: &Objects, access: Access, privilege: &str, grantable: bool) -> bool {
        if grantable || objects.original || objects.database.is_some() {
            return false;
        }
        let is_home = |schema: &str| self.is_home_schema(schema) || self.is_tenants_schema(schema);
        match (&objects.kind, objects.name()) {
            (Kind::Database, _) => objects.is(Kind::Database, self.database) && privilege == "CONNECT",
            // From outside they have no names, and privileges neither.
            _ if self.observed.inside.is_err() => true,
            (Kind::Schema, Some(name)) if self.is_home_schema(name) => access.on(&Kind::Schema).contains(&privilege),
            (Kind::Schema, Some(name)) => self.is_tenants_schema(name),
            _ => objects.schema.as_deref().is_some_and(is_home),
        }
    }

    fn allows_grant(&self, objects: &Objects, grantee: Option<&str>, privilege: &str, grantable: bool) -> bool {
        let Some(grantee) = grantee else { return false };
        if let Some(access) = self.observed.access_of(grantee) {
            return self.allows_companion(objects, access, privilege, grantable);
        }
        if let Some(access) = self.observed.admits(grantee) {
            return self.allows_admitted(objects, access, privilege, grantable);
        }
        if objects.is(Kind::Database, self.database) {
            // TEMPORARY is `allow_temporary_tables`, an attribute of its own.
            return grantee == self.role && privilege == "TEMPORARY" && !grantable;
        }
        if objects.database.is_some() || objects.original || objects.kind == Kind::Database {
            return false;
        }
        // What a tenant lends to those who manage it gives them nothing that they do not have; and what it was given in its
        // own schema stays there.
        let is_given = objects.kind == Kind::Schema && !objects.name().is_some_and(|name| self.is_tenants_schema(name));
        let lent = self.observed.manages(grantee) && !is_given;
        let is_home = |schema: &str| self.is_home_schema(schema) || self.is_tenants_schema(schema);
        let at_home = objects.schema.as_deref().is_some_and(is_home);
        lent || grantee == self.role && at_home && !grantable
    }

    fn allows_parameter(&self, level: &Level, name: &str) -> bool {
        let guarded = |name: &str| self.observed.setting(Some(self.database), None, name).is_some();
        match level {
            // A guardrail, or found to stand against one: `pgtenant_guardrails` tells. It cannot take back what its admin
            // may not reset.
            Level::Database(_) if self.observed.is_guarded() && self.observed.may_set(name) => {
                !name.eq_ignore_ascii_case("search_path")
            }
            Level::Role(_) | Level::RoleInDatabase(..) if self.observed.is_guarded() && guarded(name) => true,
            _ => HARMLESS.iter().any(|harmless| harmless.eq_ignore_ascii_case(name)),
        }
    }

    /// One that is not wanted is told by the attributes, which can drop it if it is this admin's.
    fn may_drop(&self, extension: &str) -> bool {
        let mut inside = self.observed.inside.iter().flat_map(|inside| &inside.extensions);
        self.desired.pin(extension).is_none()
            && inside.any(|found| found.name == extension && found.owner_usable && extensions::is_at_default(found))
    }

    fn is_tenants_extension(&self, extension: &str) -> bool {
        let mut extensions = self.observed.inside.iter().flat_map(|inside| &inside.extensions);
        extensions.any(|found| found.name == extension && self.desired.leaves_extension(self.observed, found))
    }

    fn owner_control(&self, objects: &Objects, owner: &str) -> Control {
        match &objects.kind {
            Kind::Database if objects.is(Kind::Database, self.database) => Control::DatabaseOwner,
            Kind::Database | Kind::Tablespace => Control::Elsewhere,
            _ if objects.database.is_some() => Control::Elsewhere,
            Kind::Schema if objects.name() == Some("public") && self.schema != "public" => Control::PublicSchema,
            Kind::Schema if objects.name().is_none_or(|name| self.is_home_schema(name)) => Control::SchemaPrivileges,
            Kind::Relation
            | Kind::Sequence
            | Kind::Routine
            | Kind::Type
            | Kind::LargeObject
            | Kind::DefaultPrivileges
                if owner != self.role || objects.original =>
            {
                Control::OtherRoles
            }
            Kind::Other(_) if owner != self.role => Control::OtherRoles,
            _ => Control::Objects,
        }
    }

    fn grant_control(&self, objects: &Objects, grantee: Option<&str>) -> Control {
        match &objects.kind {
            Kind::Database if objects.is(Kind::Database, self.database) => match grantee {
                None => Control::PublicPrivileges,
                Some(grantee) if grantee == self.role => Control::TenantPrivileges,
                Some(_) => Control::OtherPrivileges,
            },
            Kind::Tablespace | Kind::Parameter => Control::ServerPrivileges,
            Kind::Database => Control::Elsewhere,
            _ if objects.database.is_some() => Control::Elsewhere,
            _ if objects.original => Control::SystemPrivileges,
            Kind::Schema if objects.name() == Some("public") && self.schema != "public" => Control::PublicSchema,
            Kind::Schema if objects.name().is_some_and(|name| self.is_home_schema(name)) => Control::SchemaPrivileges,
            Kind::Schema if objects.names.is_empty() => Control::OtherRoles,
            Kind::Schema | Kind::Language | Kind::ForeignDataWrapper | Kind::ForeignServer => Control::Objects,
            _ => Control::OtherRoles,
        }
    }
}

/// The roles that the tenant is to be a member of, and those that they reach.
fn meant(desired: &Desired, observed: &Observed) -> BTreeSet<String> {
    let mut meant: BTreeSet<String> = desired.groups().iter().map(ToString::to_string).collect();
    let mut next: Vec<String> = meant.iter().cloned().collect();
    while let Some(member) = next.pop() {
        for membership in observed.memberships.iter().filter(|m| m.member == member && !m.automatic) {
            if meant.insert(membership.role.clone()) {
                next.push(membership.role.clone());
            }
        }
    }
    meant
}

impl Charter for TenantCharter<'_> {
    fn required(&self) -> Vec<(Control, Fact)> {
        let desired = self.desired;
        let grant = |objects: Objects, privilege: &str| Fact::Grant {
            objects,
            grantee: Some(self.role.to_owned()),
            privilege: privilege.to_owned(),
            grantable: false,
        };
        let schema = |name: &str| Objects::one(Kind::Schema, name);
        let mut required: Vec<_> =
            self.own_schemas().map(|name| (Control::Schema, Fact::Present(schema(name)))).collect();
        // An owner has every privilege, which is told.
        if self.observed.database.as_ref().is_some_and(|database| database.owner != self.role) {
            required.push((Control::TenantPrivileges, grant(Objects::one(Kind::Database, self.database), "CONNECT")));
            if desired.creates_schemas {
                required
                    .push((Control::TenantPrivileges, grant(Objects::one(Kind::Database, self.database), "CREATE")));
            }
        }
        // A tenant that is shut out is so by all its doors.
        for role in self.observed.admitted.keys().filter(|_| desired.logs_in()) {
            let objects = Objects::one(Kind::Database, self.database);
            let connect =
                Fact::Grant { objects, grantee: Some(role.clone()), privilege: "CONNECT".to_owned(), grantable: false };
            required.push((Control::OtherPrivileges, connect));
        }
        let extended = desired.has_extensions_schema(self.observed).then_some(EXTENSIONS_SCHEMA);
        let extended = || extended.into_iter().chain(self.extended.iter().map(SchemaName::as_str));
        required.extend(extended().map(|name| (Control::Schema, Fact::Present(schema(name)))));
        if self.observed.inside.is_ok() {
            for own in self.own_schemas() {
                required.push((Control::SchemaPrivileges, grant(schema(own), "USAGE")));
                required.push((Control::SchemaPrivileges, grant(schema(own), "CREATE")));
            }
            // Where `public` is not this admin's to govern, PUBLIC has USAGE on it.
            let governed = |name: &&str| *name != "public" || self.observed.server.governs_public();
            let usable =
                extended().filter(governed).map(|name| (Control::SchemaPrivileges, grant(schema(name), "USAGE")));
            required.extend(usable);
        }
        for found in self.observed.inside.iter().flat_map(|inside| &inside.extensions) {
            if let Some((schema, version)) = desired.requires_of(self.observed, found) {
                let (name, schema) = (found.name.clone(), schema.to_string());
                required.push((Control::Extensions, Fact::Extension { name, version, schema }));
            }
        }
        for role in desired.groups() {
            let fact =
                Fact::Membership { role: role.to_string(), member: self.role.to_owned(), options: Options::default() };
            required.push((Control::Memberships, fact));
        }
        required.extend(desired.required_expiry(self.role));
        let level = Level::RoleInDatabase(self.role.to_owned(), self.database.to_owned());
        // Named as it is now: a rename changes it.
        let mut path = desired.search_path(self.observed);
        if let Ok(schema) = self.schema.parse() {
            path[0] = schema;
        }
        required.push((Control::SearchPath, self.parameter(level, "search_path", &Setting::Schemas(path))));
        required.extend(self.required_limits());
        if let (Some(version), None) = (desired.password_version, desired.due_password(self.observed))
            && self.observed.role_marker().is_some()
        {
            required.push((Control::Password, Fact::Password { role: self.role.to_owned(), version }));
        }
        let marker = |objects, marker: &Marker| (Control::Registered, Fact::Marker { objects, text: marker.text() });
        let own = desired.marker(self.observed);
        required.push(marker(Objects::one(Kind::Role, self.role), &desired.role_marker(self.observed)));
        required.push(marker(Objects::one(Kind::Database, self.database), &own));
        // On what the tenant owns a marker counts for nothing, and the admin may write none.
        if self.observed.inside.is_ok() && !self.observed.owns_schema(self.schema) {
            required.push(marker(schema(self.schema), &desired.schema_marker(self.observed)));
        }
        required
    }

    fn allows(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Present(objects) => match objects.kind {
                Kind::Role => objects.is(Kind::Role, self.role),
                Kind::Database => objects.is(Kind::Database, self.database),
                Kind::Schema => {
                    let is_ours =
                        |name: &str| name == "public" || self.is_home_schema(name) || self.is_tenants_schema(name);
                    objects.database.is_none() && objects.name().is_some_and(is_ours)
                }
                _ => objects.database.is_none() && self.is_tenants_thing(objects),
            },
            Fact::Owner { objects, owner } => {
                self.observed.is_elsewhere(objects) && self.is_borrowed(owner) || self.allows_owner(objects, owner)
            }
            Fact::Grant { objects, grantee: Some(grantee), .. }
                if self.observed.is_elsewhere(objects) && self.is_borrowed(grantee) =>
            {
                true
            }
            Fact::Attribute { role, .. } if self.is_borrowed(role) => true,
            Fact::Grant { objects, grantee, privilege, grantable } => {
                self.allows_grant(objects, grantee.as_deref(), privilege, *grantable)
            }
            Fact::DefaultGrant { owner, grantee: Some(grantee), privileges, .. }
                if owner == self.role && self.observed.access_of(grantee).is_some() =>
            {
                !privileges.iter().any(|privilege| privilege.ends_with('*'))
            }
            // Of a role that makes nothing.
            Fact::DefaultGrant { owner, .. } if self.is_let_in(owner) => true,
            Fact::DefaultGrant { owner, schema: None, kind, grantee: Some(grantee), privileges }
                if owner == self.role && self.observed.admits(grantee).is_some() =>
            {
                let allowed = self.observed.admits(grantee).map_or(&[][..], |access| access.on(kind));
                privileges.iter().all(|privilege| allowed.contains(&privilege.as_str()))
            }
            Fact::DefaultGrant { grantee, .. } => {
                grantee.as_ref().is_some_and(|grantee| self.observed.manages(grantee))
            }
            Fact::Policy { role, .. } => self.is_let_in(role),
            // It acts as the tenant when it says so, and hands that on to nobody.
            Fact::Membership { role, member, options } if role == self.role => {
                let own = self.observed.access_of(member) == Some(Access::Owner) && !options.inherit;
                (own || self.observed.admits(member) == Some(Access::Owner)) && !options.admin
            }
            Fact::Attribute { role, attribute: Attribute::ConnectionLimit(limit) } if role == self.role => {
                if self.observed.is_guarded() { *limit >= 0 } else { *limit == Limits::safe().connection_limit }
            }
            Fact::Database { database, attribute: DatabaseAttribute::ConnectionLimit(limit) }
                if database == self.database =>
            {
                let admin = self.desired.admin_connections;
                // No guardrails leave so few: it keeps the admin out as well.
                let closed = if admin < 0 { *limit >= 0 } else { (0..=admin).contains(limit) };
                let on_record = admin == self.observed.admin_connections();
                self.observed.is_guarded() && on_record && !closed
                    || *limit == self.observed.database_limit(self.observed.governed_limit(), admin)
            }
            Fact::Parameter { level, name, .. } => self.allows_parameter(level, name),
            Fact::Extension { name, .. } => self.may_drop(name) || self.is_tenants_extension(name),
            Fact::Password { role, .. } => role == self.role,
            // Of its own objects the one that is required is missing then.
            Fact::Marker { objects, .. } => {
                objects.is(Kind::Role, self.role)
                    || objects.is(Kind::Database, self.database)
                    || objects.is(Kind::Schema, self.schema)
            }
            Fact::Attribute { .. }
            | Fact::Membership { .. }
            | Fact::Database { .. }
            | Fact::ManyParameters { .. }
            | Fact::ForeignPassword { .. }
            | Fact::Differs { .. }
            | Fact::ManySchemas { .. }
            | Fact::ManyGrants { .. } => false,
        }
    }

    fn control(&self, fact: &Fact) -> Control {
        match fact {
            Fact::Present(objects) if objects.kind == Kind::Role => Control::Role,
            Fact::Present(_) | Fact::Differs { .. } | Fact::ManySchemas { .. } => Control::Objects,
            Fact::Owner { objects, owner } => self.owner_control(objects, owner),
            Fact::Grant { objects, grantee, .. } => self.grant_control(objects, grantee.as_deref()),
            Fact::DefaultGrant { .. } => Control::DefaultPrivileges,
            Fact::Policy { .. } | Fact::ManyGrants { .. } => Control::OtherRoles,
            Fact::Attribute { role, attribute } if role == self.role => match attribute {
                Attribute::ConnectionLimit(_) => Control::Governed,
                _ => Control::RoleAttributes,
            },
            Fact::Attribute { .. } | Fact::Membership { .. } => Control::Memberships,
            Fact::Database { attribute: DatabaseAttribute::ConnectionLimit(_), .. } => Control::Governed,
            Fact::Database { .. } => Control::DatabaseOpen,
            Fact::Parameter { name, .. } if name.eq_ignore_ascii_case("search_path") => Control::SearchPath,
            Fact::Parameter { name, .. } if super::limits::Timeout::is_safe(name) => Control::Governed,
            Fact::Parameter { .. } | Fact::ManyParameters { .. } => Control::Parameters,
            Fact::Extension { .. } => Control::Extensions,
            Fact::Marker { .. } => Control::Registered,
            Fact::ForeignPassword { .. } | Fact::Password { .. } => Control::Password,
        }
    }

    fn may_repair(&self, fact: &Fact) -> bool {
        let observed = self.observed;
        match fact {
            Fact::Marker { objects, .. } if objects.kind == Kind::Role => observed.alters_role(),
            Fact::Attribute { .. } => observed.alters_role(),
            Fact::Parameter { level: Level::Role(_) | Level::RoleInDatabase(..), .. } => observed.alters_role(),
            // That takes another version in the configuration.
            Fact::ForeignPassword { .. } | Fact::Password { .. } => false,
            Fact::Grant { objects, .. } | Fact::Marker { objects, .. } if objects.kind == Kind::Schema => {
                let schemas = observed.inside.iter().flat_map(|inside| &inside.schemas);
                let found = schemas.into_iter().find(|schema| objects.is(Kind::Schema, &schema.name));
                found.is_none_or(|schema| observed.acts_for(&schema.owner, schema.owner_usable))
            }
            Fact::Extension { name, .. } => !self.desired.mends(observed, name).is_empty(),
            Fact::Present(_) | Fact::Marker { .. } | Fact::Parameter { level: Level::Database(_), .. } => {
                observed.owns_database()
            }
            Fact::Grant { objects, .. } if objects.is(Kind::Database, self.database) => observed.owns_database(),
            _ => true,
        }
    }

    fn accepted(&self, control: Control, drift: &[Deviation]) -> Option<String> {
        if let Some(reason) = self.desired.accept.get(&control) {
            return Some(reason.clone());
        }
        let as_made = |deviation: &Deviation| {
            matches!(
                deviation,
                Deviation::Unexpected(Seen { fact: Fact::Grant { grantee: None, grantable: false, .. }, ours: false })
            )
        };
        let only =
            control == Control::PublicSchema && !self.observed.server.governs_public() && drift.iter().all(as_made);
        only.then(|| PUBLIC_SCHEMA_IS_THEIRS.to_owned())
    }

    fn unseen(&self, control: Control) -> Option<String> {
        match (control, &self.observed.inside) {
            (Control::Password, _) => unseen_password(self.observed, self.desired.authentication),
            (control, Err(why)) if control.is_inside() => Some(why.clone()),
            _ => None,
        }
    }
}

/// Why nothing can be told of a role's password, if nothing can.
pub(super) fn unseen_password(observed: &Observed, method: Method) -> Option<String> {
    if let Some(until) = observed.role.as_ref().filter(|role| role.expired).and_then(|role| role.valid_until.as_ref()) {
        // The server shows of an expired one what it shows of none.
        return Some(format!("the password expired at {}: the server refuses it, right or wrong", text::quoted(until)));
    }
    match &observed.login {
        Ok(Authentication::Scram(_) | Authentication::WrongPassword | Authentication::Md5) => None,
        _ if !method.is_password() => None,
        Err(why) => Some(why.clone()),
        Ok(_) => Some("the server does not ask for a password by SCRAM-SHA-256".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tenant::diff::{Status, diff};
    use crate::tenant::{Of, findings, fixture};

    /// What may be of the tenant `acme` of the fixture, said once more and otherwise than in the charter: as a list.
    fn is_meant(fact: &Fact) -> bool {
        let managers = ["admin", "pg_database_owner"];
        let single = |objects: &Objects| match objects.names.as_slice() {
            [name] if objects.count == 1 && objects.database.is_none() => name.clone(),
            _ => String::new(),
        };
        let at_home = |objects: &Objects| objects.database.is_none() && !objects.original;
        match fact {
            Fact::Present(objects) => matches!(
                (&objects.kind, single(objects).as_str()),
                (Kind::Role | Kind::Database, "acme") | (Kind::Schema, "app" | "extensions" | "public")
            ),
            Fact::Owner { objects, owner } => {
                let makes = match &objects.kind {
                    Kind::Database => return single(objects) == "acme" && owner == "admin",
                    Kind::Schema => {
                        let public = single(objects) == "public" && owner == "postgres";
                        return at_home(objects) && (managers.contains(&owner.as_str()) || public);
                    }
                    Kind::DefinerRoutine => return at_home(objects) && owner == "acme",
                    Kind::Relation | Kind::Sequence | Kind::Routine | Kind::Type | Kind::LargeObject => true,
                    Kind::DefaultPrivileges => true,
                    Kind::Other(catalog) => ["pg_operator", "pg_opclass"].contains(&catalog.as_str()),
                    _ => false,
                };
                makes && at_home(objects) && (owner == "acme" || managers.contains(&owner.as_str()))
            }
            Fact::Grant { objects, grantee, privilege, grantable } => {
                let Some(grantee) = grantee.as_deref() else { return false };
                match (&objects.kind, single(objects).as_str(), grantee, privilege.as_str(), grantable) {
                    (Kind::Database, name, who, what, grantable) => {
                        name == "acme" && who == "acme" && ["CONNECT", "TEMPORARY"].contains(&what) && !grantable
                    }
                    (Kind::Schema, "app", "acme", "USAGE" | "CREATE", false)
                        if *objects == Objects::one(Kind::Schema, "app") =>
                    {
                        true
                    }
                    (_, _, "acme", _, false) => {
                        at_home(objects) && ["app", "extensions"].map(Some).contains(&objects.schema.as_deref())
                    }
                    (kind, _, who, ..) => at_home(objects) && managers.contains(&who) && *kind != Kind::Schema,
                }
            }
            Fact::DefaultGrant { grantee, .. } => grantee.as_ref().is_some_and(|who| managers.contains(&who.as_str())),
            Fact::Attribute { role, attribute } => role == "acme" && *attribute == Attribute::ConnectionLimit(10),
            Fact::Database { database, attribute } => {
                database == "acme" && *attribute == DatabaseAttribute::ConnectionLimit(15)
            }
            Fact::Parameter { level, name, value } => {
                let required: &[&str] = match (level, name.to_ascii_lowercase().as_str()) {
                    (Level::RoleInDatabase(role, database), "search_path") if role == "acme" && database == "acme" => {
                        &["app", "\"app\""]
                    }
                    (
                        Level::Role(name) | Level::Database(name),
                        "statement_timeout" | "idle_in_transaction_session_timeout",
                    ) if name == "acme" => &["60000", "60s", "1min"],
                    (_, "timezone" | "application_name") => return true,
                    _ => return false,
                };
                value.digest.is_none() && required.contains(&value.text.as_str())
            }
            Fact::Marker { objects, .. } => {
                let name = single(objects);
                name == "acme" && [Kind::Role, Kind::Database].contains(&objects.kind)
                    || name == "app" && objects.kind == Kind::Schema
            }
            Fact::Password { role, .. } => role == "acme",
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_fact_that_is_not_meant_is_named_once_under_a_control_of_the_tenant(fact in fixture::any_fact(), ours: bool) {
            let (desired, observed) = (fixture::desired(), fixture::observed());
            let charter = TenantCharter::new(&desired, &observed);
            let mut seen = observed.facts();
            seen.push(Seen { fact: fact.clone(), ours });
            let drift = diff(&charter, &seen);
            if is_meant(&fact) {
                prop_assert_eq!(drift, BTreeMap::new(), "meant");
            } else {
                // What is set is not set again, and of an extension that is not wanted the attributes tell.
                let told = matches!(fact, Fact::ForeignPassword { .. } | Fact::Password { .. } | Fact::Extension { .. });
                let ours = ours && !told;
                let named = Deviation::Unexpected(Seen { fact, ours });
                prop_assert_eq!(drift.values().flatten().collect::<Vec<_>>(), [&named]);
                let control = drift.keys().next().unwrap();
                prop_assert_eq!(control.row().of, Of::Tenant, "{} is told by the resource", control);
            }
        }
    }

    /// Which control names a fact, of whose place there is a choice.
    #[test]
    fn facts_have_their_controls() {
        let (desired, observed) = (fixture::desired(), fixture::observed());
        let charter = TenantCharter::new(&desired, &observed);
        let owner = |objects: Objects, owner: &str| Fact::Owner { objects, owner: owner.to_owned() };
        let held = |objects: Objects, grantee: Option<&str>| Fact::Grant {
            objects,
            grantee: grantee.map(str::to_owned),
            privilege: "USAGE".to_owned(),
            grantable: false,
        };
        let one = Objects::one;
        let original = |kind: Kind| Objects { original: true, ..Objects::many(kind, 2) };
        for (fact, control) in [
            (owner(one(Kind::Database, "acme"), "x"), Control::DatabaseOwner),
            (owner(one(Kind::Database, "other"), "acme"), Control::Elsewhere),
            (owner(Objects::many(Kind::Tablespace, 1), "acme"), Control::Elsewhere),
            (owner(one(Kind::Schema, "app").within("other"), "acme"), Control::Elsewhere),
            (owner(Objects::many(Kind::Relation, 1).within("other"), "acme"), Control::Elsewhere),
            (owner(one(Kind::Schema, "public"), "x"), Control::PublicSchema),
            (owner(one(Kind::Schema, "app"), "x"), Control::SchemaPrivileges),
            (owner(one(Kind::Schema, "extensions"), "x"), Control::SchemaPrivileges),
            (owner(one(Kind::Schema, "other"), "x"), Control::Objects),
            (owner(one(Kind::Relation, "t"), "x"), Control::OtherRoles),
            (owner(original(Kind::Relation), "acme"), Control::OtherRoles),
            (owner(one(Kind::Other("pg_am".into()), "a"), "x"), Control::OtherRoles),
            (owner(one(Kind::Other("pg_am".into()), "a"), "acme"), Control::Objects),
            (owner(one(Kind::DefinerRoutine, "f"), "admin"), Control::Objects),
            (owner(one(Kind::Publication, "p"), "acme"), Control::Objects),
            (held(one(Kind::Database, "acme"), None), Control::PublicPrivileges),
            (held(one(Kind::Database, "acme"), Some("acme")), Control::TenantPrivileges),
            (held(one(Kind::Database, "acme"), Some("x")), Control::OtherPrivileges),
            (held(one(Kind::Database, "other"), Some("acme")), Control::Elsewhere),
            (held(one(Kind::Tablespace, "t"), Some("acme")), Control::ServerPrivileges),
            (held(one(Kind::Parameter, "p"), Some("acme")), Control::ServerPrivileges),
            (held(Objects::many(Kind::Relation, 1).within("other"), Some("acme")), Control::Elsewhere),
            (held(original(Kind::Routine), Some("acme")), Control::SystemPrivileges),
            (held(one(Kind::Schema, "public"), None), Control::PublicSchema),
            (held(one(Kind::Schema, "app"), None), Control::SchemaPrivileges),
            (held(Objects::many(Kind::Schema, 2), Some("x")), Control::OtherRoles),
            (held(one(Kind::Schema, "other"), None), Control::Objects),
            (held(one(Kind::Language, "l"), None), Control::Objects),
            (held(one(Kind::ForeignServer, "s"), None), Control::Objects),
            (held(one(Kind::Relation, "t"), None), Control::OtherRoles),
            (Fact::Present(one(Kind::Role, "x")), Control::Role),
            (Fact::Present(one(Kind::Schema, "x")), Control::Objects),
        ] {
            assert_eq!(charter.control(&fact), control, "{fact}");
        }
        // Where `public` is the tenant's own schema, it is no other.
        let mut desired = desired;
        desired.names.schema = "public".parse().unwrap();
        let observed = Observed { names: desired.names.clone(), inside: Err("closed".to_owned()), ..observed };
        let charter = TenantCharter::new(&desired, &observed);
        let public = || one(Kind::Schema, "public");
        assert_eq!(charter.control(&owner(public(), "x")), Control::SchemaPrivileges);
        assert_eq!(charter.control(&held(public(), None)), Control::SchemaPrivileges);
        assert!(!charter.allows(&owner(public(), "postgres")) && charter.allows(&owner(public(), "admin")));
    }

    /// What is right in the first schema is right in the others.
    #[test]
    fn other_schemas_of_the_tenant_are_its_home() {
        let mut desired = fixture::desired();
        let observed = fixture::observed();
        let present = Fact::Present(Objects::one(Kind::Schema, "jobs"));
        let usage = |schema: &str| Fact::Grant {
            objects: Objects { schema: Some(schema.to_owned()), ..Objects::one(Kind::Relation, "t") },
            grantee: Some("acme".to_owned()),
            privilege: "SELECT".to_owned(),
            grantable: false,
        };
        let allows = |desired: &Desired, fact: &Fact| TenantCharter::new(desired, &observed).allows(fact);
        assert!(!allows(&desired, &present) && !allows(&desired, &usage("jobs")));
        desired.schemas = ["jobs".parse().unwrap()].into();
        assert!(allows(&desired, &present) && allows(&desired, &usage("jobs")) && !allows(&desired, &usage("other")));
        let charter = TenantCharter::new(&desired, &observed);
        let owner = |owner: &str| Fact::Owner { objects: Objects::one(Kind::Schema, "jobs"), owner: owner.to_owned() };
        assert!(charter.allows(&owner("admin")) && !charter.allows(&owner("acme")));
        assert_eq!(charter.control(&owner("acme")), Control::SchemaPrivileges);
    }

    /// What the tenant reaches by a membership that is not meant is told by that membership, and not once more.
    #[test]
    fn what_a_group_has_is_told_if_its_membership_is_meant() {
        let (mut desired, mut observed) = (fixture::desired(), fixture::observed());
        desired.member_of = ["team".parse().unwrap()].into();
        observed.reached = ["team", "outsiders"].map(str::to_owned).into();
        let charter = TenantCharter::new(&desired, &observed);
        let place = || Objects::one(Kind::Database, "elsewhere");
        for (role, told) in [("team", true), ("outsiders", false), ("acme", true), ("stranger", true)] {
            let grant = Fact::Grant {
                objects: place(),
                grantee: Some(role.to_owned()),
                privilege: "CONNECT".to_owned(),
                grantable: false,
            };
            let attribute = Fact::Attribute { role: role.to_owned(), attribute: Attribute::Superuser };
            for fact in [grant, attribute, Fact::Owner { objects: place(), owner: role.to_owned() }] {
                assert_eq!(!charter.allows(&fact), told, "{fact}");
            }
        }
    }

    #[test]
    fn who_owns_the_database_manages_it_only_if_that_is_the_admin() {
        let mut observed = fixture::observed();
        assert!(observed.manages("admin") && observed.manages("pg_database_owner"));
        assert!(!observed.manages("acme") && !observed.manages("postgres"));
        observed.database.as_mut().unwrap().owner = "acme".to_owned();
        assert!(observed.manages("admin") && !observed.manages("pg_database_owner"));
    }

    #[test]
    fn a_guarded_tenant_may_have_any_limit_but_none() {
        let (desired, mut observed) = (fixture::desired(), fixture::observed());
        let allows = |observed: &Observed, limit: i32| {
            let attribute = Attribute::ConnectionLimit(limit);
            TenantCharter::new(&desired, observed).allows(&Fact::Attribute { role: "acme".into(), attribute })
        };
        assert_eq!([-1, 0, 10, 11].map(|limit| allows(&observed, limit)), [false, false, true, false]);
        let marker = Marker { guardrails: true, ..fixture::marker(&fixture::names(), Stage::Ready) };
        observed.role.as_mut().unwrap().comment = Some(marker.text());
        assert_eq!([-1, 0, 10, 11].map(|limit| allows(&observed, limit)), [false, true, true, true]);
        // And any parameter of its database, but for those that the guardrails' admin could not take back.
        let level = Level::Database("acme".to_owned());
        let parameter =
            |observed: &Observed| TenantCharter::new(&desired, observed).allows_parameter(&level, "log_statement");
        assert!(parameter(&observed));
        observed.privileged.insert("log_statement".to_owned());
        assert!(!parameter(&observed));
    }

    #[test]
    fn a_password_is_noted_when_it_is_set_or_first_seen() {
        let (mut desired, mut observed) = (fixture::desired(), fixture::observed());
        let noted = |desired: &Desired, observed: &Observed| desired.marker(observed).password;
        assert_eq!(noted(&desired, &observed), Some(fixture::challenge()));
        let shown = Challenge { iterations: 4096, salt: b"another".to_vec() };
        observed.login = Ok(Authentication::Scram(shown.clone()));
        assert_eq!(noted(&desired, &observed), Some(fixture::challenge()), "what was set last stays on record");
        observed.role.as_mut().unwrap().comment = Some(Marker::new(&fixture::names(), Stage::Ready, None).text());
        assert_eq!(noted(&desired, &observed), Some(shown));
        observed.login = Ok(Authentication::Md5);
        assert_eq!(noted(&desired, &observed), None);
        let verifier = Verifier::salted(&crate::postgres::Secret::new("hunter2"), "acme", "salt");
        (desired.password, desired.password_version) = (Password::Set(verifier.clone()), Some(1));
        assert_eq!(noted(&desired, &observed), Some(verifier.challenge()));
    }

    #[test]
    fn every_control_can_be_accepted() {
        for control in Control::all(Of::Tenant) {
            let mut desired = fixture::desired();
            desired.accept = [(control, "why".to_owned())].into();
            let observed = fixture::observed();
            let charter = TenantCharter::new(&desired, &observed);
            let drift = [Deviation::Unexpected(Seen { fact: Fact::ManyGrants { count: 1 }, ours: true })];
            assert_eq!(crate::tenant::diff::status(&charter, control, &drift), Status::Accepted("why".to_owned()));
            assert_eq!(findings(&desired, &observed)[&control].status, Status::Enforced, "nothing is there to accept");
        }
    }
}
