//! The arrows between the rooms of `src/`, read off the source.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms it may know, and words it has never heard of.
const ROOMS: [(&str, &[&str], &[&str]); 4] = [
    ("tf_provider", &[], &["postgres", "pgtenant_", "tenant"]),
    ("postgres", &[], &["terraform ", "tfplugin", "tf_provider"]),
    ("tenant", &["postgres"], &["tokio", "tf_provider", "tfplugin"]),
    ("provider", &["tf_provider", "tenant", "postgres"], &[]),
];

/// What of `postgres` talks to a server: `tenant` is pure and uses none of it.
const IMPURE: [&str; 6] = ["Cluster::", "&Cluster", "postgres::Cluster", "cluster::", "session::", "Connector"];

fn sources(room: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(room).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "sql") {
            files.push(path);
        }
    }
    files
}

/// The lines that are code.
fn code(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(str::trim).filter(|line| !line.starts_with("//")).map(str::to_owned).collect()
}

fn room(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name)
}

#[test]
fn every_folder_is_a_room_in_the_table() {
    let mut folders: Vec<String> = fs::read_dir(room(""))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    folders.sort();
    let mut rooms: Vec<&str> = ROOMS.iter().map(|(name, ..)| *name).collect();
    rooms.sort_unstable();
    assert_eq!(folders, rooms);
}

#[test]
fn rooms_use_only_the_rooms_they_may() {
    for (name, allowed, _) in ROOMS {
        for path in sources(&room(name)) {
            for line in code(&path) {
                for (other, ..) in ROOMS {
                    let used =
                        line.contains(&format!("crate::{other}::")) || line.contains(&format!("crate::{{{other}"));
                    assert!(
                        !used || other == name || allowed.contains(&other),
                        "{name} may not use {other}: {}: {line}",
                        path.display()
                    );
                }
            }
        }
    }
}

#[test]
fn rooms_have_never_heard_certain_words() {
    for (name, _, unheard) in ROOMS {
        for path in sources(&room(name)) {
            for line in code(&path) {
                for word in unheard {
                    assert!(
                        !line.to_lowercase().contains(word) || line.contains("terraform-provider-pgtenant"),
                        "{name} has never heard of {word:?}: {}: {line}",
                        path.display()
                    );
                }
            }
        }
    }
}

#[test]
fn the_tenant_room_is_pure() {
    for path in sources(&room("tenant")) {
        for line in code(&path) {
            assert!(!line.contains(".await") && !line.contains("async "), "{}: {line}", path.display());
            for word in IMPURE {
                assert!(!line.contains(word), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn main_stays_short() {
    let lines = fs::read_to_string(room("main.rs")).unwrap().lines().count();
    assert!(lines <= 30, "{lines} lines");
}
