ephemeral "pgtenant_password" "acme" {}

# A database, a role and a schema named "app", closed to everybody else.
resource "pgtenant_tenant" "acme" {
  name = "acme"

  # Write-only: the password is in no state and no plan. Raise the version to set a new one.
  password_wo         = ephemeral.pgtenant_password.acme.result
  password_wo_version = 1
}

# An existing layout, and more said about what may happen to it.
resource "pgtenant_tenant" "globex" {
  name       = "globex"
  database   = "globex_production"
  role       = "globex_app"
  schema     = "main"
  extensions = ["pgcrypto"]

  # In a schema of its own; `version` pins a version.
  extension {
    name   = "hstore"
    schema = "types"
  }

  # When the tenant goes, its database is closed and renamed instead of dropped.
  deletion_protection = false
  on_destroy          = "archive"
}

# Which control of the tenant's isolation is in force, and what was found where one is not.
output "isolation" {
  value = pgtenant_tenant.acme.isolation
}
