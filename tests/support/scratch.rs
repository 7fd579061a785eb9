//! One scratch directory per process, and the watchdog that stops its servers and removes it however
//! the process ends. Statics are not dropped, and nothing is dropped after `kill -9`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::{open_to_server, random_hex};

static SCRATCH: Mutex<Option<Scratch>> = Mutex::new(None);

struct Scratch {
    root: PathBuf,
    made: u32,
    watchdog: Child,
}

/// Reads a pipe that ends when this process does: the kernel closes the other end, whatever happened.
/// A server is known by the file `pid` in its directory, or by its own where something else starts it; SIGQUIT is PostgreSQL's
/// immediate shutdown.
/// A dead server that nobody has waited for still answers `kill -0`, but has removed its postmaster.pid.
const WATCHDOG: &str = r#"
    trap '' INT TERM HUP
    cat >/dev/null
    for file in "$1"/*/pid "$1"/*/data/postmaster.pid; do
        [ -f "$file" ] && kill -QUIT "$(head -n 1 "$file")" 2>/dev/null
    done
    for file in "$1"/*/pid; do
        [ -f "$file" ] || continue
        pid=$(cat "$file") data=${file%/pid}/data tries=0
        while [ -e "$data/postmaster.pid" ] && kill -0 "$pid" 2>/dev/null && [ $((tries += 1)) -lt 100 ]; do
            sleep 0.05
        done
        kill -KILL "$pid" 2>/dev/null
    done
    tries=0
    while rm -rf "$1" 2>/dev/null; [ -e "$1" ] && [ $((tries += 1)) -lt 100 ]; do
        sleep 0.05
    done
"#;

/// A new directory, empty, that goes when the process does.
pub fn directory(name: &str) -> Result<PathBuf, String> {
    let mut slot = SCRATCH.lock().unwrap_or_else(PoisonError::into_inner);
    if slot.is_none() {
        let root = base()?.join(format!("pgtenant-{}", random_hex(4)));
        *slot = Some(Scratch::new(root).map_err(|error| format!("cannot make a scratch directory: {error}"))?);
    }
    let scratch = slot.as_mut().expect("made above");
    scratch.made += 1;
    let dir = scratch.root.join(format!("{}-{name}", scratch.made));
    fs::create_dir(&dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    Ok(dir)
}

/// Stops every server and removes every directory now, and comes back when that is done.
pub fn clear() {
    let scratch = SCRATCH.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(mut scratch) = scratch {
        drop(scratch.watchdog.stdin.take());
        // The watchdog ends in any case: all its waits are bounded.
        let _ = scratch.watchdog.wait();
    }
}

/// The temporary directory that the server's account may enter, and that leaves room for a socket's
/// name: its path has some 100 bytes, of which ours takes about 40.
pub fn base() -> Result<PathBuf, String> {
    [std::env::temp_dir(), PathBuf::from("/tmp")]
        .into_iter()
        .find(|dir| dir.as_os_str().len() <= 60 && open_to_server(dir))
        .ok_or_else(|| "neither TMPDIR nor /tmp is a directory that the server's account may enter".to_owned())
}

impl Scratch {
    fn new(root: PathBuf) -> std::io::Result<Scratch> {
        // The watchdog first, so that there is no moment when the directory is nobody's. A process group
        // of its own keeps Ctrl-C from it, and a PATH of its own whatever the caller's lacks.
        let watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&root)
            .current_dir("/")
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        fs::create_dir(&root)?;
        fs::set_permissions(&root, fs::Permissions::from_mode(0o711))?;
        Ok(Scratch { root, made: 0, watchdog })
    }
}
