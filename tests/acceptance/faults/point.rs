//! One fault at one message of one operation, and what becomes of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::operations::{Ground, Operation, Then, reopen, with_cron};
use super::remains::{difference, remains};
use crate::fixture::PROVIDER;
use crate::support::fault_proxy::{Proxy, Strike, Watch};
use crate::support::postgres::{ADMIN, SUPERUSER, Server, Session};
use crate::support::terraform::{Run, Running, Workspace};
use crate::support::{children, is_running, signal};

/// What strikes, by the name under which it can be run again.
pub const FAULTS: [(&str, Fault); 11] = [
    ("drop", Fault::Strike(Strike::Drop)),
    ("drop_after", Fault::Strike(Strike::DropAfter)),
    ("kill_after", Fault::Kill(Victim::Provider)),
    ("kill_terraform_after", Fault::Kill(Victim::Terraform)),
    ("freeze", Fault::Silence(Strike::Freeze)),
    ("partition_after", Fault::Silence(Strike::CutAfter)),
    ("57P01", Fault::Strike(Strike::Refuse("57P01"))),
    ("53300", Fault::Strike(Strike::Refuse("53300"))),
    ("40001", Fault::Strike(Strike::Refuse("40001"))),
    ("XX000", Fault::Strike(Strike::Refuse("XX000"))),
    ("25006", Fault::Strike(Strike::Refuse("25006"))),
];

#[derive(Clone, Copy)]
pub enum Fault {
    /// Once; after it the server can be reached again.
    Strike(Strike),
    /// The server cannot be reached any more. What does not end by itself soon is ended with Ctrl-C.
    Silence(Strike),
    /// A process is killed before it has the answer.
    Kill(Victim),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    Provider,
    Terraform,
}

impl Fault {
    /// Who gives up what Terraform was never told of has nothing to destroy.
    pub fn fits(self, operation: &Operation) -> bool {
        operation.then != Then::GiveUp || !matches!(self, Fault::Kill(_))
    }

    fn strike(self) -> Strike {
        match self {
            Fault::Strike(strike) | Fault::Silence(strike) => strike,
            Fault::Kill(_) => Strike::HoldAfter,
        }
    }
}

/// What a server that is away is given before Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(1);
/// By then every run must have ended: a bound for what hangs, not a measure of speed.
const END: Duration = Duration::from_secs(45);
/// The same where an `apply` still plans: Terraform does not pass Ctrl-C on to the provider then, and what a silent server is asked
/// ends after the two minutes that a plan has.
const END_OF_PLAN: Duration = Duration::from_secs(150);

/// A server, the proxy before it, and a place to work in.
pub struct Bench {
    server: Server,
    proxy: Proxy,
    workspace: Workspace,
    pub has_cron: bool,
    /// What there is on the server when nothing is done.
    clean: Vec<String>,
}

/// An operation that ran without a fault.
pub struct Reference {
    /// How many messages its plan takes.
    pub planning: usize,
    /// How many it takes with its plan.
    pub messages: usize,
    remains: Vec<String>,
}

/// A tenant that is ready for the operation.
pub struct Prepared {
    name: String,
    state: Option<String>,
}

/// How a point ended.
pub struct Outcome {
    pub injected: bool,
    /// Why it did not converge.
    pub failed: Option<String>,
    /// From the fault to the end of the run that it struck.
    pub ended_after: Duration,
}

impl Bench {
    pub fn new(major: u32, ground: Ground) -> Result<Bench, String> {
        let server = Server::start(ground.options(major))?;
        if ground == Ground::Cron {
            server.superuser(&with_cron());
        }
        let proxy = Proxy::before(server.port).map_err(|error| format!("no proxy: {error}"))?;
        let mut workspace = Workspace::new(PROVIDER);
        workspace.envs(server.env()).env("PGPORT", &proxy.port.to_string());
        let clean = remains(&server, "nobody")?;
        Ok(Bench { server, proxy, workspace, has_cron: ground == Ground::Cron, clean })
    }

    pub fn major(&self) -> u32 {
        self.server.major
    }

    /// Makes as many tenants as are asked for, all at once, each with a state of its own.
    pub fn prepare(&self, operation: &Operation, count: usize) -> Result<Vec<Prepared>, String> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let names: Vec<String> = (0..count).map(|_| format!("f{:05}", MADE.fetch_add(1, Ordering::Relaxed))).collect();
        let mut workspace = Workspace::new(PROVIDER);
        workspace.envs(self.server.env());
        for (at, before) in operation.before.iter().enumerate() {
            workspace.write("main.tf", &names.iter().map(|name| before.replace("NAME", name)).collect::<String>());
            workspace.try_run(&["apply", "-auto-approve"])?.ok()?;
            if at == 0 && !operation.ground.is_shared() {
                for name in &names {
                    let rows = format!("SET ROLE {name}; CREATE TABLE app.kept AS SELECT 42 AS answer");
                    self.sql(name, SUPERUSER, &rows)?;
                }
            }
        }
        for name in &names {
            for (database, sql) in &operation.by_hand {
                self.sql(&database.replace("NAME", name), ADMIN, &sql.replace("NAME", name))?;
            }
        }
        let state: Option<Value> = if operation.before.is_empty() || operation.forgets {
            None
        } else {
            Some(serde_json::from_str(&workspace.state_file()).map_err(|error| error.to_string())?)
        };
        let of_its_own = |name: String| {
            let state = state.clone().map(|mut state| {
                if let Some(resources) = state["resources"].as_array_mut() {
                    resources.retain(|resource| resource["name"] == name.as_str());
                }
                state.to_string()
            });
            Prepared { name, state }
        };
        Ok(names.into_iter().map(of_its_own).collect())
    }

    /// Runs the operation without a fault, and looks at every message whether a door is open.
    pub fn measure(&self, operation: &Operation) -> Result<Reference, String> {
        let prepared = self.prepare(operation, 1)?.remove(0);
        let name = &prepared.name;
        let session = self.take_up(operation, &prepared)?;
        self.proxy.begin(Watch::Count);
        self.workspace
            .try_run(&["plan", if operation.after.is_some() { "-destroy=false" } else { "-destroy" }])?
            .ok()?;
        let planning = self.proxy.messages();
        self.proxy.begin(Watch::Step);
        let mut running = self.workspace.spawn(&command(operation));
        let started = Instant::now();
        while running.is_running() && started.elapsed() < END_OF_PLAN {
            if self.proxy.holds() {
                let door = self.no_open_door(operation, name);
                door.map_err(|door| format!("before message {}: {door}", self.proxy.messages()))?;
                self.proxy.release();
            }
            pause();
        }
        running.wait().ok()?;
        drop(session);
        let messages = self.proxy.messages();
        self.proxy.begin(Watch::Count);
        self.nothing_to_do(operation)?;
        let remains = self.end(operation, name)?;
        self.clear(operation, name)?;
        Ok(Reference { planning, messages, remains })
    }

    /// Runs the operation with a fault at the k-th message, then once more without, and compares what there is with what
    /// there should be.
    pub fn point(
        &self,
        operation: &Operation,
        prepared: &Prepared,
        (fault, at): (Fault, usize),
        reference: &Reference,
    ) -> Result<Outcome, String> {
        let session = self.take_up(operation, prepared)?;
        self.proxy.begin(Watch::At(at, fault.strike()));
        let mut running = self.workspace.spawn(&command(operation));
        let mut outcome = Outcome { injected: false, failed: None, ended_after: Duration::ZERO };
        let plans = at <= reference.planning && matches!(fault, Fault::Silence(_));
        let struck = self.follow(&mut running, fault, if plans { END_OF_PLAN } else { END });
        outcome.injected = self.proxy.struck();
        outcome.ended_after = struck.elapsed();
        let first = if running.is_running() {
            // What hangs is killed.
            drop(running);
            None
        } else {
            Some(running.wait())
        };
        self.proxy.begin(Watch::Count);
        drop(session);
        outcome.failed = self.recover(operation, &prepared.name, first, reference).err();
        self.clear(operation, &prepared.name)?;
        Ok(outcome)
    }

    /// Waits until the run has ended, and does what the fault asks. Gives the moment of the fault.
    fn follow(&self, running: &mut Running, fault: Fault, end: Duration) -> Instant {
        let mut struck = Instant::now();
        while running.is_running() && !self.proxy.struck() && struck.elapsed() < END {
            pause();
        }
        if self.proxy.struck() {
            struck = Instant::now();
        }
        let mut providers = Vec::new();
        if let Fault::Kill(victim) = fault {
            while running.is_running() && !self.proxy.holds() && struck.elapsed() < END {
                pause();
            }
            providers = children(running.pid());
            match victim {
                Victim::Provider => providers.iter().for_each(|pid| signal(*pid as i32, libc::SIGKILL)),
                Victim::Terraform => signal(running.pid() as i32, libc::SIGKILL),
            }
            self.proxy.release();
        }
        let mut interrupted = false;
        while (running.is_running() || providers.iter().any(|pid| is_running(*pid))) && struck.elapsed() < end {
            if matches!(fault, Fault::Silence(_)) && !interrupted && struck.elapsed() > PATIENCE {
                running.interrupt();
                interrupted = true;
            }
            pause();
        }
        struck
    }

    /// What the user does next, once; then all must be as after a run without a fault.
    fn recover(
        &self,
        operation: &Operation,
        name: &str,
        first: Option<Run>,
        reference: &Reference,
    ) -> Result<(), String> {
        self.no_open_door(operation, name)?;
        self.settle()?;
        let first = first.ok_or("the run did not end")?;
        let said = |why: String| format!("{why}; the run with the fault had said: {}", brief(&first));
        // Nothing is left to do where the fault was got over at once.
        let done = first.status.success() && self.nothing_to_do(operation).is_ok();
        if operation.then != Then::GiveUp && !done {
            let again = self.workspace.try_run(&command(operation))?;
            if !again.status.success() {
                return Err(said(format!("the next run failed: {}", brief(&again))));
            }
            self.nothing_to_do(operation).map_err(said)?;
        }
        let found = self.end(operation, name).map_err(said)?;
        if found == reference.remains { Ok(()) } else { Err(said(difference(&reference.remains, &found))) }
    }

    /// The plan is empty, or so is the state.
    fn nothing_to_do(&self, operation: &Operation) -> Result<(), String> {
        if operation.after.is_none() {
            return self.nothing_in_state();
        }
        let plan = self.workspace.try_run(&["plan", "-detailed-exitcode"])?;
        if plan.status.success() {
            return Ok(());
        }
        let changes = plan.stdout.lines().map(str::trim).filter(|line| line.starts_with(['~', '+', '-', '#']));
        let changes = changes.collect::<Vec<_>>().join(" ");
        Err(format!("the plan is not empty: {}{changes}", brief(&plan)))
    }

    /// Checks what a user meets at the end, and gives what there is on the server then.
    fn end(&self, operation: &Operation, name: &str) -> Result<Vec<String>, String> {
        self.no_open_door(operation, name)?;
        if operation.then == Then::GiveUp {
            self.destroy()?;
            return remains(&self.server, name);
        }
        if let Some(password) = operation.password {
            let login = self.server.session_with_password(name, name, password);
            login.map_err(|error| format!("the password is not the one that was set: {error}"))?;
        }
        let found = remains(&self.server, name)?;
        if operation.then == Then::Undo {
            self.destroy()?;
            let left = remains(&self.server, name)?;
            if left != self.clean {
                return Err(format!("destroyed later: {}", difference(&self.clean, &left)));
            }
        }
        Ok(found)
    }

    fn destroy(&self) -> Result<(), String> {
        let run = self.workspace.try_run(&["destroy", "-auto-approve"])?;
        if !run.status.success() {
            return Err(format!("the destroy failed: {}", brief(&run)));
        }
        self.nothing_in_state()
    }

    fn nothing_in_state(&self) -> Result<(), String> {
        let path = self.workspace.dir.join("terraform.tfstate");
        // Without a state file there is nothing in it.
        let text = std::fs::read_to_string(path).unwrap_or_else(|_| "{}".to_owned());
        let state: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let left = state["resources"].as_array().map_or(0, Vec::len);
        if left == 0 { Ok(()) } else { Err(format!("the state still has {left} resources")) }
    }

    /// Puts the tenant's configuration and state where Terraform runs.
    fn take_up(&self, operation: &Operation, prepared: &Prepared) -> Result<Option<Session>, String> {
        let name = &prepared.name;
        let config = operation.after.as_ref().or(operation.before.last()).ok_or("nothing to apply")?;
        self.workspace.write("main.tf", &config.replace("NAME", name));
        for file in ["terraform.tfstate", "terraform.tfstate.backup"] {
            let _ = std::fs::remove_file(self.workspace.dir.join(file));
        }
        if let Some(state) = &prepared.state {
            self.workspace.write("terraform.tfstate", state);
        }
        if !operation.connected {
            return Ok(None);
        }
        self.server.session(name, name).map(Some).map_err(|error| format!("no session of the tenant: {error}"))
    }

    /// Everybody may enter none of the tenant's databases that can be entered.
    fn no_open_door(&self, operation: &Operation, name: &str) -> Result<(), String> {
        if operation.ground == Ground::Foreign {
            return Ok(());
        }
        let open = format!(
            "SELECT datname FROM pg_database WHERE starts_with(datname, '{name}') AND datallowconn AND EXISTS (
               SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba)))
               WHERE grantee = 0 AND privilege_type = 'CONNECT')"
        );
        let doors = self.sql("postgres", SUPERUSER, &open)?;
        if doors.is_empty() { Ok(()) } else { Err(format!("PUBLIC may enter {doors:?}")) }
    }

    /// Waits until nothing of the last run goes on at the server.
    fn settle(&self) -> Result<(), String> {
        let busy = "SELECT query FROM pg_stat_activity WHERE application_name = 'terraform-provider-pgtenant'";
        let started = Instant::now();
        loop {
            let left = self.sql("postgres", SUPERUSER, busy)?;
            if left.is_empty() {
                return Ok(());
            }
            if started.elapsed() > END {
                return Err(format!("the server is still at it: {left:?}"));
            }
            pause();
        }
    }

    /// Removes all that may be left of a tenant, and opens what an operation on the whole server closed.
    fn clear(&self, operation: &Operation, name: &str) -> Result<(), String> {
        let mine = format!("SELECT format('%I', datname) FROM pg_database WHERE starts_with(datname, '{name}')");
        for database in self.sql("postgres", SUPERUSER, &mine)?.into_iter().flatten().flatten() {
            self.sql("postgres", SUPERUSER, &format!("DROP DATABASE {database} WITH (FORCE)"))?;
        }
        let mine = format!("SELECT format('%I', rolname) FROM pg_roles WHERE starts_with(rolname, '{name}')");
        for role in self.sql("postgres", SUPERUSER, &mine)?.into_iter().flatten().flatten() {
            self.sql("postgres", SUPERUSER, &format!("DROP ROLE {role}"))?;
        }
        if operation.ground.is_shared() {
            self.sql("postgres", SUPERUSER, &reopen(operation.ground))?;
        }
        let left = remains(&self.server, name)?;
        if left == self.clean { Ok(()) } else { Err(format!("not clean: {}", difference(&self.clean, &left))) }
    }

    fn sql(&self, database: &str, role: &str, text: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        self.server.sql(database, role, text).map_err(|error| format!("{error}: {text}"))
    }
}

/// One tenant has one message after the other.
fn command(operation: &Operation) -> [&'static str; 3] {
    [if operation.after.is_some() { "apply" } else { "destroy" }, "-auto-approve", "-parallelism=1"]
}

/// The errors that Terraform ends with, cut to what fits a line.
fn brief(run: &Run) -> String {
    let message = run.message();
    let message = message.split_once("Error: ").map_or(message.as_str(), |(_, errors)| errors);
    message.chars().take(600).collect()
}

fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}
