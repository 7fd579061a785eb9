//! What a tenant can store that is hard to read or to take back: in the same apply its neighbour's guardrails are
//! set, the tenant itself can be suspended, and a plan that looks inside still works. The seconds are written to
//! `target/facts/poisons.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use crate::fixture::{value, workspace};
use crate::support::postgres::{ADMIN, Options, SUPERUSER, Server, Session};
use crate::support::terraform::Workspace;

/// Suspension takes less than 5 s where nothing else runs; a machine that builds at the same time is no failure.
const BOUND: Duration = Duration::from_secs(20);

struct Poison {
    tenant: &'static str,
    what: &'static str,
    /// More of the tenant's block.
    more: &'static str,
    pour: fn(&Server, &str) -> Option<Session>,
}

const POISONS: &[Poison] = &[
    Poison {
        tenant: "overloaded",
        what: "procedures that differ in the modes of their arguments",
        more: "",
        pour: overloaded,
    },
    Poison {
        tenant: "temporary",
        what: "a temporary table in an open session, granted away",
        more: "allow_temporary_tables = true",
        pour: temporary,
    },
    Poison { tenant: "defaults", what: "default privileges on large objects", more: "", pour: defaults },
    Poison { tenant: "busy", what: "a grant in an open transaction, which a revoke waits for", more: "", pour: busy },
    Poison { tenant: "granting", what: "4 000 large objects, granted away", more: "", pour: granting },
    Poison { tenant: "crowded", what: "20 000 tables, granted away", more: "", pour: crowded },
    Poison {
        tenant: "wide",
        what: "42 000 functions of 100 arguments with long types, granted away",
        more: "",
        pour: wide,
    },
    Poison {
        tenant: "ascii",
        what: "SQL_ASCII and a name of the bytes 81 ff",
        more: "encoding = \"SQL_ASCII\"\n  lc_collate = \"C\"\n  lc_ctype = \"C\"",
        pour: bytes,
    },
    Poison {
        tenant: "windows",
        what: "WIN1252 and a name of the bytes 81 ff",
        more: "encoding = \"WIN1252\"\n  lc_collate = \"C\"\n  lc_ctype = \"C\"",
        pour: bytes,
    },
    Poison {
        tenant: "forged",
        what: "another owner's database with the markers of this tenant and the neighbour",
        more: "",
        pour: forged,
    },
];

#[track_caller]
fn act(server: &Server, tenant: &str, sql: &str) {
    server.sql(tenant, tenant, sql).unwrap_or_else(|error| panic!("{tenant}: {error}"));
}

fn overloaded(server: &Server, tenant: &str) -> Option<Session> {
    act(
        server,
        tenant,
        "CREATE PROCEDURE app.p(IN a int) LANGUAGE sql AS 'SELECT 1';
         CREATE PROCEDURE app.p(OUT a int) LANGUAGE sql AS 'SELECT 1';
         GRANT EXECUTE ON PROCEDURE app.p(IN int) TO neighbour;
         GRANT EXECUTE ON PROCEDURE app.p(OUT int) TO neighbour",
    );
    None
}

fn temporary(server: &Server, tenant: &str) -> Option<Session> {
    let session = server.session(tenant, tenant).unwrap();
    session.sql("CREATE TEMPORARY TABLE mine (a int); GRANT SELECT ON mine TO neighbour").unwrap();
    Some(session)
}

fn defaults(server: &Server, tenant: &str) -> Option<Session> {
    act(server, tenant, "ALTER DEFAULT PRIVILEGES GRANT SELECT ON LARGE OBJECTS TO neighbour");
    None
}

fn busy(server: &Server, tenant: &str) -> Option<Session> {
    act(server, tenant, "CREATE TABLE app.held (); GRANT SELECT ON app.held TO neighbour");
    let session = server.session(tenant, tenant).unwrap();
    session.sql("SET idle_in_transaction_session_timeout = 0; BEGIN").unwrap();
    session.sql("GRANT UPDATE ON app.held TO neighbour; LOCK TABLE app.held").unwrap();
    Some(session)
}

fn granting(server: &Server, tenant: &str) -> Option<Session> {
    act(
        server,
        tenant,
        "DO $$ BEGIN FOR number IN 1..4000 LOOP
           PERFORM lo_create(number);
           EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO neighbour', number);
         END LOOP; END $$",
    );
    None
}

/// With a COMMIT now and then: each table is a lock until the transaction ends.
fn crowded(server: &Server, tenant: &str) -> Option<Session> {
    act(
        server,
        tenant,
        "DO $$ BEGIN FOR number IN 1..20000 LOOP
           EXECUTE format('CREATE TABLE app.t%s ()', number);
           EXECUTE format('GRANT SELECT ON app.t%s TO neighbour', number);
           IF number % 1000 = 0 THEN COMMIT; END IF;
         END LOOP; END $$",
    );
    None
}

/// The tenant makes one, which the superuser copies: a tenant takes a minute for as many.
fn wide(server: &Server, tenant: &str) -> Option<Session> {
    let name = "d".repeat(63);
    let arguments = vec![format!("app.{name}"); 100].join(", ");
    act(
        server,
        tenant,
        &format!(
            "CREATE DOMAIN app.{name} AS int;
             CREATE FUNCTION app.f({arguments}) RETURNS int LANGUAGE sql AS 'SELECT 1';
             GRANT EXECUTE ON FUNCTION app.f({arguments}) TO neighbour"
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
         INSERT INTO pg_shdepend (dbid, classid, objid, objsubid, refclassid, refobjid, deptype)
           SELECT dbid, classid, 3000000 + number, objsubid, refclassid, refobjid, deptype
           FROM pg_shdepend, generate_series(1, 41999) AS number
           WHERE classid = 'pg_proc'::regclass AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
             AND objid = (SELECT oid FROM pg_proc WHERE proname = 'f' AND pronamespace = 'app'::regnamespace)"
    );
    server.sql(tenant, SUPERUSER, &copy).unwrap_or_else(|error| panic!("{error}"));
    None
}

fn bytes(server: &Server, tenant: &str) -> Option<Session> {
    // Nothing is converted on the way; in these encodings `chr` is a byte.
    act(
        server,
        tenant,
        "SET client_encoding = SQL_ASCII;
         DO $$ BEGIN
           EXECUTE format('CREATE TABLE app.%I (%1$I int)', chr(129) || chr(255));
           EXECUTE format('GRANT SELECT ON app.%I TO neighbour', chr(129) || chr(255));
           EXECUTE format('CREATE FUNCTION app.%I() RETURNS int LANGUAGE sql AS ''SELECT 1''', chr(129) || chr(255));
           EXECUTE format('GRANT EXECUTE ON FUNCTION app.%I() TO neighbour', chr(129) || chr(255));
         END $$",
    );
    None
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
  suspended = {suspended}\n  {more}\n}}"
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

fn limit(server: &Server, role: &str) -> String {
    value(server, "postgres", &format!("SELECT rolconnlimit FROM pg_roles WHERE rolname = '{role}'"))
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
    let mut held = Vec::new();
    for (number, Poison { tenant, what, pour, .. }) in POISONS.iter().enumerate() {
        let mut took = |started: Instant| seconds.entry(tenant).or_default().push(started.elapsed().as_secs_f32());
        let started = Instant::now();
        held.extend(pour(&server, tenant));
        took(started);

        // The neighbour's limit, and a tenant that was not there before, in the apply that meets the poison.
        configuration.limit = 4 + number;
        configuration.newcomers = number + 1;
        configuration.write(&workspace);
        let started = Instant::now();
        let applied = workspace.run(&["apply", "-auto-approve"]);
        took(started);
        if !applied.status.success() {
            problems.push(format!("{what}: the apply fails: {}", applied.message()));
        }
        let limits = [limit(&server, "neighbour"), limit(&server, &format!("newcomer{number}"))];
        if limits != [configuration.limit.to_string(), "4".to_owned()] {
            problems.push(format!("{what}: the limits of the neighbour and the newcomer: {limits:?}"));
        }

        let started = Instant::now();
        let planned = workspace.run(&["plan", "-detailed-exitcode"]);
        took(started);
        if planned.status.code() == Some(1) {
            problems.push(format!("{what}: the plan fails: {}", planned.message()));
        }

        // What a refresh of all the others takes is none of the suspension.
        configuration.suspended.push(tenant);
        configuration.write(&workspace);
        let started = Instant::now();
        let address = format!("-target=pgtenant_tenant.{tenant}");
        let suspended = workspace.run(&["apply", "-auto-approve", "-refresh=false", &address]);
        took(started);
        if !suspended.status.success() || started.elapsed() > BOUND {
            problems.push(format!("{what}: suspended after {:?}: {}", started.elapsed(), suspended.message()));
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
