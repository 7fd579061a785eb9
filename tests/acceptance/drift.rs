//! Reality is changed behind Terraform's back: the plan names exactly what was changed, an apply
//! repairs it, and nothing is left to do. One row for each attribute and each control.

use crate::fixture::{closes_public, guardrails, tenant, value, workspace};
use crate::support::postgres::Server;
use crate::support::terraform::Workspace;

const TENANT: &str = "pgtenant_tenant.this";
const GUARDRAILS: &str = "pgtenant_guardrails.this";

/// What somebody does, in which database, and what the plan then says: resource and attribute, with
/// the value found.
struct Drift {
    /// The first major that has what is changed.
    since: u32,
    database: &'static str,
    sql: &'static str,
    expected: &'static [(&'static str, &'static str, &'static str)],
}

const fn drift(
    database: &'static str,
    sql: &'static str,
    expected: &'static [(&'static str, &'static str, &'static str)],
) -> Drift {
    Drift { since: 13, database, sql, expected }
}

impl Drift {
    const fn since(self, since: u32) -> Self {
        Drift { since, ..self }
    }
}

/// Seen by one query from the maintenance database.
const FROM_OUTSIDE: &[Drift] = &[
    drift(
        "postgres",
        "GRANT CONNECT, TEMPORARY ON DATABASE drift TO PUBLIC",
        &[(TENANT, "isolation.public_privileges", "found: PUBLIC has CONNECT, TEMPORARY on database drift")],
    ),
    drift(
        "postgres",
        "GRANT CONNECT ON DATABASE drift TO drift_other",
        &[(TENANT, "isolation.other_privileges", "found: drift_other has CONNECT on database drift")],
    ),
    drift(
        "postgres",
        "GRANT CREATE ON DATABASE drift TO drift",
        &[(TENANT, "isolation.tenant_privileges", "found: drift has CREATE on database drift")],
    ),
    drift(
        "postgres",
        "GRANT CONNECT ON DATABASE drift TO drift WITH GRANT OPTION",
        &[(
            TENANT,
            "isolation.tenant_privileges",
            "found: drift lacks CONNECT on database drift; drift has CONNECT WITH GRANT OPTION on database drift",
        )],
    ),
    drift(
        "postgres",
        "REVOKE CONNECT ON DATABASE drift FROM drift",
        &[(TENANT, "isolation.tenant_privileges", "found: drift lacks CONNECT on database drift")],
    ),
    drift(
        "postgres",
        "ALTER DATABASE drift OWNER TO drift",
        &[
            (TENANT, "isolation.database_owner", "found: drift owns database drift"),
            (TENANT, "isolation.default_privileges", "not inspected: this admin may not connect to its database"),
            (TENANT, "isolation.extensions", "not inspected: this admin may not connect to its database"),
            (TENANT, "isolation.objects", "not inspected: this admin may not connect to its database"),
            (TENANT, "isolation.other_roles", "not inspected: this admin may not connect to its database"),
            (TENANT, "isolation.public_schema", "not inspected: this admin may not connect to its database"),
            (TENANT, "isolation.schema_privileges", "not inspected: this admin may not connect to its database"),
            (TENANT, "isolation.system_privileges", "not inspected: this admin may not connect to its database"),
        ],
    ),
    drift(
        "postgres",
        "ALTER ROLE drift CREATEDB CREATEROLE INHERIT",
        &[(TENANT, "isolation.role_attributes", "found: drift has CREATEDB; drift has CREATEROLE; drift has INHERIT")],
    ),
    drift(
        "postgres",
        "ALTER ROLE drift IN DATABASE drift SET search_path = public, app",
        &[(TENANT, "isolation.search_path", "found: search_path = \"public, app\" for role drift in database drift")],
    ),
    drift(
        "postgres",
        "ALTER DATABASE drift IS_TEMPLATE true",
        &[(TENANT, "isolation.database_open", "found: database drift is a template")],
    ),
    drift(
        "postgres",
        "ALTER DATABASE drift ALLOW_CONNECTIONS false",
        &[
            (TENANT, "isolation.database_open", "found: database drift accepts no connections"),
            (TENANT, "isolation.default_privileges", "not inspected: its database accepts no connections"),
            (TENANT, "isolation.extensions", "not inspected: its database accepts no connections"),
            (TENANT, "isolation.objects", "not inspected: its database accepts no connections"),
            (TENANT, "isolation.other_roles", "not inspected: its database accepts no connections"),
            (TENANT, "isolation.public_schema", "not inspected: its database accepts no connections"),
            (TENANT, "isolation.schema_privileges", "not inspected: its database accepts no connections"),
            (TENANT, "isolation.system_privileges", "not inspected: its database accepts no connections"),
        ],
    ),
    drift(
        "postgres",
        "COMMENT ON DATABASE drift IS 'the drift database'",
        &[(TENANT, "isolation.registered", "found: the marker of database drift is missing or not up to date")],
    ),
    drift(
        "drift",
        "DROP SCHEMA app",
        &[
            (TENANT, "isolation.registered", "found: the marker of schema app is missing or not up to date"),
            (TENANT, "isolation.schema", "found: schema app is missing"),
            (
                TENANT,
                "isolation.schema_privileges",
                "found: drift lacks CREATE on schema app; drift lacks USAGE on schema app",
            ),
        ],
    ),
    drift("postgres", "ALTER DATABASE drift RENAME TO drift_moved", &[(TENANT, "database", "drift_moved")]),
    drift("postgres", "ALTER ROLE drift RENAME TO drift_moved", &[(TENANT, "role", "drift_moved")]),
    drift("postgres", "ALTER ROLE drift NOLOGIN", &[(TENANT, "suspended", "true")]),
    drift("postgres", "GRANT TEMPORARY ON DATABASE drift TO drift", &[(TENANT, "allow_temporary_tables", "true")]),
    drift("postgres", "ALTER ROLE drift CONNECTION LIMIT 500", &[(GUARDRAILS, "connection_limit", "500")]),
    drift(
        "postgres",
        "ALTER ROLE drift CONNECTION LIMIT -1",
        &[
            (TENANT, "isolation.governed", "found: drift has CONNECTION LIMIT -1"),
            (GUARDRAILS, "connection_limit", "-1"),
        ],
    ),
    drift(
        "postgres",
        "ALTER DATABASE drift CONNECTION LIMIT -1",
        &[(GUARDRAILS, "overrides.database.connection_limit", "found: database drift has CONNECTION LIMIT -1")],
    ),
    drift("postgres", "ALTER DATABASE drift SET statement_timeout = 0", &[(GUARDRAILS, "statement_timeout", "0")]),
    drift(
        "postgres",
        "ALTER DATABASE drift RESET lock_timeout",
        &[
            (
                TENANT,
                "isolation.governed",
                "found: lock_timeout is not as required for database drift; lock_timeout = \"10000\" for role drift",
            ),
            (GUARDRAILS, "lock_timeout", ""),
        ],
    ),
    drift(
        "postgres",
        "ALTER DATABASE drift SET idle_in_transaction_session_timeout = '1d'",
        &[(GUARDRAILS, "idle_in_transaction_session_timeout", "1d")],
    ),
    drift(
        "postgres",
        "ALTER DATABASE drift SET idle_session_timeout = '2h'",
        &[(GUARDRAILS, "idle_session_timeout", "2h")],
    )
    .since(14),
    drift(
        "postgres",
        "ALTER DATABASE drift SET transaction_timeout = '90s'",
        &[(GUARDRAILS, "transaction_timeout", "90s")],
    )
    .since(17),
    drift("postgres", "ALTER DATABASE drift SET work_mem = '1GB'", &[(GUARDRAILS, "parameters.work_mem", "1GB")]),
    drift("postgres", "ALTER DATABASE drift SET jit = off", &[(GUARDRAILS, "parameters.jit", "off")]),
    drift(
        "as the admin",
        "GRANT CONNECT ON DATABASE drift_elsewhere TO drift",
        &[(TENANT, "isolation.elsewhere", "found: drift has CONNECT on database drift_elsewhere")],
    ),
    drift(
        "as the tenant",
        "CREATE TABLE lent (a int); GRANT SELECT ON lent TO drift_other; GRANT UPDATE (a) ON lent TO drift_other;
         CREATE SEQUENCE \"Lent Too\"; GRANT USAGE ON SEQUENCE \"Lent Too\" TO drift_other;
         CREATE FUNCTION lent(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';
         GRANT EXECUTE ON FUNCTION lent(int) TO drift_other",
        &[(
            TENANT,
            "isolation.other_roles",
            "found: drift_other has UPDATE on columns of relation lent; drift_other has SELECT on relation lent; \
             drift_other has EXECUTE on routine lent; drift_other has USAGE on sequence \"Lent Too\"",
        )],
    ),
    // What the tenant may do to itself.
    drift(
        "as the tenant",
        "ALTER ROLE drift SET statement_timeout = 0",
        &[(GUARDRAILS, "overrides.role.statement_timeout", "found: statement_timeout = \"0\" for role drift")],
    ),
    drift(
        "as the tenant",
        "ALTER ROLE drift IN DATABASE drift SET lock_timeout = 0",
        &[(
            GUARDRAILS,
            "overrides.role_in_database.lock_timeout",
            "found: lock_timeout = \"0\" for role drift in database drift",
        )],
    ),
    drift(
        "as the tenant",
        "ALTER ROLE drift IN DATABASE postgres SET work_mem = '2GB'",
        &[(
            GUARDRAILS,
            "overrides.role_in_database.work_mem",
            "found: work_mem = \"2GB\" for role drift in database postgres",
        )],
    ),
    drift(
        "as the tenant",
        "ALTER ROLE drift RESET ALL",
        &[
            (
                GUARDRAILS,
                "overrides.role.idle_in_transaction_session_timeout",
                "found: idle_in_transaction_session_timeout is not as required for role drift",
            ),
            (GUARDRAILS, "overrides.role.lock_timeout", "found: lock_timeout is not as required for role drift"),
            (
                GUARDRAILS,
                "overrides.role.statement_timeout",
                "found: statement_timeout is not as required for role drift",
            ),
            (GUARDRAILS, "overrides.role.work_mem", "found: work_mem is not as required for role drift"),
        ],
    ),
];

/// Seen only with `deep_verify`: one more session for each tenant.
const FROM_INSIDE: &[Drift] = &[
    drift(
        "drift",
        "ALTER SCHEMA app RENAME TO moved",
        &[
            (
                TENANT,
                "isolation.search_path",
                "found: search_path = \"app, extensions\" for role drift in database drift",
            ),
            (TENANT, "schema", "moved"),
        ],
    ),
    drift(
        "drift",
        "REVOKE CREATE ON SCHEMA app FROM drift",
        &[(TENANT, "isolation.schema_privileges", "found: drift lacks CREATE on schema app")],
    ),
    drift(
        "drift",
        "GRANT USAGE ON SCHEMA app TO PUBLIC; GRANT USAGE ON SCHEMA app TO drift_other",
        &[(
            TENANT,
            "isolation.schema_privileges",
            "found: PUBLIC has USAGE on schema app; drift_other has USAGE on schema app",
        )],
    ),
    drift(
        "drift",
        "ALTER SCHEMA app OWNER TO drift",
        &[(TENANT, "isolation.schema_privileges", "found: drift owns schema app")],
    ),
    drift(
        "drift",
        "SET ROLE platform_admin; CREATE EXTENSION tablefunc SCHEMA extensions",
        &[(TENANT, "extensions[1]", "tablefunc")],
    ),
    drift(
        "as the tenant",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
         ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT USAGE ON SEQUENCES TO PUBLIC",
        &[(
            TENANT,
            "isolation.default_privileges",
            "found: PUBLIC gets SELECT on each new relation of drift; PUBLIC gets USAGE on each new sequence of drift in schema app",
        )],
    ),
    drift("drift", "DROP EXTENSION pgcrypto", &[(TENANT, "extensions[0]", "")]),
];

/// Who is a member of whom: from 16 on each membership says what it gives.
const MEMBERSHIPS: [&str; 2] = ["GRANT drift TO drift_other", "GRANT drift_other TO drift"];

fn memberships(major: u32) -> [Drift; 2] {
    let found: [&'static [(&'static str, &'static str, &'static str)]; 2] = if major >= 16 {
        [
            &[(TENANT, "isolation.memberships", "found: drift_other is a member of drift with INHERIT, SET")],
            &[(TENANT, "isolation.memberships", "found: drift is a member of drift_other with SET")],
        ]
    } else {
        [
            &[(TENANT, "isolation.memberships", "found: drift_other is a member of drift")],
            &[(TENANT, "isolation.memberships", "found: drift is a member of drift_other")],
        ]
    };
    [0, 1].map(|at| drift("as the admin", MEMBERSHIPS[at], found[at]))
}

/// Where the admin may close it.
const PUBLIC_SCHEMA: Drift = drift(
    "drift",
    "GRANT CREATE ON SCHEMA public TO PUBLIC",
    &[(TENANT, "isolation.public_schema", "found: PUBLIC has CREATE on schema public")],
);

fn text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}

/// Breaks, plans, repairs; the harness then demands two empty plans. What the plan named, if that is not what was
/// expected.
#[must_use]
fn check(server: &Server, workspace: &Workspace, drift: &Drift) -> Option<String> {
    let done = match drift.database {
        "as the tenant" => server.sql("drift", "drift", drift.sql),
        "as the admin" => server.sql("postgres", crate::support::postgres::ADMIN, drift.sql),
        database => server.sql(database, crate::support::postgres::SUPERUSER, drift.sql),
    };
    done.unwrap_or_else(|error| panic!("{error}: {}", drift.sql));
    let plan = workspace.plan();
    let found: Vec<_> = [TENANT, GUARDRAILS]
        .into_iter()
        .filter(|address| plan.addresses().iter().any(|changed| changed == address))
        .flat_map(|address| {
            assert_eq!(plan.actions(address), ["update"], "{}", drift.sql);
            plan.diff(address).into_iter().map(move |change| (address, change.path, text(&change.before)))
        })
        .collect();
    let expected: Vec<_> = drift
        .expected
        .iter()
        // A superuser gets in, whatever belongs to whom.
        .filter(|(.., before)| !(crate::fixture::admin_is_superuser(server) && before.contains("this admin may not")))
        .map(|(address, path, before)| (*address, (*path).to_owned(), (*before).to_owned()))
        .collect();
    workspace.apply();
    (found != expected).then(|| format!("{}\n    named:    {found:?}\n    expected: {expected:?}", drift.sql))
}

on_every_major! {
    every_drift_is_named_and_repaired,
    a_membership_that_was_granted_on_is_taken_back_whole,
    what_is_gone_is_made_again,
}

fn every_drift_is_named_and_repaired(server: &Server) {
    let as_admin = |sql| server.sql("postgres", crate::support::postgres::ADMIN, sql).unwrap();
    as_admin("CREATE ROLE drift_other");
    as_admin("CREATE DATABASE drift_elsewhere");
    let workspace = workspace(server);
    let config = {
        format!(
            "provider \"pgtenant\" {{}}\n{}{}",
            tenant(
                "drift",
                "extensions = [\"pgcrypto\"]
                 password_wo = \"correct horse\"
                 password_wo_version = 1"
            ),
            guardrails(
                "connection_limit = 20
                 statement_timeout = \"30s\"
                 parameters = { work_mem = \"16MB\" }"
            )
        )
    };
    workspace.write("main.tf", &config);
    workspace.apply();
    let mut wrong: Vec<_> = FROM_OUTSIDE
        .iter()
        .chain(&memberships(server.major))
        .filter(|drift| server.major >= drift.since)
        .filter_map(|drift| check(server, &workspace, drift))
        .collect();
    // The limits are where they were, at both levels.
    let rows = "SELECT string_agg(c, ' ' ORDER BY c) FROM pg_db_role_setting, unnest(setconfig) c
                WHERE (setdatabase = (SELECT oid FROM pg_database WHERE datname = 'drift') AND setrole = 0
                       OR setrole = 'drift'::regrole) AND c ~ '^statement'";
    assert_eq!(value(server, "postgres", rows), "statement_timeout=30000 statement_timeout=30000");

    assert_eq!(workspace.resource(TENANT)["isolation"]["password"], "enforced");
    wrong.extend(FROM_INSIDE.iter().filter_map(|drift| check(server, &workspace, drift)));
    if closes_public(server) {
        wrong.extend(check(server, &workspace, &PUBLIC_SCHEMA));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A REVOKE without CASCADE is refused for what the member granted on (2BP01), from 16 on.
fn a_membership_that_was_granted_on_is_taken_back_whole(server: &Server) {
    let admin = crate::support::postgres::ADMIN;
    for role in ["chain_first", "chain_second", "chain_third"] {
        server.sql("postgres", admin, &format!("CREATE ROLE {role} LOGIN")).unwrap();
    }
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("chain", ""));
    workspace.apply();
    for (granted, to) in [(admin, "chain_first"), ("chain_first", "chain_second"), ("chain_second", "chain_third")] {
        server.sql("postgres", granted, &format!("GRANT chain TO {to} WITH ADMIN OPTION")).unwrap();
    }
    let plan = workspace.plan();
    assert_eq!(plan.changes(TENANT), ["isolation.memberships"]);
    let found = text(&plan.diff(TENANT)[0].before);
    for member in ["chain_first", "chain_second", "chain_third"] {
        assert!(found.contains(&format!("{member} is a member of chain")), "{found}");
    }
    workspace.apply();
    assert_eq!(workspace.resource(TENANT)["isolation"]["memberships"], "enforced");
    let left = "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
                WHERE m.roleid = 'chain'::regrole AND r.rolname ~ '^chain_'";
    assert_eq!(value(server, "postgres", left), "0");
}

fn what_is_gone_is_made_again(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &(tenant("gone", "") + &guardrails("statement_timeout = \"5s\"")));
    workspace.apply();

    // The role alone: the tenant is repaired in place, and its guardrails are made anew.
    server.superuser("DROP OWNED BY gone");
    server.sql("gone", "rdsadmin", "DROP OWNED BY gone").unwrap();
    server.superuser("DROP ROLE gone");
    let plan = workspace.plan();
    assert_eq!(plan.actions("pgtenant_tenant.this"), ["update"]);
    assert!(plan.changes("pgtenant_tenant.this").contains(&"isolation.role".to_owned()));
    assert_eq!(plan.actions("pgtenant_guardrails.this"), ["create"]);
    workspace.apply();

    // The database alone: its data is lost, which the plan names; the role stays in the state.
    server.superuser("DROP DATABASE gone");
    let plan = workspace.plan();
    assert_eq!(plan.actions("pgtenant_tenant.this"), ["update"]);
    assert!(plan.changes("pgtenant_tenant.this").contains(&"isolation.database_open".to_owned()));
    workspace.apply();
    workspace.destroy();
    assert_eq!(value(server, "postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'gone'"), "0");
}
