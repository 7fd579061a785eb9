//! Three PostgreSQL servers of which Patroni makes one the primary, the etcd that it votes in, and an HAProxy before them.

use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::binaries::Binaries;
use super::postgres::{Admin, SUPERUSER, Session, free_port, make_admin, server_account};
use super::{on_path, random_hex, scratch, signal};

/// How long a cluster may take to stand, and to have another primary.
const PATIENCE: Duration = Duration::from_secs(120);

/// What it takes.
pub struct Programs {
    patroni: PathBuf,
    etcd: PathBuf,
    haproxy: PathBuf,
    postgres: Binaries,
}

impl Programs {
    /// Or what is missing.
    pub fn find() -> Result<Programs, String> {
        let program = |name: &str, usual: &str, package: &str| {
            let found = on_path(name).or_else(|| Some(PathBuf::from(usual)).filter(|file| file.is_file()));
            found.ok_or_else(|| format!("there is no {name}: install it (Debian: apt install {package})"))
        };
        let postgres = Binaries::find(None)?;
        for needed in ["pg_basebackup", "pg_ctl"] {
            if !postgres.dir.join(needed).is_file() {
                return Err(format!("there is no {needed} in {}: install PostgreSQL", postgres.dir.display()));
            }
        }
        Ok(Programs {
            patroni: program("patroni", "/usr/bin/patroni", "patroni")?,
            etcd: program("etcd", "/usr/bin/etcd", "etcd-server")?,
            haproxy: program("haproxy", "/usr/sbin/haproxy", "haproxy")?,
            postgres,
        })
    }
}

/// All of it. It ends when dropped.
pub struct Cluster {
    pub admin_password: String,
    /// HAProxy's, which leads to the primary.
    pub port: u16,
    nodes: Vec<Node>,
    /// etcd and HAProxy.
    others: Vec<Process>,
    programs: Programs,
    account: Option<(u32, u32)>,
}

/// One PostgreSQL and the Patroni that starts it.
struct Node {
    name: String,
    /// The server's, and that of Patroni's REST interface.
    ports: [u16; 2],
    dir: PathBuf,
    patroni: Option<Process>,
}

/// A program that runs in a directory of its own.
struct Process {
    dir: PathBuf,
    child: Child,
}

impl Cluster {
    pub fn start(programs: Programs) -> Result<Cluster, String> {
        let mut cluster = Cluster {
            admin_password: random_hex(16),
            port: port()?,
            nodes: Vec::new(),
            others: Vec::new(),
            account: server_account()?,
            programs,
        };
        let etcd = cluster.start_etcd()?;
        for number in 1..=3 {
            let mut node = Node {
                name: format!("node{number}"),
                ports: [port()?, port()?],
                dir: directory("node")?,
                patroni: None,
            };
            cluster.configure(&node, etcd)?;
            node.patroni = Some(cluster.spawn("patroni", &node.dir, &["patroni.yml"])?);
            cluster.nodes.push(node);
        }
        cluster.until("there are a primary and two standbys", |cluster| {
            cluster.primary().is_some() && cluster.nodes.iter().all(|node| node.answers("/health"))
        })?;
        cluster.start_haproxy()?;
        let primary = cluster.primary().ok_or("no primary")?;
        let Node { dir, ports: [server, _], .. } = &cluster.nodes[primary];
        Session::over_socket(dir, *server, "postgres", SUPERUSER)
            .and_then(|superuser| make_admin(&superuser, Admin::RdsLike, &cluster.admin_password))
            .map_err(|error| format!("cannot make the admin: {error}"))?;
        cluster.until_followed()?;
        Ok(cluster)
    }

    /// The hosts and ports of all servers, as libpq takes them. The primary of now is the last: whoever takes the first that
    /// answers is with a standby.
    pub fn hosts(&self) -> (String, String) {
        let mut nodes: Vec<&Node> = self.nodes.iter().collect();
        nodes.sort_by_key(|node| node.answers("/primary"));
        let ports: Vec<_> = nodes.iter().map(|node| node.ports[0].to_string()).collect();
        (vec!["127.0.0.1"; ports.len()].join(","), ports.join(","))
    }

    /// Which one Patroni calls the primary, if it calls one so.
    pub fn primary(&self) -> Option<usize> {
        self.nodes.iter().position(|node| node.answers("/primary"))
    }

    /// Has Patroni make another one the primary, and comes back when that is done.
    pub fn switch_over(&self) -> Result<(), String> {
        let before = self.primary().ok_or("no primary")?;
        let leader = json!({ "leader": self.nodes[before].name }).to_string();
        let answer = request(self.nodes[before].ports[1], "POST", "/switchover", &leader);
        let answer = answer.map_err(|error| format!("no answer to the switchover: {error}"))?;
        if !answer.starts_with("HTTP/1.0 200") {
            return Err(format!("no switchover: {answer}"));
        }
        self.until_another_than(before)
    }

    /// Kills the primary and its Patroni, and comes back when another one is the primary.
    pub fn kill_primary(&mut self) -> Result<usize, String> {
        let primary = self.primary().ok_or("no primary")?;
        let node = &mut self.nodes[primary];
        drop(node.patroni.take());
        node.signal(libc::SIGKILL);
        self.until_another_than(primary)?;
        Ok(primary)
    }

    /// Makes a new standby in the place of a node that was killed, and comes back when it follows the primary.
    pub fn replace(&mut self, killed: usize) -> Result<(), String> {
        fs::remove_dir_all(self.nodes[killed].dir.join("data")).map_err(|error| error.to_string())?;
        let patroni = self.spawn("patroni", &self.nodes[killed].dir, &["patroni.yml"])?;
        self.nodes[killed].patroni = Some(patroni);
        self.until_followed()
    }

    /// Until both standbys follow, and one of them has all that is committed: only that one may be the next primary.
    fn until_followed(&self) -> Result<(), String> {
        let count = |path: &str| self.nodes.iter().filter(|node| node.answers(path)).count();
        self.until("the standbys follow", |_| count("/replica?lag=0") == 2 && count("/sync") == 1)
    }

    fn until_another_than(&self, before: usize) -> Result<(), String> {
        self.until("there is another primary", |cluster| cluster.primary().is_some_and(|primary| primary != before))
    }

    fn until(&self, what: &str, condition: impl Fn(&Cluster) -> bool) -> Result<(), String> {
        let started = Instant::now();
        while !condition(self) {
            if started.elapsed() > PATIENCE {
                let dirs = self.nodes.iter().map(|node| &node.dir).chain(self.others.iter().map(|other| &other.dir));
                let logs: Vec<_> = dirs.map(|dir| end_of_log(dir)).collect();
                return Err(format!("waited in vain until {what}:\n{}", logs.join("\n\n")));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Gives its port for clients.
    fn start_etcd(&mut self) -> Result<u16, String> {
        let (clients, peers) = (port()?, port()?);
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let dir = self.directory("etcd")?;
        let etcd = self.spawn(
            "etcd",
            &dir,
            &[
                "--data-dir=etcd.data",
                "--unsafe-no-fsync",
                &format!("--listen-client-urls={}", url(clients)),
                &format!("--advertise-client-urls={}", url(clients)),
                &format!("--listen-peer-urls={}", url(peers)),
                &format!("--initial-advertise-peer-urls={}", url(peers)),
                &format!("--initial-cluster=default={}", url(peers)),
            ],
        )?;
        self.others.push(etcd);
        Ok(clients)
    }

    /// As Patroni's documentation has it: asked every 3 s, down after three refusals, up after two times.
    fn start_haproxy(&mut self) -> Result<(), String> {
        let dir = self.directory("haproxy")?;
        let servers: String = self
            .nodes
            .iter()
            .map(|Node { name, ports: [server, rest], .. }| {
                format!("    server {name} 127.0.0.1:{server} maxconn 100 check port {rest}\n")
            })
            .collect();
        let text = format!(
            "defaults\n    mode tcp\n    retries 2\n    timeout client 30m\n    timeout connect 4s\n    timeout server 30m\n\
             listen primary\n    bind 127.0.0.1:{}\n    option httpchk OPTIONS /primary\n    http-check expect status 200\n    \
             default-server inter 3s fall 3 rise 2 on-marked-down shutdown-sessions\n{servers}",
            self.port
        );
        write(&dir.join("haproxy.cfg"), &text)?;
        let haproxy = self.spawn("haproxy", &dir, &["-db", "-f", "haproxy.cfg"])?;
        self.others.push(haproxy);
        Ok(())
    }

    fn configure(&self, node: &Node, etcd: u16) -> Result<(), String> {
        let [server, rest] = node.ports.map(|port| format!("127.0.0.1:{port}"));
        let parameters = json!({
            "max_connections": 100,
            "shared_buffers": "16MB",
            "max_wal_size": "256MB",
            "fsync": "off",
            "password_encryption": "scram-sha-256",
            "unix_socket_directories": node.dir,
        });
        let credentials = |name: &str| json!({ "username": name, "password": "replicates" });
        // JSON is YAML.
        let text = json!({
            "scope": "pgtenant",
            "name": node.name,
            "restapi": { "listen": rest, "connect_address": rest },
            "etcd3": { "host": format!("127.0.0.1:{etcd}") },
            "bootstrap": {
                // A commit is on a standby before it is answered: a failover loses nothing.
                "dcs": {
                    "ttl": 20, "loop_wait": 2, "retry_timeout": 5, "synchronous_mode": true,
                    "postgresql": { "parameters": parameters },
                },
                "initdb": [{ "encoding": "UTF8" }, { "locale": "C.UTF-8" }],
            },
            "postgresql": {
                "listen": server, "connect_address": server,
                "data_dir": node.dir.join("data"), "bin_dir": self.programs.postgres.dir,
                "pgpass": node.dir.join("pgpass"),
                "authentication": {
                    "superuser": credentials(SUPERUSER),
                    "replication": credentials("replicator"),
                },
                "pg_hba": [
                    "local all all trust",
                    "host replication replicator 127.0.0.1/32 scram-sha-256",
                    "host all all 127.0.0.1/32 scram-sha-256",
                ],
            },
        });
        write(&node.dir.join("patroni.yml"), &text.to_string())?;
        self.hand_over(&node.dir)
    }

    fn spawn(&self, program: &str, dir: &Path, arguments: &[&str]) -> Result<Process, String> {
        let path = match program {
            "patroni" => &self.programs.patroni,
            "etcd" => &self.programs.etcd,
            _ => &self.programs.haproxy,
        };
        let text = |error: std::io::Error| format!("cannot start {program}: {error}");
        let log = File::options().create(true).append(true).open(dir.join("log")).map_err(text)?;
        let mut command = Command::new(path);
        command.args(arguments).current_dir(dir).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", dir);
        command.stdin(Stdio::null()).stdout(log.try_clone().map_err(text)?).stderr(log).process_group(0);
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        let child = command.spawn().map_err(text)?;
        // For the watchdog.
        write(&dir.join("pid"), &child.id().to_string())?;
        Ok(Process { dir: dir.to_owned(), child })
    }

    fn directory(&self, name: &str) -> Result<PathBuf, String> {
        let dir = directory(name)?;
        self.hand_over(&dir)?;
        Ok(dir)
    }

    fn hand_over(&self, dir: &Path) -> Result<(), String> {
        let Some((uid, gid)) = self.account else { return Ok(()) };
        chown(dir, Some(uid), Some(gid)).map_err(|error| error.to_string())
    }
}

impl Node {
    /// Whether Patroni says that it is what `path` asks for.
    fn answers(&self, path: &str) -> bool {
        request(self.ports[1], "GET", path, "").is_ok_and(|answer| answer.starts_with("HTTP/1.0 200"))
    }

    /// To the server, if one runs.
    fn signal(&self, number: i32) {
        let pid = fs::read_to_string(self.dir.join("data/postmaster.pid")).unwrap_or_default();
        if let Some(Ok(pid)) = pid.lines().next().map(str::parse) {
            signal(pid, number);
        }
    }
}

fn port() -> Result<u16, String> {
    free_port().map_err(|error| format!("no free port: {error}"))
}

fn directory(name: &str) -> Result<PathBuf, String> {
    let dir = scratch::directory(name)?;
    fs::set_permissions(&dir, Permissions::from_mode(0o700)).map_err(|error| error.to_string())?;
    Ok(dir)
}

/// The last lines of what a process said.
fn end_of_log(dir: &Path) -> String {
    let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// One request to Patroni's REST interface, and the whole answer.
fn request(port: u16, method: &str, path: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "{method} {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            drop(node.patroni.take());
            // Immediate shutdown: nothing of it is wanted any more.
            node.signal(libc::SIGQUIT);
        }
        let dirs: Vec<_> = self.others.drain(..).map(|other| other.dir.clone()).collect();
        let nodes = self.nodes.iter().map(|node| node.dir.clone());
        for dir in dirs.into_iter().chain(nodes) {
            // A server that is about to end still writes. What is left then, the watchdog removes.
            let tries = (0..250).map(|_| std::thread::sleep(Duration::from_millis(20)));
            tries.take_while(|()| fs::remove_dir_all(&dir).is_err() && dir.exists()).for_each(drop);
        }
    }
}
