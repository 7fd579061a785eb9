//! A pgBouncer before a throwaway server: `examples/pgbouncer` makes the tenants and renders its files,
//! and the program itself reads them.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::postgres::{Server, Session, SqlError, free_port, server_account};
use super::terraform::{Installation, Workspace};
use super::{examples, on_path, scratch, signal};

/// A role of pgBouncer's console, which may read and change nothing.
pub const STATS: &str = "pool_reader";

/// The tenants of one workspace, and the pgBouncer between them and their server.
pub struct Pooled {
    pub workspace: Workspace,
    pub port: u16,
    /// The password of each tenant, and of [`STATS`].
    pub passwords: BTreeMap<String, String>,
    dir: PathBuf,
    account: Option<(u32, u32)>,
    process: Option<Child>,
}

/// The program, or a sentence on where to get it.
pub fn find_pgbouncer() -> Result<PathBuf, String> {
    let wish = std::env::var_os("PGTENANT_TEST_PGBOUNCER").map(PathBuf::from);
    // Debian puts it where only root's PATH leads.
    let usual = [Path::new("/usr/sbin/pgbouncer"), Path::new("/opt/homebrew/bin/pgbouncer")];
    let found = wish
        .or_else(|| on_path("pgbouncer"))
        .or_else(|| usual.map(Path::to_owned).into_iter().find(|file| file.is_file()));
    found.filter(|file| file.is_file()).ok_or_else(|| {
        "there is no pgbouncer: install it (Debian: apt install pgbouncer; macOS: brew install pgbouncer) or set \
         PGTENANT_TEST_PGBOUNCER to the program"
            .to_owned()
    })
}

/// A pgBouncer before a server as people set it up for an application, which lets one role into every database.
pub struct Plain {
    pub port: u16,
    dir: PathBuf,
    process: Child,
}

impl Plain {
    /// `settings` are lines for pgbouncer.ini.
    pub fn before(server: &Server, role: &str, password: &str, settings: &str) -> Result<Plain, String> {
        let text = |error: std::io::Error| format!("cannot start pgbouncer: {error}");
        let dir = scratch::directory("pgbouncer")?;
        let port = free_port().map_err(text)?;
        let ini = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             auth_type = scram-sha-256\nauth_file = {dir}/userlist.txt\nunix_socket_dir =\n{settings}\n",
            server.host,
            server.port,
            dir = dir.display(),
        );
        fs::write(dir.join("pgbouncer.ini"), ini).map_err(text)?;
        fs::write(dir.join("userlist.txt"), format!("\"{role}\" \"{password}\"\n")).map_err(text)?;
        fs::set_permissions(&dir, Permissions::from_mode(0o755)).map_err(text)?;
        let process = run(&dir, server_account()?, port)?;
        Ok(Plain { port, dir, process })
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        end(&mut self.process, &self.dir);
    }
}

/// A pgBouncer with files that the test renders, by `modules/pgbouncer` in a configuration of its own.
pub struct Rendered {
    dir: PathBuf,
    process: Child,
}

impl Rendered {
    /// In `dir`, where the files are; `port` is the one that they name.
    pub fn start(dir: PathBuf, port: u16) -> Result<Rendered, String> {
        fs::set_permissions(&dir, Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
        let process = run(&dir, server_account()?, port)?;
        Ok(Rendered { dir, process })
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Rendered {
    fn drop(&mut self) {
        end(&mut self.process, &self.dir);
    }
}

/// Starts the program with the files in `dir`, and comes back when it listens.
fn run(dir: &Path, account: Option<(u32, u32)>, port: u16) -> Result<Child, String> {
    let mut command = Command::new(find_pgbouncer()?);
    command.arg(dir.join("pgbouncer.ini")).current_dir(dir).env_clear().process_group(0);
    if let Some((uid, gid)) = account {
        command.uid(uid).gid(gid);
    }
    let text = |error: std::io::Error| format!("cannot start pgbouncer: {error}");
    let log = File::options().create(true).append(true).open(dir.join("log")).map_err(text)?;
    command.stdin(Stdio::null()).stdout(log.try_clone().map_err(text)?).stderr(log);
    let mut process = command.spawn().map_err(text)?;
    // For the watchdog.
    fs::write(dir.join("pid"), process.id().to_string()).map_err(text)?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if process.try_wait().is_ok_and(|status| status.is_some()) || Instant::now() > deadline {
            let _ = process.kill();
            let _ = process.wait();
            let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
            return Err(format!("pgbouncer does not start: {log}"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(process)
}

fn end(process: &mut Child, dir: &Path) {
    // Immediate shutdown.
    signal(process.id() as i32, libc::SIGTERM);
    let _ = process.wait();
    let _ = fs::remove_dir_all(dir);
}

impl Pooled {
    /// A workspace with the example and its module in it, as they stand. `overrides` is a file of
    /// Terraform's override kind, for what the example does not ask its reader.
    pub fn prepare(provider: &Path, server: &Server, tenants: &Value, overrides: &str) -> Result<Pooled, String> {
        let dir = scratch::directory("pgbouncer")?;
        let account = server_account()?;
        let port = free_port().map_err(|error| format!("no free port: {error}"))?;
        let workspace = Workspace::with(provider, Installation::Mirror)?;
        let passwords = tenants.as_object().into_iter().flat_map(|tenants| tenants.keys().map(String::as_str));
        let passwords = passwords.chain([STATS]).map(|role| (role.to_owned(), super::random_hex(12))).collect();
        let mut pooled = Pooled { workspace, port, passwords, dir, account, process: None };

        let examples = examples::root();
        pooled.workspace.copy_from(&examples.join("pgbouncer"))?;
        pooled.workspace.copy_beside(&examples, "modules/pgbouncer")?;
        pooled.workspace.write("pooled_override.tf", overrides);
        pooled.workspace.envs(server.env());
        let dir = pooled.dir.display().to_string();
        pooled.set("server", &json!({ "host": server.host, "port": server.port }));
        pooled.set("listen", &json!({ "addr": "127.0.0.1", "port": port, "networks": ["127.0.0.1/32"] }));
        pooled.set("stats_roles", &json!([STATS]));
        for variable in ["directory", "rendered"] {
            pooled.workspace.env(&format!("TF_VAR_{variable}"), &dir);
        }
        pooled.set("tenants", tenants);
        pooled.set_passwords();
        pooled.workspace.try_run(&["init"])?.ok()?;
        Ok(pooled)
    }

    /// Sets one of the example's variables, for the next apply.
    pub fn set(&mut self, variable: &str, value: &Value) {
        self.workspace.env(&format!("TF_VAR_{variable}"), &value.to_string());
    }

    /// As [`Pooled::set`], after a change of [`Pooled::passwords`].
    pub fn set_passwords(&mut self) {
        self.set("passwords", &json!(self.passwords));
    }

    /// Applies, and starts pgBouncer with what came of it, as the server's account.
    pub fn start(&mut self) -> Result<(), String> {
        self.workspace.try_apply()?;
        self.hand_over()?;
        self.process = Some(run(&self.dir, self.account, self.port)?);
        Ok(())
    }

    /// Ends pgBouncer, where it runs, and keeps its files.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            signal(process.id() as i32, libc::SIGTERM);
            let _ = process.wait();
        }
    }

    /// Applies, without a word to pgBouncer.
    #[track_caller]
    pub fn apply(&self) {
        self.workspace.apply();
        self.hand_over().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Has pgBouncer read its files again, and comes back when it has.
    #[track_caller]
    pub fn reload(&self) {
        let reloads = || self.log().matches("RELOAD").count() + self.log().matches("SIGHUP").count();
        let before = reloads();
        signal(self.process.as_ref().expect("started").id() as i32, libc::SIGHUP);
        super::eventually("pgbouncer reads its files again", || reloads() > before);
    }

    /// A login of the tenant of that name, with its own password.
    pub fn session(&self, tenant: &str) -> Result<Session, SqlError> {
        Session::over_tcp(self.port, tenant, tenant, &self.passwords[tenant])
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    pub fn log(&self) -> String {
        self.read("log")
    }

    /// The files are their owner's alone, and pgBouncer has the server's account.
    fn hand_over(&self) -> Result<(), String> {
        let Some((uid, gid)) = self.account else { return Ok(()) };
        let hand_over = || {
            chown(&self.dir, Some(uid), Some(gid))?;
            fs::set_permissions(&self.dir, Permissions::from_mode(0o700))?;
            ["pgbouncer.ini", "pg_hba.conf", "userlist.txt"]
                .iter()
                .try_for_each(|name| chown(self.dir.join(name), Some(uid), Some(gid)))
        };
        hand_over().map_err(|error: std::io::Error| format!("cannot hand over {}: {error}", self.dir.display()))
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        match self.process.take() {
            Some(mut process) => end(&mut process, &self.dir),
            None => drop(fs::remove_dir_all(&self.dir)),
        }
    }
}
