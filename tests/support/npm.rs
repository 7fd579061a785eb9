//! Packages of npm, of the versions in a lock file, in the cache that has PostgreSQL's other majors too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};

use super::binaries::{cache, run};
use super::on_path;

/// The `node_modules` that the lock file beside `package.json` in `fixture` asks for.
pub fn modules(fixture: &Path) -> Result<PathBuf, String> {
    for program in ["node", "npm"] {
        on_path(program).ok_or_else(|| format!("there is no {program} on PATH (Debian: apt install npm)"))?;
    }
    let text = |error: std::io::Error| error.to_string();
    let wanted = fs::read(fixture.join("package-lock.json")).map_err(text)?;
    let hash = digest(&SHA256, &wanted).as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (cache, _lock) = cache()?;
    let home = cache.join(format!("npm-{hash}"));
    if !home.exists() {
        // A rename comes last: an installation that was cut off is made anew.
        let partial = cache.join("partial");
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir(&partial).map_err(text)?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(fixture.join(file), partial.join(file)).map_err(text)?;
        }
        // No scripts run: what they would fetch is not needed.
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&partial);
        run(&mut npm).map_err(|error| format!("npm did not give the packages of {}: {error}", fixture.display()))?;
        fs::rename(&partial, &home).map_err(text)?;
    }
    Ok(home.join("node_modules"))
}
