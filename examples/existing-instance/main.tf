# Tenants, alarms and log metrics for an existing instance, made in the console or by another module, such
# as terraform-aws-rds. Nothing here changes the instance itself.

provider "aws" {
  region = var.region
}

ephemeral "aws_secretsmanager_secret_version" "admin" {
  secret_id = var.admin_secret_arn
}

provider "pgtenant" {
  host        = var.instance.address
  port        = var.instance.port
  username    = var.username
  password    = jsondecode(ephemeral.aws_secretsmanager_secret_version.admin.secret_string)["password"]
  sslrootcert = var.sslrootcert
}

module "tenants" {
  source = "../modules/tenants"

  tenants               = var.tenants
  passwords             = var.passwords
  role_passwords        = var.role_passwords
  passwords_version     = var.passwords_version
  available_connections = var.instance.max_connections - var.kept_connections
  baseline              = var.baseline
  watchdog              = var.watchdog
  watchdog_report       = var.watchdog_report
  deletion_protection   = var.tenants_deletion_protection
}

module "alarms" {
  source = "../modules/rds-alarms"

  db_instance_identifier  = var.instance.identifier
  resource_id             = var.instance.resource_id
  instance_class          = var.instance.instance_class
  allocated_storage       = var.instance.allocated_storage
  storage_type            = var.instance.storage_type
  iops                    = var.instance.iops
  memory_gib              = var.instance.memory_gib
  vcpus                   = var.instance.vcpus
  performance_insights    = var.instance.performance_insights
  replica_identifiers     = var.instance.replica_identifiers
  connections_for_tenants = var.instance.max_connections - var.kept_connections
  log_metrics_namespace   = module.log_metrics.namespace
  subscriptions           = var.subscriptions
}

# The instance must export its log `postgresql` to CloudWatch.
module "log_metrics" {
  source = "../modules/rds-log-metrics"

  db_instance_identifier = var.instance.identifier
  alarm_actions          = [module.alarms.topic_arn]
}

# The key of the instance has a policy already: compare it with the output `key_policy_json`.
module "snapshot_guard" {
  source = "../modules/snapshot-guard"

  name                        = "${var.instance.identifier}-snapshots"
  db_instance_identifiers     = [var.instance.identifier]
  dba_role_arns               = var.roles.dba
  break_glass_role_arns       = var.roles.break_glass
  key_administrator_role_arns = var.roles.terraform
  key_user_role_arns          = var.roles.terraform
  final_snapshot_role_arns    = var.roles.terraform
  key_services                = ["pi", "rds", "secretsmanager"]
  kms_key_arns                = [var.instance.kms_key_arn]
  log_group_prefix            = "/aws/rds/instance/${var.instance.identifier}/"
  topic_arn                   = module.alarms.topic_arn
}
