//! What the provider costs: `cargo bench`. Every time stands beside a floor that was measured in the same run on the same machine, so
//! that the ratio can be compared between machines.

#[path = "../../tests/support/mod.rs"]
mod support;

mod many;
mod plot;
mod report;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P521_SHA512};

use report::{Quantity, Report};
use support::postgres::{ADMIN, Options, Server, pem};
use support::terraform::{Installation, Workspace};
use support::traffic::traffic;
use support::{on_path, scratch};

const PROVIDER: &str = env!("CARGO_BIN_EXE_terraform-provider-pgtenant");
const SIZE_LIMIT: Quantity = Quantity::Bytes(10_000_000);
const SPAWNS: usize = 40;
const TENANTS: usize = 50;

/// How many tenants a plan is measured with, and how often.
const PLANNED: [(usize, usize); 4] = [(10, 5), (50, 5), (200, 5), (500, 1)];

/// How many tenants with further roles, and how often.
const WITH_ROLES: (usize, usize) = (100, 3);

/// How many tenants are created and destroyed, how often, and how many sessions of psql do the same.
const CREATED: usize = 100;
const CREATIONS: usize = 3;
const SESSIONS: usize = 10;

const PROVIDER_TF: &str = "provider \"pgtenant\" {}\n";
const TENANTS_TF: &str = r#"
resource "pgtenant_tenant" "bench" {
  for_each            = toset([for number in range(TENANTS) : "bench${number}"])
  name                = each.key
  deletion_protection = false
}
"#;

/// As many resources that Terraform has built in, of the size of a tenant.
const FLOOR_TF: &str = r#"
resource "terraform_data" "bench" {
  for_each = toset([for number in range(TENANTS) : "bench${number}"])
  input    = merge({ name = each.key }, { for number in range(22) : "control${number}" => "enforced" })
}
"#;

/// Of whom a plan is measured, and the values in the state of each.
const NAMES_TF: &str = r#"
locals {
  names = toset([for number in range(TENANTS) : "plan${number}"])
  roles = merge([for name in local.names : {
    for access in ["owner", "write", "read"] : "${name}_${access}" => { tenant = name, access = access }
  }]...)
  values = { for number in range(22) : "control${number}" => "enforced" }
}
"#;

const DEEP_TF: &str = r#"
variable "deep_verify" {
  type = bool
}

provider "pgtenant" {
  deep_verify = var.deep_verify
}
"#;

/// Tenants with their guardrails.
const PLANNED_TF: &str = r#"
resource "pgtenant_tenant" "bench" {
  for_each            = local.names
  name                = each.key
  deletion_protection = false
}

resource "pgtenant_guardrails" "bench" {
  for_each          = pgtenant_tenant.bench
  tenant            = each.value.name
  connection_limit  = 2
  statement_timeout = "30s"
}
"#;

/// As many resources that Terraform has built in, with as many values in state, each of which stands there twice: what Terraform
/// does for an instance, and how long that takes, depends on the size of all of them.
const BUILT_IN_TF: &str = r#"
resource "terraform_data" "tenant" {
  for_each = local.names
  input    = merge({ name = each.key }, local.values)
}

resource "terraform_data" "guardrails" {
  for_each = terraform_data.tenant
  input    = { tenant = each.value.output.name, connection_limit = 2, statement_timeout = "30s", lock_timeout = "10s" }
}
"#;

/// Tenants with three further roles each.
const ROLES_TF: &str = r#"
resource "pgtenant_tenant" "bench" {
  for_each            = local.names
  name                = each.key
  deletion_protection = false
}

resource "pgtenant_role" "bench" {
  for_each = local.roles
  tenant   = pgtenant_tenant.bench[each.value.tenant].name
  name     = each.key
  access   = each.value.access
}
"#;

/// As many resources that Terraform has built in, of the size of these.
const BUILT_IN_ROLES_TF: &str = r#"
resource "terraform_data" "tenant" {
  for_each = local.names
  input    = merge({ name = each.key }, local.values)
}

resource "terraform_data" "role" {
  for_each = local.roles
  input = merge(
    { tenant = terraform_data.tenant[each.value.tenant].output.name, name = each.key, access = each.value.access },
    { for number in range(14) : "control${number}" => "enforced" },
  )
}
"#;

fn main() -> ExitCode {
    if cfg!(debug_assertions) {
        eprintln!("This is not an optimised build: the figures mean nothing. Run `cargo bench`.");
    }
    let mut report = Report::default();
    let measured = measure(&mut report).and_then(|()| report.publish());
    scratch::clear();
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// All parts, or those that are named: `cargo bench -- plans`.
fn measure(report: &mut Report) -> Result<(), String> {
    type Part = fn(&mut Report) -> Result<(), String>;
    let parts: [(&str, Part); 6] = [
        ("size", size),
        ("handshake", handshake),
        ("many", many::measure),
        ("tenants", tenants),
        ("creations", creations),
        ("plans", plans),
    ];
    // Cargo adds flags of its own.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if let Some(unknown) = wanted.iter().find(|name| parts.iter().all(|(part, _)| part != name)) {
        return Err(format!("there is no part {unknown}; there are {}", parts.map(|(part, _)| part).join(", ")));
    }
    for (name, part) in parts {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            part(report)?;
        }
    }
    Ok(())
}

fn size(report: &mut Report) -> Result<(), String> {
    let size = fs::metadata(PROVIDER).map_err(|error| format!("{PROVIDER}: {error}"))?.len();
    report.limited("binary, stripped", Quantity::Bytes(size), SIZE_LIMIT);
    Ok(())
}

/// From spawn to the line that Terraform waits for, against spawning a program that does nothing.
fn handshake(report: &mut Report) -> Result<(), String> {
    let certificate = client_certificate().map_err(|error| format!("cannot make a certificate: {error}"))?;
    // A killed provider cannot remove its socket.
    let sockets = scratch::directory("sockets")?;
    let mut provider = Command::new(PROVIDER);
    provider
        .env("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2")
        .env("PLUGIN_PROTOCOL_VERSIONS", "5")
        .env("PLUGIN_CLIENT_CERT", certificate)
        .env("TMPDIR", &sockets)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut nothing = Command::new("true");

    let (mut times, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..SPAWNS {
        let (floor, status) = timed(|| nothing.status().map_err(|error| format!("cannot run true: {error}")));
        status?;
        floors.push(floor);

        let started = Instant::now();
        let mut child = provider.spawn().map_err(|error| format!("cannot run {PROVIDER}: {error}"))?;
        let mut line = String::new();
        let read = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line);
        times.push(started.elapsed());
        let _ = child.kill();
        let _ = child.wait();
        if read.is_err() || !line.starts_with("1|5|unix|") {
            return Err(format!("the provider's first line is no handshake: {line:?}"));
        }
    }
    times.sort();
    floors.sort();
    let (time, floor) = (times[SPAWNS / 2], floors[SPAWNS / 2]);
    let range = format!("{} to {}", Quantity::Time(times[0]), Quantity::Time(times[SPAWNS - 1]));
    report.against("spawn to handshake, median", time, floor, "spawn of `true`", &range);
    Ok(())
}

fn tenants(report: &mut Report) -> Result<(), String> {
    let server = Server::start(Options::default())?;
    let mut workspace = Workspace::with(Path::new(PROVIDER), Installation::Override)?;
    workspace.envs(server.env()).write("main.tf", PROVIDER_TF);

    let databases = || -> Result<(), String> {
        let admin = server.session("postgres", ADMIN).map_err(|error| error.to_string())?;
        for number in 0..TENANTS {
            let create = format!("CREATE DATABASE floor{number} TEMPLATE template0");
            let drop = format!("DROP DATABASE floor{number}");
            for statement in [create, drop] {
                admin.sql(&statement).map_err(|error| format!("{statement}: {error}"))?;
            }
        }
        Ok(())
    };
    let (databases_floor, done) = timed(databases);
    done?;
    let (plan_floor, planned) = timed(|| workspace.try_run(&["plan"])?.ok());
    planned?;

    workspace.write("tenants.tf", &TENANTS_TF.replace("TENANTS", &TENANTS.to_string()));
    let ((apply, applied), peak) = with_peak_memory(|| timed(|| workspace.try_run(&["apply", "-auto-approve"])?.ok()));
    applied?;
    let (plan, planned) = timed(|| workspace.try_run(&["plan", "-detailed-exitcode"])?.ok());
    planned?;
    let (destroy, destroyed) = timed(|| workspace.try_run(&["destroy", "-auto-approve"])?.ok());
    destroyed?;

    let floor = "create and drop of as many bare databases";
    report.against(&format!("apply of {TENANTS} tenants"), apply, databases_floor, floor, "");
    report.against(&format!("plan with refresh of {TENANTS} tenants"), plan, plan_floor, "plan of nothing", "");
    report.against(&format!("destroy of {TENANTS} tenants"), destroy, databases_floor, floor, "");
    let what = "peak resident memory during apply";
    match peak {
        Some(kilobytes) => report.figure(what, Quantity::Bytes(kilobytes * 1024), "the provider's"),
        None => report.missing(what, "read from /proc, which only Linux has"),
    }
    Ok(())
}

/// Creating and destroying tenants against psql, which sends what the provider sent to change something: all that belongs to one
/// tenant in one session with the maintenance database and one with its own. In turns, for the machine is not the same from one
/// minute to the next. Terraform's own part is what as many of its built-in resources take.
fn creations(report: &mut Report) -> Result<(), String> {
    let Some(psql) = on_path("psql") else {
        report.missing("create and destroy", "psql, the floor, is not on the PATH");
        return Ok(());
    };
    let server = Server::start(Options::default())?;
    let text = |template: &str| template.replace("TENANTS", &CREATED.to_string());
    let mut tenants = Workspace::with(Path::new(PROVIDER), Installation::Override)?;
    tenants.envs(server.env()).write("main.tf", &(PROVIDER_TF.to_owned() + &text(TENANTS_TF)));
    let built_in = Workspace::with(Path::new(PROVIDER), Installation::Override)?;
    built_in.write("main.tf", &text(FLOOR_TF));
    let mut measured =
        ["apply", "destroy"].map(|command| (command, [Vec::new(), Vec::new(), Vec::new()], String::new()));
    for _ in 0..CREATIONS {
        for (command, times, log) in &mut measured {
            let mark = server.log_mark();
            for (at, workspace) in [(0, &built_in), (1, &tenants)] {
                let (time, done) = timed(|| workspace.try_run(&[command, "-auto-approve"])?.ok());
                done?;
                times[at].push(time);
            }
            *log = server.log_since(mark);
        }
        for (_, times, log) in &mut measured {
            let scripts = replayed(log);
            let (time, done) = timed(|| replay(&psql, &server, &scripts));
            done?;
            times[2].push(time);
        }
    }
    for (command, times, log) in measured {
        let [terraforms, ours, floor] = times.map(median);
        let traffic = traffic(&log, ADMIN);
        let each = |count: usize| count as f64 / CREATED as f64;
        let (connections, statements) = (each(traffic.connections), each(traffic.statements));
        let remark = format!("{connections:.2} connections and {statements:.2} statements for each");
        let psql = format!("psql, {SESSIONS} sessions at a time");
        report.against(&format!("{command} of {CREATED} tenants"), ours, floor, &psql, &remark);
        let own = ours.saturating_sub(terraforms);
        let remark = format!("Terraform's part is {}", Quantity::Time(terraforms));
        report.against("the same, less Terraform's part", own, floor, &psql, &remark);
    }
    Ok(())
}

/// One script for each session, from the log of what was changed.
fn replayed(log: &str) -> Vec<String> {
    let is_next = |line: &str| line.starts_with(|c: char| c.is_ascii_digit());
    let mut changes: Vec<(String, String)> = Vec::new();
    let mut is_open = false;
    for line in log.lines() {
        if is_next(line) {
            let begun = line.split_once(&format!(" {ADMIN}@")).and_then(|(_, rest)| {
                let (database, rest) = rest.split_once("/terraform-provider-pgtenant LOG:  statement: ")?;
                (!rest.starts_with("SELECT ")).then(|| (database.to_owned(), rest.to_owned()))
            });
            is_open = begun.is_some();
            changes.extend(begun);
        } else if let (true, Some((_, text))) = (is_open, changes.last_mut()) {
            text.push('\n');
            text.push_str(line.trim_start_matches('\t'));
        }
    }
    let quoted = |number: usize| format!("\"bench{number}\"");
    let mut scripts = vec![String::new(); SESSIONS];
    for number in 0..CREATED {
        let name = format!("bench{number}");
        let script = &mut scripts[number % SESSIONS];
        for at in ["postgres", &name] {
            if !changes.iter().any(|(database, _)| database == at) {
                continue;
            }
            script.push_str(&format!("\\connect {at}\n"));
            // What is said of all at the end belongs to none.
            let is_of_it =
                |text: &str| text.contains(&quoted(number)) && !text.contains(&quoted((number + 1) % CREATED));
            let of_it = changes.iter().filter(|(database, text)| database == at && (at == name || is_of_it(text)));
            for (_, text) in of_it {
                // One query, and so one transaction, as it was.
                script.push_str(&text.replace(";\n", "\\;\n"));
                script.push_str(";\n");
            }
        }
    }
    scripts
}

fn replay(psql: &Path, server: &Server, scripts: &[String]) -> Result<(), String> {
    let run = |script: &String| -> Result<(), String> {
        let mut command = Command::new(psql);
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", "postgres"]).envs(server.env());
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn();
        let mut child = piped.map_err(|error| format!("cannot run psql: {error}"))?;
        let written = child.stdin.take().expect("piped").write_all(script.as_bytes());
        written.map_err(|error| format!("psql ended early: {error}"))?;
        let status = child.wait().map_err(|error| format!("psql: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("psql: {status}")) }
    };
    thread::scope(|scope| {
        let running: Vec<_> = scripts.iter().map(|script| scope.spawn(move || run(script))).collect();
        running.into_iter().try_for_each(|one| one.join().expect("no panic"))
    })
}

/// A plan of many tenants, looking inside or not, against one of as many resources that cost Terraform the same and the
/// provider nothing. In turns, for the machine is not the same from one minute to the next.
fn plans(report: &mut Report) -> Result<(), String> {
    for (tenants, times) in PLANNED {
        let medians = planned(report, &format!("{tenants} tenants"), (tenants, times), PLANNED_TF, BUILT_IN_TF)?;
        for (curve, time) in ["as many terraform_data", "deep_verify = false", "deep_verify = true"].iter().zip(medians)
        {
            report.point(curve, tenants, time);
        }
    }
    let what = format!("{} tenants with 3 roles each", WITH_ROLES.0);
    planned(report, &what, WITH_ROLES, ROLES_TF, BUILT_IN_ROLES_TF).map(drop)
}

/// A plan in which nothing is to be done: the floor, with a refresh from the server's catalogs alone, and with `deep_verify`.
fn planned(
    report: &mut Report,
    what: &str,
    (count, repeats): (usize, usize),
    ours: &str,
    floor: &str,
) -> Result<[Duration; 3], String> {
    let server = Server::start(Options { extra_conf: "max_connections = 1000\n", ..Options::default() })?;
    let names = NAMES_TF.replace("TENANTS", &count.to_string());
    let mut tenants = Workspace::with(Path::new(PROVIDER), Installation::Override)?;
    tenants.envs(server.env()).env("TF_VAR_deep_verify", "true").write("provider.tf", DEEP_TF).write("main.tf", ours);
    let built_in = Workspace::with(Path::new(PROVIDER), Installation::Override)?;
    built_in.write("main.tf", floor);
    for workspace in [&tenants, &built_in] {
        workspace.write("names.tf", &names);
        workspace.try_run(&["apply", "-auto-approve"])?.ok()?;
    }
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    let mut seen = [None, None];
    for _ in 0..repeats {
        let (floor, planned) = timed(|| built_in.try_run(&["plan", "-detailed-exitcode"])?.ok());
        planned?;
        times[0].push(floor);
        for (at, deep) in ["false", "true"].into_iter().enumerate() {
            tenants.env("TF_VAR_deep_verify", deep);
            let mark = server.log_mark();
            let (time, planned) = timed(|| tenants.try_run(&["plan", "-detailed-exitcode"])?.ok());
            planned?;
            times[at + 1].push(time);
            seen[at] = Some(traffic(&server.log_since(mark), ADMIN));
        }
    }
    let medians = times.map(median);
    for ((deep, time), seen) in [false, true].into_iter().zip(&medians[1..]).zip(seen) {
        let remark = seen.map_or(String::new(), |traffic| {
            format!("{} connections, {} statements", traffic.connections, traffic.statements)
        });
        let floor = "as many and as large terraform_data";
        report.against(&format!("plan of {what}, deep_verify = {deep}"), *time, medians[0], floor, &remark);
    }
    Ok(medians)
}

/// The highest VmHWM, in kB, of any process of the provider while `work` runs. The kernel keeps the
/// peak, so nothing between two looks is missed but a process's last milliseconds.
fn with_peak_memory<T>(work: impl FnOnce() -> T) -> (T, Option<u64>) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut peak = None;
            while !done.load(Ordering::Relaxed) {
                peak = peak.max(resident_peak());
                thread::sleep(Duration::from_millis(5));
            }
            peak
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        (result, sampler.join().expect("the sampler does not panic"))
    })
}

fn resident_peak() -> Option<u64> {
    let provider = fs::canonicalize(PROVIDER).ok()?;
    let processes = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    let ours = processes.filter(|process| fs::read_link(process.join("exe")).is_ok_and(|exe| exe == provider));
    let peak = |process: &Path| {
        let status = fs::read_to_string(process.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    ours.filter_map(|process| peak(&process)).max()
}

/// Like Terraform's own: with one, the provider makes its certificate before it says that it is there.
fn client_certificate() -> Result<String, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512)?;
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.self_signed(&key)?;
    Ok(pem("CERTIFICATE", certificate.der()))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let started = Instant::now();
    let result = work();
    (started.elapsed(), result)
}
