//! A tunnel of ssh through a server of its own, both on this machine.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::postgres::free_port;
use super::{on_path, scratch};

/// The near end of a tunnel. It ends when dropped.
pub struct Tunnel {
    pub port: u16,
    /// The server and the client, as far as they were started.
    processes: Vec<Child>,
}

impl Tunnel {
    /// To a port of this machine.
    pub fn to(target: u16, programs: &Programs) -> Result<Tunnel, String> {
        let Programs { sshd, ssh, keygen } = programs;
        let text = |error: std::io::Error| error.to_string();
        let dir = scratch::directory("ssh")?;
        let key = dir.join("key");
        let made =
            Command::new(keygen).args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().map_err(text)?;
        if !made.success() {
            return Err("ssh-keygen made no key".to_owned());
        }
        let (far, near) = (free_port().map_err(text)?, free_port().map_err(text)?);
        let config = dir.join("sshd_config");
        let lines = format!(
            "Port {far}\nListenAddress 127.0.0.1\nHostKey {key}\nAuthorizedKeysFile {key}.pub\nPidFile none\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nPermitOpen 127.0.0.1:{target}\n",
            key = key.display()
        );
        fs::write(&config, lines).map_err(text)?;
        // Where sshd, started as root, keeps its unprivileged half.
        let _ = fs::create_dir("/run/sshd");
        let start = |command: &mut Command| {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(text)
        };
        let mut tunnel = Tunnel { port: near, processes: Vec::new() };
        tunnel.processes.push(start(Command::new(sshd).arg("-D").arg("-f").arg(&config))?);
        tunnel.answers(far)?;
        let user = Command::new("id").arg("-un").output().map_err(text)?.stdout;
        let user = String::from_utf8(user).map_err(|error| error.to_string())?;
        tunnel.processes.push(start(
            Command::new(ssh)
                .args(["-N", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"])
                .args(["-o", "UserKnownHostsFile=/dev/null", "-o", "ExitOnForwardFailure=yes", "-p", &far.to_string()])
                .args(["-L", &format!("127.0.0.1:{near}:127.0.0.1:{target}"), "-i"])
                .arg(&key)
                .arg(format!("{}@127.0.0.1", user.trim())),
        )?);
        tunnel.answers(near)?;
        Ok(tunnel)
    }

    /// Waits until the process that was started last listens there.
    fn answers(&mut self, port: u16) -> Result<(), String> {
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(Ok(Some(status))) = self.processes.last_mut().map(Child::try_wait) {
                return Err(format!("ssh ended: {status}"));
            }
            if started.elapsed() > Duration::from_secs(20) {
                return Err(format!("nobody listens on port {port}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// What a tunnel takes.
pub struct Programs {
    sshd: PathBuf,
    ssh: PathBuf,
    keygen: PathBuf,
}

impl Programs {
    /// Or what is missing.
    pub fn find() -> Result<Programs, String> {
        Ok(Programs {
            sshd: program("sshd", Path::new("/usr/sbin/sshd"))?,
            ssh: program("ssh", Path::new("/usr/bin/ssh"))?,
            keygen: program("ssh-keygen", Path::new("/usr/bin/ssh-keygen"))?,
        })
    }
}

fn program(name: &str, usual: &Path) -> Result<PathBuf, String> {
    let found = on_path(name).or_else(|| usual.is_file().then(|| usual.to_owned()));
    found.ok_or_else(|| format!("there is no {name}: install openssh-server and openssh-client"))
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        for child in self.processes.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
