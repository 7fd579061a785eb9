//! What an operation leaves on a server, as text that is the same for the same outcome: databases, roles, memberships,
//! settings, privileges and rows. Names, dates and salts are taken out.

use serde_json::Value;

use crate::support::postgres::{SUPERUSER, Server};

/// Of the databases and roles whose names begin with `$1`, and of the two that every server has.
const SHARED: &str = "
    SELECT format('database %s of %s, encoding %s, limit %s, open %s, acl %s', datname, datdba::regrole,
                  pg_encoding_to_char(encoding), datconnlimit, datallowconn,
                  (SELECT array_agg(a::text ORDER BY a::text) FROM (
                     SELECT coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC') || ' ' || privilege_type || is_grantable
                     FROM aclexplode(coalesce(datacl, acldefault('d', datdba)))) AS g (a))),
           shobj_description(oid, 'pg_database')
    FROM pg_database WHERE starts_with(datname, $1) OR datname IN ('postgres', 'template1')
    UNION ALL
    SELECT format('role %s: %s, password %s', rolname, to_jsonb(r) - '{oid,rolname,rolpassword,rolvaliduntil}'::text[],
                  rolpassword IS NOT NULL),
           shobj_description(oid, 'pg_authid')
    FROM pg_authid r WHERE starts_with(rolname, $1)
    UNION ALL
    SELECT format('member %s of %s by %s: %s', member::regrole, roleid::regrole, grantor::regrole,
                  to_jsonb(m) - '{oid,member,roleid,grantor}'::text[]), NULL
    FROM pg_auth_members m
    WHERE starts_with(member::regrole::text, $1) OR starts_with(roleid::regrole::text, $1)
    UNION ALL
    SELECT format('setting of %s in %s: %s', coalesce(rolname, 'all'), coalesce(datname, 'all'),
                  (SELECT array_agg(s ORDER BY s) FROM unnest(setconfig) AS s)), NULL
    FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = setrole LEFT JOIN pg_database d ON d.oid = setdatabase
    WHERE starts_with(rolname, $1) OR starts_with(datname, $1)";

/// In one database.
const INSIDE: &str = "
    SELECT format('schema %s of %s, acl %s', nspname, nspowner::regrole,
                  (SELECT array_agg(a::text ORDER BY a::text) FROM (
                     SELECT coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC') || ' ' || privilege_type || is_grantable
                     FROM aclexplode(coalesce(nspacl, acldefault('n', nspowner)))) AS g (a))),
           obj_description(oid, 'pg_namespace')
    FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    UNION ALL
    SELECT format('extension %s in %s', extname, extnamespace::regnamespace), NULL FROM pg_extension
    UNION ALL
    SELECT format('default acl of %s in %s: %s %s', defaclrole::regrole, defaclnamespace, defaclobjtype, defaclacl), NULL
    FROM pg_default_acl
    UNION ALL
    SELECT format('relation %s.%s of %s, acl %s', relnamespace::regnamespace, relname, relowner::regrole, relacl), NULL
    FROM pg_class WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('app', 'main', 'pgtenant_watchdog'))
    UNION ALL
    SELECT format('function %s.%s of %s, acl %s', pronamespace::regnamespace, proname, proowner::regrole, proacl), NULL
    FROM pg_proc WHERE pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('app', 'main', 'pgtenant_watchdog'))";

/// What there is of the tenant, sorted. To see inside, databases that are closed are opened.
pub fn remains(server: &Server, name: &str) -> Result<Vec<String>, String> {
    let quoted = format!("'{name}'");
    let ask = |database: &str, sql: &str| {
        let sql = sql.replace("$1", &quoted);
        server.sql(database, SUPERUSER, &sql).map_err(|error| format!("cannot look at {database}: {error}"))
    };
    let mut lines = Vec::new();
    for row in ask("postgres", SHARED)? {
        lines.push(line("", row));
    }
    let databases = "SELECT datname, datallowconn FROM pg_database
                     WHERE datconnlimit <> -2 AND (starts_with(datname, $1) OR datname IN ('postgres', 'template1'))";
    for row in ask("postgres", databases)? {
        let database = row[0].clone().unwrap_or_default();
        if row[1].as_deref() == Some("f") {
            ask("postgres", &format!("ALTER DATABASE \"{database}\" ALLOW_CONNECTIONS true"))?;
        }
        let within = format!("inside {database}: ");
        for row in ask(&database, INSIDE)? {
            lines.push(line(&within, row));
        }
        let kept = "SELECT c.oid::regclass FROM pg_class c WHERE relname = 'kept'";
        for table in ask(&database, kept)?.into_iter().flatten().flatten() {
            for row in ask(&database, &format!("SELECT answer FROM {table}"))? {
                lines.push(line(&format!("{within}row "), row));
            }
        }
    }
    let cron = "SELECT 1 FROM pg_extension WHERE extname = 'pg_cron'";
    if !ask("postgres", cron)?.is_empty() {
        for row in ask("postgres", "SELECT jobname || schedule || username || active || command FROM cron.job")? {
            lines.push(line("job ", row));
        }
    }
    for line in &mut lines {
        *line = undated(&line.replace(name, "NAME"));
    }
    lines.sort();
    Ok(lines)
}

/// The columns of a row. A comment is shown without the salt of a password.
fn line(prefix: &str, row: Vec<Option<String>>) -> String {
    let mut columns = row.into_iter().flatten();
    let mut line = prefix.to_owned() + &columns.next().unwrap_or_default();
    for comment in columns {
        let mut marker: Value = serde_json::from_str(&comment).unwrap_or(Value::String(comment));
        if let Some(password) = marker.get_mut("password") {
            *password = Value::String("set".to_owned());
        }
        line += &format!(", comment {marker}");
    }
    line
}

/// Without the time at which a tenant was archived.
fn undated(line: &str) -> String {
    const SUFFIX: &str = "_archived_";
    let mut parts = line.split(SUFFIX);
    let mut undated = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        undated += SUFFIX;
        undated += part.trim_start_matches(|c: char| c.is_ascii_digit() || "TZ.".contains(c));
    }
    undated
}

/// What is in one list and not in the other, as far as a line holds it.
pub fn difference(expected: &[String], found: &[String]) -> String {
    const MOST: usize = 4;
    let lacks = |list: &[String], other: &[String], word: &str| {
        let lines = list.iter().filter(|line| !other.contains(line));
        lines.map(|line| format!("{word}: {}", line.chars().take(300).collect::<String>())).collect::<Vec<_>>()
    };
    let lines = [lacks(found, expected, "left"), lacks(expected, found, "missing")].concat();
    let more = if lines.len() > MOST { format!("; and {} more", lines.len() - MOST) } else { String::new() };
    lines.into_iter().take(MOST).collect::<Vec<_>>().join("; ") + &more
}
