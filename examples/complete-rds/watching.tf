# What tells the people who run it, and who may touch the data of all tenants at once.

module "alarms" {
  source = "../modules/rds-alarms"

  db_instance_identifier  = module.postgres.identifier
  resource_id             = module.postgres.resource_id
  instance_class          = module.postgres.instance_class
  allocated_storage       = module.postgres.allocated_storage
  iops                    = module.postgres.iops
  max_allocated_storage   = module.postgres.max_allocated_storage
  storage_type            = module.postgres.storage_type
  storage_throughput      = module.postgres.storage_throughput
  connections_for_tenants = module.postgres.connections_for_tenants
  replica_identifiers     = values(module.postgres.replica_identifiers)
  parameter_group_names   = [module.postgres.parameter_group_name]
  log_metrics_namespace   = module.log_metrics.namespace
  subscriptions           = var.subscriptions
  tags                    = var.tags
}

module "log_metrics" {
  source = "../modules/rds-log-metrics"

  db_instance_identifier = module.postgres.identifier
  log_group_name         = module.postgres.log_group_names.postgresql
  alarm_actions          = [module.alarms.topic_arn]
  tags                   = var.tags
}

module "snapshot_guard" {
  source = "../modules/snapshot-guard"

  name                        = "${var.name}-snapshots"
  db_instance_identifiers     = [var.name]
  dba_role_arns               = var.roles.dba
  break_glass_role_arns       = var.roles.break_glass
  key_administrator_role_arns = var.roles.terraform
  key_user_role_arns          = var.roles.terraform
  final_snapshot_role_arns    = var.roles.terraform
  key_services                = ["pi", "rds", "secretsmanager"]
  kms_key_arns                = [module.key.arn]
  log_group_prefix            = "/aws/rds/instance/${var.name}/"
  topic_arn                   = module.alarms.topic_arn
  tags                        = var.tags
}
