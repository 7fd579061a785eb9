//! The facts: what somebody changes on the server behind Terraform's back, and where that must show. Data only.
//!
//! In the SQL, `{t}` is a tenant's role and database, `{n}` another tenant's, `{g}` the group in its `member_of`.
//! A place is one letter and a key: `T` the tenant's controls (or, with a dot, its attributes), `N` its neighbour's
//! controls, `G` the guardrails' attributes, `B` the baseline's controls. ` | ` stands between places of which one
//! or more must show.

use std::ops::RangeInclusive;

use crate::support::binaries::MAJORS;

/// Which tenant of the workspace a fact is tried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// With guardrails and the extension pgcrypto.
    Plain,
    /// Without guardrails.
    Bare,
    /// With guardrails and a group in `member_of`.
    Grouped,
    /// None: the fact is the whole server's.
    Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Root,
    Admin,
    Tenant,
}

/// The database in which it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Maintenance,
    Template,
    Own,
    Neighbour,
    /// A database that is no tenant's and closed to all.
    Elsewhere,
}

#[derive(Clone, Debug)]
pub struct Fact {
    pub majors: RangeInclusive<u32>,
    pub kind: Kind,
    pub by: By,
    pub at: At,
    pub sql: String,
    /// Done by the superuser in the same database where an apply leaves the fact.
    pub undo: String,
    /// Nothing: the tenant's own affair, which must not show.
    pub named: Vec<String>,
    /// More may show at this tenant: what its owner loses or a missing object takes along.
    pub loosely: bool,
    /// Why the audit, which knows no configuration, has nothing to say.
    pub configured: Option<&'static str>,
}

impl Fact {
    fn since(mut self, major: u32) -> Self {
        self.majors = major..=*self.majors.end();
        self
    }

    fn until(mut self, major: u32) -> Self {
        self.majors = *self.majors.start()..=major;
        self
    }

    fn bare(mut self) -> Self {
        self.kind = Kind::Bare;
        self
    }

    fn grouped(mut self) -> Self {
        self.kind = Kind::Grouped;
        self
    }

    fn server(mut self) -> Self {
        self.kind = Kind::Server;
        self
    }

    fn by(mut self, by: By) -> Self {
        self.by = by;
        self
    }

    fn undo(mut self, sql: &str) -> Self {
        self.undo = sql.to_owned();
        self
    }

    fn also(mut self, place: &str) -> Self {
        self.named.push(place.to_owned());
        self
    }

    fn loosely(mut self) -> Self {
        self.loosely = true;
        self
    }

    fn configured(mut self, why: &'static str) -> Self {
        self.configured = Some(why);
        self
    }
}

/// Done by the superuser on a plain tenant. What undoes a GRANT or a SET follows from it.
fn fact(at: At, sql: &str, named: &[&str]) -> Fact {
    Fact {
        majors: MAJORS,
        kind: Kind::Plain,
        by: By::Root,
        at,
        sql: sql.to_owned(),
        undo: reverse(sql),
        named: named.iter().map(|&place| place.to_owned()).collect(),
        loosely: false,
        configured: None,
    }
}

fn reverse(sql: &str) -> String {
    if let Some((what, whom)) = sql.strip_prefix("GRANT ").and_then(|rest| rest.rsplit_once(" TO ")) {
        let whom = whom.split(" WITH ").next().unwrap_or_default();
        return format!("REVOKE {what} FROM {whom}");
    }
    match sql
        .split_once(" SET ")
        .filter(|(head, _)| head.starts_with("ALTER ROLE") || head.starts_with("ALTER DATABASE"))
    {
        Some((head, rest)) => format!("{head} RESET {}", rest.split([' ', '=']).next().unwrap_or_default()),
        None => String::new(),
    }
}

const CHOICE: &str = "the configuration chooses it, and an audit is not told the configuration";

pub fn facts(major: u32) -> Vec<Fact> {
    let rooms = [
        role,
        memberships,
        database,
        guardrails,
        settings,
        server_privileges,
        elsewhere,
        schemas,
        system_privileges,
        other_roles,
        default_privileges,
        objects,
        extensions,
        registered,
        baseline,
        own_affairs,
    ];
    let facts = rooms.into_iter().flat_map(|room| room());
    facts.filter(|fact| fact.majors.contains(&major)).collect()
}

use At::{Elsewhere, Maintenance, Neighbour, Own, Template};

/// What each tenant's password is stored as.
pub const VERIFIER: &str = "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$FKLtc8bPk8JHh0ILK5+iLC8qZEt72LS2E05uU8AFwU8=:\
                            QNyVp911LqQlPGiyVHwUR65HcHbyC4sld4tvzp+FS7E=";

fn role() -> Vec<Fact> {
    let attribute = |name: &str, back: &str| {
        fact(Maintenance, &format!("ALTER ROLE {{t}} {name}"), &["T role_attributes"])
            .undo(&format!("ALTER ROLE {{t}} {back}"))
    };
    let password = |sql: &str| {
        let back = format!("ALTER ROLE {{t}} PASSWORD '{VERIFIER}'");
        fact(Maintenance, sql, &["T password"]).undo(&back).configured(CHOICE)
    };
    vec![
        attribute("SUPERUSER", "NOSUPERUSER").loosely(),
        attribute("CREATEDB", "NOCREATEDB"),
        attribute("CREATEROLE", "NOCREATEROLE"),
        attribute("REPLICATION", "NOREPLICATION"),
        attribute("BYPASSRLS", "NOBYPASSRLS"),
        attribute("INHERIT", "NOINHERIT"),
        attribute("VALID UNTIL '2000-01-01'", "VALID UNTIL 'infinity'").loosely(),
        attribute("VALID UNTIL '2999-01-01'", "VALID UNTIL 'infinity'").loosely(),
        attribute("CREATEDB", "NOCREATEDB").bare(),
        attribute("REPLICATION", "NOREPLICATION").grouped(),
        fact(Maintenance, "ALTER ROLE {t} NOLOGIN", &["T .suspended"]).undo("ALTER ROLE {t} LOGIN").configured(CHOICE),
        password("ALTER ROLE {t} PASSWORD 'somebody knows it'"),
        password("ALTER ROLE {t} PASSWORD NULL"),
        password("SET password_encryption = 'md5'; ALTER ROLE {t} PASSWORD 'of old'"),
        password("ALTER ROLE {t} PASSWORD 'its own choice'").by(By::Tenant),
        fact(Maintenance, "ALTER ROLE {t} RENAME TO {t}_moved", &["T .role"])
            .undo("ALTER ROLE {t}_moved RENAME TO {t}")
            .loosely()
            .configured(CHOICE),
    ]
}

fn memberships() -> Vec<Fact> {
    let member = |sql: &str| fact(Maintenance, sql, &["T memberships"]);
    let group = |sql: &str| member(sql).grouped();
    let predefined = |role: &str, since| member(&format!("GRANT {role} TO {{t}}")).since(since);
    vec![
        fact(Maintenance, "GRANT {n} TO {t}", &["T memberships", "N memberships"]).loosely(),
        fact(Maintenance, "GRANT {t} TO {n}", &["T memberships", "N memberships"]).loosely(),
        member("GRANT {t} TO bystander"),
        member("GRANT {t} TO bystander WITH ADMIN OPTION"),
        member("GRANT {t} TO bystander").by(By::Admin).undo("REVOKE {t} FROM bystander GRANTED BY platform_admin"),
        member("GRANT bystander TO {t}"),
        member("GRANT bystander TO {t} WITH ADMIN OPTION"),
        // The options of the row that PostgreSQL 16 and newer make for who creates a role.
        member("GRANT {t} TO bystander WITH ADMIN TRUE, INHERIT FALSE, SET FALSE").since(16),
        member("GRANT bystander TO {t} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE").since(16),
        member("GRANT {t} TO pg_monitor"),
        member("GRANT {t} TO platform_admin").until(15),
        // The automatic one is the same row: only its options are taken back.
        member("GRANT {t} TO platform_admin WITH INHERIT TRUE, SET TRUE")
            .since(16)
            .undo("REVOKE INHERIT OPTION FOR {t} FROM platform_admin; REVOKE SET OPTION FOR {t} FROM platform_admin"),
        member("GRANT platform_admin TO {t}").until(15).loosely(),
        member("GRANT rds_superuser TO {t}"),
        member("GRANT rdsadmin TO {t}").loosely(),
        predefined("pg_monitor", 13),
        predefined("pg_signal_backend", 13),
        predefined("pg_read_all_settings", 13),
        predefined("pg_execute_server_program", 13),
        predefined("pg_read_server_files", 13),
        predefined("pg_write_server_files", 13),
        predefined("pg_read_all_data", 14),
        predefined("pg_write_all_data", 14),
        predefined("pg_checkpoint", 15),
        predefined("pg_use_reserved_connections", 16),
        predefined("pg_create_subscription", 16),
        predefined("pg_maintain", 17),
        predefined("pg_signal_autovacuum_worker", 18),
        group("GRANT {g} TO {t} WITH ADMIN OPTION").undo("REVOKE ADMIN OPTION FOR {g} FROM {t}"),
        group("GRANT {g} TO {t} WITH INHERIT TRUE").since(16).undo("REVOKE INHERIT OPTION FOR {g} FROM {t}"),
        fact(Maintenance, "REVOKE {g} FROM {t} GRANTED BY platform_admin", &["T memberships | T .member_of[0]"])
            .grouped()
            .by(By::Admin)
            .undo("GRANT {g} TO {t} GRANTED BY platform_admin")
            .configured(CHOICE),
        group("GRANT pg_execute_server_program TO {g}"),
        group("GRANT pg_read_all_data TO {g}").since(14),
        group("GRANT bystander TO {g}"),
        group("ALTER ROLE {g} SUPERUSER").undo("ALTER ROLE {g} NOSUPERUSER").loosely(),
        group("ALTER ROLE {g} CREATEROLE").undo("ALTER ROLE {g} NOCREATEROLE"),
        group("ALTER ROLE {g} CREATEDB").undo("ALTER ROLE {g} NOCREATEDB"),
        group("ALTER ROLE {g} BYPASSRLS").undo("ALTER ROLE {g} NOBYPASSRLS"),
        group("ALTER ROLE {g} REPLICATION").undo("ALTER ROLE {g} NOREPLICATION"),
    ]
}

fn database() -> Vec<Fact> {
    let owner = |role: &str, also: &str| {
        let named = if also.is_empty() { vec!["T database_owner"] } else { vec!["T database_owner", also] };
        fact(Maintenance, &format!("ALTER DATABASE {{t}} OWNER TO {role}"), &named)
            .undo(&format!("ALTER DATABASE {{t}} OWNER TO platform_admin; REVOKE ALL ON DATABASE {{t}} FROM {role}; GRANT CONNECT ON DATABASE {{t}} TO {{t}}"))
            .loosely()
    };
    let public = |sql: &str| fact(Maintenance, sql, &["T public_privileges"]);
    let other = |sql: &str| fact(Maintenance, sql, &["T other_privileges"]);
    let tenant = |sql: &str| fact(Maintenance, sql, &["T tenant_privileges"]);
    let open = |sql: &str, undo: &str| fact(Maintenance, sql, &["T database_open"]).undo(undo).loosely();
    vec![
        owner("{t}", ""),
        owner("{n}", "N elsewhere"),
        owner("rdsadmin", ""),
        owner("bystander", ""),
        owner("pg_monitor", ""),
        owner("{g}", "").grouped(),
        public("GRANT CONNECT ON DATABASE {t} TO PUBLIC"),
        public("GRANT TEMPORARY ON DATABASE {t} TO PUBLIC"),
        public("GRANT CREATE ON DATABASE {t} TO PUBLIC"),
        public("GRANT ALL ON DATABASE {t} TO PUBLIC").bare(),
        other("GRANT CONNECT ON DATABASE {t} TO bystander"),
        other("GRANT CREATE ON DATABASE {t} TO bystander"),
        other("GRANT TEMPORARY ON DATABASE {t} TO bystander"),
        other("GRANT CONNECT ON DATABASE {t} TO pg_monitor"),
        other("GRANT CONNECT ON DATABASE {t} TO bystander WITH GRANT OPTION"),
        other(
            "GRANT CONNECT ON DATABASE {t} TO bystander WITH GRANT OPTION; SET ROLE bystander;
             GRANT CONNECT ON DATABASE {t} TO pg_monitor",
        )
        .undo("REVOKE CONNECT ON DATABASE {t} FROM bystander CASCADE"),
        other("GRANT CONNECT ON DATABASE {t} TO rdsadmin"),
        fact(Maintenance, "GRANT CONNECT ON DATABASE {t} TO {n}", &["T other_privileges", "N elsewhere"]),
        fact(Maintenance, "GRANT CREATE ON DATABASE {t} TO {n}", &["T other_privileges", "N elsewhere"]),
        other("GRANT CONNECT ON DATABASE {t} TO {g}").grouped(),
        tenant("GRANT CREATE ON DATABASE {t} TO {t}"),
        tenant("GRANT CREATE ON DATABASE {t} TO {t} WITH GRANT OPTION"),
        tenant("GRANT CONNECT ON DATABASE {t} TO {t} WITH GRANT OPTION")
            .undo("REVOKE GRANT OPTION FOR CONNECT ON DATABASE {t} FROM {t} CASCADE"),
        tenant("REVOKE CONNECT ON DATABASE {t} FROM {t}").undo("GRANT CONNECT ON DATABASE {t} TO {t}"),
        fact(Maintenance, "GRANT TEMPORARY ON DATABASE {t} TO {t}", &["T .allow_temporary_tables"]).configured(CHOICE),
        open("ALTER DATABASE {t} ALLOW_CONNECTIONS false", "ALTER DATABASE {t} ALLOW_CONNECTIONS true"),
        open("ALTER DATABASE {t} IS_TEMPLATE true", "ALTER DATABASE {t} IS_TEMPLATE false"),
        fact(Maintenance, "ALTER DATABASE {t} RENAME TO {t}_moved", &["T .database"])
            .undo("ALTER DATABASE {t}_moved RENAME TO {t}")
            .loosely()
            .configured(CHOICE),
    ]
}

fn guardrails() -> Vec<Fact> {
    let limit = |sql: &str, place: &str| fact(Maintenance, sql, &[place]).configured(CHOICE);
    let over = |sql: &str, place: &str| fact(Maintenance, sql, &[place]);
    let bare = |sql: &str| fact(Maintenance, sql, &["T governed"]).bare();
    let own = |sql: &str, place: &str| over(sql, place).by(By::Tenant);
    vec![
        fact(Maintenance, "ALTER ROLE {t} CONNECTION LIMIT -1", &["T governed", "G connection_limit"])
            .undo("ALTER ROLE {t} CONNECTION LIMIT 3"),
        limit("ALTER ROLE {t} CONNECTION LIMIT 500", "G connection_limit").undo("ALTER ROLE {t} CONNECTION LIMIT 3"),
        limit("ALTER ROLE {t} CONNECTION LIMIT 0", "G connection_limit").undo("ALTER ROLE {t} CONNECTION LIMIT 3"),
        over("ALTER DATABASE {t} CONNECTION LIMIT -1", "G overrides.database.connection_limit"),
        // So few keep the admin out as well.
        fact(
            Maintenance,
            "ALTER DATABASE {t} CONNECTION LIMIT 1",
            &["T governed", "G overrides.database.connection_limit"],
        ),
        fact(Maintenance, "ALTER DATABASE {t} SET statement_timeout = 0", &["G statement_timeout"]).loosely(),
        limit("ALTER DATABASE {t} SET statement_timeout = '31s'", "G statement_timeout"),
        limit("ALTER DATABASE {t} SET statement_timeout = '030s'", "G statement_timeout"),
        limit("ALTER DATABASE {t} SET lock_timeout = '1d'", "G lock_timeout"),
        limit(
            "ALTER DATABASE {t} SET idle_in_transaction_session_timeout = '1d'",
            "G idle_in_transaction_session_timeout",
        ),
        limit("ALTER DATABASE {t} SET idle_session_timeout = '2h'", "G idle_session_timeout").since(14),
        limit("ALTER DATABASE {t} SET transaction_timeout = '90s'", "G transaction_timeout").since(17),
        fact(Maintenance, "ALTER DATABASE {t} RESET lock_timeout", &["T governed", "G lock_timeout"]),
        fact(
            Maintenance,
            "ALTER DATABASE {t} RESET ALL",
            &["T governed", "G statement_timeout", "G parameters.work_mem"],
        )
        .loosely(),
        limit("ALTER DATABASE {t} SET work_mem = '4GB'", "G parameters.work_mem"),
        // With nothing on record, the role's own row is the tenant's.
        limit("ALTER DATABASE {t} RESET work_mem", "G parameters.work_mem").also("T parameters"),
        own("ALTER ROLE {t} SET statement_timeout = 0", "G overrides.role.statement_timeout"),
        own("ALTER ROLE {t} SET lock_timeout = '1d'", "G overrides.role.lock_timeout"),
        own("ALTER ROLE {t} SET work_mem = '2GB'", "G overrides.role.work_mem"),
        own("ALTER ROLE {t} SET idle_session_timeout = 0", "G overrides.role.idle_session_timeout").since(14),
        own("ALTER ROLE {t} SET transaction_timeout = 0", "G overrides.role.transaction_timeout").since(17),
        own("ALTER ROLE {t} RESET lock_timeout", "G overrides.role.lock_timeout"),
        own("ALTER ROLE {t} RESET ALL", "G overrides.role.statement_timeout").loosely(),
        own(
            "ALTER ROLE {t} IN DATABASE {t} SET statement_timeout = 0",
            "G overrides.role_in_database.statement_timeout",
        ),
        own("ALTER ROLE {t} IN DATABASE {t} SET work_mem = '2GB'", "G overrides.role_in_database.work_mem"),
        own(
            "ALTER ROLE {t} IN DATABASE postgres SET statement_timeout = 0",
            "G overrides.role_in_database.statement_timeout | T parameters",
        )
        .loosely(),
        bare("ALTER ROLE {t} CONNECTION LIMIT 500").undo("ALTER ROLE {t} CONNECTION LIMIT 10"),
        bare("ALTER ROLE {t} CONNECTION LIMIT -1").undo("ALTER ROLE {t} CONNECTION LIMIT 10"),
        bare("ALTER DATABASE {t} CONNECTION LIMIT -1").undo("ALTER DATABASE {t} CONNECTION LIMIT 15"),
        bare("ALTER DATABASE {t} SET statement_timeout = 0"),
        bare("ALTER DATABASE {t} SET lock_timeout = '11s'"),
        bare("ALTER DATABASE {t} RESET idle_in_transaction_session_timeout"),
        bare("ALTER ROLE {t} SET statement_timeout = 0"),
        bare("ALTER ROLE {t} SET lock_timeout = 0").by(By::Tenant),
        bare("ALTER ROLE {t} IN DATABASE {t} SET statement_timeout = 0").by(By::Tenant),
    ]
}

/// What is no guardrail and matters all the same, and whether the tenant can set it by itself.
const SETTINGS: &[(&str, &str, u32)] = &[
    ("session_replication_role", "replica", 13),
    ("log_statement", "none", 13),
    ("log_min_duration_statement", "-1", 13),
    ("temp_file_limit", "-1", 13),
    ("session_preload_libraries", "auto_explain", 13),
    ("role", "bystander", 13),
    ("pgaudit.log", "none", 13),
    ("app.tenant_id", "another", 13),
    ("row_security", "off", 13),
    ("lo_compat_privileges", "on", 13),
    ("allow_system_table_mods", "on", 13),
    ("deadlock_timeout", "1h", 13),
    ("default_tablespace", "spare", 13),
    ("maintenance_work_mem", "4GB", 13),
    ("max_parallel_workers_per_gather", "64", 13),
    ("event_triggers", "off", 17),
];

fn settings() -> Vec<Fact> {
    let mut facts = Vec::new();
    for (name, value, since) in SETTINGS {
        let role = format!("T parameters | G overrides.role.{name}");
        let inside = format!("T parameters | G overrides.role_in_database.{name}");
        let database = format!("T parameters | G parameters.{name}");
        for (scope, place) in [("ROLE {t}", role), ("ROLE {t} IN DATABASE {t}", inside), ("DATABASE {t}", database)] {
            let sql = format!("ALTER {scope} SET {name} = '{value}'");
            facts.push(fact(Maintenance, &sql, &[&place]).since(*since));
        }
    }
    let path = |sql: &str| fact(Maintenance, sql, &["T search_path"]);
    facts.extend([
        fact(Maintenance, "ALTER ROLE {t} SET max_parallel_workers_per_gather = 64", &["T parameters"])
            .by(By::Tenant)
            .bare(),
        fact(Maintenance, "ALTER ROLE {t} IN DATABASE elsewhere SET log_statement = 'none'", &["T parameters"]).bare(),
        path("ALTER DATABASE {t} SET search_path = public"),
        path("ALTER ROLE {t} SET search_path = public").by(By::Tenant),
        path("ALTER ROLE {t} IN DATABASE {t} SET search_path = public, app").by(By::Tenant),
        path("ALTER ROLE {t} IN DATABASE {t} SET search_path = enforced").by(By::Tenant),
        path("ALTER ROLE {t} IN DATABASE {t} SET search_path = 'found: nothing'").by(By::Tenant),
        path("ALTER ROLE {t} IN DATABASE {t} RESET search_path").by(By::Tenant),
        path("ALTER ROLE {t} IN DATABASE elsewhere SET search_path = public").by(By::Tenant),
    ]);
    facts
}

fn server_privileges() -> Vec<Fact> {
    let tenant = |sql: &str| fact(Maintenance, sql, &["T server_privileges"]);
    let server = |sql: &str| fact(Maintenance, sql, &["B server_privileges"]).server();
    vec![
        tenant("GRANT SET ON PARAMETER log_statement TO {t}").since(15),
        tenant("GRANT SET ON PARAMETER session_replication_role TO {t} WITH GRANT OPTION").since(15),
        tenant("GRANT ALTER SYSTEM ON PARAMETER archive_command TO {t}").since(15),
        tenant("GRANT SET ON PARAMETER pgaudit.log TO {t}").since(15),
        tenant("GRANT SET ON PARAMETER temp_file_limit TO {g}").since(15).grouped(),
        tenant("GRANT CREATE ON TABLESPACE spare TO {t}"),
        tenant("GRANT CREATE ON TABLESPACE spare TO {t} WITH GRANT OPTION").bare(),
        tenant("GRANT CREATE ON TABLESPACE pg_default TO {t}"),
        tenant("GRANT CREATE ON TABLESPACE pg_global TO {t}"),
        tenant("GRANT CREATE ON TABLESPACE spare TO {g}").grouped(),
        server("GRANT SET ON PARAMETER log_min_messages TO PUBLIC").since(15),
        server("GRANT CREATE ON TABLESPACE spare TO PUBLIC"),
        server("GRANT CREATE ON TABLESPACE pg_default TO PUBLIC"),
    ]
}

fn elsewhere() -> Vec<Fact> {
    let at = |at: At, sql: &str| fact(at, sql, &["T elsewhere"]);
    let owns = |database: &str, back: &str| {
        at(Maintenance, &format!("ALTER DATABASE {database} OWNER TO {{t}}"))
            .undo(&format!("ALTER DATABASE {database} OWNER TO {back}; REVOKE ALL ON DATABASE {database} FROM {{t}}"))
    };
    vec![
        at(Maintenance, "GRANT CONNECT ON DATABASE postgres TO {t}"),
        at(Maintenance, "GRANT CONNECT ON DATABASE template1 TO {t}"),
        at(Maintenance, "GRANT CONNECT ON DATABASE elsewhere TO {t}"),
        at(Maintenance, "GRANT CREATE ON DATABASE elsewhere TO {t} WITH GRANT OPTION"),
        at(Maintenance, "GRANT TEMPORARY ON DATABASE elsewhere TO {t}").bare(),
        at(Maintenance, "GRANT CONNECT ON DATABASE elsewhere TO {g}").grouped(),
        owns("elsewhere", "rdsadmin"),
        owns("template0", "rdsadmin"),
        owns("spare_database", "platform_admin"),
        at(Maintenance, "ALTER TABLESPACE spare OWNER TO {t}")
            .undo("ALTER TABLESPACE spare OWNER TO rdsadmin; REVOKE ALL ON TABLESPACE spare FROM {t}"),
        at(Maintenance, "GRANT CREATE ON SCHEMA public TO {t}"),
        at(Maintenance, "GRANT SELECT ON pg_authid TO {t}"),
        at(Maintenance, "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {t}"),
        at(Maintenance, "GRANT SELECT ON pg_authid TO {g}").grouped(),
        at(Template, "CREATE TABLE public.{t}_planted (); ALTER TABLE public.{t}_planted OWNER TO {t}")
            .undo("DROP TABLE public.{t}_planted"),
        at(Template, "GRANT CREATE ON SCHEMA public TO {t}"),
        at(Elsewhere, "GRANT SELECT ON things TO {t}"),
        at(Elsewhere, "GRANT UPDATE (a) ON things TO {t}"),
        at(Elsewhere, "GRANT USAGE ON SEQUENCE numbers TO {t}"),
        at(Elsewhere, "GRANT EXECUTE ON FUNCTION act() TO {t}"),
        at(Elsewhere, "GRANT USAGE ON TYPE kind TO {t}"),
        at(Elsewhere, "GRANT SELECT ON LARGE OBJECT 4242 TO {t}"),
        at(Elsewhere, "GRANT CREATE ON SCHEMA public TO {t} WITH GRANT OPTION"),
        at(Elsewhere, "GRANT USAGE ON LANGUAGE plpgsql TO {t}"),
        at(Elsewhere, "GRANT USAGE ON FOREIGN DATA WRAPPER wrap TO {t}"),
        at(Elsewhere, "GRANT USAGE ON FOREIGN SERVER far TO {t}"),
        at(Elsewhere, "CREATE USER MAPPING FOR {t} SERVER far").undo("DROP USER MAPPING FOR {t} SERVER far"),
        at(Elsewhere, "CREATE POLICY {t}_policy ON things TO {t}").undo("DROP POLICY {t}_policy ON things"),
        at(Elsewhere, "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {t}")
            .undo("ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM {t}"),
        at(Elsewhere, "CREATE SCHEMA {t}_schema AUTHORIZATION {t}").undo("DROP SCHEMA {t}_schema"),
        at(
            Elsewhere,
            "CREATE FUNCTION {t}_f() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION {t}_f() OWNER TO {t}",
        )
        .undo("DROP FUNCTION {t}_f()"),
        fact(Neighbour, "GRANT SELECT ON app.things TO {t}", &["T elsewhere", "N other_roles"]),
        fact(Neighbour, "GRANT SELECT ON LARGE OBJECT 4242 TO {t}", &["T elsewhere", "N other_roles"]),
        fact(
            Neighbour,
            "CREATE TABLE app.{t}_left (); ALTER TABLE app.{t}_left OWNER TO {t}",
            &["T elsewhere", "N other_roles"],
        )
        .undo("DROP TABLE app.{t}_left"),
    ]
}

fn schemas() -> Vec<Fact> {
    let owner = |role: &str, undo: &str| {
        fact(Own, &format!("ALTER SCHEMA app OWNER TO {role}"), &["T schema_privileges | T schema | T other_roles"])
            .undo(&format!("ALTER SCHEMA app OWNER TO platform_admin; {undo}"))
            .loosely()
    };
    let tenants = "GRANT USAGE, CREATE ON SCHEMA app TO {t}";
    let app = |sql: &str| fact(Own, sql, &["T schema_privileges"]).loosely();
    let public = |sql: &str| fact(Own, sql, &["T public_schema"]).since(15).loosely();
    vec![
        owner("{t}", tenants),
        owner("rdsadmin", tenants),
        owner("bystander", tenants),
        fact(Own, "ALTER SCHEMA app OWNER TO {n}", &["T schema_privileges | T schema | T other_roles", "N elsewhere"])
            .undo("ALTER SCHEMA app OWNER TO platform_admin")
            .loosely(),
        app("GRANT USAGE ON SCHEMA app TO bystander"),
        app("GRANT CREATE ON SCHEMA app TO bystander WITH GRANT OPTION"),
        app("GRANT ALL ON SCHEMA app TO PUBLIC"),
        app("GRANT USAGE ON SCHEMA app TO pg_monitor"),
        app("GRANT CREATE ON SCHEMA app TO {t} WITH GRANT OPTION")
            .undo("REVOKE GRANT OPTION FOR CREATE ON SCHEMA app FROM {t}"),
        app("REVOKE CREATE ON SCHEMA app FROM {t}").undo("GRANT CREATE ON SCHEMA app TO {t}"),
        app("REVOKE USAGE ON SCHEMA app FROM {t}").undo("GRANT USAGE ON SCHEMA app TO {t}"),
        app("ALTER SCHEMA extensions OWNER TO {t}").undo("ALTER SCHEMA extensions OWNER TO platform_admin"),
        app("GRANT CREATE ON SCHEMA extensions TO {t}"),
        app("GRANT CREATE ON SCHEMA extensions TO PUBLIC"),
        app("GRANT CREATE ON SCHEMA extensions TO bystander"),
        fact(Own, "ALTER SCHEMA app RENAME TO moved", &["T .schema"])
            .undo("ALTER SCHEMA moved RENAME TO app")
            .loosely()
            .configured(CHOICE),
        fact(Own, "DROP SCHEMA app CASCADE", &["T schema"]).bare().loosely(),
        public("GRANT CREATE ON SCHEMA public TO {t}"),
        public("GRANT USAGE ON SCHEMA public TO PUBLIC"),
        public("GRANT CREATE ON SCHEMA public TO PUBLIC"),
        public("GRANT CREATE ON SCHEMA public TO bystander"),
        public("ALTER SCHEMA public OWNER TO {t}").undo("ALTER SCHEMA public OWNER TO pg_database_owner"),
    ]
}

fn system_privileges() -> Vec<Fact> {
    let system = |sql: &str| fact(Own, sql, &["T system_privileges"]);
    vec![
        system("GRANT SELECT ON pg_authid TO {t}"),
        system("GRANT SELECT ON pg_authid TO PUBLIC"),
        system("GRANT SELECT ON pg_authid TO bystander"),
        system("GRANT SELECT (rolname, rolpassword) ON pg_authid TO {t}"),
        system("GRANT SELECT (rolpassword) ON pg_authid TO PUBLIC"),
        system("GRANT SELECT ON pg_shadow TO {t}"),
        system("GRANT SELECT ON pg_largeobject TO {t}"),
        system("GRANT SELECT ON pg_statistic TO PUBLIC"),
        system("GRANT SELECT ON pg_user_mapping TO {t}"),
        system("GRANT INSERT ON pg_proc TO {t}"),
        system("GRANT UPDATE ON pg_database TO {t} WITH GRANT OPTION"),
        system("GRANT SELECT ON pg_class TO {t} WITH GRANT OPTION"),
        system("GRANT SELECT ON pg_hba_file_rules TO {t}"),
        system("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {t}"),
        system("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO PUBLIC"),
        system("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO bystander"),
        system("GRANT EXECUTE ON FUNCTION pg_ls_dir(text) TO {t}"),
        system("GRANT EXECUTE ON FUNCTION lo_import(text) TO {t}"),
        system("GRANT EXECUTE ON FUNCTION pg_reload_conf() TO {t}"),
        system("GRANT EXECUTE ON FUNCTION now() TO {t} WITH GRANT OPTION"),
        system("GRANT CREATE ON SCHEMA pg_catalog TO {t}"),
        system("GRANT CREATE ON SCHEMA pg_catalog TO PUBLIC"),
        system("GRANT CREATE ON SCHEMA information_schema TO {t}"),
        system("GRANT USAGE ON LANGUAGE plpgsql TO {t} WITH GRANT OPTION"),
        system("GRANT USAGE ON LANGUAGE plpgsql TO bystander"),
        fact(Own, "UPDATE pg_language SET lanpltrusted = true WHERE lanname = 'c'", &["T objects"])
            .undo("UPDATE pg_language SET lanpltrusted = false WHERE lanname = 'c'"),
        fact(Own, "UPDATE pg_language SET lanpltrusted = true WHERE lanname = 'internal'", &["T objects"])
            .undo("UPDATE pg_language SET lanpltrusted = false WHERE lanname = 'internal'")
            .bare(),
        system("GRANT USAGE ON TYPE int4 TO bystander WITH GRANT OPTION"),
        system("GRANT EXECUTE ON FUNCTION extensions.digest(text, text) TO bystander"),
        system("GRANT EXECUTE ON FUNCTION extensions.digest(text, text) TO {t} WITH GRANT OPTION"),
        fact(
            Own,
            "ALTER FUNCTION extensions.digest(text, text) OWNER TO {t}",
            &["T system_privileges | T objects | T extensions | T other_roles"],
        )
        .undo("ALTER FUNCTION extensions.digest(text, text) OWNER TO rdsadmin"),
        fact(Own, "ALTER FUNCTION pg_catalog.now() OWNER TO {t}", &["T system_privileges | T objects | T other_roles"])
            .undo("ALTER FUNCTION pg_catalog.now() OWNER TO rdsadmin"),
    ]
}

fn other_roles() -> Vec<Fact> {
    let other = |sql: &str| fact(Own, sql, &["T other_roles"]);
    let own = |sql: &str| other(sql).by(By::Tenant);
    let mut facts = Vec::new();
    for privilege in ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"] {
        facts.push(own(&format!("GRANT {privilege} ON app.things TO bystander")));
    }
    facts.extend([
        own("GRANT MAINTAIN ON app.things TO bystander").since(17),
        own("GRANT SELECT ON app.things TO bystander WITH GRANT OPTION"),
        own("GRANT SELECT ON app.things TO PUBLIC"),
        own("GRANT ALL ON app.things TO PUBLIC"),
        own("GRANT SELECT ON app.things TO pg_monitor"),
        own("GRANT SELECT (a) ON app.things TO bystander"),
        own("GRANT UPDATE (a, b) ON app.things TO bystander WITH GRANT OPTION"),
        own("GRANT SELECT (a) ON app.things TO PUBLIC"),
        own("GRANT SELECT ON app.seen TO bystander"),
        own("GRANT SELECT ON app.kept TO bystander"),
        own("GRANT SELECT ON app.parted TO PUBLIC"),
        own("GRANT USAGE ON SEQUENCE app.numbers TO bystander"),
        own("GRANT UPDATE ON SEQUENCE app.numbers TO PUBLIC"),
        own("GRANT EXECUTE ON FUNCTION app.act() TO bystander"),
        own("GRANT EXECUTE ON PROCEDURE app.work(int) TO bystander"),
        own("GRANT EXECUTE ON FUNCTION app.total(int) TO bystander"),
        own("GRANT USAGE ON TYPE app.kind TO bystander"),
        own("GRANT USAGE ON DOMAIN app.short TO bystander"),
        own("GRANT SELECT ON LARGE OBJECT 4242 TO bystander"),
        own("GRANT UPDATE ON LARGE OBJECT 4242 TO PUBLIC"),
        fact(Own, "GRANT SELECT ON app.things TO {n}", &["T other_roles", "N elsewhere"]).by(By::Tenant),
        fact(Own, "GRANT SELECT (a) ON app.things TO {n}", &["T other_roles", "N elsewhere"]).by(By::Tenant),
        fact(Own, "GRANT EXECUTE ON FUNCTION app.act() TO {n}", &["T other_roles", "N elsewhere"]).by(By::Tenant),
        fact(Own, "GRANT USAGE ON TYPE app.kind TO {n}", &["T other_roles", "N elsewhere"]).by(By::Tenant),
        other("GRANT SELECT ON app.things TO bystander"),
        other("GRANT SELECT ON app.things TO {g}").grouped(),
        other("ALTER TABLE app.things OWNER TO bystander").undo("ALTER TABLE app.things OWNER TO {t}"),
        other("ALTER TABLE app.things OWNER TO rdsadmin").undo("ALTER TABLE app.things OWNER TO {t}"),
        other("ALTER SEQUENCE app.numbers OWNER TO bystander").undo("ALTER SEQUENCE app.numbers OWNER TO {t}"),
        other("ALTER VIEW app.seen OWNER TO bystander").undo("ALTER VIEW app.seen OWNER TO {t}"),
        other("ALTER FUNCTION app.act() OWNER TO bystander").undo("ALTER FUNCTION app.act() OWNER TO {t}"),
        other("ALTER TYPE app.kind OWNER TO bystander").undo("ALTER TYPE app.kind OWNER TO {t}"),
        other("ALTER DOMAIN app.short OWNER TO bystander").undo("ALTER DOMAIN app.short OWNER TO {t}"),
        other("ALTER LARGE OBJECT 4242 OWNER TO bystander").undo("ALTER LARGE OBJECT 4242 OWNER TO {t}"),
        other("CREATE COLLATION app.foreign_collation (locale = 'C'); ALTER COLLATION app.foreign_collation OWNER TO bystander")
            .undo("DROP COLLATION app.foreign_collation"),
        other("CREATE STATISTICS app.foreign_statistics ON a, b FROM app.things; ALTER STATISTICS app.foreign_statistics OWNER TO bystander")
            .undo("DROP STATISTICS app.foreign_statistics"),
        other("CREATE TEXT SEARCH CONFIGURATION app.foreign_search (COPY = simple); ALTER TEXT SEARCH CONFIGURATION app.foreign_search OWNER TO bystander")
            .undo("DROP TEXT SEARCH CONFIGURATION app.foreign_search"),
        other("CREATE OPERATOR app.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq); ALTER OPERATOR app.=== (int, int) OWNER TO bystander")
            .undo("DROP OPERATOR app.=== (int, int)"),
        other("CREATE TABLE app.planted ()").undo("DROP TABLE app.planted"),
        other("CREATE VIEW app.planted AS SELECT * FROM pg_authid; GRANT SELECT ON app.planted TO {t}")
            .undo("DROP VIEW app.planted"),
        other("SELECT lo_create(4343); GRANT SELECT ON LARGE OBJECT 4343 TO PUBLIC").undo("SELECT lo_unlink(4343)").loosely(),
        fact(Own, "ALTER TABLE app.things OWNER TO {n}", &["T other_roles", "N elsewhere"])
            .undo("ALTER TABLE app.things OWNER TO {t}"),
    ]);
    facts
}

fn default_privileges() -> Vec<Fact> {
    let default = |who: &str, grant: &str| {
        let alter = format!("ALTER DEFAULT PRIVILEGES {who}").trim().to_owned();
        fact(Own, &format!("{alter} {grant}"), &["T default_privileges"]).undo(&format!("{alter} {}", reverse(grant)))
    };
    let own = |grant: &str| {
        default("", grant).by(By::Tenant).undo(&format!("ALTER DEFAULT PRIVILEGES FOR ROLE {{t}} {}", reverse(grant)))
    };
    let inside = |grant: &str| {
        default("IN SCHEMA app", grant)
            .by(By::Tenant)
            .undo(&format!("ALTER DEFAULT PRIVILEGES FOR ROLE {{t}} IN SCHEMA app {}", reverse(grant)))
    };
    vec![
        own("GRANT SELECT ON TABLES TO PUBLIC"),
        own("GRANT SELECT ON TABLES TO bystander"),
        own("GRANT INSERT ON TABLES TO pg_monitor WITH GRANT OPTION"),
        own("GRANT USAGE ON SEQUENCES TO PUBLIC"),
        own("GRANT EXECUTE ON FUNCTIONS TO bystander"),
        own("GRANT USAGE ON TYPES TO bystander"),
        own("GRANT USAGE ON SCHEMAS TO PUBLIC"),
        own("GRANT SELECT ON LARGE OBJECTS TO bystander").since(18),
        own("GRANT UPDATE ON LARGE OBJECTS TO PUBLIC").since(18),
        inside("GRANT SELECT ON TABLES TO PUBLIC"),
        inside("GRANT USAGE ON SEQUENCES TO bystander"),
        inside("GRANT EXECUTE ON FUNCTIONS TO bystander"),
        fact(Own, "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {n}", &["T default_privileges", "N elsewhere"])
            .by(By::Tenant)
            .undo("ALTER DEFAULT PRIVILEGES FOR ROLE {t} REVOKE SELECT ON TABLES FROM {n}")
            .loosely(),
        default("", "GRANT SELECT ON TABLES TO PUBLIC"),
        default("", "GRANT SELECT ON TABLES TO {t}"),
        default("FOR ROLE platform_admin", "GRANT SELECT ON TABLES TO PUBLIC"),
        default("FOR ROLE platform_admin", "GRANT EXECUTE ON FUNCTIONS TO {t}"),
        // It stands there as something of another role, too.
        default("FOR ROLE bystander", "GRANT SELECT ON TABLES TO {t}").also("T other_roles"),
        default("FOR ROLE bystander IN SCHEMA app", "GRANT USAGE ON SEQUENCES TO PUBLIC").also("T other_roles"),
    ]
}

fn objects() -> Vec<Fact> {
    let object = |sql: &str, undo: &str| fact(Own, sql, &["T objects"]).undo(undo);
    let handled = "CREATE FUNCTION public.handler() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'";
    let definer = "RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'";
    vec![
        object("CREATE SCHEMA extra", "DROP SCHEMA extra"),
        object("CREATE SCHEMA extra", "DROP SCHEMA extra").by(By::Admin),
        object("CREATE SCHEMA extra; GRANT CREATE ON SCHEMA extra TO {t}", "DROP SCHEMA extra").loosely(),
        object("CREATE SCHEMA extra; GRANT ALL ON SCHEMA extra TO PUBLIC", "DROP SCHEMA extra").loosely(),
        object("CREATE SCHEMA extra AUTHORIZATION {t}", "DROP SCHEMA extra").loosely(),
        object("CREATE SCHEMA extra AUTHORIZATION bystander", "DROP SCHEMA extra").loosely(),
        object(
            &format!("{handled}; CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION public.handler()"),
            "DROP EVENT TRIGGER watch; DROP FUNCTION public.handler()",
        )
        .loosely(),
        object("CREATE PUBLICATION all_of_it FOR ALL TABLES", "DROP PUBLICATION all_of_it").loosely(),
        object("CREATE PUBLICATION a_part FOR TABLE app.things", "DROP PUBLICATION a_part").loosely(),
        object(
            "CREATE PUBLICATION owned FOR TABLE app.things; ALTER PUBLICATION owned OWNER TO bystander",
            "DROP PUBLICATION owned",
        )
        .loosely(),
        object(
            "CREATE SUBSCRIPTION {t}_sub CONNECTION 'host=127.0.0.1 port=1 dbname=none' PUBLICATION none
             WITH (connect = false, slot_name = NONE, enabled = false)",
            "DROP SUBSCRIPTION {t}_sub",
        )
        .loosely(),
        object("SELECT pg_create_logical_replication_slot('{t}_slot', 'pgoutput')", "SELECT pg_drop_replication_slot('{t}_slot')"),
        object("CREATE FOREIGN DATA WRAPPER wrap", "DROP FOREIGN DATA WRAPPER wrap").loosely(),
        object(
            "CREATE FOREIGN DATA WRAPPER wrap; GRANT USAGE ON FOREIGN DATA WRAPPER wrap TO {t}",
            "DROP FOREIGN DATA WRAPPER wrap",
        )
        .loosely(),
        object(
            "CREATE FOREIGN DATA WRAPPER wrap; CREATE SERVER far FOREIGN DATA WRAPPER wrap",
            "DROP FOREIGN DATA WRAPPER wrap CASCADE",
        )
        .loosely(),
        object(
            "CREATE FOREIGN DATA WRAPPER wrap; CREATE SERVER far FOREIGN DATA WRAPPER wrap;
             GRANT USAGE ON FOREIGN SERVER far TO {t}; CREATE USER MAPPING FOR {t} SERVER far OPTIONS (password 'x')",
            "DROP FOREIGN DATA WRAPPER wrap CASCADE",
        )
        .loosely(),
        object(
            "CREATE FOREIGN DATA WRAPPER wrap; CREATE SERVER far FOREIGN DATA WRAPPER wrap;
             CREATE USER MAPPING FOR PUBLIC SERVER far",
            "DROP FOREIGN DATA WRAPPER wrap CASCADE",
        )
        .loosely(),
        object("CREATE LANGUAGE tongue HANDLER plpgsql_call_handler", "DROP LANGUAGE tongue").loosely(),
        object("CREATE TRUSTED LANGUAGE tongue HANDLER plpgsql_call_handler", "DROP LANGUAGE tongue").loosely(),
        object("CREATE ACCESS METHOD way TYPE INDEX HANDLER bthandler", "DROP ACCESS METHOD way").loosely(),
        object(&format!("CREATE FUNCTION app.as_root() {definer}"), "DROP FUNCTION app.as_root()").loosely(),
        object(&format!("CREATE FUNCTION public.as_root() {definer}"), "DROP FUNCTION public.as_root()").loosely(),
        object(&format!("CREATE FUNCTION pg_catalog.as_root() {definer}"), "DROP FUNCTION pg_catalog.as_root()").loosely(),
        object(
            &format!("CREATE FUNCTION extensions.as_admin() {definer}; ALTER FUNCTION extensions.as_admin() OWNER TO platform_admin"),
            "DROP FUNCTION extensions.as_admin()",
        )
        .loosely(),
        object(
            "CREATE PROCEDURE app.as_root() LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
             GRANT EXECUTE ON PROCEDURE app.as_root() TO {t}",
            "DROP PROCEDURE app.as_root()",
        )
        .loosely(),
        fact(Own, "CREATE CAST (text AS int) WITH INOUT AS IMPLICIT", &["T objects | T other_roles | T system_privileges"])
            .undo("DROP CAST (text AS int)"),
        fact(Own, "CREATE FUNCTION pg_catalog.quiet() RETURNS int LANGUAGE sql AS 'SELECT 1'", &[
            "T objects | T other_roles | T system_privileges",
        ])
        .undo("DROP FUNCTION pg_catalog.quiet()"),
    ]
}

fn extensions() -> Vec<Fact> {
    let choice = |sql: &str, place: &str| fact(Own, sql, &[place]).loosely().configured(CHOICE);
    vec![
        // Its owner's to drop, who is not this admin.
        fact(Own, "CREATE EXTENSION dblink SCHEMA extensions", &["T extensions"]).undo("DROP EXTENSION dblink"),
        choice("CREATE EXTENSION hstore SCHEMA extensions", "T .extensions[0] | T .extensions[1]")
            .by(By::Admin)
            .undo("DROP EXTENSION hstore"),
        choice("DROP EXTENSION pgcrypto", "T .extensions[0]").undo("CREATE EXTENSION pgcrypto SCHEMA extensions"),
        fact(Own, "ALTER EXTENSION pgcrypto SET SCHEMA app", &["T extensions"])
            .undo("ALTER EXTENSION pgcrypto SET SCHEMA extensions")
            .loosely(),
        fact(Own, "ALTER EXTENSION pgcrypto SET SCHEMA public", &["T extensions"])
            .undo("ALTER EXTENSION pgcrypto SET SCHEMA extensions")
            .loosely(),
        fact(Own, "CREATE EXTENSION hstore SCHEMA app", &["T extensions"]).undo("DROP EXTENSION hstore").loosely(),
    ]
}

/// Text that is the marker of the tenant, with what is to become of it.
fn marked(object: &str) -> String {
    format!(
        "DO $$ BEGIN EXECUTE format('COMMENT ON {object} IS %L',
            (SELECT description FROM pg_shdescription JOIN pg_database ON oid = objoid
             WHERE datname = '{{t}}' AND classoid = 'pg_database'::regclass)); END $$"
    )
}

fn registered() -> Vec<Fact> {
    const NOTE: &str = "G overrides.role.marker";
    let registered = |at: At, sql: &str| fact(at, sql, &["T registered"]).loosely();
    let second = |object: &str| fact(Maintenance, &marked(object), &["T registered | B markers"]).loosely();
    vec![
        registered(Maintenance, "COMMENT ON DATABASE {t} IS NULL"),
        registered(Maintenance, "COMMENT ON DATABASE {t} IS 'the database of {t}'"),
        registered(Maintenance, "COMMENT ON ROLE {t} IS NULL").also(NOTE),
        registered(Maintenance, "COMMENT ON ROLE {t} IS '{\"pgtenant\":\"another\"}'").also(NOTE),
        registered(Own, "COMMENT ON SCHEMA app IS NULL"),
        second("DATABASE elsewhere").undo("COMMENT ON DATABASE elsewhere IS NULL"),
        second("DATABASE spare_database").undo("COMMENT ON DATABASE spare_database IS NULL"),
        second("ROLE bystander").undo("COMMENT ON ROLE bystander IS NULL"),
    ]
}

fn baseline() -> Vec<Fact> {
    let server = |at: At, sql: &str, place: &str| fact(at, sql, &[place]).server();
    let all = |name: &str, value: &str| {
        let sql = format!("ALTER ROLE ALL SET {name} = '{value}'");
        server(Maintenance, &sql, "B parameters")
    };
    vec![
        server(Maintenance, "GRANT CONNECT ON DATABASE postgres TO PUBLIC", "B postgres.public_privileges"),
        server(Maintenance, "GRANT TEMPORARY ON DATABASE postgres TO PUBLIC", "B postgres.public_privileges"),
        server(Maintenance, "GRANT CREATE ON DATABASE template1 TO PUBLIC", "B template1.public_privileges"),
        server(Maintenance, "GRANT CREATE ON SCHEMA public TO PUBLIC", "B postgres.public_schema").since(15),
        server(Template, "GRANT CREATE ON SCHEMA public TO PUBLIC", "B template1.public_schema").since(15),
        server(Maintenance, "GRANT CONNECT ON DATABASE elsewhere TO PUBLIC", "B other_databases"),
        server(Maintenance, "CREATE DATABASE opened", "B other_databases").undo("DROP DATABASE opened"),
        server(Maintenance, "ALTER DATABASE template0 ALLOW_CONNECTIONS true", "B other_databases")
            .undo("ALTER DATABASE template0 ALLOW_CONNECTIONS false"),
        all("statement_timeout", "0"),
        all("log_statement", "none"),
        all("session_replication_role", "replica"),
        all("search_path", "public"),
        all("role", "bystander"),
        all("pgaudit.log", "none"),
        server(Maintenance, "COMMENT ON DATABASE elsewhere IS '{\"pgtenant\":\"nobody\",\"stage\":\"ready\",\"database\":\"elsewhere\",\"role\":\"nobody\",\"schema\":\"app\"}'", "B markers")
            .undo("COMMENT ON DATABASE elsewhere IS NULL"),
    ]
}

/// What a tenant may do is no drift.
fn own_affairs() -> Vec<Fact> {
    let own = |at: At, sql: &str| fact(at, sql, &[]).by(By::Tenant);
    vec![
        own(Own, "CREATE TABLE app.more (a int PRIMARY KEY); GRANT SELECT ON app.more TO {t}")
            .undo("DROP TABLE app.more"),
        own(Own, "CREATE FUNCTION app.more() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'")
            .undo("DROP FUNCTION app.more()"),
        own(Own, "REVOKE EXECUTE ON FUNCTION app.act() FROM PUBLIC")
            .undo("GRANT EXECUTE ON FUNCTION app.act() TO PUBLIC"),
        own(Own, "CREATE TABLE app.enforced (); COMMENT ON TABLE app.enforced IS 'found: nothing'")
            .undo("DROP TABLE app.enforced"),
        own(Maintenance, "ALTER ROLE {t} SET TimeZone = 'Europe/Berlin'"),
        own(Maintenance, "ALTER ROLE {t} IN DATABASE {t} SET application_name = 'not permitted: x'"),
        own(Maintenance, "ALTER ROLE {t} SET DateStyle = 'German'"),
    ]
}
