//! One thing to change, and the SQL that does it. Changes come in the order in which they are run.

use std::collections::BTreeSet;

use crate::postgres::catalog::inside;
use crate::postgres::fact::Kind;
use crate::postgres::{
    DatabaseName, Duration, Expiry, ExtensionName, ExtensionVersion, ParameterName, RoleName, SchemaName, Script,
    Statement, Step, Verifier, Whole,
};
use postgres_protocol::escape::{escape_identifier, escape_literal};

use super::baseline::Note;
use super::{Access, Limits, Locale, Marker};

/// Who holds a privilege.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grantee {
    Public,
    Role(RoleName),
}

/// Where a parameter is set. What is further down wins when a session starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// For every role in every database.
    Everything,
    /// For every role in a database: the one level that the tenant cannot write.
    Database(DatabaseName),
    /// For a role in every database.
    Role(RoleName),
    /// For a role in one database.
    RoleInDatabase(RoleName, DatabaseName),
}

/// A parameter's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    Duration(Duration),
    Text(String),
    /// A list of identifiers, as `search_path` takes it.
    Schemas(Vec<SchemaName>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// NOLOGIN until [`Change::Login`].
    CreateRole {
        role: RoleName,
        password: Option<Verifier>,
        limits: Limits,
    },
    /// Closed until [`Change::Open`].
    CreateDatabase {
        database: DatabaseName,
        /// `None`: `template0`, which brings nothing along.
        template: Option<DatabaseName>,
        locale: Locale,
        connection_limit: i32,
    },
    RenameDatabase {
        from: DatabaseName,
        to: DatabaseName,
    },
    RenameRole {
        from: RoleName,
        to: RoleName,
    },
    RenameSchema {
        database: DatabaseName,
        from: SchemaName,
        to: SchemaName,
    },
    /// Makes the admin the owner. `from` is the tenant's role when that is what owns it: the admin
    /// then needs its membership for a moment.
    OwnDatabase {
        database: DatabaseName,
        from: Option<RoleName>,
    },
    /// What the tenant is to keep of its own schema it is given in the same transaction: its application may be at work in it.
    OwnSchema {
        database: DatabaseName,
        schema: SchemaName,
        from: Option<RoleName>,
        keeps: Vec<&'static str>,
    },
    /// `NOCREATEDB`, `NOINHERIT`, ...
    RoleAttributes {
        role: RoleName,
        attributes: Vec<&'static str>,
    },
    /// VALID UNTIL of its password; `None`: for ever.
    Expire {
        role: RoleName,
        until: Option<Expiry>,
    },
    RevokeDatabase {
        database: DatabaseName,
        privileges: Vec<String>,
        grantee: Grantee,
    },
    GrantDatabase {
        database: DatabaseName,
        privileges: Vec<&'static str>,
        role: RoleName,
    },
    RevokeSchema {
        database: DatabaseName,
        schema: SchemaName,
        grantee: Grantee,
    },
    /// Takes from PUBLIC all that it holds on a database, or CREATE on a schema in it: whoever reads there goes on reading.
    /// `note` says in the object's comment what is taken, to be given back.
    TakeFromPublic {
        database: DatabaseName,
        schema: Option<SchemaName>,
        note: Option<Note>,
    },
    /// Gives PUBLIC back what was taken, and strikes the note.
    GiveToPublic {
        database: DatabaseName,
        schema: Option<SchemaName>,
        privileges: Vec<&'static str>,
    },
    GrantSchema {
        database: DatabaseName,
        schema: SchemaName,
        privileges: Vec<&'static str>,
        role: RoleName,
    },
    CreateSchema {
        database: DatabaseName,
        schema: SchemaName,
    },
    /// Of an empty one.
    DropSchema {
        database: DatabaseName,
        schema: SchemaName,
    },
    CreateExtension {
        database: DatabaseName,
        extension: ExtensionName,
        schema: SchemaName,
        version: Option<ExtensionVersion>,
    },
    MoveExtension {
        database: DatabaseName,
        extension: ExtensionName,
        schema: SchemaName,
    },
    UpdateExtension {
        database: DatabaseName,
        extension: ExtensionName,
        version: ExtensionVersion,
    },
    DropExtension {
        database: DatabaseName,
        extension: ExtensionName,
    },
    Set {
        scope: Scope,
        name: ParameterName,
        value: Setting,
    },
    Reset {
        scope: Scope,
        name: ParameterName,
    },
    ResetAll {
        scope: Scope,
    },
    LimitRole {
        role: RoleName,
        connections: i32,
    },
    LimitDatabase {
        database: DatabaseName,
        connections: i32,
    },
    /// ALLOW_CONNECTIONS true, IS_TEMPLATE false.
    Open {
        database: DatabaseName,
    },
    Close {
        database: DatabaseName,
    },
    /// `None` takes it away.
    SetPassword {
        role: RoleName,
        verifier: Option<Verifier>,
    },
    Login {
        role: RoleName,
    },
    NoLogin {
        role: RoleName,
    },
    /// Ends the role's sessions, wherever they are.
    EndSessions {
        role: RoleName,
    },
    /// The same for those that began to log in before that was forbidden, and come to be seen after; and waits until they are
    /// gone, for a few seconds.
    EndLateSessions {
        role: RoleName,
    },
    /// Ends all sessions with a database, and waits until they are gone, for a few seconds.
    EndDatabaseSessions {
        database: DatabaseName,
    },
    /// A marker is the first line of a comment; what people wrote there stays.
    MarkDatabase {
        database: DatabaseName,
        marker: Marker,
    },
    MarkRole {
        role: RoleName,
        marker: Marker,
    },
    MarkSchema {
        database: DatabaseName,
        schema: SchemaName,
        marker: Marker,
    },
    /// What people are to find in its comment, after the marker.
    CommentDatabase {
        database: DatabaseName,
        text: String,
    },
    GrantMembership {
        role: RoleName,
        member: RoleName,
    },
    /// `grantor` from 16 on, where a membership is revoked from whoever granted it.
    RevokeMembership {
        role: RoleName,
        member: RoleName,
        grantor: Option<RoleName>,
    },
    /// What others hold on the objects of the database, and what default privileges would give them: taken back as the
    /// tenant, which granted it. `home` are the roles that may hold something.
    Tidy {
        database: DatabaseName,
        tenant: RoleName,
        home: BTreeSet<String>,
    },
    /// Gives a further role of the tenant what its access takes on the tenant's objects, those that come included. `home` takes
    /// back first whatever it has there: the roles that may hold something, without it.
    GiveAccess {
        database: DatabaseName,
        tenant: RoleName,
        role: RoleName,
        access: Access,
        /// Where the tenant has what the role is to find.
        schemas: BTreeSet<String>,
        home: Option<BTreeSet<String>>,
    },
    /// Takes back all that a role has in the tenant's database. What it owns there becomes the tenant's.
    TakeAccess {
        database: DatabaseName,
        tenant: RoleName,
        role: RoleName,
    },
    /// Of a tablespace or a parameter.
    RevokeServer {
        is_parameter: bool,
        name: String,
        privilege: String,
        grantee: Grantee,
    },
    /// Takes back what the role was granted in a database, on shared objects too. Drops what it owns
    /// there: only for databases in which it owns nothing.
    Disown {
        database: Option<DatabaseName>,
        role: RoleName,
    },
    /// `force` ends the sessions in it.
    DropDatabase {
        database: DatabaseName,
        force: bool,
    },
    DropRole {
        role: RoleName,
    },
}

/// The script of a list of changes. Neighbours that run in the same database become one transaction,
/// except for what may not stand in one.
pub fn render(changes: &[Change]) -> Script {
    let mut steps: Vec<Step> = Vec::new();
    let mut last_alone = true;
    for change in changes {
        let (database, statements) = change.render();
        let alone = change.runs_alone();
        match steps.last_mut() {
            Some(step) if !alone && !last_alone && !change.begins_a_step() && step.database == database => {
                step.statements.extend(statements);
            }
            _ => steps.push(Step { database, statements, whole: change.whole() }),
        }
        last_alone = alone;
    }
    Script(steps)
}

/// The script of a change that others may hold up: it waits for no lock longer than this.
pub fn render_patiently(change: &Change, patience: std::time::Duration) -> Script {
    let text = format!("SET LOCAL lock_timeout = {}", patience.as_millis());
    let patience = Statement::new(format!("wait for no lock longer than {patience:?}"), text);
    let mut script = render(std::slice::from_ref(change));
    for step in &mut script.0 {
        step.statements.insert(0, patience.clone());
    }
    script
}

impl Change {
    fn whole(&self) -> Option<Whole> {
        match self {
            Change::RenameDatabase { from, .. } => Some(Whole::Renames(from.clone())),
            Change::DropDatabase { database, .. } => Some(Whole::Drops(database.clone())),
            _ => None,
        }
    }

    /// CREATE and DROP DATABASE may not stand in a transaction (SQLSTATE 25001); a rename of a
    /// database fails while anybody is connected, and takes nothing else down with it.
    fn runs_alone(&self) -> bool {
        matches!(self, Change::CreateDatabase { .. } | Change::DropDatabase { .. } | Change::RenameDatabase { .. })
    }

    /// That a role may log in no more, or a database be entered no more, must be committed before the last sessions are
    /// ended: who comes in between would stay.
    fn begins_a_step(&self) -> bool {
        matches!(self, Change::EndSessions { .. } | Change::EndLateSessions { .. } | Change::EndDatabaseSessions { .. })
    }

    /// Whether the server may ask otherwise for the tenant's password afterwards: it looks at names, groups, the password and
    /// how long that is valid.
    pub fn changes_login(&self) -> bool {
        matches!(
            self,
            Change::CreateRole { .. }
                | Change::RenameRole { .. }
                | Change::RoleAttributes { .. }
                | Change::Expire { .. }
                | Change::SetPassword { .. }
                | Change::GrantMembership { .. }
                | Change::RevokeMembership { .. }
                | Change::CreateDatabase { .. }
                | Change::RenameDatabase { .. }
        )
    }

    /// Whether it runs in a database of its own.
    pub(super) fn is_inside(&self) -> bool {
        self.render().0.is_some()
    }

    /// Whether it gives something: after what is taken.
    pub(super) fn gives(&self) -> bool {
        matches!(self, Change::GrantDatabase { .. } | Change::GrantSchema { .. } | Change::GrantMembership { .. })
    }

    /// Whether it takes something from those who use the database now. Adopting a database, this comes last.
    pub(super) fn closes_a_door(&self) -> bool {
        !matches!(
            self,
            Change::CreateRole { .. }
                | Change::MarkRole { .. }
                | Change::MarkDatabase { .. }
                | Change::CommentDatabase { .. }
                | Change::CreateDatabase { .. }
                | Change::OwnDatabase { .. }
                | Change::GrantDatabase { .. }
                | Change::Open { .. }
        ) && !self.is_inside()
    }

    /// Whether the tenant can keep it waiting, by an open transaction that changed the same row, or make it fail.
    pub fn can_be_held_up(&self) -> bool {
        match self {
            Change::Set { scope, .. } | Change::Reset { scope, .. } | Change::ResetAll { scope } => {
                !matches!(scope, Scope::Database(_))
            }
            Change::RoleAttributes { .. }
            | Change::Expire { .. }
            | Change::LimitRole { .. }
            | Change::GrantMembership { .. }
            | Change::RevokeMembership { .. }
            | Change::GiveAccess { .. }
            | Change::MoveExtension { .. }
            | Change::UpdateExtension { .. }
            | Change::Tidy { .. } => true,
            _ => false,
        }
    }

    /// The database that it runs in (`None`: the maintenance database) and the statements.
    #[allow(clippy::too_many_lines)] // one arm for each change, and nothing else
    fn render(&self) -> (Option<DatabaseName>, Vec<Statement>) {
        let one = |summary: String, text: String| vec![Statement::new(summary, text)];
        match self {
            Change::CreateRole { role, password, limits } => {
                let r = role.quoted();
                let password = password
                    .as_ref()
                    .map(|verifier| format!(" PASSWORD {}", escape_literal(verifier.expose())))
                    .unwrap_or_default();
                let create = format!(
                    "CREATE ROLE {r} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT \
                     CONNECTION LIMIT {}{password}",
                    limits.connection_limit
                );
                (None, one(format!("create role {r}"), create))
            }
            Change::CreateDatabase { database, template, locale, connection_limit } => {
                let d = database.quoted();
                let template = template.as_ref().map_or("template0".to_owned(), |template| template.quoted());
                let text = format!(
                    "CREATE DATABASE {d} TEMPLATE {template}{} CONNECTION LIMIT {connection_limit} ALLOW_CONNECTIONS false",
                    locale.clauses()
                );
                (None, one(format!("create database {d}"), text))
            }
            Change::RenameDatabase { from, to } => {
                let (from, to) = (from.quoted(), to.quoted());
                (None, one(format!("rename database {from} to {to}"), format!("ALTER DATABASE {from} RENAME TO {to}")))
            }
            Change::RenameRole { from, to } => {
                let (from, to) = (from.quoted(), to.quoted());
                (None, one(format!("rename role {from} to {to}"), format!("ALTER ROLE {from} RENAME TO {to}")))
            }
            Change::RenameSchema { database, from, to } => {
                let (from, to) = (from.quoted(), to.quoted());
                (
                    Some(database.clone()),
                    one(format!("rename schema {from} to {to}"), format!("ALTER SCHEMA {from} RENAME TO {to}")),
                )
            }
            Change::OwnDatabase { database, from } => {
                let d = database.quoted();
                let own = one(format!("own database {d}"), format!("ALTER DATABASE {d} OWNER TO CURRENT_USER"));
                (None, as_member_of(from.as_ref(), own))
            }
            Change::OwnSchema { database, schema, from, keeps } => {
                let s = schema.quoted();
                let own = one(format!("own schema {s}"), format!("ALTER SCHEMA {s} OWNER TO CURRENT_USER"));
                let mut statements = as_member_of(from.as_ref(), own);
                if let (Some(from), false) = (from.as_ref().map(RoleName::quoted), keeps.is_empty()) {
                    let what = keeps.join(", ");
                    statements.push(Statement::new(
                        format!("grant {what} on schema {s} to {from}"),
                        format!("GRANT {what} ON SCHEMA {s} TO {from}"),
                    ));
                }
                (Some(database.clone()), statements)
            }
            Change::RoleAttributes { role, attributes } => {
                let (r, attributes) = (role.quoted(), attributes.join(" "));
                (None, one(format!("make role {r} {attributes}"), format!("ALTER ROLE {r} {attributes}")))
            }
            Change::Expire { role, until } => {
                let (r, until) = (role.quoted(), until.map_or("infinity".to_owned(), |until| until.to_string()));
                let text = format!("ALTER ROLE {r} VALID UNTIL {}", escape_literal(&until));
                (None, one(format!("let the password of role {r} be valid until {until}"), text))
            }
            Change::RevokeDatabase { database, privileges, grantee } => {
                let (d, who, what) = (database.quoted(), grantee.quoted(), privileges.join(", "));
                let text = format!("REVOKE {what} ON DATABASE {d} FROM {who} CASCADE");
                (None, one(format!("revoke {what} on database {d} from {who}"), text))
            }
            Change::GrantDatabase { database, privileges, role } => {
                let (d, r, what) = (database.quoted(), role.quoted(), privileges.join(", "));
                let text = format!("GRANT {what} ON DATABASE {d} TO {r}");
                (None, one(format!("grant {what} on database {d} to {r}"), text))
            }
            Change::RevokeSchema { database, schema, grantee } => {
                let (s, who) = (schema.quoted(), grantee.quoted());
                let text = format!("REVOKE ALL ON SCHEMA {s} FROM {who} CASCADE");
                (Some(database.clone()), one(format!("revoke all on schema {s} from {who}"), text))
            }
            Change::TakeFromPublic { database, schema, note } => {
                let (place, class, object) = commented(database, schema.as_ref());
                let what = if schema.is_some() { "CREATE" } else { "ALL" };
                let take = Statement::new(
                    format!("revoke {what} on {class} {object} from PUBLIC"),
                    format!("REVOKE {what} ON {} {object} FROM PUBLIC CASCADE", class.to_uppercase()),
                );
                let note = note.as_ref().map(|note| write_note(database, schema.as_ref(), Some(note)));
                (place, note.into_iter().chain([take]).collect())
            }
            Change::GiveToPublic { database, schema, privileges } => {
                let (place, class, object) = commented(database, schema.as_ref());
                let what = privileges.join(", ");
                let give = Statement::new(
                    format!("grant {what} on {class} {object} to PUBLIC"),
                    format!("GRANT {what} ON {} {object} TO PUBLIC", class.to_uppercase()),
                );
                let give = (!privileges.is_empty()).then_some(give);
                (place, give.into_iter().chain([write_note(database, schema.as_ref(), None)]).collect())
            }
            Change::GrantSchema { database, schema, privileges, role } => {
                let (s, r, what) = (schema.quoted(), role.quoted(), privileges.join(", "));
                let text = format!("GRANT {what} ON SCHEMA {s} TO {r}");
                (Some(database.clone()), one(format!("grant {what} on schema {s} to {r}"), text))
            }
            Change::CreateSchema { database, schema } => {
                let s = schema.quoted();
                (Some(database.clone()), one(format!("create schema {s}"), format!("CREATE SCHEMA {s}")))
            }
            Change::DropSchema { database, schema } => {
                let s = schema.quoted();
                (Some(database.clone()), one(format!("drop schema {s}"), format!("DROP SCHEMA {s}")))
            }
            Change::CreateExtension { database, extension, schema, version } => {
                let (e, s) = (extension.quoted(), schema.quoted());
                let version =
                    version.as_ref().map(|version| format!(" VERSION {}", version.quoted())).unwrap_or_default();
                let text = format!("CREATE EXTENSION {e} SCHEMA {s}{version}");
                (Some(database.clone()), one(format!("create extension {e}"), text))
            }
            Change::MoveExtension { database, extension, schema } => {
                let (e, s) = (extension.quoted(), schema.quoted());
                let text = format!("ALTER EXTENSION {e} SET SCHEMA {s}");
                (Some(database.clone()), one(format!("move extension {e} to schema {s}"), text))
            }
            Change::UpdateExtension { database, extension, version } => {
                let (e, v) = (extension.quoted(), version.quoted());
                let text = format!("ALTER EXTENSION {e} UPDATE TO {v}");
                (Some(database.clone()), one(format!("update extension {e} to {v}"), text))
            }
            Change::DropExtension { database, extension } => {
                let e = extension.quoted();
                (Some(database.clone()), one(format!("drop extension {e}"), format!("DROP EXTENSION {e}")))
            }
            Change::Set { scope, name, value } => {
                let (target, on) = (scope.target(), scope.describe());
                let text = format!("{target} SET {} = {}", name.quoted(), value.sql());
                let set = one(format!("set {name} for {on}"), text);
                // Only who may become a role may put that on record.
                let role = (name.as_str() == "role").then(|| value.text().parse().ok()).flatten();
                (None, as_member_of(role.as_ref(), set))
            }
            Change::Reset { scope, name } => {
                let (target, on) = (scope.target(), scope.describe());
                (None, one(format!("reset {name} for {on}"), format!("{target} RESET {}", name.quoted())))
            }
            Change::ResetAll { scope } => {
                let (target, on) = (scope.target(), scope.describe());
                (None, one(format!("reset all parameters for {on}"), format!("{target} RESET ALL")))
            }
            Change::LimitRole { role, connections } => {
                let r = role.quoted();
                let text = format!("ALTER ROLE {r} CONNECTION LIMIT {connections}");
                (None, one(format!("limit role {r} to {connections} connections"), text))
            }
            Change::LimitDatabase { database, connections } => {
                let d = database.quoted();
                let text = format!("ALTER DATABASE {d} CONNECTION LIMIT {connections}");
                (None, one(format!("limit database {d} to {connections} connections"), text))
            }
            Change::Open { database } => {
                let d = database.quoted();
                let text = format!("ALTER DATABASE {d} ALLOW_CONNECTIONS true IS_TEMPLATE false");
                (None, one(format!("open database {d}"), text))
            }
            Change::Close { database } => {
                let d = database.quoted();
                let text = format!("ALTER DATABASE {d} ALLOW_CONNECTIONS false IS_TEMPLATE false");
                (None, one(format!("close database {d}"), text))
            }
            Change::SetPassword { role, verifier } => {
                let r = role.quoted();
                let (verb, password) = match verifier {
                    Some(verifier) => ("set", escape_literal(verifier.expose())),
                    None => ("take away", "NULL".to_owned()),
                };
                (None, one(format!("{verb} the password of role {r}"), format!("ALTER ROLE {r} PASSWORD {password}")))
            }
            Change::Login { role } => {
                let r = role.quoted();
                (None, one(format!("let role {r} log in"), format!("ALTER ROLE {r} LOGIN")))
            }
            Change::NoLogin { role } => {
                let r = role.quoted();
                // The tenant can lock its own role.
                let wait = Statement::new("wait for no lock longer than 2 s", "SET LOCAL lock_timeout = 2000");
                let shut = Statement::new(format!("keep role {r} from logging in"), format!("ALTER ROLE {r} NOLOGIN"));
                (None, vec![wait, shut])
            }
            Change::EndSessions { role } => (None, vec![end_sessions(role)]),
            Change::EndLateSessions { role } => {
                // A login is a matter of milliseconds from the look at the role to its place in
                // pg_stat_activity, which is read once for each transaction.
                let wait = "SELECT pg_catalog.pg_sleep(0.2)";
                let who = format!("usename = {}", escape_literal(role.as_str()));
                let end = until_gone(format!("wait until the sessions of role {} have ended", role.quoted()), &who);
                (None, vec![Statement::new("wait for logins that have begun", wait), end])
            }
            Change::EndDatabaseSessions { database } => {
                let who = format!("datname = {}", escape_literal(database.as_str()));
                (None, vec![until_gone(format!("end the sessions with database {}", database.quoted()), &who)])
            }
            Change::MarkDatabase { database, marker } => {
                let d = database.quoted();
                (None, one(format!("mark database {d}"), mark(Object::Database(database), marker)))
            }
            Change::MarkRole { role, marker } => {
                let r = role.quoted();
                (None, one(format!("mark role {r}"), mark(Object::Role(role), marker)))
            }
            Change::MarkSchema { database, schema, marker } => {
                let s = schema.quoted();
                (Some(database.clone()), one(format!("mark schema {s}"), mark(Object::Schema(schema), marker)))
            }
            Change::CommentDatabase { database, text } => {
                let line = format!("pg_catalog.substring(found, '^{}[^\n]*')", Marker::PATTERN);
                let text = rewrite(Object::Database(database), &line, &escape_literal(text));
                (None, one(format!("comment on database {}", database.quoted()), text))
            }
            Change::GrantMembership { role, member } => {
                let (r, m) = (role.quoted(), member.quoted());
                (None, one(format!("grant role {r} to {m}"), format!("GRANT {r} TO {m}")))
            }
            Change::RevokeMembership { role, member, grantor } => {
                let (r, m) = (role.quoted(), member.quoted());
                let by =
                    grantor.as_ref().map(|grantor| format!(" GRANTED BY {}", grantor.quoted())).unwrap_or_default();
                (None, one(format!("revoke role {r} from {m}"), format!("REVOKE {r} FROM {m}{by} CASCADE")))
            }
            Change::Tidy { database, tenant, home } => {
                // Whatever ran before it in the transaction was about one role.
                let all = Statement::new("of all roles", "SELECT pg_catalog.set_config('pgtenant.role', '', true)");
                let statements = [vec![all], tidy(tenant, home)].concat();
                (Some(database.clone()), as_member_of(Some(tenant), statements))
            }
            Change::GiveAccess { database, tenant, role, access, schemas, home } => {
                let mut statements = vec![say_access(tenant, role, *access, schemas)];
                statements.extend(home.as_ref().map(|home| tidy(tenant, home)).into_iter().flatten());
                if !access.on(&Kind::Relation).is_empty() {
                    let what = format!("let role {} {} what the tenant has", role.quoted(), access.name());
                    statements.push(Statement::new(what, inside::give()));
                }
                let mut statements = as_member_of(Some(tenant), statements);
                // The tenant can lock its own tables; whoever waits less long for it has said so.
                let wait = "SELECT pg_catalog.set_config('lock_timeout', '2s', true) WHERE pg_catalog.current_setting('lock_timeout') = '0'";
                statements.insert(0, Statement::new("wait for no lock longer than 2 s", wait));
                (Some(database.clone()), statements)
            }
            Change::TakeAccess { database, tenant, role } => {
                let (t, r) = (tenant.quoted(), role.quoted());
                let take = vec![
                    Statement::new(
                        format!("give what role {r} owns to role {t}"),
                        format!("REASSIGN OWNED BY {r} TO {t}"),
                    ),
                    Statement::new(format!("take back what role {r} was granted"), format!("DROP OWNED BY {r}")),
                ];
                (Some(database.clone()), as_member_of(Some(tenant), as_member_of(Some(role), take)))
            }
            Change::RevokeServer { is_parameter, name, privilege, grantee } => {
                let who = grantee.quoted();
                let object = if *is_parameter {
                    let parts = name.split('.').map(escape_identifier).collect::<Vec<_>>().join(".");
                    format!("PARAMETER {parts}")
                } else {
                    format!("TABLESPACE {}", escape_identifier(name))
                };
                let text = format!("REVOKE {privilege} ON {object} FROM {who} CASCADE");
                (None, one(format!("revoke {privilege} on {object} from {who}"), text))
            }
            Change::Disown { database, role } => {
                let r = role.quoted();
                let disown = one(format!("take back what role {r} was granted"), format!("DROP OWNED BY {r}"));
                (database.clone(), as_member_of(Some(role), disown))
            }
            Change::DropDatabase { database, force } => {
                let d = database.quoted();
                let force = if *force { " WITH (FORCE)" } else { "" };
                (None, one(format!("drop database {d}"), format!("DROP DATABASE {d}{force}")))
            }
            Change::DropRole { role } => {
                let r = role.quoted();
                (None, one(format!("drop role {r}"), format!("DROP ROLE {r}")))
            }
        }
    }
}

fn tidy(tenant: &RoleName, home: &BTreeSet<String>) -> Vec<Statement> {
    let home = serde_json::to_string(home).expect("texts serialise");
    let home = format!(
        "SELECT pg_catalog.set_config('pgtenant.home', {}, true), pg_catalog.set_config('pgtenant.tenant', {}, true)",
        escape_literal(&home),
        escape_literal(tenant.as_str())
    );
    vec![
        Statement::new("say who may hold something in the database", home),
        Statement::new("take back what others hold in the database", inside::tidy()),
    ]
}

fn say_access(tenant: &RoleName, role: &RoleName, access: Access, schemas: &BTreeSet<String>) -> Statement {
    let settings = [
        ("tenant", tenant.to_string()),
        ("role", role.to_string()),
        ("relations", access.on(&Kind::Relation).join(", ")),
        ("sequences", access.on(&Kind::Sequence).join(", ")),
        ("schemas", access.on(&Kind::Schema).join(", ")),
        ("places", serde_json::to_string(schemas).expect("texts serialise")),
    ];
    let settings = settings
        .map(|(name, value)| format!("pg_catalog.set_config('pgtenant.{name}', {}, true)", escape_literal(&value)));
    Statement::new("say who is to have what", format!("SELECT {}", settings.join(", ")))
}

fn end_sessions(role: &RoleName) -> Statement {
    let text = format!(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = {}",
        escape_literal(role.as_str())
    );
    Statement::new(format!("end the sessions of role {}", role.quoted()), text)
}

/// Ends sessions until there are none, or some seconds have passed: a signal that was sent is no session that has ended.
fn until_gone(summary: String, who: &str) -> Statement {
    let condition = format!("pid <> pg_catalog.pg_backend_pid() AND {who}");
    let text = format!(
        "DO {}",
        escape_literal(&format!(
            "BEGIN\n\
             \x20 FOR attempt IN 1..50 LOOP\n\
             \x20   PERFORM pg_catalog.pg_stat_clear_snapshot();\n\
             \x20   PERFORM pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE {condition};\n\
             \x20   EXIT WHEN NOT FOUND;\n\
             \x20   PERFORM pg_catalog.pg_sleep(0.1);\n\
             \x20 END LOOP;\n\
             END"
        ))
    );
    Statement::new(summary, text)
}

/// What only a member of `role` may do: the membership lasts as long as the transaction.
fn as_member_of(role: Option<&RoleName>, statements: Vec<Statement>) -> Vec<Statement> {
    let Some(role) = role.map(RoleName::quoted) else { return statements };
    let join = Statement::new(format!("join role {role}"), format!("GRANT {role} TO CURRENT_USER"));
    let leave = Statement::new(format!("leave role {role}"), format!("REVOKE {role} FROM CURRENT_USER"));
    [vec![join], statements, vec![leave]].concat()
}

/// Where the comment of a database, or of a schema in it, is written, and what that object is called.
fn commented(database: &DatabaseName, schema: Option<&SchemaName>) -> (Option<DatabaseName>, &'static str, String) {
    match schema {
        Some(schema) => (Some(database.clone()), "schema", schema.quoted()),
        None => (None, "database", database.quoted()),
    }
}

/// What carries a comment.
#[derive(Clone, Copy)]
enum Object<'a> {
    Database(&'a DatabaseName),
    Role(&'a RoleName),
    Schema(&'a SchemaName),
}

/// Writes a comment anew: its first line and the rest, both as SQL that may make use of what is `found`. Only the server has all of
/// what somebody wrote there.
fn rewrite(object: Object<'_>, line: &str, rest: &str) -> String {
    let (class, quoted, name) = match object {
        Object::Database(database) => ("DATABASE", database.quoted(), escape_literal(database.as_str())),
        Object::Role(role) => ("ROLE", role.quoted(), escape_literal(role.as_str())),
        Object::Schema(schema) => ("SCHEMA", schema.quoted(), escape_literal(schema.as_str())),
    };
    let description = match object {
        Object::Database(_) => "shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database WHERE datname",
        Object::Role(_) => "shobj_description(oid, 'pg_authid') FROM pg_catalog.pg_roles WHERE rolname",
        Object::Schema(_) => "obj_description(oid, 'pg_namespace') FROM pg_catalog.pg_namespace WHERE nspname",
    };
    let command = escape_literal(&format!("COMMENT ON {class} {} IS %L", quoted.replace('%', "%%")));
    let body = format!(
        "DECLARE
  found CONSTANT text := (SELECT pg_catalog.{description} = {name});
  rest CONSTANT text := {rest};
BEGIN
  EXECUTE pg_catalog.format({command}, NULLIF(pg_catalog.concat_ws(pg_catalog.chr(10), {line}, NULLIF(rest, '')), ''));
END"
    );
    format!("DO {}", escape_literal(&body))
}

/// What is found, without a first line of ours.
fn beside(pattern: &str) -> String {
    format!("pg_catalog.regexp_replace(found, '^{pattern}[^\n]*\n?', '')")
}

fn mark(object: Object<'_>, marker: &Marker) -> String {
    rewrite(object, &escape_literal(&marker.text()), &beside(Marker::PATTERN))
}

/// Writes a note as the first line of a comment, or strikes the one that is there. The rest of the comment is somebody's, and
/// stays.
fn write_note(database: &DatabaseName, schema: Option<&SchemaName>, note: Option<&Note>) -> Statement {
    let (_, class, object) = commented(database, schema);
    let (line, summary) = match note {
        Some(note) => (escape_literal(&note.text()), format!("note what PUBLIC held on {class} {object}")),
        None => ("NULL".to_owned(), format!("strike the note on {class} {object}")),
    };
    let object = schema.map_or(Object::Database(database), Object::Schema);
    Statement::new(summary, rewrite(object, &line, &beside(Note::PATTERN)))
}

impl Grantee {
    /// `None` (PUBLIC) or a role's name, as a catalog gives it. A name that is no identifier of ours
    /// (a control character in it) cannot be named in SQL here.
    pub fn parse(grantee: Option<&str>) -> Option<Self> {
        match grantee {
            None => Some(Grantee::Public),
            Some(role) => role.parse().ok().map(Grantee::Role),
        }
    }

    fn quoted(&self) -> String {
        match self {
            Grantee::Public => "PUBLIC".to_owned(),
            Grantee::Role(role) => role.quoted(),
        }
    }
}

impl Scope {
    fn target(&self) -> String {
        match self {
            Scope::Everything => "ALTER ROLE ALL".to_owned(),
            Scope::Database(database) => format!("ALTER DATABASE {}", database.quoted()),
            Scope::Role(role) => format!("ALTER ROLE {}", role.quoted()),
            Scope::RoleInDatabase(role, database) => {
                format!("ALTER ROLE {} IN DATABASE {}", role.quoted(), database.quoted())
            }
        }
    }

    fn describe(&self) -> String {
        match self {
            Scope::Everything => "all roles".to_owned(),
            Scope::Database(database) => format!("database {}", database.quoted()),
            Scope::Role(role) => format!("role {}", role.quoted()),
            Scope::RoleInDatabase(role, database) => {
                format!("role {} in database {}", role.quoted(), database.quoted())
            }
        }
    }
}

impl Setting {
    /// As the server keeps it.
    pub(super) fn text(&self) -> String {
        match self {
            Setting::Text(text) => text.clone(),
            setting => setting.sql(),
        }
    }

    fn sql(&self) -> String {
        match self {
            // Whole milliseconds: nothing for the server to round.
            Setting::Duration(duration) => duration.as_millis().to_string(),
            Setting::Text(text) => escape_literal(text),
            Setting::Schemas(schemas) => schemas.iter().map(SchemaName::quoted).collect::<Vec<_>>().join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(changes: &[Change], expected: &str) {
        let script = render(changes);
        let text = script
            .0
            .iter()
            .map(|step| {
                let place = step.database.as_ref().map_or("-".to_owned(), ToString::to_string);
                format!("[{place}] {}", step.text().replace('\n', " "))
            })
            .collect::<Vec<_>>()
            .join("\n");
        assert_eq!(text, expected);
    }

    fn database() -> DatabaseName {
        "acme".parse().unwrap()
    }

    fn role() -> RoleName {
        "Acme \"1\"".parse().unwrap()
    }

    #[test]
    fn neighbours_in_one_database_are_one_transaction() {
        check(
            &[
                Change::NoLogin { role: role() },
                Change::Close { database: database() },
                Change::DropDatabase { database: database(), force: true },
                Change::DropRole { role: role() },
            ],
            "[-] SET LOCAL lock_timeout = 2000; ALTER ROLE \"Acme \"\"1\"\"\" NOLOGIN; ALTER DATABASE \"acme\" ALLOW_CONNECTIONS false IS_TEMPLATE false\n\
             [-] DROP DATABASE \"acme\" WITH (FORCE)\n\
             [-] DROP ROLE \"Acme \"\"1\"\"\"",
        );
        check(
            &[
                Change::CreateSchema { database: database(), schema: "app".parse().unwrap() },
                Change::Login { role: role() },
            ],
            "[acme] CREATE SCHEMA \"app\"\n[-] ALTER ROLE \"Acme \"\"1\"\"\" LOGIN",
        );
    }

    #[test]
    fn sessions_are_ended_when_what_keeps_them_out_is_committed() {
        let script = render(&[
            Change::EndSessions { role: role() },
            Change::NoLogin { role: role() },
            Change::EndLateSessions { role: role() },
        ]);
        let summaries: Vec<_> = script.0.iter().map(Step::summary).collect();
        assert_eq!(
            summaries,
            [
                "end the sessions of role \"Acme \"\"1\"\"\", wait for no lock longer than 2 s, keep role \"Acme \"\"1\"\"\" from logging in",
                "wait for logins that have begun, wait until the sessions of role \"Acme \"\"1\"\"\" have ended"
            ]
        );
    }

    #[test]
    fn values_are_escaped() {
        let name: ParameterName = "work_mem".parse().unwrap();
        let set = |value| Change::Set { scope: Scope::Database(database()), name: name.clone(), value };
        check(&[set(Setting::Text("it's".into()))], "[-] ALTER DATABASE \"acme\" SET \"work_mem\" = 'it''s'");
        check(
            &[set(Setting::Duration(Duration::from_millis(1500)))],
            "[-] ALTER DATABASE \"acme\" SET \"work_mem\" = 1500",
        );
        check(
            &[set(Setting::Schemas(vec!["a\"b".parse().unwrap(), "c".parse().unwrap()]))],
            "[-] ALTER DATABASE \"acme\" SET \"work_mem\" = \"a\"\"b\", \"c\"",
        );
    }

    #[test]
    fn a_verifier_is_in_the_text_and_never_in_the_summary() {
        let verifier = Verifier::salted(&crate::postgres::Secret::new("hunter2"), "acme", "salt");
        let change = Change::SetPassword { role: role(), verifier: Some(verifier.clone()) };
        let script = render(&[change]);
        assert!(script.0[0].text().contains(verifier.expose()));
        assert!(!script.0[0].summary().contains("SCRAM"));
    }

    #[test]
    fn ownership_is_taken_as_a_member_for_one_transaction() {
        check(
            &[Change::OwnDatabase { database: database(), from: Some(role()) }],
            "[-] GRANT \"Acme \"\"1\"\"\" TO CURRENT_USER; ALTER DATABASE \"acme\" OWNER TO CURRENT_USER; \
             REVOKE \"Acme \"\"1\"\"\" FROM CURRENT_USER",
        );
    }

    /// Every change: where it runs, what it is called, and its statement.
    #[test]
    #[allow(clippy::too_many_lines)] // one row for each change, and nothing else
    fn each_change_is_its_statement() {
        let (database, role) = (|| -> DatabaseName { "d".parse().unwrap() }, || -> RoleName { "r".parse().unwrap() });
        let schema = || -> SchemaName { "s".parse().unwrap() };
        let extension = || -> ExtensionName { "e".parse().unwrap() };
        let name = || -> ParameterName { "app.x".parse().unwrap() };
        let public = || Grantee::Public;
        let create = |template| Change::CreateDatabase {
            database: database(),
            template,
            locale: Locale::default(),
            connection_limit: 7,
        };
        let rows: Vec<(Change, &str, &str, &str)> = vec![
            (
                create(None),
                "-",
                "create database \"d\"",
                "CREATE DATABASE \"d\" TEMPLATE template0 CONNECTION LIMIT 7 ALLOW_CONNECTIONS false",
            ),
            (
                create(Some("t".parse().unwrap())),
                "-",
                "create database \"d\"",
                "CREATE DATABASE \"d\" TEMPLATE \"t\" CONNECTION LIMIT 7 ALLOW_CONNECTIONS false",
            ),
            (
                Change::RenameDatabase { from: database(), to: "t".parse().unwrap() },
                "-",
                "rename database \"d\" to \"t\"",
                "ALTER DATABASE \"d\" RENAME TO \"t\"",
            ),
            (
                Change::RenameRole { from: role(), to: "t".parse().unwrap() },
                "-",
                "rename role \"r\" to \"t\"",
                "ALTER ROLE \"r\" RENAME TO \"t\"",
            ),
            (
                Change::RenameSchema { database: database(), from: schema(), to: "t".parse().unwrap() },
                "d",
                "rename schema \"s\" to \"t\"",
                "ALTER SCHEMA \"s\" RENAME TO \"t\"",
            ),
            (
                Change::OwnSchema { database: database(), schema: schema(), from: None, keeps: vec!["USAGE"] },
                "d",
                "own schema \"s\"",
                "ALTER SCHEMA \"s\" OWNER TO CURRENT_USER",
            ),
            (
                Change::RoleAttributes { role: role(), attributes: vec!["NOINHERIT", "NOCREATEDB"] },
                "-",
                "make role \"r\" NOINHERIT NOCREATEDB",
                "ALTER ROLE \"r\" NOINHERIT NOCREATEDB",
            ),
            (
                Change::Expire { role: role(), until: Some("2027-01-31T01:00:00+01:00".parse().unwrap()) },
                "-",
                "let the password of role \"r\" be valid until 2027-01-31T00:00:00Z",
                "ALTER ROLE \"r\" VALID UNTIL '2027-01-31T00:00:00Z'",
            ),
            (
                Change::Expire { role: role(), until: None },
                "-",
                "let the password of role \"r\" be valid until infinity",
                "ALTER ROLE \"r\" VALID UNTIL 'infinity'",
            ),
            (
                Change::RevokeDatabase {
                    database: database(),
                    privileges: vec!["CONNECT".into(), "CREATE".into()],
                    grantee: public(),
                },
                "-",
                "revoke CONNECT, CREATE on database \"d\" from PUBLIC",
                "REVOKE CONNECT, CREATE ON DATABASE \"d\" FROM PUBLIC CASCADE",
            ),
            (
                Change::GrantDatabase { database: database(), privileges: vec!["CONNECT"], role: role() },
                "-",
                "grant CONNECT on database \"d\" to \"r\"",
                "GRANT CONNECT ON DATABASE \"d\" TO \"r\"",
            ),
            (
                Change::RevokeSchema { database: database(), schema: schema(), grantee: Grantee::Role(role()) },
                "d",
                "revoke all on schema \"s\" from \"r\"",
                "REVOKE ALL ON SCHEMA \"s\" FROM \"r\" CASCADE",
            ),
            (
                Change::TakeFromPublic { database: database(), schema: None, note: None },
                "-",
                "revoke ALL on database \"d\" from PUBLIC",
                "REVOKE ALL ON DATABASE \"d\" FROM PUBLIC CASCADE",
            ),
            (
                Change::TakeFromPublic { database: database(), schema: Some(schema()), note: None },
                "d",
                "revoke CREATE on schema \"s\" from PUBLIC",
                "REVOKE CREATE ON SCHEMA \"s\" FROM PUBLIC CASCADE",
            ),
            (
                Change::GrantSchema { database: database(), schema: schema(), privileges: vec!["USAGE"], role: role() },
                "d",
                "grant USAGE on schema \"s\" to \"r\"",
                "GRANT USAGE ON SCHEMA \"s\" TO \"r\"",
            ),
            (
                Change::CreateExtension {
                    database: database(),
                    extension: extension(),
                    schema: schema(),
                    version: None,
                },
                "d",
                "create extension \"e\"",
                "CREATE EXTENSION \"e\" SCHEMA \"s\"",
            ),
            (
                Change::DropSchema { database: database(), schema: schema() },
                "d",
                "drop schema \"s\"",
                "DROP SCHEMA \"s\"",
            ),
            (
                Change::CreateExtension {
                    database: database(),
                    extension: extension(),
                    schema: schema(),
                    version: "1\"2".parse().ok(),
                },
                "d",
                "create extension \"e\"",
                "CREATE EXTENSION \"e\" SCHEMA \"s\" VERSION \"1\"\"2\"",
            ),
            (
                Change::MoveExtension { database: database(), extension: extension(), schema: schema() },
                "d",
                "move extension \"e\" to schema \"s\"",
                "ALTER EXTENSION \"e\" SET SCHEMA \"s\"",
            ),
            (
                Change::UpdateExtension {
                    database: database(),
                    extension: extension(),
                    version: "1.2".parse().unwrap(),
                },
                "d",
                "update extension \"e\" to \"1.2\"",
                "ALTER EXTENSION \"e\" UPDATE TO \"1.2\"",
            ),
            (
                Change::DropExtension { database: database(), extension: extension() },
                "d",
                "drop extension \"e\"",
                "DROP EXTENSION \"e\"",
            ),
            (
                Change::Set { scope: Scope::Everything, name: name(), value: Setting::Text("v".into()) },
                "-",
                "set app.x for all roles",
                "ALTER ROLE ALL SET \"app\".\"x\" = 'v'",
            ),
            (
                Change::Reset { scope: Scope::Database(database()), name: name() },
                "-",
                "reset app.x for database \"d\"",
                "ALTER DATABASE \"d\" RESET \"app\".\"x\"",
            ),
            (
                Change::Reset { scope: Scope::Role(role()), name: name() },
                "-",
                "reset app.x for role \"r\"",
                "ALTER ROLE \"r\" RESET \"app\".\"x\"",
            ),
            (
                Change::ResetAll { scope: Scope::RoleInDatabase(role(), database()) },
                "-",
                "reset all parameters for role \"r\" in database \"d\"",
                "ALTER ROLE \"r\" IN DATABASE \"d\" RESET ALL",
            ),
            (
                Change::LimitRole { role: role(), connections: 3 },
                "-",
                "limit role \"r\" to 3 connections",
                "ALTER ROLE \"r\" CONNECTION LIMIT 3",
            ),
            (
                Change::LimitDatabase { database: database(), connections: 8 },
                "-",
                "limit database \"d\" to 8 connections",
                "ALTER DATABASE \"d\" CONNECTION LIMIT 8",
            ),
            (
                Change::Open { database: database() },
                "-",
                "open database \"d\"",
                "ALTER DATABASE \"d\" ALLOW_CONNECTIONS true IS_TEMPLATE false",
            ),
            (
                Change::Close { database: database() },
                "-",
                "close database \"d\"",
                "ALTER DATABASE \"d\" ALLOW_CONNECTIONS false IS_TEMPLATE false",
            ),
            (Change::Login { role: role() }, "-", "let role \"r\" log in", "ALTER ROLE \"r\" LOGIN"),
            (
                Change::NoLogin { role: role() },
                "-",
                "wait for no lock longer than 2 s, keep role \"r\" from logging in",
                "SET LOCAL lock_timeout = 2000; ALTER ROLE \"r\" NOLOGIN",
            ),
            (
                Change::GrantMembership { role: role(), member: "m".parse().unwrap() },
                "-",
                "grant role \"r\" to \"m\"",
                "GRANT \"r\" TO \"m\"",
            ),
            (
                Change::RevokeMembership {
                    role: role(),
                    member: "m".parse().unwrap(),
                    grantor: Some("g".parse().unwrap()),
                },
                "-",
                "revoke role \"r\" from \"m\"",
                "REVOKE \"r\" FROM \"m\" GRANTED BY \"g\" CASCADE",
            ),
            (
                Change::RevokeServer {
                    is_parameter: false,
                    name: "t.\"x".into(),
                    privilege: "CREATE".into(),
                    grantee: Grantee::Role(role()),
                },
                "-",
                "revoke CREATE on TABLESPACE \"t.\"\"x\" from \"r\"",
                "REVOKE CREATE ON TABLESPACE \"t.\"\"x\" FROM \"r\" CASCADE",
            ),
            (
                Change::Disown { database: Some(database()), role: role() },
                "d",
                "join role \"r\", take back what role \"r\" was granted, leave role \"r\"",
                "GRANT \"r\" TO CURRENT_USER; DROP OWNED BY \"r\"; REVOKE \"r\" FROM CURRENT_USER",
            ),
            (
                Change::DropDatabase { database: database(), force: false },
                "-",
                "drop database \"d\"",
                "DROP DATABASE \"d\"",
            ),
            (Change::DropRole { role: role() }, "-", "drop role \"r\"", "DROP ROLE \"r\""),
        ];
        for (change, place, summary, text) in rows {
            let script = render(std::slice::from_ref(&change));
            assert_eq!(script.0[0].summary(), summary);
            check(&[change], &format!("[{place}] {text}"));
        }
    }

    #[test]
    fn what_is_taken_from_public_is_noted_in_the_transaction_that_takes_it() {
        let database = || -> DatabaseName { "d%'".parse().unwrap() };
        let note = Note::new(&database(), ["CONNECT".to_owned()].into());
        let steps = render(&[
            Change::TakeFromPublic { database: database(), schema: None, note: Some(note.clone()) },
            Change::TakeFromPublic { database: database(), schema: Some("s".parse().unwrap()), note: Some(note) },
            Change::GiveToPublic { database: database(), schema: None, privileges: vec!["CONNECT", "CREATE"] },
            Change::GiveToPublic { database: database(), schema: None, privileges: Vec::new() },
        ]);
        let summaries: Vec<_> = steps.0.iter().map(|step| (step.database.is_some(), step.summary())).collect();
        let expected = [
            (false, "note what PUBLIC held on database \"d%'\", revoke ALL on database \"d%'\" from PUBLIC"),
            (true, "note what PUBLIC held on schema \"s\", revoke CREATE on schema \"s\" from PUBLIC"),
            (
                false,
                "grant CONNECT, CREATE on database \"d%'\" to PUBLIC, strike the note on database \"d%'\", strike the note on \
                 database \"d%'\"",
            ),
        ];
        assert_eq!(summaries, expected.map(|(inside, summary)| (inside, summary.to_owned())));
    }

    #[test]
    fn a_marker_is_written_before_what_people_wrote() {
        let database = || -> DatabaseName { "d%'".parse().unwrap() };
        let marker = || Marker::new(&crate::tenant::fixture::names(), crate::tenant::Stage::Ready, Some(1));
        let schema = || -> SchemaName { "s".parse().unwrap() };
        let of_schema = Change::MarkSchema { database: database(), schema: schema(), marker: marker() };
        let text = "it's\nours".to_owned();
        for (change, place, summary, parts) in [
            (
                Change::MarkRole { role: role(), marker: marker() },
                false,
                "mark role \"Acme \"\"1\"\"\"",
                [
                    "shobj_description(oid, ''pg_authid'')",
                    "COMMENT ON ROLE \"Acme \"\"1\"\"\" IS %L",
                    "''{\"pgtenant\":\"acme\",",
                ],
            ),
            (
                Change::MarkDatabase { database: database(), marker: marker() },
                false,
                "mark database \"d%'\"",
                ["datname = ''d%''''''", "COMMENT ON DATABASE \"d%%''''\" IS %L", "''{\"pgtenant\":\"acme\","],
            ),
            (
                of_schema,
                true,
                "mark schema \"s\"",
                [
                    "pg_catalog.obj_description(oid, ''pg_namespace'')",
                    "COMMENT ON SCHEMA \"s\" IS %L",
                    "''{\"pgtenant\":\"acme\",",
                ],
            ),
            (
                Change::CommentDatabase { database: database(), text },
                false,
                "comment on database \"d%'\"",
                ["COMMENT ON DATABASE \"d%%''''\" IS %L", "pg_catalog.substring(found,", "''it''''s\nours''"],
            ),
        ] {
            let script = render(std::slice::from_ref(&change));
            let (step, sql) = (&script.0[0], script.0[0].text());
            assert_eq!((step.database.is_some(), step.summary().as_str()), (place, summary));
            for part in parts {
                // The body is a literal, in which what is escaped is escaped again.
                assert!(sql.replace("\\\\", "\\").contains(part), "{part} is not in {sql}");
            }
        }
    }

    #[test]
    fn what_may_not_stand_in_a_transaction_stands_alone() {
        let steps = |changes: &[Change]| render(changes).0.len();
        let close = || Change::Close { database: database() };
        let rename = || Change::RenameDatabase { from: database(), to: "t".parse().unwrap() };
        let create = || Change::CreateDatabase {
            database: database(),
            template: None,
            locale: Locale::default(),
            connection_limit: 1,
        };
        assert_eq!(steps(&[close(), close()]), 1);
        for alone in [rename(), create(), Change::DropDatabase { database: database(), force: false }] {
            assert_eq!(steps(&[close(), alone, close(), close()]), 3);
        }
        assert_eq!(steps(&[]), 0);
    }

    #[test]
    fn what_a_tenant_can_hold_up_is_waited_for_patiently() {
        let scope = |scope: Scope| Change::ResetAll { scope };
        let home = BTreeSet::new();
        for (change, expected) in [
            (scope(Scope::Role(role())), true),
            (scope(Scope::RoleInDatabase(role(), database())), true),
            (scope(Scope::Everything), true),
            (scope(Scope::Database(database())), false),
            (Change::Reset { scope: Scope::Role(role()), name: "jit".parse().unwrap() }, true),
            (Change::LimitRole { role: role(), connections: 1 }, true),
            (Change::DropExtension { database: database(), extension: "e".parse().unwrap() }, false),
            (
                Change::UpdateExtension {
                    database: database(),
                    extension: "e".parse().unwrap(),
                    version: "2".parse().unwrap(),
                },
                true,
            ),
            (Change::RoleAttributes { role: role(), attributes: Vec::new() }, true),
            (Change::Expire { role: role(), until: None }, true),
            (Change::RevokeMembership { role: role(), member: role(), grantor: None }, true),
            (Change::Tidy { database: database(), tenant: role(), home }, true),
            (Change::LimitDatabase { database: database(), connections: 1 }, false),
            (Change::NoLogin { role: role() }, false),
        ] {
            assert_eq!(change.can_be_held_up(), expected, "{change:?}");
        }
        let limit = Change::LimitRole { role: role(), connections: 1 };
        let script = render_patiently(&limit, std::time::Duration::from_millis(100));
        assert!(script.0[0].summary().starts_with("wait for no lock longer than 100ms"), "{script:?}");
        assert_eq!(
            script.0[0].text(),
            "SET LOCAL lock_timeout = 100;\nALTER ROLE \"Acme \"\"1\"\"\" CONNECTION LIMIT 1"
        );
    }

    #[test]
    fn who_is_to_be_there_while_a_database_is_tidied_is_data() {
        let home = ["it's".to_owned(), "ad\"min".to_owned()].into();
        let script = render(&[Change::Tidy { database: database(), tenant: role(), home }]);
        let statements: Vec<&str> = script.0[0].statements.iter().map(|statement| statement.text.as_str()).collect();
        assert_eq!(statements.len(), 5);
        assert_eq!(statements[0], "GRANT \"Acme \"\"1\"\"\" TO CURRENT_USER");
        assert!(statements[2].contains("pgtenant.home") && statements[2].contains("it''s"), "{}", statements[2]);
        assert_eq!(script.0[0].database, Some(database()));
    }

    #[test]
    fn a_grantee_is_public_or_a_role() {
        assert_eq!(Grantee::parse(None), Some(Grantee::Public));
        assert_eq!(Grantee::parse(Some("Acme \"1\"")), Some(Grantee::Role(role())));
        assert_eq!(Grantee::parse(Some("a\nb")), None);
    }
}
