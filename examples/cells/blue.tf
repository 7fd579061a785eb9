# The provider and the tenants of the cell blue.

provider "pgtenant" {
  alias       = "blue"
  host        = module.postgres["blue"].address
  port        = module.postgres["blue"].port
  username    = module.postgres["blue"].username
  password    = jsondecode(ephemeral.aws_secretsmanager_secret_version.master["blue"].secret_string)["password"]
  sslrootcert = var.sslrootcert
}

module "tenants_blue" {
  source    = "../modules/tenants"
  providers = { pgtenant = pgtenant.blue }

  tenants               = local.tenants["blue"]
  passwords             = local.passwords["blue"]
  role_passwords        = var.role_passwords
  passwords_version     = var.passwords_version
  available_connections = module.postgres["blue"].connections_for_tenants
  watchdog              = var.watchdog
  watchdog_report       = var.watchdog_report
  deletion_protection   = var.tenants_deletion_protection
}

output "headroom_blue" {
  description = "Connections of blue that no tenant has been promised."
  value       = module.tenants_blue.headroom
}
