//! The server's files and programs, others' secrets, and what others do.

use crate::attack::{Attack, By, Outcome, Seen, Tries, attack};
use crate::ground::{Ground, ensure, must, value};

pub fn attacks() -> Vec<Attack> {
    let stopped = Outcome::Stopped("42501");
    let files = |name, statements| attack(name, "files", Tries::Each(statements)).comes_to(stopped);
    let secrets = |name, statements| attack(name, "secrets", Tries::Each(statements)).comes_to(stopped);
    vec![
        files(
            "read_files",
            &[
                "CREATE TABLE lines (line text); COPY lines FROM '/etc/passwd'",
                "SELECT pg_read_file('/etc/passwd')",
                "SELECT pg_read_file('postgresql.conf')",
                "SELECT pg_read_binary_file('PG_VERSION')",
                "SELECT pg_stat_file('PG_VERSION')",
                "SELECT lo_import('/etc/passwd')",
            ],
        ),
        files(
            "write_files",
            &["COPY (SELECT 1) TO '/tmp/planted'", "SELECT lo_export(lo_from_bytea(0, 'planted'), '/tmp/planted')"],
        ),
        files(
            "run_programs",
            &["COPY (SELECT 1) TO PROGRAM 'cat'", "CREATE TABLE lines (line text); COPY lines FROM PROGRAM 'id'"],
        ),
        files(
            "list_directories",
            &[
                "SELECT pg_ls_dir('.')",
                "SELECT pg_ls_logdir()",
                "SELECT pg_ls_waldir()",
                "SELECT pg_ls_tmpdir()",
                "SELECT pg_ls_archive_statusdir()",
                "SELECT pg_current_logfile()",
            ],
        ),
        secrets(
            "read_verifiers",
            &[
                "SELECT rolpassword FROM pg_catalog.pg_authid",
                "SELECT passwd FROM pg_catalog.pg_shadow",
                "SELECT umoptions FROM pg_catalog.pg_user_mapping",
                "SELECT subconninfo FROM pg_catalog.pg_subscription",
            ],
        ),
        secrets(
            "read_server_configuration",
            &[
                "SHOW data_directory",
                "SHOW hba_file",
                "SHOW unix_socket_directories",
                "SELECT * FROM pg_catalog.pg_hba_file_rules",
                "SELECT * FROM pg_catalog.pg_file_settings",
                "SELECT * FROM pg_catalog.pg_config",
                "SELECT * FROM pg_catalog.pg_shmem_allocations",
            ],
        ),
        secrets(
            "read_statistics_of_values",
            &["SELECT * FROM pg_catalog.pg_statistic", "SELECT data FROM pg_catalog.pg_largeobject"],
        ),
        attack("read_queries_of_others", "secrets", Tries::As(read_queries_of_others))
            .comes_to(Outcome::Fruitless("pg_stat_activity keeps others' queries, addresses and states to itself")),
        attack("read_names_of_others", "secrets", Tries::As(read_names_of_others)).comes_to(Outcome::Documented(
            "names, settings, ACLs, comments and application_name of all are visible to all: nothing of a customer's \
             belongs in them",
        )),
    ]
}

fn read_queries_of_others(ground: &Ground, by: By) -> Result<Seen, String> {
    let victim = ground.tenant("victim")?;
    must(&victim, &["SELECT 'a secret of the victim'"])?;
    let as_the_admin = "SELECT query FROM pg_stat_activity WHERE usename = 'victim' AND query ~ 'secret'";
    ensure(ground.ask(as_the_admin)?.contains("a secret"), "the admin does not see it either")?;
    let seen = "SELECT concat(query, ' ', client_addr, ' ', state) FROM pg_stat_activity WHERE usename = 'victim'";
    let seen = value(&ground.enter(by)?, seen)?;
    Ok(if seen.trim() == "<insufficient privilege>" { Seen::Fruitless } else { Seen::Worked })
}

fn read_names_of_others(ground: &Ground, by: By) -> Result<Seen, String> {
    let victim = ground.tenant("victim")?;
    must(&victim, &["SET application_name = 'called by its name'"])?;
    let attacker = ground.enter(by)?;
    for (what, text) in [
        ("its database", "SELECT count(*) FROM pg_database WHERE datname = 'victim'"),
        ("its role", "SELECT count(*) FROM pg_roles WHERE rolname = 'victim'"),
        ("its settings", "SELECT least(1, count(*)) FROM pg_roles WHERE rolname = 'victim' AND rolconfig IS NOT NULL"),
        (
            "its marker",
            "SELECT count(*) FROM pg_database WHERE datname = 'victim' AND shobj_description(oid, 'pg_database') ~ 'pgtenant'",
        ),
        (
            "its application's name",
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'called by its name'",
        ),
    ] {
        ensure(value(&attacker, text)? == "1", format!("{what} is not seen"))?;
    }
    Ok(Seen::Worked)
}
