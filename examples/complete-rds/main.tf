# From nothing to governed tenants in one apply: the instance, the provider that connects to it, the tenants,
# and what watches over them.

provider "aws" {
  region = var.region
}

# Kept when the rest is destroyed.
module "key" {
  source = "../modules/rds-key"

  identifier = var.name
  policy     = module.snapshot_guard.key_policy_json
  tags       = var.tags
}

module "postgres" {
  source = "../modules/rds-postgres"

  identifier                 = var.name
  instance_class             = var.instance_class
  vpc_id                     = var.vpc_id
  subnet_ids                 = var.subnet_ids
  allowed_security_group_ids = var.allowed_security_group_ids
  port                       = var.port
  max_connections            = var.max_connections
  reserved_connections       = var.reserved_connections
  cron                       = var.watchdog
  kms_key_arn                = module.key.arn
  tags                       = var.tags

  engine_version                         = var.postgres.engine_version
  engine_lifecycle_support               = var.postgres.engine_lifecycle_support
  allow_major_version_upgrade            = var.postgres.allow_major_version_upgrade
  auto_minor_version_upgrade             = var.postgres.auto_minor_version_upgrade
  blue_green_update                      = var.postgres.blue_green_update
  storage_type                           = var.postgres.storage_type
  allocated_storage                      = var.postgres.allocated_storage
  max_allocated_storage                  = var.postgres.max_allocated_storage
  iops                                   = var.postgres.iops
  storage_throughput                     = var.postgres.storage_throughput
  dedicated_log_volume                   = var.postgres.dedicated_log_volume
  multi_az                               = var.postgres.multi_az
  availability_zone                      = var.postgres.availability_zone
  username                               = var.postgres.username
  network_type                           = var.postgres.network_type
  ca_cert_identifier                     = var.postgres.ca_cert_identifier
  create_db_subnet_group                 = var.postgres.create_db_subnet_group
  db_subnet_group_name                   = var.postgres.db_subnet_group_name
  db_subnet_group_use_name_prefix        = var.postgres.db_subnet_group_use_name_prefix
  create_security_group                  = var.postgres.create_security_group
  vpc_security_group_ids                 = var.postgres.vpc_security_group_ids
  security_group_use_name_prefix         = var.postgres.security_group_use_name_prefix
  allowed_cidr_blocks                    = var.postgres.allowed_cidr_blocks
  master_user_secret_kms_key_id          = var.postgres.master_user_secret_kms_key_id
  performance_insights_kms_key_id        = var.postgres.performance_insights_kms_key_id
  cloudwatch_log_group_kms_key_id        = var.postgres.cloudwatch_log_group_kms_key_id
  pgaudit_log                            = var.postgres.pgaudit_log
  cron_database                          = var.postgres.cron_database
  log_min_duration_ms                    = var.postgres.log_min_duration_ms
  temp_file_limit_mb                     = var.postgres.temp_file_limit_mb
  parameters                             = var.postgres.parameters
  preload_libraries                      = var.postgres.preload_libraries
  create_db_parameter_group              = var.postgres.create_db_parameter_group
  parameter_group_name                   = var.postgres.parameter_group_name
  parameter_group_use_name_prefix        = var.postgres.parameter_group_use_name_prefix
  option_group_name                      = var.postgres.option_group_name
  snapshot_identifier                    = var.postgres.snapshot_identifier
  restore_to_point_in_time               = var.postgres.restore_to_point_in_time
  replicas                               = var.postgres.replicas
  backup_retention_period                = var.postgres.backup_retention_period
  backup_window                          = var.postgres.backup_window
  maintenance_window                     = var.postgres.maintenance_window
  apply_immediately                      = var.postgres.apply_immediately
  deletion_protection                    = var.postgres.deletion_protection
  final_snapshot_identifier_prefix       = var.postgres.final_snapshot_identifier_prefix
  monitoring_interval                    = var.postgres.monitoring_interval
  create_monitoring_role                 = var.postgres.create_monitoring_role
  monitoring_role_arn                    = var.postgres.monitoring_role_arn
  monitoring_role_name                   = var.postgres.monitoring_role_name
  monitoring_role_use_name_prefix        = var.postgres.monitoring_role_use_name_prefix
  monitoring_role_path                   = var.postgres.monitoring_role_path
  monitoring_role_permissions_boundary   = var.postgres.monitoring_role_permissions_boundary
  database_insights_mode                 = var.postgres.database_insights_mode
  performance_insights_retention_period  = var.postgres.performance_insights_retention_period
  create_cloudwatch_log_group            = var.postgres.create_cloudwatch_log_group
  cloudwatch_log_group_class             = var.postgres.cloudwatch_log_group_class
  cloudwatch_log_group_retention_in_days = var.postgres.cloudwatch_log_group_retention_in_days
  cloudwatch_log_group_skip_destroy      = var.postgres.cloudwatch_log_group_skip_destroy
  timeouts                               = var.postgres.timeouts
  db_instance_tags                       = var.postgres.db_instance_tags
  db_parameter_group_tags                = var.postgres.db_parameter_group_tags
  db_subnet_group_tags                   = var.postgres.db_subnet_group_tags
  security_group_tags                    = var.postgres.security_group_tags
  cloudwatch_log_group_tags              = var.postgres.cloudwatch_log_group_tags
  monitoring_role_tags                   = var.postgres.monitoring_role_tags
}

# The password that AWS made. Read in each run, kept nowhere.
ephemeral "aws_secretsmanager_secret_version" "master" {
  secret_id = module.postgres.master_secret_arn
}

# Of an instance that is not there yet, all of this is unknown: the provider connects when it is.
provider "pgtenant" {
  host        = module.postgres.address
  port        = module.postgres.port
  username    = module.postgres.username
  password    = jsondecode(ephemeral.aws_secretsmanager_secret_version.master.secret_string)["password"]
  sslrootcert = var.sslrootcert
}

module "tenants" {
  source = "../modules/tenants"

  tenants               = var.tenants
  passwords             = var.passwords
  role_passwords        = var.role_passwords
  passwords_version     = var.passwords_version
  available_connections = module.postgres.connections_for_tenants
  watchdog              = var.watchdog
  watchdog_report       = var.watchdog_report
  deletion_protection   = var.tenants_deletion_protection
}
