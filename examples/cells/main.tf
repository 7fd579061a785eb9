# Several instances, each with tenants of its own: what one cell suffers, the others do not. What follows is for all cells.
# A provider is one server's, and Terraform makes none in a loop: each cell has a file with its provider and its tenants.

provider "aws" {
  region = var.region
}

locals {
  cells = toset(keys(var.cells))

  tenants = { for cell in local.cells : cell => { for name, tenant in var.tenants : name => tenant if tenant.cell == cell } }

  passwords = { for cell in local.cells : cell => { for name, password in var.passwords : name => password if contains(keys(local.tenants[cell]), name) } }
}

# Kept when the rest is destroyed.
module "key" {
  source   = "../modules/rds-key"
  for_each = local.cells

  identifier = "tenants-${each.key}"
  policy     = module.snapshot_guard.key_policy_json
}

module "postgres" {
  source   = "../modules/rds-postgres"
  for_each = var.cells

  identifier                 = "tenants-${each.key}"
  vpc_id                     = var.network.vpc_id
  subnet_ids                 = var.network.subnet_ids
  allowed_security_group_ids = var.network.allowed_security_group_ids
  cron                       = var.watchdog
  kms_key_arn                = module.key[each.key].arn

  engine_version                         = each.value.engine_version
  engine_lifecycle_support               = each.value.engine_lifecycle_support
  allow_major_version_upgrade            = each.value.allow_major_version_upgrade
  auto_minor_version_upgrade             = each.value.auto_minor_version_upgrade
  blue_green_update                      = each.value.blue_green_update
  instance_class                         = each.value.instance_class
  storage_type                           = each.value.storage_type
  allocated_storage                      = each.value.allocated_storage
  max_allocated_storage                  = each.value.max_allocated_storage
  iops                                   = each.value.iops
  storage_throughput                     = each.value.storage_throughput
  dedicated_log_volume                   = each.value.dedicated_log_volume
  multi_az                               = each.value.multi_az
  availability_zone                      = each.value.availability_zone
  username                               = each.value.username
  port                                   = each.value.port
  network_type                           = each.value.network_type
  ca_cert_identifier                     = each.value.ca_cert_identifier
  create_db_subnet_group                 = each.value.create_db_subnet_group
  db_subnet_group_name                   = each.value.db_subnet_group_name
  db_subnet_group_use_name_prefix        = each.value.db_subnet_group_use_name_prefix
  create_security_group                  = each.value.create_security_group
  vpc_security_group_ids                 = each.value.vpc_security_group_ids
  security_group_use_name_prefix         = each.value.security_group_use_name_prefix
  allowed_cidr_blocks                    = each.value.allowed_cidr_blocks
  master_user_secret_kms_key_id          = each.value.master_user_secret_kms_key_id
  performance_insights_kms_key_id        = each.value.performance_insights_kms_key_id
  cloudwatch_log_group_kms_key_id        = each.value.cloudwatch_log_group_kms_key_id
  max_connections                        = each.value.max_connections
  reserved_connections                   = each.value.reserved_connections == -1 ? null : each.value.reserved_connections
  pgaudit_log                            = each.value.pgaudit_log
  cron_database                          = each.value.cron_database
  log_min_duration_ms                    = each.value.log_min_duration_ms
  temp_file_limit_mb                     = each.value.temp_file_limit_mb
  parameters                             = each.value.parameters
  preload_libraries                      = each.value.preload_libraries
  create_db_parameter_group              = each.value.create_db_parameter_group
  parameter_group_name                   = each.value.parameter_group_name
  parameter_group_use_name_prefix        = each.value.parameter_group_use_name_prefix
  option_group_name                      = each.value.option_group_name
  snapshot_identifier                    = each.value.snapshot_identifier
  restore_to_point_in_time               = each.value.restore_to_point_in_time
  replicas                               = each.value.replicas
  backup_retention_period                = each.value.backup_retention_period
  backup_window                          = each.value.backup_window
  maintenance_window                     = each.value.maintenance_window
  apply_immediately                      = each.value.apply_immediately
  deletion_protection                    = each.value.deletion_protection
  final_snapshot_identifier_prefix       = each.value.final_snapshot_identifier_prefix
  monitoring_interval                    = each.value.monitoring_interval
  create_monitoring_role                 = each.value.create_monitoring_role
  monitoring_role_arn                    = each.value.monitoring_role_arn
  monitoring_role_name                   = each.value.monitoring_role_name
  monitoring_role_use_name_prefix        = each.value.monitoring_role_use_name_prefix
  monitoring_role_path                   = each.value.monitoring_role_path
  monitoring_role_permissions_boundary   = each.value.monitoring_role_permissions_boundary
  database_insights_mode                 = each.value.database_insights_mode
  performance_insights_retention_period  = each.value.performance_insights_retention_period
  create_cloudwatch_log_group            = each.value.create_cloudwatch_log_group
  cloudwatch_log_group_class             = each.value.cloudwatch_log_group_class
  cloudwatch_log_group_retention_in_days = each.value.cloudwatch_log_group_retention_in_days
  cloudwatch_log_group_skip_destroy      = each.value.cloudwatch_log_group_skip_destroy
  timeouts                               = each.value.timeouts
  db_instance_tags                       = each.value.db_instance_tags
  db_parameter_group_tags                = each.value.db_parameter_group_tags
  db_subnet_group_tags                   = each.value.db_subnet_group_tags
  security_group_tags                    = each.value.security_group_tags
  cloudwatch_log_group_tags              = each.value.cloudwatch_log_group_tags
  monitoring_role_tags                   = each.value.monitoring_role_tags
}

module "alarms" {
  source   = "../modules/rds-alarms"
  for_each = local.cells

  db_instance_identifier  = module.postgres[each.key].identifier
  resource_id             = module.postgres[each.key].resource_id
  instance_class          = module.postgres[each.key].instance_class
  allocated_storage       = module.postgres[each.key].allocated_storage
  iops                    = module.postgres[each.key].iops
  max_allocated_storage   = module.postgres[each.key].max_allocated_storage
  storage_type            = module.postgres[each.key].storage_type
  storage_throughput      = module.postgres[each.key].storage_throughput
  connections_for_tenants = module.postgres[each.key].connections_for_tenants
  replica_identifiers     = values(module.postgres[each.key].replica_identifiers)
  parameter_group_names   = [module.postgres[each.key].parameter_group_name]
  # Of the module log_metrics below, written out: with for_each, it waits for all of this one.
  log_metrics_namespace = "pgtenant/${module.postgres[each.key].identifier}"
  subscriptions         = var.subscriptions
}

module "log_metrics" {
  source   = "../modules/rds-log-metrics"
  for_each = local.cells

  db_instance_identifier = module.postgres[each.key].identifier
  log_group_name         = module.postgres[each.key].log_group_names.postgresql
  alarm_actions          = [module.alarms[each.key].topic_arn]
}

# One guard for all: a policy holds for an account, and an event of a snapshot does not say which cell it is of.
module "snapshot_guard" {
  source = "../modules/snapshot-guard"

  name                        = "tenants-snapshots"
  db_instance_identifiers     = [for cell in local.cells : "tenants-${cell}"]
  dba_role_arns               = var.roles.dba
  break_glass_role_arns       = var.roles.break_glass
  key_administrator_role_arns = var.roles.terraform
  key_user_role_arns          = var.roles.terraform
  final_snapshot_role_arns    = var.roles.terraform
  key_services                = ["pi", "rds", "secretsmanager"]
  kms_key_arns                = [for cell in sort(local.cells) : module.key[cell].arn]
  log_group_prefix            = "/aws/rds/instance/tenants-"
  topic_arn                   = module.alarms[sort(local.cells)[0]].topic_arn
}

ephemeral "aws_secretsmanager_secret_version" "master" {
  for_each  = local.cells
  secret_id = module.postgres[each.key].master_secret_arn
}
