ephemeral "pgtenant_password" "migrator" {}

resource "pgtenant_tenant" "acme" {
  name                = "acme"
  allow_create_schema = true # as migration tools want it
}

# The login of a migration tool: what it makes is the tenant's.
resource "pgtenant_role" "migrator" {
  tenant = pgtenant_tenant.acme.name
  name   = "acme_migrator"
  access = "owner"

  connection_limit = 2
  parameters = {
    statement_timeout = "15min"
  }

  password_wo         = ephemeral.pgtenant_password.migrator.result
  password_wo_version = 1
}

# Reads all that the tenant has and will have.
resource "pgtenant_role" "reader" {
  tenant = pgtenant_tenant.acme.name
  name   = "acme_reader"
  access = "read"

  authentication = "certificate" # on RDS: "rds_iam"
}
