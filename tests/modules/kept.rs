//! What a destroy of an instance leaves: the key, the final snapshot, the automated backups and the logs, all of which
//! can be read afterwards. And that an instance is not made anew by an edit.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::check::copy;
use crate::stub::{ROOT, workspace};
use crate::support::terraform::{Run, Workspace};

const CONFIG: &str = r#"
provider "aws" {
  region = "eu-west-1"
}

variable "deletion_protection" {
  type    = bool
  default = null
}

variable "create_cloudwatch_log_group" {
  type    = bool
  default = null
}

variable "kms_key_arn" {
  type    = string
  default = null
}

module "key" {
  source     = "./rds-key"
  identifier = "tenants"
}

module "postgres" {
  source                      = "./rds-postgres"
  identifier                  = "tenants"
  vpc_id                      = "vpc-0123456789abcdef0"
  subnet_ids                  = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  kms_key_arn                 = var.kms_key_arn != null ? var.kms_key_arn : module.key.arn
  deletion_protection         = var.deletion_protection
  create_cloudwatch_log_group = var.create_cloudwatch_log_group
}

output "key" {
  value = module.key.arn
}

output "snapshot" {
  value = module.postgres.final_snapshot_identifier
}

output "instance" {
  value = module.postgres.resource_id
}
"#;

/// An instance with its key, applied, and the file that tells what deletes have left.
fn instance() -> (Workspace, PathBuf) {
    let mut workspace = workspace();
    for module in ["rds-key", "rds-postgres"] {
        copy(&Path::new(ROOT).join("examples/modules").join(module), &workspace.dir.join(module));
    }
    let remains = workspace.dir.join("remains.txt");
    workspace.write("main.tf", CONFIG);
    workspace.env("AWS_STUB_REMAINS", &remains.display().to_string());
    workspace.run(&["init"]).ok().unwrap_or_else(|error| panic!("{error}"));
    workspace.apply();
    (workspace, remains)
}

fn output(workspace: &Workspace, name: &str) -> String {
    workspace.state()["values"]["outputs"][name]["value"].as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn refused(run: Run) -> String {
    run.failed().unwrap_or_else(|error| panic!("{error}")).message()
}

const DESTROY: [&str; 3] = ["destroy", "-auto-approve", "-target=module.postgres"];

#[test]
fn what_a_destroy_leaves_can_be_read() {
    let (mut workspace, remains) = instance();
    let (key, first) = (output(&workspace, "key"), output(&workspace, "snapshot"));

    // Protected twice: Terraform keeps the key, AWS the instance, although null was handed to the module.
    let said = refused(workspace.run(&["destroy", "-auto-approve"]));
    assert!(said.contains("module.key.aws_kms_key.this has lifecycle.prevent_destroy set"), "{said}");
    let said = refused(workspace.run(&DESTROY));
    assert!(said.contains("Cannot delete protected DB Instance tenants"), "{said}");

    workspace.env("TF_VAR_deletion_protection", "false");
    workspace.apply();
    let plan = ["plan", "-destroy", "-target=module.postgres", "-out=destroy.plan"];
    workspace.run(&plan).ok().unwrap_or_else(|error| panic!("{error}"));
    let plan = workspace.run(&["show", "-json", "destroy.plan"]).json().unwrap_or_else(|error| panic!("{error}"));
    let changes = plan["resource_changes"].as_array().unwrap().iter();
    let deleted: BTreeSet<&str> = changes
        .filter(|change| change["change"]["actions"][0] == "delete")
        .filter_map(|change| change["address"].as_str())
        .collect();
    assert!(deleted.contains("module.postgres.aws_db_instance.this[0]"), "{deleted:#?}");
    assert!(deleted.iter().all(|address| !address.starts_with("module.key.")), "{deleted:#?}");

    workspace.run(&DESTROY).ok().unwrap_or_else(|error| panic!("{error}"));
    let logs = ["iam-db-auth-error", "postgresql", "upgrade"]
        .map(|export| format!("aws_cloudwatch_log_group /aws/rds/instance/tenants/{export}"));
    let lines =
        |file: &Path| -> BTreeSet<String> { fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect() };
    let left = lines(&remains);
    assert!(logs.iter().all(|group| left.contains(group)), "{left:#?}");
    assert!(left.contains(&format!("aws_db_snapshot {first} with {key}")), "{left:#?}");
    assert!(left.iter().any(|line| line.ends_with("for 14 days")), "{left:#?}");
    assert!(left.iter().all(|line| !line.starts_with("aws_kms_key")), "{left:#?}");
    assert_eq!(left.len(), 5, "{left:#?}");
    assert_eq!(output(&workspace, "key"), key);

    // A second life meets the logs of the first, and leaves a snapshot of its own beside that of the first.
    assert!(workspace.apply_error().contains("ResourceAlreadyExistsException"));
    workspace.env("TF_VAR_create_cloudwatch_log_group", "false");
    workspace.apply();
    let second = output(&workspace, "snapshot");
    assert_ne!(first, second);
    assert_eq!(output(&workspace, "key"), key);
    workspace.run(&DESTROY).ok().unwrap_or_else(|error| panic!("{error}"));
    let left = lines(&remains);
    for snapshot in [first, second] {
        assert!(left.contains(&format!("aws_db_snapshot {snapshot} with {key}")), "{left:#?}");
    }
}

/// The whole configuration goes, and the key stays, when the key is taken out of the state first.
#[test]
fn a_key_that_is_given_up_by_terraform_is_not_deleted() {
    let (mut workspace, remains) = instance();
    workspace.env("TF_VAR_deletion_protection", "false");
    workspace.apply();
    workspace.run(&["state", "rm", "module.key"]).ok().unwrap_or_else(|error| panic!("{error}"));
    workspace.destroy();
    let left = fs::read_to_string(remains).unwrap();
    assert!(left.contains("aws_db_snapshot") && !left.contains("aws_kms_key"), "{left}");
}

#[test]
fn another_key_does_not_make_the_instance_anew() {
    let (mut workspace, _) = instance();
    let before = output(&workspace, "instance");
    workspace.env("TF_VAR_kms_key_arn", "arn:aws:kms:eu-west-1:123456789012:key/99999999-2222-4333-8444-555555555555");
    let said = workspace.plan_error();
    assert!(said.contains("The storage of an instance keeps its key"), "{said}");
    assert_eq!(output(&workspace, "instance"), before);
}

const CLUSTER: &str = r#"
provider "aws" {
  region = "eu-west-1"
}

variable "deletion_protection" {
  type    = bool
  default = null
}

variable "create_cloudwatch_log_group" {
  type    = bool
  default = null
}

variable "kms_key_arn" {
  type    = string
  default = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-4333-8444-555555555555"
}

module "aurora" {
  source                      = "./aurora-postgres"
  identifier                  = "tenants"
  vpc_id                      = "vpc-0123456789abcdef0"
  subnet_ids                  = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  kms_key_arn                 = var.kms_key_arn
  deletion_protection         = var.deletion_protection
  create_cloudwatch_log_group = var.create_cloudwatch_log_group
}

output "snapshot" {
  value = module.aurora.final_snapshot_identifier
}
"#;

/// The key is nowhere in the configuration, and so is nothing that a destroy could take.
#[test]
fn what_a_destroy_of_a_cluster_leaves_can_be_read() {
    let mut workspace = workspace();
    copy(&Path::new(ROOT).join("examples/modules/aurora-postgres"), &workspace.dir.join("aurora-postgres"));
    let remains = workspace.dir.join("remains.txt");
    workspace.write("main.tf", CLUSTER);
    workspace.env("AWS_STUB_REMAINS", &remains.display().to_string());
    workspace.run(&["init"]).ok().unwrap_or_else(|error| panic!("{error}"));
    workspace.apply();
    assert!(!workspace.state_file().contains("\"aws_kms_key\""), "the key is in the state");
    let first = output(&workspace, "snapshot");

    // Although null was handed to the module.
    let said = refused(workspace.run(&["destroy", "-auto-approve"]));
    assert!(said.contains("Cannot delete protected Cluster tenants"), "{said}");

    workspace.env("TF_VAR_deletion_protection", "false");
    workspace.apply();
    workspace.destroy();
    let lines = || fs::read_to_string(&remains).unwrap().lines().map(str::to_owned).collect::<BTreeSet<String>>();
    let key = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-4333-8444-555555555555";
    let left = lines();
    for export in ["iam-db-auth-error", "postgresql"] {
        let group = format!("aws_cloudwatch_log_group /aws/rds/cluster/tenants/{export}");
        assert!(left.contains(&group), "{left:#?}");
    }
    assert!(left.contains(&format!("aws_db_cluster_snapshot {first} with {key}")), "{left:#?}");
    assert!(left.iter().any(|line| line.ends_with("for 14 days")), "{left:#?}");
    assert_eq!(left.len(), 4, "{left:#?}");

    // A second life meets the logs of the first. A third, which another key makes anew, leaves a snapshot of its own too.
    assert!(workspace.apply_error().contains("ResourceAlreadyExistsException"));
    workspace.env("TF_VAR_create_cloudwatch_log_group", "false");
    workspace.apply();
    let second = output(&workspace, "snapshot");
    workspace.env("TF_VAR_kms_key_arn", &key.replace("1111-", "9999-"));
    workspace.apply();
    let third = output(&workspace, "snapshot");
    workspace.destroy();
    let left = lines();
    assert_eq!(BTreeSet::from([&first, &second, &third]).len(), 3, "{first} {second} {third}");
    for snapshot in [first, second, third] {
        let found = left.iter().any(|line| line.starts_with(&format!("aws_db_cluster_snapshot {snapshot} ")));
        assert!(found, "{snapshot}: {left:#?}");
    }
}
