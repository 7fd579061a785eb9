//! `terraform-provider-pgtenant audit`: the audit without Terraform, for a terminal, a job or an assessor.

use std::io::Write;

use crate::postgres::{Cluster, Error};
use crate::tenant::audit::{self, Report, Status};
use crate::tf_provider::serve::{Invocation, Subcommand};
use crate::tf_provider::shown::shown;
use crate::tf_provider::{Context, Diagnostic, Work};

use super::super::{configuration, diagnose};
use super::{evidence, scope};

/// Nothing but expected.
const CLEAN: u8 = 0;
/// Something is not as expected.
const FINDINGS: u8 = 1;
/// Something could not be looked at, or nothing.
const NOT_CHECKED: u8 = 2;

pub(in crate::provider) const COMMAND: Subcommand = Subcommand {
    name: "audit",
    about: "tell how the tenants of a server are isolated",
    run: |call| Box::pin(run(call)),
};

const USAGE: &str = "\
Usage: terraform-provider-pgtenant audit [OPTIONS]

Tells, control by control, what holds of the isolation of the tenants of a PostgreSQL server, and changes
nothing. The server and the admin are those of the environment, as for the provider: PGHOST, PGPORT,
PGDATABASE, PGUSER, PGPASSWORD, PGSSLMODE (verify-full where it is not set), PGSSLROOTCERT, PGCONNECT_TIMEOUT.

Options:
    --format FORMAT      text (the default), json or html; to standard output
    --tenant NAME        look at this tenant only
    --member-of ROLE     a role that tenants may be members of; may be repeated
    --accept TENANT.CONTROL=REASON, --accept-cluster CONTROL=REASON
                         what is found there is meant to be; may be repeated
    --assume-role ROLE   a role to become after logging in, as the provider's assume_role
    --help               print this text

Exit code: 0, everything is as expected; 1, something is not; 2, something could not be looked at, or the
audit could not be made.
";

type Format = fn(&Report) -> String;

const FORMATS: [(&str, Format); 3] =
    [("text", audit::text), ("json", audit::json), ("html", |report| audit::html(report, true))];

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    format: usize,
    tenant: Option<String>,
    member_of: Vec<String>,
    /// Tenant, control and reason.
    accept: Vec<(String, String, String)>,
    /// Control and reason.
    accept_cluster: Vec<(String, String)>,
    assume_role: Option<String>,
}

/// What the arguments ask for; `None` is for help.
fn parse(arguments: &[String]) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        if ["--help", "-help", "-h"].contains(&name) {
            return Ok(None);
        }
        if !["--format", "--tenant", "--member-of", "--accept", "--accept-cluster", "--assume-role"].contains(&name) {
            return Err(format!("unknown argument: {argument}"));
        }
        let value = attached.or_else(|| arguments.next().cloned()).ok_or_else(|| format!("{name} wants a value"))?;
        match name {
            "--format" => {
                let known = FORMATS.iter().position(|(name, _)| *name == value);
                options.format = known.ok_or_else(|| format!("{value:?} is not one of text, json, html"))?;
            }
            "--tenant" => options.tenant = Some(value),
            "--member-of" => options.member_of.push(value),
            "--accept" => {
                let parts = value.split_once('=').and_then(|(what, why)| Some((what.rsplit_once('.')?, why)));
                let ((tenant, control), why) =
                    parts.ok_or_else(|| format!("{value:?} is not TENANT.CONTROL=REASON"))?;
                options.accept.push((tenant.to_owned(), control.to_owned(), why.to_owned()));
            }
            "--accept-cluster" => {
                let parts = value.split_once('=').ok_or_else(|| format!("{value:?} is not CONTROL=REASON"))?;
                options.accept_cluster.push((parts.0.to_owned(), parts.1.to_owned()));
            }
            _ => options.assume_role = Some(value),
        }
    }
    Ok(Some(options))
}

async fn run(call: Invocation) -> u8 {
    let options = match parse(&call.arguments) {
        Ok(Some(options)) => options,
        Ok(None) => return print(USAGE, CLEAN),
        Err(why) => return complain(&format!("{why}\n\n{USAGE}")),
    };
    let cx = Context::by_hand(call.cancel, Work::Look);
    let report = match report(&cx, &options).await {
        Ok(report) => report,
        Err(_) if cx.cancel.is_cancelled() => return complain("Interrupted.\n"),
        Err(diagnostics) => return complain(&text(&diagnostics)),
    };
    let (_, format) = FORMATS[options.format];
    let code = match (report.count(Status::Fail), report.count(Status::NotChecked)) {
        (0, 0) => CLEAN,
        (0, _) => NOT_CHECKED,
        _ => FINDINGS,
    };
    print(&format(&report), code)
}

fn text(diagnostics: &[Diagnostic]) -> String {
    let text = |diagnostic: &Diagnostic| format!("{}\n\n{}\n", diagnostic.summary, diagnostic.detail);
    diagnostics.iter().map(text).collect::<Vec<_>>().join("\n")
}

async fn report(cx: &Context, options: &Options) -> Result<Report, Vec<Diagnostic>> {
    let one = |diagnostic: Diagnostic| vec![diagnostic];
    let mut scope = scope(options.tenant.as_deref(), &options.member_of).map_err(one)?;
    for (tenant, control, reason) in &options.accept {
        scope.accept(tenant, control, Some(reason)).map_err(one)?;
    }
    for (key, reason) in &options.accept_cluster {
        scope.accept_cluster(key, Some(reason)).map_err(one)?;
    }
    let block = configuration::Model { assume_role: options.assume_role.clone().into(), ..Default::default() };
    let configured =
        configuration::resolve(&block, &|name| std::env::var(name).ok()).map_err(|diagnostics| diagnostics.0)?;
    if !configured.said.0.is_empty() {
        complain(&text(&configured.said.0));
    }
    let connect = configured.options.ok_or_else(|| vec![diagnose::not_known()])?;
    let failed = |error: Error| one(diagnose::error("audit the isolation", &error, cx));
    let cluster = Cluster::new(connect, configured.max_connections).map_err(|error| failed(Error::Connect(error)))?;
    let evidence = evidence::gather(cx, &cluster.into(), scope).await.map_err(one)?;
    Ok(Report::of(&evidence))
}

/// The exit code; that it could not be written is one of its own.
fn print(text: &str, code: u8) -> u8 {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => code,
        Err(error) => complain(&format!("Could not write the report: {error}\n")),
    }
}

fn complain(text: &str) -> u8 {
    let _ = std::io::stderr().lock().write_all(shown(text).as_bytes());
    NOT_CHECKED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], expected: Result<Option<Options>, &str>) {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        assert_eq!(parse(&arguments), expected.map_err(str::to_owned), "{arguments:?}");
    }

    #[test]
    fn arguments_are_read_or_refused() {
        check(&[], Ok(Some(Options::default())));
        let all = [
            "--format",
            "html",
            "--tenant=a=b",
            "--member-of",
            "rds_iam",
            "--member-of=other",
            "--assume-role",
            "x",
            "--accept",
            "a.b.memberships=it is = meant",
            "--accept-cluster=markers=why",
        ];
        let options = Options {
            format: 2,
            tenant: Some("a=b".to_owned()),
            member_of: vec!["rds_iam".to_owned(), "other".to_owned()],
            accept: vec![("a.b".to_owned(), "memberships".to_owned(), "it is = meant".to_owned())],
            accept_cluster: vec![("markers".to_owned(), "why".to_owned())],
            assume_role: Some("x".to_owned()),
        };
        check(&all, Ok(Some(options)));
        check(&["--tenant", "a", "--help"], Ok(None));
        check(&["--format", "xml"], Err("\"xml\" is not one of text, json, html"));
        check(&["--tenant"], Err("--tenant wants a value"));
        check(&["--accept", "memberships"], Err("\"memberships\" is not TENANT.CONTROL=REASON"));
        check(&["--accept-cluster=x"], Err("\"x\" is not CONTROL=REASON"));
        check(&["--verbose"], Err("unknown argument: --verbose"));
        check(&["acme"], Err("unknown argument: acme"));
    }
}
