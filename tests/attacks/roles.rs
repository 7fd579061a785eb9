//! Being somebody else, or more than one is.

use crate::attack::{Attack, By, Outcome, Seen, Tries, attack};
use crate::ground::{Ground, attempt, ensure, entered, password};

const ROLES: &str = "roles";
const ATTACKER: &str = "pgtenant_guardrails.attacker";
const VANDAL: &str = "pgtenant_guardrails.vandal";

pub fn attacks() -> Vec<Attack> {
    let each = |name, statements| attack(name, ROLES, Tries::Each(statements));
    let act = |name, act| attack(name, ROLES, Tries::As(act));
    let stopped = Outcome::Stopped("42501");
    vec![
        each(
            "become_another_role",
            &[
                "SET ROLE victim",
                "SET ROLE platform_admin",
                "SET ROLE rdsadmin",
                "SET ROLE pg_read_all_settings",
                "SET ROLE pg_execute_server_program",
                "SET SESSION AUTHORIZATION victim",
                "SET SESSION AUTHORIZATION platform_admin",
                "SET SESSION AUTHORIZATION rdsadmin",
                "SELECT set_config('role', 'victim', false)",
                "DO $$ BEGIN EXECUTE 'SET ROLE victim'; END $$",
            ],
        )
        .comes_to(stopped),
        each(
            "join_another_role",
            &[
                "GRANT victim TO attacker",
                "GRANT platform_admin TO attacker",
                "GRANT rdsadmin TO attacker",
                "GRANT pg_monitor TO attacker",
                "GRANT pg_signal_backend TO attacker",
                "GRANT pg_read_server_files TO attacker",
            ],
        )
        .comes_to(stopped),
        act("grant_itself_away", grant_itself_away)
            .on(
                13..=14,
                Outcome::Detected(&[
                    ("pgtenant_tenant.attacker", "isolation.memberships"),
                    ("pgtenant_tenant.victim", "isolation.memberships"),
                ]),
            )
            .on(15..=18, stopped),
        each("create_a_role", &["CREATE ROLE minion", "CREATE USER minion", "CREATE GROUP minion ROLE attacker"])
            .comes_to(stopped),
        each(
            "drop_another_role",
            &[
                "DROP ROLE victim",
                "DROP ROLE platform_admin",
                "DROP OWNED BY victim",
                "REASSIGN OWNED BY victim TO attacker",
                "REASSIGN OWNED BY attacker TO victim",
            ],
        )
        .comes_to(stopped),
        each(
            "raise_its_own_attributes",
            &[
                "ALTER ROLE attacker SUPERUSER",
                "ALTER ROLE attacker CREATEDB",
                "ALTER ROLE attacker CREATEROLE",
                "ALTER ROLE attacker REPLICATION",
                "ALTER ROLE attacker BYPASSRLS",
                "ALTER ROLE attacker INHERIT",
                "ALTER ROLE attacker NOLOGIN",
            ],
        )
        .comes_to(stopped),
        each(
            "raise_its_own_connection_limit",
            &["ALTER ROLE attacker CONNECTION LIMIT -1", "ALTER ROLE attacker CONNECTION LIMIT 1000"],
        )
        .comes_to(stopped),
        each("prolong_its_own_password", &["ALTER ROLE attacker VALID UNTIL 'infinity'"]).comes_to(stopped),
        // Refused before anybody asks about privileges.
        each("rename_itself", &["ALTER ROLE attacker RENAME TO innocent"]).comes_to(Outcome::Stopped("0A000")),
        each(
            "alter_another_role",
            &[
                "ALTER ROLE victim PASSWORD 'mine'",
                "ALTER ROLE victim NOLOGIN",
                "ALTER ROLE victim CONNECTION LIMIT 0",
                "ALTER ROLE victim VALID UNTIL '2000-01-01'",
                "ALTER ROLE victim RENAME TO mine",
                "ALTER ROLE platform_admin PASSWORD 'mine'",
            ],
        )
        .comes_to(stopped),
        each(
            "set_parameters_for_another_role",
            &[
                "ALTER ROLE victim SET search_path = attacker",
                "ALTER ROLE victim RESET ALL",
                "ALTER ROLE victim IN DATABASE victim SET statement_timeout = 1",
                "ALTER ROLE victim IN DATABASE attacker SET statement_timeout = 1",
                "ALTER ROLE platform_admin SET search_path = app",
                "ALTER ROLE platform_admin IN DATABASE attacker SET search_path = app",
                "ALTER ROLE ALL SET statement_timeout = 1",
                "ALTER ROLE ALL IN DATABASE attacker SET search_path = app",
            ],
        )
        .comes_to(stopped),
        each(
            "set_its_own_limits_persistently",
            &[
                "ALTER ROLE attacker SET statement_timeout = 0",
                "ALTER ROLE attacker SET lock_timeout = 0",
                "ALTER ROLE attacker SET idle_in_transaction_session_timeout = 0",
            ],
        )
        .comes_to(Outcome::Detected(&[
            (ATTACKER, "overrides.role.statement_timeout"),
            (ATTACKER, "overrides.role.lock_timeout"),
            (ATTACKER, "overrides.role.idle_in_transaction_session_timeout"),
        ])),
        each("set_its_own_idle_limit_persistently", &["ALTER ROLE attacker SET idle_session_timeout = 0"])
            .on(13..=13, Outcome::Stopped("42704"))
            .on(14..=18, Outcome::Detected(&[(ATTACKER, "overrides.role.idle_session_timeout")])),
        each("set_its_own_transaction_limit_persistently", &["ALTER ROLE attacker SET transaction_timeout = 0"])
            .on(13..=16, Outcome::Stopped("42704"))
            .on(17..=18, Outcome::Detected(&[(ATTACKER, "overrides.role.transaction_timeout")])),
        each(
            "set_its_own_limits_in_its_database",
            &[
                "ALTER ROLE attacker IN DATABASE attacker SET statement_timeout = 0",
                "ALTER ROLE attacker IN DATABASE attacker SET lock_timeout TO DEFAULT; \
                 ALTER ROLE attacker IN DATABASE attacker SET lock_timeout = '1d'",
            ],
        )
        .comes_to(Outcome::Detected(&[
            (ATTACKER, "overrides.role_in_database.statement_timeout"),
            (ATTACKER, "overrides.role_in_database.lock_timeout"),
        ])),
        each(
            "set_its_own_limits_in_another_database",
            &[
                "ALTER ROLE attacker IN DATABASE victim SET statement_timeout = 0",
                "ALTER ROLE attacker IN DATABASE postgres SET lock_timeout = 0",
            ],
        )
        .comes_to(Outcome::Detected(&[
            (ATTACKER, "overrides.role_in_database.statement_timeout"),
            (ATTACKER, "overrides.role_in_database.lock_timeout"),
        ])),
        each("move_its_own_search_path", &["ALTER ROLE attacker IN DATABASE attacker SET search_path = public, app"])
            .comes_to(Outcome::Detected(&[("pgtenant_tenant.attacker", "isolation.search_path")])),
        each("reset_all_its_settings", &["ALTER ROLE vandal RESET ALL"]).by("vandal").comes_to(Outcome::Detected(&[
            (VANDAL, "overrides.role.statement_timeout"),
            (VANDAL, "overrides.role.lock_timeout"),
            (VANDAL, "overrides.role.idle_in_transaction_session_timeout"),
        ])),
        each("reset_all_its_settings_in_its_database", &["ALTER ROLE hasty IN DATABASE hasty RESET ALL"])
            .by("hasty")
            .comes_to(Outcome::Detected(&[("pgtenant_tenant.hasty", "isolation.search_path")])),
        act("discard_its_own_rights", discard_its_own_rights)
            .by("vandal")
            .comes_to(Outcome::Fruitless("what the admin granted is not the tenant's to give back")),
        // Behind all that is tried with the password that the tenant was given.
        act("change_its_own_password", change_its_own_password)
            .comes_to(Outcome::Detected(&[("pgtenant_tenant.attacker", "isolation.password")])),
    ]
}

fn grant_itself_away(ground: &Ground, by: By) -> Result<Seen, String> {
    let session = ground.enter(by)?;
    let itself = by.acts_as;
    if let stopped @ Seen::Stopped(_) = attempt(&session, &format!("GRANT {itself} TO victim")) {
        return Ok(stopped);
    }
    ensure(ground.ask(&format!("SELECT pg_has_role('victim', '{itself}', 'MEMBER')"))? == "t", "no member")?;
    // The member does not inherit, so it gets in nowhere that it could not before.
    ensure(ground.ask(&format!("SELECT pg_has_role('victim', '{itself}', 'USAGE')"))? == "f", "the member inherits")?;
    let outside = entered(ground.log_in(by.tenant, "victim", &password("victim")));
    ensure(matches!(&outside, Seen::Stopped(state) if state == "42501"), format!("the member: {outside:?}"))?;
    Ok(Seen::Worked)
}

fn change_its_own_password(ground: &Ground, by: By) -> Result<Seen, String> {
    const OTHER: &str = "known to a friend";
    let session = ground.enter(by)?;
    let seen = attempt(&session, &format!("ALTER ROLE {} PASSWORD '{OTHER}'", by.acts_as));
    if matches!(seen, Seen::Worked) {
        let friend = entered(ground.log_in(by.tenant, by.acts_as, OTHER));
        ensure(matches!(friend, Seen::Worked), "the new password does not count")?;
    }
    Ok(seen)
}

/// Shutting itself out would be a nuisance at most.
fn discard_its_own_rights(ground: &Ground, by: By) -> Result<Seen, String> {
    let session = ground.enter(by)?;
    let rights = format!(
        "SELECT concat(has_database_privilege('{0}', current_database(), 'CONNECT'),
         has_schema_privilege('{0}', 'app', 'CREATE'), has_schema_privilege('{0}', 'app', 'USAGE'),
         (SELECT count(*) FROM pg_default_acl, aclexplode(defaclacl) WHERE grantee = '{0}'::regrole))",
        by.acts_as
    );
    let before = ground.admin(by.tenant, &rights)?;
    let statements =
        ["DROP OWNED BY vandal", "REVOKE ALL ON DATABASE vandal FROM vandal", "REVOKE ALL ON SCHEMA app FROM vandal"];
    for statement in statements {
        attempt(&session, &by.says("vandal", statement));
    }
    Ok(if ground.admin(by.tenant, &rights)? == before { Seen::Fruitless } else { Seen::Worked })
}
