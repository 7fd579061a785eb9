# The provider and the tenants of the cell green.

provider "pgtenant" {
  alias       = "green"
  host        = module.postgres["green"].address
  port        = module.postgres["green"].port
  username    = module.postgres["green"].username
  password    = jsondecode(ephemeral.aws_secretsmanager_secret_version.master["green"].secret_string)["password"]
  sslrootcert = var.sslrootcert
}

module "tenants_green" {
  source    = "../modules/tenants"
  providers = { pgtenant = pgtenant.green }

  tenants               = local.tenants["green"]
  passwords             = local.passwords["green"]
  role_passwords        = var.role_passwords
  passwords_version     = var.passwords_version
  available_connections = module.postgres["green"].connections_for_tenants
  watchdog              = var.watchdog
  watchdog_report       = var.watchdog_report
  deletion_protection   = var.tenants_deletion_protection
}

output "headroom_green" {
  description = "Connections of green that no tenant has been promised."
  value       = module.tenants_green.headroom
}
