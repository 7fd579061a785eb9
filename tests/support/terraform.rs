//! Directories of configuration, and the real `terraform` run in them. What must hold after every apply
//! (an empty plan, with and without refresh) is checked here, so that no test can forget it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{on_path, scratch, signal};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// A command that takes longer is stuck: killed, and reported with what it had said.
const PATIENCE: Duration = Duration::from_secs(300);

const VERSIONS_TF: &str = r#"terraform {
  required_version = ">= 1.11"
  required_providers {
    pgtenant = {
      source = "pgtenant/pgtenant"
    }
  }
}
"#;

/// The registries in whose name Terraform and OpenTofu look for a provider that is called by two words. `PGTENANT_TEST_TERRAFORM` may be
/// either.
const HOSTS: [&str; 2] = ["registry.terraform.io", "registry.opentofu.org"];

/// How Terraform comes by the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installation {
    /// `dev_overrides`: the binary as it lies there, no `init`.
    Override,
    /// A filesystem mirror, as an offline site has it: `init` installs from it and writes a lock file.
    Mirror,
}

/// A provider's binary, under the name and version by which Terraform is to find it.
#[derive(Clone, Debug)]
pub struct Provider {
    /// `hashicorp/aws`
    pub source: &'static str,
    pub version: &'static str,
    pub binary: PathBuf,
}

impl Provider {
    /// Our own.
    pub fn pgtenant(binary: &Path) -> Provider {
        Provider { source: "pgtenant/pgtenant", version: VERSION, binary: binary.to_owned() }
    }

    fn file_name(&self) -> String {
        format!("terraform-provider-{}", self.source.rsplit('/').next().unwrap_or_default())
    }
}

/// A directory with configuration and state. Goes when the process does.
pub struct Workspace {
    /// Where Terraform runs.
    pub dir: PathBuf,
    root: PathBuf,
    terraform: PathBuf,
    providers: Vec<Provider>,
    installation: Installation,
    env: BTreeMap<String, String>,
    runs: AtomicU32,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Run {
    pub command: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// A command under way, in a process group of its own: Ctrl-C goes to a group. Killed when dropped.
pub struct Running {
    command: String,
    child: Child,
    output: PathBuf,
    own_group: bool,
}

/// `terraform show -json` of a plan.
#[derive(Debug)]
pub struct Plan {
    pub json: Value,
}

/// One attribute that a plan changes. `after` is `None` for "known after apply".
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// `parameters.work_mem`, `extensions[0]`
    pub path: String,
    pub before: Value,
    pub after: Option<Value>,
}

impl Workspace {
    /// With `dev_overrides`. `provider` is the built binary.
    #[track_caller]
    pub fn new(provider: impl AsRef<Path>) -> Workspace {
        must(Workspace::with(provider.as_ref(), Installation::Override))
    }

    pub fn with(provider: &Path, installation: Installation) -> Result<Workspace, String> {
        Workspace::of(vec![Provider::pgtenant(provider)], installation)
    }

    /// With these providers and no other.
    pub fn of(providers: Vec<Provider>, installation: Installation) -> Result<Workspace, String> {
        let terraform = find_terraform()?;
        let root = scratch::directory("terraform")?;
        let workspace = Workspace {
            dir: root.join("work"),
            root,
            terraform,
            providers,
            installation,
            env: BTreeMap::new(),
            runs: AtomicU32::new(0),
        };
        workspace.furnish().map_err(|error| format!("cannot furnish {}: {error}", workspace.root.display()))?;
        Ok(workspace)
    }

    fn furnish(&self) -> std::io::Result<()> {
        let root = &self.root;
        for dir in ["work", "home", "output", "override"] {
            fs::create_dir(root.join(dir))?;
        }
        let mut overrides = String::new();
        for provider in &self.providers {
            let (source, version, name) = (provider.source, provider.version, provider.file_name());
            let overriding = root.join("override").join(source);
            let mirrored = HOSTS.map(|host| root.join(format!("mirror/{host}/{source}/{version}/{}", platform())));
            let mirrored = mirrored.into_iter().map(|dir| (dir, format!("{name}_v{version}")));
            // Directories with nothing but the binary: beside the built one lies more that has its name.
            for (dir, name) in [(overriding.clone(), name.clone())].into_iter().chain(mirrored) {
                fs::create_dir_all(&dir)?;
                symlink(&provider.binary, dir.join(name))?;
            }
            overrides += &format!(" {source:?} = {overriding:?}");
        }
        let installation = match self.installation {
            Installation::Override => format!("dev_overrides {{{overrides} }}"),
            Installation::Mirror => format!("filesystem_mirror {{ path = {:?} }}", root.join("mirror")),
        };
        // Without a `direct` block no registry is ever asked.
        fs::write(root.join("terraform.rc"), format!("provider_installation {{\n  {installation}\n}}\n"))?;
        fs::write(self.dir.join("versions.tf"), VERSIONS_TF)
    }

    pub fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// As of [`super::postgres::Server::env`].
    pub fn envs<K: AsRef<str>, V: AsRef<str>>(&mut self, env: impl IntoIterator<Item = (K, V)>) -> &mut Self {
        for (name, value) in env {
            self.env(name.as_ref(), value.as_ref());
        }
        self
    }

    /// Writes or overwrites a file. `versions.tf`, which names the provider, is there from the beginning.
    #[track_caller]
    pub fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.dir.join(name), text).unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
        self
    }

    /// Copies the configuration of a directory into this one.
    pub fn copy_from(&self, dir: &Path) -> Result<(), String> {
        let copy = || {
            for entry in fs::read_dir(dir)? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "tf") {
                    fs::copy(&path, self.dir.join(path.file_name().unwrap_or_default()))?;
                }
            }
            Ok(())
        };
        copy().map_err(|error: std::io::Error| format!("cannot copy {}: {error}", dir.display()))
    }

    /// Copies `<from>/<path>` to where `../<path>` finds it: a module beside the configuration.
    pub fn copy_beside(&self, from: &Path, path: &str) -> Result<(), String> {
        let beside = self.dir.parent().expect("made in one").join(path);
        fs::create_dir_all(&beside).map_err(|error| format!("cannot make {}: {error}", beside.display()))?;
        copy_tree(&from.join(path), &beside).map_err(|error| format!("cannot copy {path}: {error}"))
    }

    /// Runs `terraform` to its end, which may be a failure.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Run {
        must(self.try_run(args))
    }

    /// Starts `terraform` and does not wait.
    #[track_caller]
    pub fn spawn(&self, args: &[&str]) -> Running {
        must(self.start(args, true))
    }

    #[track_caller]
    pub fn plan(&self) -> Plan {
        must(self.try_plan())
    }

    /// Applies, then demands two empty plans: what was planned is what was reached, and what was reached
    /// is what is read back.
    #[track_caller]
    pub fn apply(&self) -> Run {
        must(self.try_apply())
    }

    #[track_caller]
    pub fn destroy(&self) -> Run {
        must(self.try_run(&["destroy", "-auto-approve"]).and_then(Run::ok))
    }

    /// What Terraform says when planning fails, as one line: see [`Run::message`].
    #[track_caller]
    pub fn plan_error(&self) -> String {
        must(self.try_run(&["plan"]).and_then(Run::failed)).message()
    }

    /// What Terraform says when applying fails, as one line: see [`Run::message`].
    #[track_caller]
    pub fn apply_error(&self) -> String {
        must(self.try_run(&["apply", "-auto-approve"]).and_then(Run::failed)).message()
    }

    #[track_caller]
    pub fn assert_empty_plan(&self) {
        must(self.try_run(&["plan", "-detailed-exitcode"]).and_then(Run::ok));
    }

    /// `terraform show -json`.
    #[track_caller]
    pub fn state(&self) -> Value {
        must(self.try_run(&["show", "-json"]).and_then(Run::json))
    }

    /// The attributes of one resource in the state; null when it is not there.
    #[track_caller]
    pub fn resource(&self, address: &str) -> Value {
        let state = self.state();
        let resources = state["values"]["root_module"]["resources"].as_array();
        let found = resources.into_iter().flatten().find(|resource| resource["address"] == address);
        found.map_or(Value::Null, |resource| resource["values"].clone())
    }

    /// The state file as it lies on disk, to search for what must not be in it.
    #[track_caller]
    pub fn state_file(&self) -> String {
        must(fs::read_to_string(self.dir.join("terraform.tfstate")).map_err(|error| format!("no state file: {error}")))
    }

    /// Imports `(address, id)` pairs into a fresh directory with this one's configuration, of which
    /// `files` replace those of the same name. Every attribute but the `unreadable` ones (configuration
    /// that is nowhere on the server) must come out as here, and nothing else may be left to change.
    #[track_caller]
    pub fn import_fresh(&self, imports: &[(&str, &str)], files: &[(&str, &str)], unreadable: &[&str]) -> Workspace {
        let mut fresh = must(Workspace::of(self.providers.clone(), self.installation));
        fresh.env = self.env.clone();
        must(fresh.copy_from(&self.dir));
        for (name, text) in files {
            fresh.write(name, text);
        }
        if self.installation == Installation::Mirror {
            must(fresh.try_run(&["init"]).and_then(Run::ok));
        }
        for (address, id) in imports {
            must(fresh.try_run(&["import", address, id]).and_then(Run::ok));
        }
        let plan = fresh.plan();
        let root = |path: &str| path.split(['.', '[']).next().unwrap_or_default().to_owned();
        for (address, _) in imports {
            let mut differences = Vec::new();
            compare(&self.resource(address), &fresh.resource(address), &Value::Null, "", &mut differences);
            differences.retain(|change| !unreadable.contains(&root(&change.path).as_str()));
            assert!(differences.is_empty(), "{address} is imported otherwise than it was made: {differences:#?}");
        }
        for address in plan.addresses() {
            let imported = imports.iter().any(|(imported, _)| *imported == address);
            let mut changes = plan.changes(&address);
            changes.retain(|path| !unreadable.contains(&root(path).as_str()));
            assert!(imported && changes.is_empty(), "after import, {address} is still to change: {changes:?}");
        }
        fresh
    }

    pub fn try_run(&self, args: &[&str]) -> Result<Run, String> {
        self.start(args, false)?.finish()
    }

    pub fn try_plan(&self) -> Result<Plan, String> {
        self.try_run(&["plan", "-out=planned"])?.ok()?;
        Ok(Plan { json: self.try_run(&["show", "-json", "planned"])?.json()? })
    }

    pub fn try_apply(&self) -> Result<Run, String> {
        let applied = self.try_run(&["apply", "-auto-approve"])?.ok()?;
        for (refresh, meaning) in
            [("-refresh=false", "what apply reached is not what was planned"), ("-refresh=true", "reality differs")]
        {
            let run = self.try_run(&["plan", "-detailed-exitcode", refresh])?;
            run.ok().map_err(|error| format!("the plan after apply is not empty, {meaning}: {error}"))?;
        }
        Ok(applied)
    }

    fn start(&self, args: &[&str], own_group: bool) -> Result<Running, String> {
        let root = &self.root;
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let output = root.join("output").join(number.to_string());
        let mut command = Command::new(&self.terraform);
        command.args(args).current_dir(&self.dir).stdin(Stdio::null());
        if own_group {
            command.process_group(0);
        }
        // Nothing of ours reaches Terraform (TF_*) or the provider (PG*) unasked.
        command.env_clear().env("HOME", root.join("home")).env("TF_CLI_CONFIG_FILE", root.join("terraform.rc"));
        command.env("TF_IN_AUTOMATION", "1").env("TF_INPUT", "0").env("CHECKPOINT_DISABLE", "1");
        for subcommand in ["apply", "destroy", "import", "init", "plan", "refresh", "show", "test", "validate"] {
            command.env(format!("TF_CLI_ARGS_{subcommand}"), "-no-color");
        }
        for name in ["PATH", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(&self.env);
        // Into files: a full pipe blocks, and a provider that outlives Terraform keeps a pipe open.
        let open = |suffix| File::create(output.with_extension(suffix));
        let command_line = format!("terraform {}", args.join(" "));
        let child = open("stdout")
            .and_then(|stdout| command.stdout(stdout).stderr(open("stderr")?).spawn())
            .map_err(|error| format!("cannot run {command_line}: {error}"))?;
        Ok(Running { command: command_line, child, output, own_group })
    }
}

impl Run {
    /// The run, or all that it said as an error.
    pub fn ok(self) -> Result<Run, String> {
        if self.status.success() { Ok(self) } else { Err(self.complain("failed")) }
    }

    pub fn failed(self) -> Result<Run, String> {
        if self.status.success() { Err(self.complain("should have failed")) } else { Ok(self) }
    }

    pub fn json(self) -> Result<Value, String> {
        let run = self.ok()?;
        serde_json::from_str(&run.stdout).map_err(|error| run.complain(&format!("is not JSON ({error})")))
    }

    /// What went to stderr without Terraform's frame and line breaks, which depend on a width: one line
    /// to search in.
    pub fn message(&self) -> String {
        let words = self.stderr.split_whitespace();
        words.filter(|word| !["│", "╷", "╵"].contains(word)).collect::<Vec<_>>().join(" ")
    }

    /// The errors and warnings of a command that ran with `-json`, without the one on `dev_overrides`.
    pub fn diagnostics(&self) -> Vec<Value> {
        let lines = self.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let diagnostics = lines.filter(|line| line["type"] == "diagnostic").map(|mut line| line["diagnostic"].take());
        diagnostics
            .filter(|diagnostic| diagnostic["summary"] != "Provider development overrides are in effect")
            .collect()
    }

    fn complain(&self, what: &str) -> String {
        format!(
            "`{}` {what}:
{}{}",
            self.command, self.stdout, self.stderr
        )
    }
}

impl Running {
    /// What Ctrl-C does in a terminal: SIGINT to Terraform and to the provider.
    pub fn interrupt(&self) {
        signal(-(self.child.id() as i32), libc::SIGINT);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// What it has written to stdout until now.
    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    #[track_caller]
    pub fn wait(self) -> Run {
        must(self.finish())
    }

    fn finish(mut self) -> Result<Run, String> {
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if started.elapsed() < PATIENCE => std::thread::sleep(pause),
                Ok(None) => {
                    let (stdout, stderr) = (self.stdout(), self.read("stderr"));
                    return Err(format!("`{}` was stuck and is killed:\n{stdout}{stderr}", self.command));
                }
                Err(error) => return Err(format!("cannot wait for {}: {error}", self.command)),
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        Ok(Run { command: self.command.clone(), status, stdout: self.stdout(), stderr: self.read("stderr") })
    }

    fn read(&self, suffix: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.output.with_extension(suffix)).unwrap_or_default()).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_running() {
            let pid = self.child.id() as i32;
            signal(if self.own_group { -pid } else { pid }, libc::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

impl Plan {
    /// The resources that the plan does something to.
    pub fn addresses(&self) -> Vec<String> {
        let changes = self.json["resource_changes"].as_array().into_iter().flatten();
        let busy = changes.filter(|change| change["change"]["actions"] != serde_json::json!(["no-op"]));
        busy.filter_map(|change| change["address"].as_str().map(str::to_owned)).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.addresses().is_empty()
    }

    /// `["create"]`, `["update"]`, `["delete", "create"]`, `["no-op"]`; nothing for an unknown address.
    pub fn actions(&self, address: &str) -> Vec<String> {
        let actions = self.change(address)["actions"].as_array().cloned().unwrap_or_default();
        actions.iter().filter_map(|action| action.as_str().map(str::to_owned)).collect()
    }

    pub fn before(&self, address: &str) -> &Value {
        &self.change(address)["before"]
    }

    pub fn after(&self, address: &str) -> &Value {
        &self.change(address)["after"]
    }

    /// `true` in the place of every value that is known after apply only.
    pub fn after_unknown(&self, address: &str) -> &Value {
        &self.change(address)["after_unknown"]
    }

    /// The paths of the attributes that change, sorted.
    pub fn changes(&self, address: &str) -> Vec<String> {
        self.diff(address).into_iter().map(|change| change.path).collect()
    }

    pub fn diff(&self, address: &str) -> Vec<Change> {
        let mut changes = Vec::new();
        compare(self.before(address), self.after(address), self.after_unknown(address), "", &mut changes);
        changes.sort_by(|one, other| one.path.cmp(&other.path));
        changes
    }

    fn change(&self, address: &str) -> &Value {
        let changes = self.json["resource_changes"].as_array();
        let found = changes.into_iter().flatten().find(|change| change["address"] == address);
        found.map_or(&Value::Null, |change| &change["change"])
    }
}

/// What Terraform leaves in a directory that was used by hand stays there.
pub fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() && !path.ends_with(".terraform") {
            fs::create_dir_all(&target)?;
            copy_tree(&path, &target)?;
        } else if path.is_file() {
            fs::copy(&path, target)?;
        }
    }
    Ok(())
}

/// Down to the leaves that differ. An object or list that is absent on one side is walked on the other.
fn compare(before: &Value, after: &Value, unknown: &Value, path: &str, changes: &mut Vec<Change>) {
    let children = [before, after, unknown].into_iter().fold(BTreeMap::new(), |mut children, value| {
        match value {
            Value::Object(map) => children.extend(map.keys().map(|key| (key.clone(), key.clone()))),
            Value::Array(list) => children.extend((0..list.len()).map(|at| (format!("[{at}]"), at.to_string()))),
            _ => {}
        }
        children
    });
    if unknown == &Value::Bool(true) {
        changes.push(Change { path: path.to_owned(), before: before.clone(), after: None });
    } else if children.is_empty() {
        if before != after {
            changes.push(Change { path: path.to_owned(), before: before.clone(), after: Some(after.clone()) });
        }
    } else {
        for (name, key) in children {
            let child = |value: &Value| match value {
                Value::Object(map) => map.get(&key).cloned(),
                Value::Array(list) => key.parse::<usize>().ok().and_then(|at| list.get(at).cloned()),
                _ => None,
            };
            let value = |parent| child(parent).unwrap_or(Value::Null);
            let joined = if path.is_empty() || name.starts_with('[') {
                format!("{path}{name}")
            } else {
                format!("{path}.{name}")
            };
            compare(&value(before), &value(after), &value(unknown), &joined, changes);
        }
    }
}

/// The binary, or a sentence on where to get it.
pub fn find_terraform() -> Result<PathBuf, String> {
    match std::env::var_os("PGTENANT_TEST_TERRAFORM").map(PathBuf::from) {
        Some(file) if file.is_file() => Ok(file),
        Some(file) => Err(format!("PGTENANT_TEST_TERRAFORM names no file: {}", file.display())),
        None => on_path("terraform").ok_or_else(|| {
            "terraform is not on PATH: install Terraform 1.11 or newer \
             (https://developer.hashicorp.com/terraform/install) or set PGTENANT_TEST_TERRAFORM to its binary"
                .to_owned()
        }),
    }
}

/// Go's names, which Terraform's registries carry.
/// As the registry calls this machine's.
pub fn platform() -> String {
    let os = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{os}_{arch}")
}

#[track_caller]
fn must<T>(result: Result<T, String>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
