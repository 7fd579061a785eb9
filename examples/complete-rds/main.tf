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
  cron                       = var.watchdog
  kms_key_arn                = module.key.arn
  deletion_protection        = var.deletion_protection
  tags                       = var.tags
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
  deletion_protection   = var.tenants_deletion_protection
}
