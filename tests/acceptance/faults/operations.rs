//! What is done while a fault strikes, as data. `NAME` stands for the tenant's name, by which each resource goes too.

use crate::fixture::CRON;
use crate::support::postgres::{ADMIN, Options};

/// One thing that a user does.
#[derive(Default)]
pub struct Operation {
    pub name: &'static str,
    /// The configurations that are applied beforehand, one after the other. Rows are put into the tenant after the first.
    pub before: Vec<String>,
    /// What the admin did by hand beforehand: what runs in which database.
    pub by_hand: Vec<(&'static str, String)>,
    /// Whether the state is lost before the operation.
    pub forgets: bool,
    /// The configuration that is applied. Without one, what was applied last is destroyed.
    pub after: Option<String>,
    /// Whether the tenant has a session the while.
    pub connected: bool,
    /// The password that lets the tenant in afterwards.
    pub password: Option<&'static str>,
    pub ground: Ground,
    pub then: Then,
}

/// What the user does after the fault.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Then {
    /// The same again.
    #[default]
    Again,
    /// The same again, and destroys it later: what was there before must be there again.
    Undo,
    /// Gives it up: destroys it.
    GiveUp,
}

/// What the operation is done on.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Ground {
    /// A tenant of its own.
    #[default]
    Tenant,
    /// A database that everybody may enter until it is made a tenant's.
    Foreign,
    /// The whole server.
    Server,
    /// The whole server, with pg_cron.
    Cron,
}

impl Ground {
    pub fn is_shared(self) -> bool {
        matches!(self, Ground::Server | Ground::Cron)
    }

    pub fn options(self, major: u32) -> Options {
        let extra_conf = if self == Ground::Cron { CRON } else { "" };
        Options { major: Some(major), admin_owns_maintenance: true, extra_conf, ..Options::default() }
    }
}

fn resource(kind: &str, first: &str, more: &str) -> String {
    format!("resource \"pgtenant_{kind}\" \"NAME\" {{\n  {first}\n  {more}\n}}\n")
}

fn tenant(more: &str) -> String {
    named("NAME", more)
}

fn named(name: &str, more: &str) -> String {
    resource("tenant", &format!("name = \"{name}\"\n  deletion_protection = false"), more)
}

fn guardrails(more: &str) -> String {
    resource("guardrails", "tenant = pgtenant_tenant.NAME.name", more)
}

fn import(kind: &str, id: &str) -> String {
    format!("import {{\n  to = pgtenant_{kind}.NAME\n  id = \"{id}\"\n}}\n")
}

/// From one configuration to another.
fn change(name: &'static str, before: String, after: String) -> Operation {
    Operation { name, before: vec![before], after: Some(after), ..Operation::default() }
}

fn destroy(name: &'static str, before: String) -> Operation {
    Operation { name, before: vec![before], ..Operation::default() }
}

fn make(name: &'static str, after: String) -> Operation {
    Operation { name, after: Some(after), ..Operation::default() }
}

pub fn operations() -> Vec<Operation> {
    let governed = |more: &str, limits: &str| tenant(more) + &guardrails(limits);
    let rename = |name, first: &str, more: &str| {
        change(
            name,
            governed("", ""),
            resource("tenant", &format!("deletion_protection = false\n  {first}"), more) + &guardrails(""),
        )
    };
    let foreign = "CREATE ROLE NAME LOGIN; CREATE DATABASE NAME";
    let (role, database) = foreign.split_once("; ").expect("two statements");
    let baseline = resource("cluster_baseline", "restore_on_destroy = true", "");
    let watchdog = resource("watchdog", "keep_actions = false", "");
    vec![
        make(
            "create",
            tenant("password_wo = \"correct horse\"\n  password_wo_version = 1\n  extensions = [\"citext\"]"),
        ),
        make("create_governed", governed("", "connection_limit = 7\n  parameters = { work_mem = \"8MB\" }")),
        Operation { then: Then::GiveUp, ..make("create_given_up", governed("", "")) },
        change("update_limits", governed("", ""), governed("", "connection_limit = 7")),
        change(
            "update_timeouts",
            governed("", ""),
            governed("", "statement_timeout = \"90s\"\n  lock_timeout = \"3s\""),
        ),
        change(
            "update_parameters",
            governed("", "parameters = { work_mem = \"8MB\" }"),
            governed("", "parameters = { temp_buffers = \"2MB\" }"),
        ),
        change("update_extensions", tenant("extensions = [\"citext\"]"), tenant("extensions = [\"pgcrypto\"]")),
        change("update_temporary", tenant(""), tenant("allow_temporary_tables = true")),
        change("update_accept", tenant(""), tenant("accept = { memberships = \"ticket 4711\" }")),
        rename("rename_name", "name = \"NAME_new\"", "database = \"NAME\"\n  role = \"NAME\""),
        rename("rename_database", "name = \"NAME\"", "database = \"NAME_db\""),
        rename("rename_role", "name = \"NAME\"", "role = \"NAME_role\""),
        rename("rename_schema", "name = \"NAME\"", "schema = \"main\""),
        rename("rename_all", "name = \"NAME_new\"", "schema = \"main\""),
        change("suspend", tenant(""), tenant("suspended = true")),
        Operation {
            name: "resume",
            before: vec![tenant(""), tenant("suspended = true")],
            after: Some(tenant("")),
            ..Operation::default()
        },
        Operation {
            password: Some("two"),
            ..change(
                "password",
                tenant("password_wo = \"one\"\n  password_wo_version = 1"),
                tenant("password_wo = \"two\"\n  password_wo_version = 2"),
            )
        },
        destroy("archive", tenant("on_destroy = \"archive\"")),
        destroy("destroy", governed("", "")),
        Operation { connected: true, ..destroy("destroy_forced", tenant("force_destroy = true")) },
        change(
            "replace",
            governed("encoding = \"LATIN1\"\n  lc_collate = \"C\"\n  lc_ctype = \"C\"", ""),
            governed("lc_collate = \"C\"\n  lc_ctype = \"C\"", ""),
        ),
        Operation {
            forgets: true,
            ..change(
                "import",
                governed("", ""),
                import("tenant", "NAME") + &import("guardrails", "NAME") + &governed("", "connection_limit = 7"),
            )
        },
        Operation {
            by_hand: vec![
                ("postgres", role.to_owned()),
                ("postgres", database.to_owned()),
                (
                    "NAME",
                    "CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO NAME; CREATE TABLE app.kept AS SELECT 42 AS answer".to_owned(),
                ),
            ],
            ground: Ground::Foreign,
            ..make("adopt", import("tenant", "NAME/NAME/NAME/app") + &tenant(""))
        },
        change("guardrails_create", tenant(""), governed("", "connection_limit = 7\n  statement_timeout = \"90s\"")),
        change(
            "guardrails_update",
            governed("", "connection_limit = 7\n  parameters = { work_mem = \"8MB\" }"),
            governed("", "statement_timeout = \"90s\"\n  parameters = { work_mem = \"16MB\" }"),
        ),
        change(
            "guardrails_destroy",
            governed("", "connection_limit = 7\n  parameters = { work_mem = \"8MB\" }"),
            tenant(""),
        ),
        Operation { ground: Ground::Server, then: Then::Undo, ..make("baseline_create", baseline.clone()) },
        Operation { ground: Ground::Server, ..destroy("baseline_destroy", baseline) },
        Operation { ground: Ground::Cron, then: Then::Undo, ..make("watchdog_create", watchdog.clone()) },
        Operation { ground: Ground::Cron, ..destroy("watchdog_destroy", watchdog) },
    ]
}

/// What makes the whole server again as it was before it was closed or watched.
pub fn reopen(ground: Ground) -> String {
    let open = "GRANT CONNECT, TEMPORARY ON DATABASE postgres TO PUBLIC;
        GRANT CONNECT ON DATABASE template1 TO PUBLIC;
        COMMENT ON DATABASE postgres IS 'default administrative connection database';
        COMMENT ON DATABASE template1 IS 'default template for new databases';";
    match ground {
        Ground::Cron => format!(
            "{open} DROP SCHEMA IF EXISTS pgtenant_watchdog CASCADE; SELECT cron.unschedule(jobid) FROM cron.job;"
        ),
        _ => open.to_owned(),
    }
}

/// What a superuser prepares on a server that is to have pg_cron.
pub fn with_cron() -> String {
    format!("CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO {ADMIN}")
}
