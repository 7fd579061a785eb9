# What tells the people who run it.

module "alarms" {
  source = "../modules/rds-alarms"

  db_instance_identifier = module.postgres.identifier
  resource_id            = module.postgres.resource_id
  instance_class         = module.postgres.instance_class
  allocated_storage      = module.postgres.allocated_storage
  iops                   = module.postgres.iops
  max_connections        = module.postgres.max_connections
  log_metrics_namespace  = module.log_metrics.namespace
  subscriptions          = var.subscriptions
  tags                   = var.tags
}

module "log_metrics" {
  source = "../modules/rds-log-metrics"

  db_instance_identifier = module.postgres.identifier
  log_group_name         = module.postgres.log_group_names.postgresql
  tenants                = { for name in keys(var.tenants) : name => {} }
  tags                   = var.tags
}
