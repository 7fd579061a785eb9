//! Databases, and what stands on record about them.

use crate::attack::{Attack, Outcome, Tries, attack};

const DATABASES: &str = "databases";

pub fn attacks() -> Vec<Attack> {
    let each = |name, statements| attack(name, DATABASES, Tries::Each(statements)).comes_to(Outcome::Stopped("42501"));
    vec![
        each(
            "alter_its_own_database",
            &[
                "ALTER DATABASE attacker OWNER TO attacker",
                "ALTER DATABASE attacker CONNECTION LIMIT -1",
                "ALTER DATABASE attacker ALLOW_CONNECTIONS false",
                "ALTER DATABASE attacker IS_TEMPLATE true",
                "ALTER DATABASE attacker SET TABLESPACE pg_default",
            ],
        ),
        each(
            "set_parameters_of_its_database",
            &[
                "ALTER DATABASE attacker SET statement_timeout = 0",
                "ALTER DATABASE attacker SET search_path = app",
                "ALTER DATABASE attacker RESET statement_timeout",
                "ALTER DATABASE attacker RESET ALL",
            ],
        ),
        each(
            "alter_another_database",
            &[
                "ALTER DATABASE victim OWNER TO attacker",
                "ALTER DATABASE victim CONNECTION LIMIT 0",
                "ALTER DATABASE victim SET search_path = app",
                "ALTER DATABASE victim RESET ALL",
                "ALTER DATABASE victim RENAME TO taken",
                "ALTER DATABASE postgres SET search_path = app",
                "ALTER DATABASE template1 IS_TEMPLATE false",
            ],
        ),
        each("create_a_database", &["CREATE DATABASE mine", "CREATE DATABASE mine TEMPLATE victim"]),
        each("drop_a_database", &["DROP DATABASE victim", "DROP DATABASE postgres", "DROP DATABASE template1"]),
        each(
            "forge_a_marker",
            &[
                r#"COMMENT ON DATABASE attacker IS '{"pgtenant":"victim","stage":"ready"}'"#,
                r#"COMMENT ON DATABASE victim IS '{"pgtenant":"attacker","stage":"ready"}'"#,
                "COMMENT ON DATABASE attacker IS NULL",
                r#"COMMENT ON ROLE attacker IS '{"pgtenant":"victim","stage":"ready"}'"#,
                "COMMENT ON ROLE victim IS NULL",
                r#"COMMENT ON SCHEMA app IS '{"pgtenant":"victim","stage":"ready"}'"#,
            ],
        ),
        each("measure_another_database", &["SELECT pg_database_size('victim')"]),
        each(
            "change_shared_catalogs",
            &[
                "UPDATE pg_catalog.pg_database SET datallowconn = true",
                "UPDATE pg_catalog.pg_authid SET rolsuper = true WHERE rolname = 'attacker'",
                "DELETE FROM pg_catalog.pg_db_role_setting",
                "INSERT INTO pg_catalog.pg_auth_members SELECT * FROM pg_catalog.pg_auth_members",
            ],
        ),
        each(
            "lock_shared_catalogs",
            &[
                "DO $$ BEGIN LOCK TABLE pg_catalog.pg_database IN ROW EXCLUSIVE MODE; END $$",
                "DO $$ BEGIN LOCK TABLE pg_catalog.pg_authid IN ACCESS SHARE MODE; END $$",
                "SELECT FROM pg_catalog.pg_database FOR UPDATE",
            ],
        ),
        each(
            "create_a_tablespace",
            &["CREATE TABLESPACE mine LOCATION '/tmp'", "ALTER TABLESPACE pg_default OWNER TO attacker"],
        ),
        each(
            "publish_or_subscribe",
            &[
                "CREATE PUBLICATION mine",
                "CREATE PUBLICATION mine FOR ALL TABLES",
                "CREATE SUBSCRIPTION mine CONNECTION 'dbname=victim' PUBLICATION p WITH (connect = false)",
            ],
        ),
        each(
            "hold_back_wal",
            &[
                "SELECT pg_create_physical_replication_slot('mine', true)",
                "SELECT pg_create_logical_replication_slot('mine', 'pgoutput')",
                "SELECT pg_replication_origin_create('mine')",
                "SELECT pg_switch_wal()",
                "SELECT pg_create_restore_point('mine')",
            ],
        ),
        each(
            "change_the_server",
            &[
                "ALTER SYSTEM SET archive_command = 'true'",
                "ALTER SYSTEM RESET ALL",
                "SELECT pg_reload_conf()",
                "SELECT pg_rotate_logfile()",
                "SELECT pg_stat_reset()",
                "SELECT pg_promote()",
                "CHECKPOINT",
            ],
        ),
        each(
            "hide_from_the_log",
            &[
                "SET log_statement = 'none'",
                "SET log_min_messages = 'panic'",
                "SET log_min_duration_statement = -1",
                "SET track_activities = off",
                "ALTER ROLE attacker SET log_statement = 'none'",
                "ALTER ROLE attacker SET track_activities = off",
            ],
        ),
    ]
}
