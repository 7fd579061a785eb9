//! `scripts/export-tenant.sh` of the module snapshot-guard, with the real `pg_dump`: one tenant is exported and
//! restored on another server, and nothing of another tenant is in what it wrote.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::stub::{PGTENANT, ROOT};
use crate::support::postgres::{ADMIN, Options, Server};
use crate::support::terraform::Workspace;
use crate::support::{on_path, scratch, skip};

const TENANTS: &str = r#"
resource "pgtenant_tenant" "this" {
  for_each            = toset(["acme", "globex"])
  name                = each.key
  password_wo         = "${each.key}-password"
  password_wo_version = 1
  deletion_protection = false
}
"#;

/// Something of every kind that a dump treats in its own way.
const DATA: &str = "
    CREATE TABLE app.orders (id serial PRIMARY KEY, of text NOT NULL, note text);
    CREATE INDEX ON app.orders (of);
    CREATE VIEW app.open_orders AS SELECT id, of FROM app.orders;
    CREATE FUNCTION app.total() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM app.orders';
";

#[test]
fn one_tenant_is_exported_and_nothing_of_another() {
    let name = concat!(module_path!(), "::one_tenant_is_exported_and_nothing_of_another");
    let programs = ["bash", "pg_dump", "pg_restore", "psql"];
    if let Some(missing) = programs.into_iter().find(|program| on_path(program).is_none()) {
        return skip(name, &format!("there is no {missing} on PATH (Debian: apt install postgresql-client)"));
    }
    // pg_dump refuses servers that are newer than itself.
    let options = || Options { major: Some(major_of_pg_dump()), ..Options::default() };
    let (from, to) = match (Server::start(options()), Server::start(options())) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(reason), _) | (_, Err(reason)) => return skip(name, &reason),
    };
    let [source, target] = [&from, &to].map(|server| {
        let mut workspace = Workspace::new(PGTENANT);
        workspace.envs(server.env());
        workspace.write("main.tf", TENANTS);
        workspace.apply();
        workspace
    });
    for tenant in ["acme", "globex"] {
        let rows = format!(
            "INSERT INTO app.orders (of, note) SELECT '{tenant}-secret', md5(g::text) FROM generate_series(1, 500) g"
        );
        from.sql(tenant, tenant, &format!("{DATA}{rows}")).unwrap();
    }

    let dir = scratch::directory("exports").unwrap();
    let written = said(export(&from, "acme", "acme-password", &dir, "acme"));
    let dump = PathBuf::from(written.trim());
    let [list, sums] = ["list", "sha256"].map(|kind| dump.with_extension(kind));
    assert_eq!(files(&dir), [dump.clone(), list.clone(), sums.clone()]);
    for file in files(&dir) {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    said(Command::new("sha256sum").arg("--check").arg(&sums).current_dir(&dir).output().unwrap());
    assert!(fs::read_to_string(&list).unwrap().contains("TABLE DATA app orders"));

    // As SQL, with every row in clear.
    let sql = said(Command::new("pg_restore").args(["-f", "-"]).arg(&dump).output().unwrap());
    assert_eq!(sql.matches("acme-secret").count(), 500);
    assert!(!sql.contains("globex"), "{sql}");
    assert!(!sql.contains("acme-password") && !sql.contains("SCRAM-SHA-256"), "{sql}");

    // As the README has it.
    let mut restore = client(&to, "acme", "acme-password", "pg_restore");
    restore.args(["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", "--schema=app"]);
    said(restore.arg("--dbname=acme").arg(&dump).output().unwrap());
    let all = "SELECT id, of, note FROM app.orders ORDER BY id";
    let restored = to.sql("acme", "acme", all).unwrap();
    assert_eq!(restored, from.sql("acme", "acme", all).unwrap());
    assert_eq!(restored.len(), 500);
    assert_eq!(
        to.sql("acme", "acme", "SELECT app.total(), count(*) FROM app.open_orders").unwrap()[0],
        [Some("500".to_owned()), Some("500".to_owned())]
    );
    let others = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = 'app'";
    assert_eq!(to.sql("globex", "globex", others).unwrap(), [[Some("0".to_owned())]]);
    // The restore has changed nothing that Terraform answers for.
    target.assert_empty_plan();
    source.assert_empty_plan();

    let count = files(&dir).len();
    let refused = |role: &str, password: &str, database: &str, because: &str| {
        let output = export(&from, role, password, &dir, database);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && complaint.contains(because), "{role}, {database}: {complaint}");
        assert_eq!(files(&dir).len(), count, "nothing is left of it");
    };
    refused("acme", "acme-password", "globex", "permission denied for database");
    refused("acme", "wrong", "acme", "password authentication failed");
    refused(ADMIN, &from.admin_password, "acme", "may read more than one tenant");
    refused("acme", "acme-password", "postgres", "belongs to no tenant");
    refused("acme", "acme-password", "acme; DROP", "not a database's name");
    // What the tenant may not read is an error, not a hole in the export.
    let superuser = crate::support::postgres::SUPERUSER;
    from.sql("acme", superuser, "CREATE TABLE app.of_the_platform (a int)").unwrap();
    refused("acme", "acme-password", "acme", "permission denied for table of_the_platform");
}

fn client(server: &Server, role: &str, password: &str, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs(server.env());
    command.env("PGUSER", role).env("PGPASSWORD", password);
    command
}

fn export(server: &Server, role: &str, password: &str, dir: &Path, database: &str) -> Output {
    let script = Path::new(ROOT).join("examples/modules/snapshot-guard/scripts/export-tenant.sh");
    let mut command = client(server, role, password, "bash");
    command.arg(script).arg("--dir").arg(dir).arg(database).output().unwrap()
}

#[track_caller]
fn said(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// "pg_dump (PostgreSQL) 15.18 (Debian ...)"
fn major_of_pg_dump() -> u32 {
    let version = said(Command::new("pg_dump").arg("--version").output().unwrap());
    let number = version.split_whitespace().nth(2).unwrap_or_default().split('.').next().unwrap_or_default();
    number.parse().unwrap_or_else(|_| panic!("pg_dump does not say its version: {version}"))
}
