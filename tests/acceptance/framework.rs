//! The framework under another provider than ours: the example of `src/tf_provider/README.md`, by the real Terraform.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::support::built_example;
use crate::support::terraform::{Installation, Provider, Workspace};

const VERSIONS: &str = "terraform {\n  required_providers {\n    file = { source = \"example/file\" }\n  }\n}\n";

fn workspace() -> (Workspace, PathBuf) {
    let file = Provider { source: "example/file", version: "0.1.0", binary: built_example("file-provider") };
    let workspace = Workspace::of(vec![file], Installation::Mirror).unwrap_or_else(|error| panic!("{error}"));
    let path = workspace.dir.join("kept.txt");
    workspace.write("versions.tf", VERSIONS);
    (workspace, path)
}

fn configuration(path: &std::path::Path, content: &str) -> String {
    // The type's prefix is not the provider's name.
    format!("resource \"example_file\" \"kept\" {{\n  provider = file\n  path = {path:?}\n{content}}}\n")
}

#[test]
fn another_provider_makes_repairs_imports_and_destroys() {
    let (workspace, path) = workspace();
    workspace.write("main.tf", &configuration(&path, "  content = \"one\"\n"));
    workspace.run(&["init"]).ok().unwrap();
    workspace.apply();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one");
    assert_eq!(workspace.resource("example_file.kept")["size"], json!(3));

    // Drift is seen, and repaired.
    fs::write(&path, "somebody else's").unwrap();
    let changes = workspace.plan().diff("example_file.kept");
    assert!(changes.iter().any(|change| change.path == "content" && change.before == json!("somebody else's")));
    workspace.apply();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one");

    // What is gone is made again; what is left out has its default.
    fs::remove_file(&path).unwrap();
    workspace.write("main.tf", &configuration(&path, ""));
    workspace.apply();
    assert_eq!(fs::read_to_string(&path).unwrap(), "");

    workspace.run(&["state", "rm", "example_file.kept"]).ok().unwrap();
    workspace.run(&["import", "example_file.kept", path.to_str().unwrap()]).ok().unwrap();
    workspace.assert_empty_plan();
    workspace.destroy();
    assert!(!path.exists());
}

#[test]
fn what_another_provider_refuses_has_its_path() {
    let (workspace, path) = workspace();
    workspace.write("main.tf", &configuration(std::path::Path::new(""), ""));
    workspace.run(&["init"]).ok().unwrap();
    let message = workspace.plan_error();
    assert!(message.contains("Empty path") && message.contains("path = \"\""), "{message}");
    let nowhere = path.join("below/a/file");
    fs::write(&path, "a file").unwrap();
    workspace.write("main.tf", &configuration(&nowhere, ""));
    let message = workspace.apply_error();
    assert!(message.contains("Not a directory") && message.contains("Nothing was changed."), "{message}");
}
