# What tells the people who run it, and who may touch the data of all tenants at once.

module "alarms" {
  source = "../modules/aurora-alarms"

  cluster_identifier      = module.aurora.identifier
  instance_class          = var.cluster.instance_class
  max_capacity            = module.aurora.max_capacity
  connections_for_tenants = module.aurora.connections_for_tenants
  readers                 = length(var.cluster.instances) > 1
  volume_budget_gib       = var.volume_budget_gib
  instance_resource_ids   = { for name, instance in module.aurora.instances : name => instance.resource_id }
  parameter_group_names   = [module.aurora.parameter_group_name]
  log_metrics_namespace   = module.log_metrics.namespace
  subscriptions           = var.subscriptions
  tags                    = var.tags
}

module "log_metrics" {
  source = "../modules/rds-log-metrics"

  db_instance_identifier = module.aurora.identifier
  log_group_name         = module.aurora.log_group_names.postgresql
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
  kms_key_arns                = [var.kms_key_arn]
  log_group_prefix            = "/aws/rds/cluster/${var.name}/"
  topic_arn                   = module.alarms.topic_arn
  tags                        = var.tags
}
