//! What a tenant can store that is hard to read or to take back: in the same apply its neighbour's guardrails are
//! set, the tenant itself can be suspended, and a plan that looks inside still works. The seconds are written to
//! `target/facts/poisons.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use crate::fixture::{value, workspace};
use crate::support::postgres::{ADMIN, Options, SUPERUSER, Server, Session};
use crate::support::terraform::{Run, Workspace};

/// Suspension takes less than 5 s where nothing else runs; a machine that builds at the same time is no failure.
const BOUND: Duration = Duration::from_secs(20);

struct Poison {
    tenant: &'static str,
    what: &'static str,
    /// More of the tenant's block.
    more: &'static str,
    /// Makes it, which may need a session that stays.
    pour: fn(&Server, &str) -> Option<Session>,
    /// Grants it away, again and again.
    grant: fn(&Server, &str, Option<&Session>),
}

const POISONS: &[Poison] = &[
    Poison {
        tenant: "overloaded",
        what: "procedures that differ in the modes of their arguments",
        more: "",
        pour: overloaded,
        grant: grant_overloaded,
    },
    Poison {
        tenant: "temporary",
        what: "a temporary table in an open session, granted away",
        more: "allow_temporary_tables = true",
        pour: temporary,
        grant: grant_temporary,
    },
    Poison {
        tenant: "defaults",
        what: "default privileges on large objects",
        more: "",
        pour: no_objects,
        grant: grant_defaults,
    },
    Poison {
        tenant: "busy",
        what: "a grant in an open transaction, which a revoke waits for",
        more: "",
        pour: busy,
        grant: nothing,
    },
    Poison {
        tenant: "granting",
        what: "4 000 large objects, granted away",
        more: "",
        pour: granting,
        grant: grant_granting,
    },
    Poison { tenant: "crowded", what: "20 000 tables, granted away", more: "", pour: crowded, grant: grant_crowded },
    Poison {
        tenant: "wide",
        what: "42 000 functions of 100 arguments with long types, granted away",
        more: "",
        pour: wide,
        grant: grant_wide,
    },
    Poison {
        tenant: "ascii",
        what: "SQL_ASCII and a name of the bytes 81 ff",
        more: "encoding = \"SQL_ASCII\"\n  lc_collate = \"C\"\n  lc_ctype = \"C\"",
        pour: bytes,
        grant: grant_bytes,
    },
    Poison {
        tenant: "windows",
        what: "WIN1252 and a name of the bytes 81 ff",
        more: "encoding = \"WIN1252\"\n  lc_collate = \"C\"\n  lc_ctype = \"C\"",
        pour: bytes,
        grant: grant_bytes,
    },
    Poison {
        tenant: "forged",
        what: "another owner's database with the markers of this tenant and the neighbour",
        more: "",
        pour: forged,
        grant: nothing,
    },
];

#[track_caller]
fn act(server: &Server, tenant: &str, sql: &str) {
    let session = server.session(tenant, tenant).unwrap();
    session.sql("SET statement_timeout = 0").unwrap();
    session.sql(sql).unwrap_or_else(|error| panic!("{tenant}: {error}"));
}

fn nothing(_: &Server, _: &str, _: Option<&Session>) {}

fn no_objects(_: &Server, _: &str) -> Option<Session> {
    None
}

fn overloaded(server: &Server, tenant: &str) -> Option<Session> {
    act(
        server,
        tenant,
        "CREATE PROCEDURE app.p(IN a int) LANGUAGE sql AS 'SELECT 1';
         CREATE PROCEDURE app.p(OUT a int) LANGUAGE sql AS 'SELECT 1'",
    );
    None
}

fn grant_overloaded(server: &Server, tenant: &str, _: Option<&Session>) {
    act(
        server,
        tenant,
        "GRANT EXECUTE ON PROCEDURE app.p(IN int) TO neighbour;
         GRANT EXECUTE ON PROCEDURE app.p(OUT int) TO neighbour",
    );
}

fn temporary(server: &Server, tenant: &str) -> Option<Session> {
    let session = server.session(tenant, tenant).unwrap();
    session.sql("CREATE TEMPORARY TABLE mine (a int)").unwrap();
    Some(session)
}

fn grant_temporary(_: &Server, _: &str, session: Option<&Session>) {
    session.unwrap().sql("GRANT SELECT ON mine TO neighbour").unwrap();
}

fn grant_defaults(server: &Server, tenant: &str, _: Option<&Session>) {
    act(server, tenant, "ALTER DEFAULT PRIVILEGES GRANT SELECT ON LARGE OBJECTS TO neighbour");
}

fn busy(server: &Server, tenant: &str) -> Option<Session> {
    act(server, tenant, "CREATE TABLE app.held (); GRANT SELECT ON app.held TO neighbour");
    let session = server.session(tenant, tenant).unwrap();
    session.sql("SET idle_in_transaction_session_timeout = 0; BEGIN").unwrap();
    session.sql("GRANT UPDATE ON app.held TO neighbour; LOCK TABLE app.held").unwrap();
    Some(session)
}

fn granting(server: &Server, tenant: &str) -> Option<Session> {
    act(server, tenant, "SELECT lo_create(number) FROM generate_series(1, 4000) AS number");
    None
}

fn grant_granting(server: &Server, tenant: &str, _: Option<&Session>) {
    act(
        server,
        tenant,
        "DO $$ BEGIN FOR number IN 1..4000 LOOP
           EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO neighbour', number);
         END LOOP; END $$",
    );
}

/// With a COMMIT now and then: each table is a lock until the transaction ends.
fn crowded(server: &Server, tenant: &str) -> Option<Session> {
    act(
        server,
        tenant,
        "DO $$ BEGIN FOR number IN 1..20000 LOOP
           EXECUTE format('CREATE TABLE app.t%s ()', number);
           IF number % 1000 = 0 THEN COMMIT; END IF;
         END LOOP; END $$",
    );
    None
}

fn grant_crowded(server: &Server, tenant: &str, _: Option<&Session>) {
    act(
        server,
        tenant,
        "DO $$ BEGIN FOR number IN 1..20000 LOOP
           EXECUTE format('GRANT SELECT ON app.t%s TO neighbour', number);
           IF number % 1000 = 0 THEN COMMIT; END IF;
         END LOOP; END $$",
    );
}

/// The tenant makes one, and the superuser copies it in the catalog: a tenant takes a minute for as many.
fn wide(server: &Server, tenant: &str) -> Option<Session> {
    let name = "d".repeat(63);
    let arguments = vec![format!("app.{name}"); 100].join(", ");
    act(
        server,
        tenant,
        &format!(
            "CREATE DOMAIN app.{name} AS int;
             CREATE FUNCTION app.f({arguments}) RETURNS int LANGUAGE sql AS 'SELECT 1'"
        ),
    );
    let columns = value(
        server,
        tenant,
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
         WHERE attrelid = 'pg_proc'::regclass AND attnum > 2 AND NOT attisdropped",
    );
    let copy = format!(
        "SET allow_system_table_mods = on;
         INSERT INTO pg_proc (oid, proname, {columns})
           SELECT 3000000 + number, 'f' || number, {columns} FROM pg_proc, generate_series(1, 41999) AS number
           WHERE proname = 'f' AND pronamespace = 'app'::regnamespace;
         {}",
        depend("o", tenant)
    );
    server.sql(tenant, SUPERUSER, &copy).unwrap_or_else(|error| panic!("{error}"));
    None
}

fn grant_wide(server: &Server, tenant: &str, _: Option<&Session>) {
    let grant = format!(
        "SET allow_system_table_mods = on;
         UPDATE pg_proc SET proacl = '{{=X/{tenant},{tenant}=X/{tenant},neighbour=X/{tenant}}}'
           WHERE pronamespace = 'app'::regnamespace;
         {}",
        depend("a", "neighbour")
    );
    server.sql(tenant, SUPERUSER, &grant).unwrap_or_else(|error| panic!("{error}"));
}

/// What the shared catalog says of every function in the schema, where it does not say it yet.
fn depend(kind: &str, role: &str) -> String {
    format!(
        "INSERT INTO pg_shdepend (dbid, classid, objid, objsubid, refclassid, refobjid, deptype)
           SELECT d.oid, 'pg_proc'::regclass, p.oid, 0, 'pg_authid'::regclass, '{role}'::regrole, '{kind}'::\"char\"
           FROM pg_proc AS p, pg_database AS d WHERE pronamespace = 'app'::regnamespace AND datname = current_database()
           EXCEPT SELECT dbid, classid, objid, objsubid, refclassid, refobjid, deptype FROM pg_shdepend"
    )
}

/// Nothing is converted on the way; in these encodings `chr` is a byte.
fn bytes(server: &Server, tenant: &str) -> Option<Session> {
    act(
        server,
        tenant,
        "SET client_encoding = SQL_ASCII;
         DO $$ BEGIN
           EXECUTE format('CREATE TABLE app.%I (%1$I int)', chr(129) || chr(255));
           EXECUTE format('CREATE FUNCTION app.%I() RETURNS int LANGUAGE sql AS ''SELECT 1''', chr(129) || chr(255));
         END $$",
    );
    None
}

fn grant_bytes(server: &Server, tenant: &str, _: Option<&Session>) {
    act(
        server,
        tenant,
        "SET client_encoding = SQL_ASCII;
         DO $$ BEGIN
           EXECUTE format('GRANT SELECT ON app.%I TO neighbour', chr(129) || chr(255));
           EXECUTE format('GRANT EXECUTE ON FUNCTION app.%I() TO neighbour', chr(129) || chr(255));
         END $$",
    );
}

/// As eve, who owns evedb and nothing else.
fn forged(server: &Server, tenant: &str) -> Option<Session> {
    for (database, whose) in [("evedb", tenant), ("evesdb", "neighbour")] {
        server.superuser(&format!("CREATE DATABASE {database} OWNER eve"));
        let comment = format!(
            "DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE {database} IS %L',
                (SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{whose}')); END $$"
        );
        server.sql(database, "eve", &comment).unwrap();
        let limits = format!(
            "ALTER DATABASE {database} SET statement_timeout = 1; ALTER DATABASE {database} SET lock_timeout = 1"
        );
        server.sql(database, "eve", &limits).unwrap();
    }
    None
}

struct Configuration {
    limit: usize,
    suspended: Vec<&'static str>,
    newcomers: usize,
}

impl Configuration {
    /// In the shape of the modules: guardrails behind all tenants.
    fn write(&self, workspace: &Workspace) {
        let mut text = "provider \"pgtenant\" {\n  deep_verify = true\n}\n".to_owned();
        for Poison { tenant, more, .. } in POISONS {
            let suspended = self.suspended.contains(tenant);
            let _ = writeln!(
                text,
                "resource \"pgtenant_tenant\" \"{tenant}\" {{\n  name = \"{tenant}\"\n  deletion_protection = false
  suspended = {suspended}\n  {more}\n  timeouts {{\n    update = \"60s\"\n  }}\n}}"
            );
        }
        let each: Vec<String> = POISONS.iter().map(|poison| format!("pgtenant_tenant.{}", poison.tenant)).collect();
        let _ = writeln!(
            text,
            "locals {{\n  healthy = merge({{ neighbour = {} }}, {{ for number in range({}) : \"newcomer${{number}}\" => 4 }})\n}}
resource \"pgtenant_tenant\" \"this\" {{\n  for_each = local.healthy\n  name = each.key\n  deletion_protection = false\n}}
resource \"pgtenant_guardrails\" \"this\" {{\n  for_each = local.healthy\n  tenant = pgtenant_tenant.this[each.key].name
  connection_limit = each.value\n  depends_on = [{}]\n}}",
            self.limit,
            self.newcomers,
            each.join(", ")
        );
        workspace.write("main.tf", &text);
    }
}

/// The run, unless it was stuck.
fn ended(workspace: &Workspace, arguments: &[&str], problems: &mut Vec<String>) -> Option<Run> {
    workspace.try_run(arguments).inspect_err(|error| problems.push(error.clone())).ok()
}

fn limit(server: &Server, role: &str) -> String {
    let sql = format!("SELECT coalesce(max(rolconnlimit)::text, 'no role') FROM pg_roles WHERE rolname = '{role}'");
    value(server, "postgres", &sql)
}

#[test]
fn what_a_tenant_stores_hurts_neither_its_neighbour_nor_its_suspension() {
    const MAJOR: u32 = 18;
    if !crate::majors::is_there("facts::poisons", MAJOR) {
        return;
    }
    let options = Options {
        major: Some(MAJOR),
        admin_owns_maintenance: true,
        extra_conf: "max_locks_per_transaction = 256",
        ..Options::default()
    };
    let server = Server::start(options).unwrap();
    server.superuser("CREATE ROLE eve LOGIN");
    server.sql("postgres", ADMIN, "REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC").unwrap();
    let workspace = workspace(&server);
    let mut configuration = Configuration { limit: 3, suspended: Vec::new(), newcomers: 0 };
    configuration.write(&workspace);
    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();

    let mut seconds: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    let mut problems = Vec::new();
    for (number, Poison { tenant, what, pour, grant, .. }) in POISONS.iter().enumerate() {
        let mut took = |started: Instant| seconds.entry(tenant).or_default().push(started.elapsed().as_secs_f32());
        let started = Instant::now();
        let session = pour(&server, tenant);
        grant(&server, tenant, session.as_ref());
        took(started);

        // The neighbour's limit, and a tenant that was not there before, in the apply that meets the poison.
        configuration.limit = 4 + number;
        configuration.newcomers = number + 1;
        configuration.write(&workspace);
        let started = Instant::now();
        let applied = ended(&workspace, &["apply", "-auto-approve"], &mut problems);
        took(started);
        if let Some(applied) = applied.filter(|run| !run.status.success()) {
            problems.push(format!("{what}: the apply fails: {}", applied.message()));
        }
        let limits = [limit(&server, "neighbour"), limit(&server, &format!("newcomer{number}"))];
        if limits != [configuration.limit.to_string(), "4".to_owned()] {
            problems.push(format!("{what}: the limits of the neighbour and the newcomer: {limits:?}"));
        }

        let started = Instant::now();
        let planned = ended(&workspace, &["plan", "-detailed-exitcode"], &mut problems);
        took(started);
        if let Some(planned) = planned.filter(|run| run.status.code() == Some(1)) {
            problems.push(format!("{what}: the plan fails: {}", planned.message()));
        }

        // With all of it there again. What a refresh of all the others takes is none of the suspension.
        grant(&server, tenant, session.as_ref());
        configuration.suspended.push(tenant);
        configuration.write(&workspace);
        let started = Instant::now();
        let address = format!("-target=pgtenant_tenant.{tenant}");
        let arguments = ["apply", "-auto-approve", "-refresh=false", &address];
        let suspended = ended(&workspace, &arguments, &mut problems);
        took(started);
        let elapsed = started.elapsed();
        if let Some(suspended) = suspended.filter(|run| !run.status.success() || elapsed > BOUND) {
            problems.push(format!("{what}: suspended after {elapsed:?}: {}", suspended.message()));
        }
        let open = value(&server, "postgres", &format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{tenant}'"));
        if open != "f" {
            problems.push(format!("{what}: the tenant may still log in"));
        }
    }
    // Eve's databases are eve's.
    let eves = "SELECT string_agg(datname || ' ' || datdba::regrole || ' ' || datallowconn, ', ' ORDER BY datname)
                FROM pg_database WHERE datname LIKE 'eve%'";
    assert_eq!(value(&server, "postgres", eves), "evedb eve true, evesdb eve true");

    let mut table = format!(
        "# Poisons on {MAJOR}, seconds\n\n| poison | stored | apply | plan | suspended |\n|---|---|---|---|---|\n"
    );
    for Poison { tenant, what, .. } in POISONS {
        let figures: Vec<String> = seconds[tenant].iter().map(|figure| format!("{figure:.1}")).collect();
        let _ = writeln!(table, "| {what} | {} |", figures.join(" | "));
    }
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/facts");
    fs::create_dir_all(&dir).and_then(|()| fs::write(dir.join("poisons.md"), &table)).unwrap();
    println!("{table}");
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}
