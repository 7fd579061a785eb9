//! Errors of PostgreSQL as diagnostics: what failed, why, and what to do. Told apart by kind and
//! SQLSTATE.

use std::time::Duration;

use crate::postgres::catalog::snapshot::Server;
use crate::postgres::error::SqlState;
use crate::postgres::{ConnectError, Distrust, Error, Feature, Holder, Script, Slots, Step};
use crate::tenant::Observed;
use crate::tf_provider::{Context, Diagnostic, Interruption, Path, Work};

/// An error while doing `what` ("create tenant \"acme\"").
pub(super) fn error(what: &str, error: &Error, cx: &Context) -> Diagnostic {
    match error {
        Error::Cancelled { .. } | Error::NotSent { .. } | Error::Connect(ConnectError::Cancelled) => {
            interrupted(what, error, cx)
        }
        Error::Connect(error) => connect(error),
        Error::Locked { holder } => Diagnostic::error(format!("Could not {what}"), locked(holder)),
        Error::TooSlow { .. } => Diagnostic::error(
            format!("Could not {what}"),
            format!("{}. Try again when the server is less busy.", sentence(&error.to_string())),
        ),
        Error::Sql { .. } | Error::NotPermitted { .. } => {
            Diagnostic::error(format!("Could not {what}"), sql_detail(error))
        }
        Error::Lost { .. } => Diagnostic::error(
            format!("Could not {what}"),
            format!("{}.\n\n{}", sentence(&error.to_string()), again(cx)),
        ),
        Error::Unreadable { .. } => Diagnostic::error(
            format!("Could not {what}"),
            format!(
                "{}.\n\nThis is a bug in the provider, or a server that it does not know.",
                sentence(&error.to_string())
            ),
        ),
    }
}

/// Who is at work on the same thing, and what to do.
fn locked(holder: &Holder) -> String {
    let Holder { pid, role, .. } = holder;
    let known = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let with = known(&holder.application)
        .map(|application| format!(", with application_name {application:?}"))
        .unwrap_or_default();
    let from = known(&holder.client).map(|client| format!(", from {client}")).unwrap_or_default();
    let since = known(&holder.since).map(|since| format!(", connected since {since} UTC")).unwrap_or_default();
    format!(
        "Another process is changing it: role {role:?} as pid {pid}{with}{from}{since}. Run `terraform apply` again when that one is \
         done. If nobody is behind it any more, end its session: SELECT pg_terminate_backend({pid})."
    )
}

fn interrupted(what: &str, error: &Error, cx: &Context) -> Diagnostic {
    let at = match error {
        Error::Cancelled { summary } => {
            format!(" It was about to: {summary}. The server was asked to cancel the statement.")
        }
        Error::NotSent { summary } => format!(" It was about to: {summary}. Nothing was sent for that."),
        _ => " It was waiting for a connection to the server.".to_owned(),
    };
    let again = again(cx);
    match cx.interruption() {
        Some(Interruption::TimedOut(after)) => Diagnostic::error(
            format!("Could not {what} in time"),
            format!(
                "It took longer than {}.{at} {again} Raise the limit in the `timeouts` block where there is one.",
                period(after)
            ),
        ),
        _ => Diagnostic::error(
            format!("Stopped before it could {what}"),
            format!("Terraform was interrupted.{at} {again}"),
        ),
    }
}

/// How what was interrupted is finished.
fn again(cx: &Context) -> &'static str {
    match cx.work {
        Work::Apply => "Run `terraform apply` again to finish.",
        Work::Look => "Nothing was changed.",
    }
}

fn period(period: Duration) -> String {
    if period < Duration::from_secs(1) {
        format!("{} ms", period.as_millis())
    } else {
        format!("{} s", period.as_secs())
    }
}

pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// What the server said, and what to do about it.
fn sql_detail(error: &Error) -> String {
    let mut text = format!("{}.", sentence(&error.to_string()));
    if let Error::Sql { detail, hint, .. } = error {
        for more in [detail, hint].into_iter().flatten() {
            text.push(' ');
            text.push_str(more);
        }
    }
    if let Some(remedy) = error.sqlstate().and_then(remedy) {
        text.push_str("\n\n");
        text.push_str(remedy);
    }
    text
}

fn remedy(state: &SqlState) -> Option<&'static str> {
    const REMEDIES: [(SqlState, &str); 13] = [
        (
            SqlState::INSUFFICIENT_PRIVILEGE,
            "The admin role lacks a privilege. It needs CREATEDB and CREATEROLE, membership in pg_signal_backend, and \
             from PostgreSQL 16 on the ADMIN option on roles that another admin made (`assume_role` with a shared \
             group avoids that).",
        ),
        (
            SqlState::WARNING_PRIVILEGE_NOT_REVOKED,
            "The server only warned, but nothing was revoked: the admin does not own the object.",
        ),
        (
            SqlState::WARNING_PRIVILEGE_NOT_GRANTED,
            "The server only warned, but nothing was granted: the admin does not own the object.",
        ),
        (
            SqlState::OBJECT_IN_USE,
            "Somebody is connected to the database, or to the template of a new one. End those sessions, or set \
             `suspended = true` first; for a destroy, `force_destroy = true` ends them.",
        ),
        (SqlState::DUPLICATE_DATABASE, "Another database has that name. Choose another, or rename that one."),
        (SqlState::DUPLICATE_OBJECT, "Another object has that name. Choose another, or rename that one."),
        (SqlState::DUPLICATE_SCHEMA, "Another schema has that name. Choose another, or rename that one."),
        (
            SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
            "Other objects depend on it. Drop those first; the provider drops nothing that it was not asked to.",
        ),
        (
            SqlState::TOO_MANY_CONNECTIONS,
            "The server has no connection left. Lower the provider's `max_connections`, or the tenants' limits.",
        ),
        (SqlState::DISK_FULL, "The server's disk is full. Make room on it, then try again."),
        (SqlState::IO_ERROR, "The server could not read or write a file. Its log says more."),
        (
            SqlState::QUERY_CANCELED,
            "Somebody on the server cancelled the statement. Try again, or ask who operates the server.",
        ),
        (SqlState::READ_ONLY_SQL_TRANSACTION, "The server is a standby or set read-only. Point `host` at the primary."),
    ];
    REMEDIES.iter().find(|(known, _)| known == state).map(|(_, remedy)| *remedy)
}

/// What makes a certificate one that can be trusted. None of it trusts more than that.
fn distrusted(why: Distrust) -> &'static str {
    match why {
        Distrust::Issuer => {
            "Set `sslrootcert` (PGSSLROOTCERT) to the authority that signed it (on RDS: its `global-bundle.pem`). \
             Intermediates belong in the server's `ssl_cert_file`, after its own certificate."
        }
        Distrust::Name => {
            "Set `host` (PGHOST) to a name that the certificate is for; through a tunnel that name stays, and `hostaddr` \
             (PGHOSTADDR) says where the near end is. Names are those that the certificate has as subjectAltName: one that has a \
             common name only must be issued again with it."
        }
        Distrust::Time => "Check this machine's clock. If it is right, the server's certificate is to be renewed.",
        Distrust::Authority => {
            "The server shows the certificate of an authority (CA:TRUE) as its own. Let that authority sign one for the server, with \
             its name as subjectAltName, and keep `sslrootcert` as it is. OpenSSL, and psql with it, does not mind."
        }
        Distrust::Other => {
            "The server's certificate must be issued again: as one for servers, with its name as subjectAltName."
        }
    }
}

fn connect(error: &ConnectError) -> Diagnostic {
    let why = sentence(&error.to_string());
    let (summary, remedy) = match error {
        ConnectError::Unreachable { .. } => (
            "Cannot reach the PostgreSQL server",
            "Check `host` (PGHOST) and `port` (PGPORT), that the server runs, and that the network lets this machine \
             through (on AWS: security group and subnets).",
        ),
        ConnectError::TimedOut { .. } => (
            "The PostgreSQL server does not answer",
            "Check `host` (PGHOST) and `port` (PGPORT), and that the network lets this machine through (on AWS: \
             security group and subnets). `connect_timeout` (PGCONNECT_TIMEOUT) is how long to wait.",
        ),
        ConnectError::Dropped { .. } => (
            "The PostgreSQL server closed the connection",
            "Check that PostgreSQL listens at `host` (PGHOST) and `port` (PGPORT), what stands in between, and the \
             server's log.",
        ),
        ConnectError::NoToken { .. } => (
            "No token of IAM for the login",
            "Check `aws_iam_auth`, and what AWS's tools find here: the environment (AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_REGION), \
             the configuration files, the role of this machine or job. `aws sts get-caller-identity` shows who one is.",
        ),
        ConnectError::TokenRefused { .. } => (
            "The PostgreSQL server refused the token of IAM",
            "Check that IAM authentication is on for the instance; that the role is a member of `rds_iam`; that a policy allows \
             the owner of the credentials `rds-db:connect` as that role; that `host` and `port` are the instance's own, for which the \
             token is; and this machine's clock: a token is good for 15 minutes. RDS says more in its log \
             `iam-db-auth-error`.",
        ),
        ConnectError::Pooler { .. } => (
            "A connection pooler stands before the PostgreSQL server",
            "Connect directly to PostgreSQL: set `host` (PGHOST) and `port` (PGPORT) to the server's own. A pooler \
             (pgBouncer, RDS Proxy) shares its sessions and drops what a session sets, `assume_role` among it.",
        ),
        ConnectError::Full { of: Slots::Server, .. } => (
            "The PostgreSQL server has no connection left",
            "Too many clients are connected. Lower the tenants' limits, raise the server's `max_connections`, or try \
             again.",
        ),
        ConnectError::Full { of: Slots::Role, .. } => (
            "The role that logs in has no connection left",
            "End its other sessions, or raise its limit (`ALTER ROLE ... CONNECTION LIMIT`).",
        ),
        ConnectError::Full { of: Slots::Database, .. } => (
            "The database has no connection left",
            "End sessions with it. For a tenant's database, raise `admin_connections` of its `pgtenant_tenant`; for another, raise its \
             limit (`ALTER DATABASE ... CONNECTION LIMIT`). 0 lets nobody in.",
        ),
        ConnectError::NoTls { .. } => (
            "The PostgreSQL server does not offer TLS",
            "Switch TLS on there. Only if nobody can listen in between: set `sslmode = \"disable\"` (PGSSLMODE).",
        ),
        ConnectError::UntrustedCertificate { why, .. } => {
            ("The PostgreSQL server's certificate is not trusted", distrusted(*why))
        }
        ConnectError::Tls { .. } => {
            ("TLS with the PostgreSQL server failed", "Check the server's TLS settings, and what stands in between.")
        }
        ConnectError::RootCertificates { .. } => (
            "`sslrootcert` is not usable",
            "`sslrootcert` (PGSSLROOTCERT) is a file's path, certificates in PEM form, or \"system\".",
        ),
        ConnectError::Certificate { .. } => (
            "The provider's own certificate is not usable",
            "`sslcert` (PGSSLCERT) and `sslkey` (PGSSLKEY) are files' paths, or texts in PEM form.",
        ),
        ConnectError::WrongServer { .. } => (
            "No PostgreSQL server of the wanted kind",
            "`target_session_attrs` (PGTARGETSESSIONATTRS) says which kind is wanted, and `host` (PGHOST) where to look. While a \
             standby takes over from a primary that failed, there is no primary.",
        ),
        ConnectError::Unwanted { .. } => (
            "The PostgreSQL server asks for a login that is not allowed",
            "`require_auth` (PGREQUIREAUTH) says what a server may ask for. Where that is left out, a server that TLS has not \
             verified may ask for SCRAM only, so that another server does not learn the password. Let pg_hba.conf say \
             scram-sha-256, and set the password again with password_encryption = scram-sha-256; or let TLS verify the server: \
             sslmode = \"verify-full\".",
        ),
        ConnectError::NoPassword { .. } => (
            "The PostgreSQL server wants a password",
            "Set `password` in the provider block or the environment variable PGPASSWORD, or give it a line in libpq's password \
             file: `passfile`, PGPASSFILE or ~/.pgpass.",
        ),
        ConnectError::TooOld { .. } => {
            ("The PostgreSQL server is too old", "Upgrade it: 13 is the oldest major that the provider serves.")
        }
        ConnectError::Refused { state, .. } => refused(state),
        ConnectError::Other { .. } | ConnectError::Cancelled => {
            ("Cannot connect to the PostgreSQL server", "Check the provider block and the server's log.")
        }
    };
    Diagnostic::error(summary, format!("{why}.\n\n{remedy}"))
}

fn refused(state: &SqlState) -> (&'static str, &'static str) {
    if [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION].contains(state) {
        return (
            "The PostgreSQL server refused the login",
            "Check `username` (PGUSER) and `password` (PGPASSWORD), and the server's pg_hba.conf.",
        );
    }
    if *state == SqlState::INVALID_CATALOG_NAME {
        return (
            "The database does not exist",
            "If it is the maintenance database, check `database` (PGDATABASE). A tenant's database was there a moment ago: run it again.",
        );
    }
    if [SqlState::INVALID_PARAMETER_VALUE, SqlState::UNDEFINED_OBJECT, SqlState::INSUFFICIENT_PRIVILEGE].contains(state)
    {
        return (
            "The PostgreSQL server refused the session",
            "Check `assume_role`: the role must exist, and the role that logs in must be a member of it.",
        );
    }
    ("The PostgreSQL server refused the connection", "Check the provider block and the server's log.")
}

/// What a refresh says that could not ask.
pub(super) fn not_refreshed() -> Diagnostic {
    Diagnostic::warning(
        "Refresh skipped: the provider configuration is not known yet",
        "The provider block holds values that are not known until apply. The state is unchanged.",
    )
}

/// A change that was tried, and did not go: what it was about to repair stays in the plan.
pub(super) fn not_done(script: &Script, error: &Error) -> Diagnostic {
    let what = script.0.iter().map(Step::summary).collect::<Vec<_>>().join(", ");
    Diagnostic::warning(format!("Could not {what}"), sql_detail(error))
}

/// A tenant whose database could not be read: what is known from outside was looked at.
pub(super) fn not_entered(tenant: &str, observed: &Observed, error: &Error) -> Diagnostic {
    let why = observed.inside.as_ref().err().cloned().unwrap_or_else(|| error.to_string());
    Diagnostic::warning(
        format!("Tenant {tenant:?} was not inspected"),
        format!(
            "{}. Only what the shared catalogs hold about it is known; `isolation` says which controls that leaves out.",
            sentence(&why)
        ),
    )
}

/// What an operation says that cannot do without the server.
pub(super) fn not_known() -> Diagnostic {
    Diagnostic::error(
        "The provider is not configured yet",
        "The provider block holds values that are not known. Make what they come from first (`terraform apply \
         -target=...`).",
    )
}

/// Something that came with a later major than the server's.
pub(super) fn too_old(what: &str, needed: Feature, server: &Server) -> Diagnostic {
    Diagnostic::error(
        format!("`{what}` needs PostgreSQL {}", needed.since()),
        format!("The server runs {}. Leave it out, or upgrade the server.", server.version),
    )
}

/// A parameter that the server does not take.
pub(super) fn parameter(name: &str, error: &Error, path: Path, cx: &Context) -> Diagnostic {
    let Some(state) = error.sqlstate() else {
        return self::error(&format!("check parameter {name:?}"), error, cx);
    };
    let said = sentence(&error.to_string());
    let (summary, remedy) = match state {
        state if *state == SqlState::UNDEFINED_OBJECT || *state == SqlState::INVALID_NAME => (
            format!("There is no parameter {name:?}"),
            "Check its spelling, and that this PostgreSQL version has it (`SELECT name FROM pg_settings`).",
        ),
        state if *state == SqlState::INSUFFICIENT_PRIVILEGE => (
            format!("This admin may not set parameter {name:?}"),
            "From PostgreSQL 15 on a superuser may grant it: GRANT SET ON PARAMETER ... TO the admin. On RDS it belongs \
             in the instance's parameter group.",
        ),
        state if *state == SqlState::CANT_CHANGE_RUNTIME_PARAM => (
            format!("Parameter {name:?} cannot be set for a tenant"),
            "It holds for the whole server. Set it in postgresql.conf or, on RDS, in the instance's parameter group.",
        ),
        _ => (format!("Parameter {name:?} does not take this value"), "Check the value and its unit."),
    };
    Diagnostic::error(summary, format!("{said}.\n\n{remedy}")).at(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tf_provider::diagnostic::Severity;

    fn context() -> Context {
        let (cancel, stop) = Default::default();
        Context { cancel, stop, timeout: Some(Duration::from_secs(90)), work: Work::Apply }
    }

    fn sql(code: &str) -> Error {
        let (detail, hint) = (Some("Its detail.".to_owned()), Some("Its hint.".to_owned()));
        Error::Sql {
            summary: "drop role".into(),
            state: SqlState::from_code(code),
            message: "refused".into(),
            detail,
            hint,
        }
    }

    fn refusal(code: &str) -> Error {
        let state = SqlState::from_code(code);
        Error::Connect(ConnectError::Refused { address: "db:5432".into(), state, message: "no".into() })
    }

    #[test]
    fn each_sqlstate_has_its_remedy() {
        for (code, remedy) in [
            ("42501", "needs CREATEDB and CREATEROLE"),
            ("01006", "nothing was revoked"),
            ("01007", "nothing was granted"),
            ("55006", "connected to the database"),
            ("42P04", "Another database"),
            ("42710", "Another object"),
            ("42P06", "Another schema"),
            ("2BP01", "Other objects depend"),
            ("53300", "no connection left"),
            ("25006", "standby"),
            ("22023", "Its hint."),
        ] {
            let diagnostic = error("destroy tenant \"acme\"", &sql(code), &context());
            assert_eq!(diagnostic.summary, "Could not destroy tenant \"acme\"");
            let said = format!("Drop role: refused (SQLSTATE {code}). Its detail. Its hint.");
            assert!(diagnostic.detail.starts_with(&said), "{}", diagnostic.detail);
            assert!(diagnostic.detail.contains(remedy), "{code}: {}", diagnostic.detail);
            let has_remedy = diagnostic.detail.contains("\n\n");
            assert_eq!(has_remedy, code != "22023", "{code}");
        }
    }

    #[test]
    fn each_refusal_of_a_connection_has_its_summary() {
        for (code, summary) in [
            ("28P01", "The PostgreSQL server refused the login"),
            ("28000", "The PostgreSQL server refused the login"),
            ("3D000", "The database does not exist"),
            ("22023", "The PostgreSQL server refused the session"),
            ("42704", "The PostgreSQL server refused the session"),
            ("42501", "The PostgreSQL server refused the session"),
            ("57P03", "The PostgreSQL server refused the connection"),
        ] {
            assert_eq!(error("read", &refusal(code), &context()).summary, summary, "{code}");
        }
        let address = || "db:5432".to_owned();
        let message = || "why".to_owned();
        let full = |of: Slots| ConnectError::Full { address: address(), of, message: message() };
        for (failed, summary) in [
            (
                ConnectError::Unreachable { address: address(), message: message() },
                "Cannot reach the PostgreSQL server",
            ),
            (
                ConnectError::TimedOut { address: address(), after: Duration::from_secs(5) },
                "The PostgreSQL server does not answer",
            ),
            (
                ConnectError::Dropped { address: address(), message: message() },
                "The PostgreSQL server closed the connection",
            ),
            (
                ConnectError::Pooler { address: address(), message: message() },
                "A connection pooler stands before the PostgreSQL server",
            ),
            (full(Slots::Server), "The PostgreSQL server has no connection left"),
            (full(Slots::Role), "The role that logs in has no connection left"),
            (full(Slots::Database), "The database has no connection left"),
            (ConnectError::NoTls { address: address() }, "The PostgreSQL server does not offer TLS"),
            (
                ConnectError::UntrustedCertificate { address: address(), why: Distrust::Issuer, message: message() },
                "The PostgreSQL server's certificate is not trusted",
            ),
            (ConnectError::Tls { address: address(), message: message() }, "TLS with the PostgreSQL server failed"),
            (ConnectError::RootCertificates { message: message() }, "`sslrootcert` is not usable"),
            (ConnectError::Certificate { message: message() }, "The provider's own certificate is not usable"),
            (ConnectError::NoPassword { address: address() }, "The PostgreSQL server wants a password"),
            (ConnectError::TooOld { address: address(), version: "12.1".into() }, "The PostgreSQL server is too old"),
            (ConnectError::Other { address: address(), message: message() }, "Cannot connect to the PostgreSQL server"),
        ] {
            let diagnostic = error("read", &Error::Connect(failed), &context());
            assert_eq!((diagnostic.severity, diagnostic.summary.as_str()), (Severity::Error, summary));
            assert!(diagnostic.detail.contains(".\n\n"), "{}", diagnostic.detail);
        }
    }

    #[test]
    fn an_interruption_says_which_it_was() {
        let cancelled = Error::Cancelled { summary: "drop role".into() };
        let cx = context();
        cx.cancel.cancel();
        let timed_out = error("destroy it", &cancelled, &cx);
        assert_eq!(timed_out.summary, "Could not destroy it in time");
        assert_eq!(
            timed_out.detail,
            "It took longer than 90 s. It was about to: drop role. The server was asked to cancel the statement. Run \
             `terraform apply` again to finish. Raise the limit in the `timeouts` block where there is one."
        );
        cx.stop.cancel();
        assert_eq!(error("destroy it", &cancelled, &cx).summary, "Stopped before it could destroy it");
        let connecting = error("destroy it", &Error::Connect(ConnectError::Cancelled), &cx);
        assert_eq!(connecting.summary, "Stopped before it could destroy it");
        let not_sent =
            error("read it", &Error::NotSent { summary: "read".into() }, &Context { work: Work::Look, ..cx });
        assert_eq!(
            not_sent.detail,
            "Terraform was interrupted. It was about to: read. Nothing was sent for that. Nothing was changed."
        );
        assert_eq!((period(Duration::from_millis(5)), period(Duration::from_secs(90))), ("5 ms".into(), "90 s".into()));
    }

    #[test]
    fn what_broke_or_was_not_understood_is_told_apart() {
        let lost = Error::Lost { summary: "read".into(), message: "reset".into() };
        assert!(error("read it", &lost, &context()).detail.starts_with("Read: the connection to the server was lost"));
        let unreadable = Error::Unreadable { summary: "read".into(), message: "3 rows".into() };
        assert!(error("read it", &unreadable, &context()).detail.contains("bug in the provider"));
    }

    #[test]
    fn a_parameter_that_is_not_taken_is_told_by_its_state() {
        let cx = context();
        for (code, summary) in [
            ("42704", "There is no parameter \"x\""),
            ("42602", "There is no parameter \"x\""),
            ("42501", "This admin may not set parameter \"x\""),
            ("55P02", "Parameter \"x\" cannot be set for a tenant"),
            ("22023", "Parameter \"x\" does not take this value"),
        ] {
            let diagnostic = parameter("x", &sql(code), Path::attribute("parameters").key("x"), &cx);
            assert_eq!(diagnostic.summary, summary, "{code}");
            assert_eq!(diagnostic.path, Some(Path::attribute("parameters").key("x")));
        }
        let lost = Error::Lost { summary: "read".into(), message: "reset".into() };
        assert_eq!(parameter("x", &lost, Path::attribute("x"), &cx).summary, "Could not check parameter \"x\"");
    }

    #[test]
    fn warnings_do_not_stop_an_apply() {
        let observed = Observed {
            inside: Err("too many schemas".to_owned()),
            ..Observed::locate(&crate::tenant::fixture::snapshot(), &crate::tenant::fixture::names())
        };
        let lost = Error::Lost { summary: "read".into(), message: "reset".into() };
        let unseen = not_entered("acme", &observed, &lost);
        assert_eq!(
            (unseen.severity, unseen.summary.as_str()),
            (Severity::Warning, "Tenant \"acme\" was not inspected")
        );
        assert!(unseen.detail.starts_with("Too many schemas. "), "{}", unseen.detail);
        let step = |summary: &str| Step {
            database: None,
            statements: vec![crate::postgres::Statement::new(summary, "X")],
            whole: None,
        };
        let left = not_done(&Script(vec![step("revoke a"), step("revoke b")]), &sql("42501"));
        assert_eq!((left.severity, left.summary.as_str()), (Severity::Warning, "Could not revoke a, revoke b"));
        assert_eq!(not_refreshed().severity, Severity::Warning);
        assert_eq!(not_known().severity, Severity::Error);
        let old = too_old("transaction_timeout", Feature::TransactionTimeout, &observed.server);
        assert_eq!(old.summary, "`transaction_timeout` needs PostgreSQL 17");
        assert!(old.detail.contains("15.18"));
    }
}
