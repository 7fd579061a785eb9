# Several instances, each with tenants of its own: what one cell suffers, the others do not. A provider for each
# cell, since a provider is one server's; Terraform wants them written out.

provider "aws" {
  region = var.region
}

locals {
  cells = toset(["blue", "green"])

  tenants = { for cell in local.cells : cell => { for name, tenant in var.tenants : name => tenant if tenant.cell == cell } }

  passwords = { for cell in local.cells : cell => { for name, password in var.passwords : name => password if contains(keys(local.tenants[cell]), name) } }
}

# Kept when the rest is destroyed.
module "key" {
  source   = "../modules/rds-key"
  for_each = local.cells

  identifier = "tenants-${each.key}"
}

module "postgres" {
  source   = "../modules/rds-postgres"
  for_each = local.cells

  identifier                 = "tenants-${each.key}"
  vpc_id                     = var.network.vpc_id
  subnet_ids                 = var.network.subnet_ids
  allowed_security_group_ids = var.network.allowed_security_group_ids
  port                       = var.ports[each.key]
  cron                       = var.watchdog
  kms_key_arn                = module.key[each.key].arn
  deletion_protection        = var.deletion_protection
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

ephemeral "aws_secretsmanager_secret_version" "master" {
  for_each  = local.cells
  secret_id = module.postgres[each.key].master_secret_arn
}

provider "pgtenant" {
  alias       = "blue"
  host        = module.postgres["blue"].address
  port        = module.postgres["blue"].port
  username    = module.postgres["blue"].username
  password    = jsondecode(ephemeral.aws_secretsmanager_secret_version.master["blue"].secret_string)["password"]
  sslrootcert = var.sslrootcert
}

provider "pgtenant" {
  alias       = "green"
  host        = module.postgres["green"].address
  port        = module.postgres["green"].port
  username    = module.postgres["green"].username
  password    = jsondecode(ephemeral.aws_secretsmanager_secret_version.master["green"].secret_string)["password"]
  sslrootcert = var.sslrootcert
}

module "tenants_blue" {
  source    = "../modules/tenants"
  providers = { pgtenant = pgtenant.blue }

  tenants               = local.tenants["blue"]
  passwords             = local.passwords["blue"]
  role_passwords        = var.role_passwords
  available_connections = module.postgres["blue"].connections_for_tenants
  watchdog              = var.watchdog
  deletion_protection   = var.tenants_deletion_protection
}

module "tenants_green" {
  source    = "../modules/tenants"
  providers = { pgtenant = pgtenant.green }

  tenants               = local.tenants["green"]
  passwords             = local.passwords["green"]
  role_passwords        = var.role_passwords
  available_connections = module.postgres["green"].connections_for_tenants
  watchdog              = var.watchdog
  deletion_protection   = var.tenants_deletion_protection
}
