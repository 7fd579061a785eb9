# From a VPC and a key to governed tenants on Aurora in one apply: the cluster, the provider that connects to its writer,
# the tenants, and what watches over them.

provider "aws" {
  region = var.region
}

module "aurora" {
  source = "../modules/aurora-postgres"

  identifier                 = var.name
  vpc_id                     = var.vpc_id
  subnet_ids                 = var.subnet_ids
  allowed_security_group_ids = var.allowed_security_group_ids
  kms_key_arn                = var.kms_key_arn
  port                       = var.port
  cron                       = var.watchdog
  tags                       = var.tags

  engine_version                       = var.cluster.engine_version
  engine_lifecycle_support             = var.cluster.engine_lifecycle_support
  allow_major_version_upgrade          = var.cluster.allow_major_version_upgrade
  apply_immediately                    = var.cluster.apply_immediately
  instance_class                       = var.cluster.instance_class
  instances                            = var.cluster.instances
  serverlessv2_scaling_configuration   = var.cluster.serverlessv2_scaling_configuration
  autoscaling_enabled                  = var.cluster.autoscaling_enabled
  autoscaling_max_capacity             = var.cluster.autoscaling_max_capacity
  storage_type                         = var.cluster.storage_type
  max_connections                      = var.cluster.max_connections
  logical_replication                  = var.cluster.logical_replication
  parameters                           = var.cluster.parameters
  instance_parameters                  = var.cluster.instance_parameters
  backup_retention_period              = var.cluster.backup_retention_period
  deletion_protection                  = var.cluster.deletion_protection
  snapshot_identifier                  = var.cluster.snapshot_identifier
  restore_to_point_in_time             = var.cluster.restore_to_point_in_time
  monitoring_role_permissions_boundary = var.cluster.monitoring_role_permissions_boundary
  timeouts                             = var.cluster.timeouts
}

# The password that AWS made. Read in each run, kept nowhere.
ephemeral "aws_secretsmanager_secret_version" "master" {
  secret_id = module.aurora.master_secret_arn
}

# The endpoint of the cluster is the writer's, also after a failover. Of a cluster that is not there yet, all of this is
# unknown: the provider connects when it is.
provider "pgtenant" {
  host        = module.aurora.address
  port        = module.aurora.port
  username    = module.aurora.username
  password    = jsondecode(ephemeral.aws_secretsmanager_secret_version.master.secret_string)["password"]
  sslrootcert = var.sslrootcert
}

module "tenants" {
  source = "../modules/tenants"

  tenants               = var.tenants
  passwords             = var.passwords
  role_passwords        = var.role_passwords
  passwords_version     = var.passwords_version
  available_connections = module.aurora.connections_for_tenants
  watchdog              = var.watchdog
  watchdog_report       = var.watchdog_report
  deletion_protection   = var.tenants_deletion_protection

  # The cluster's endpoint answers when there is an instance behind it, and not before.
  depends_on = [module.aurora]
}
