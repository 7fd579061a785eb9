# After a pair of logins on a managed cluster: Flyway's makes the tables, and by default privileges the application's uses
# them, in a schema that neither of the two owns.

resource "pgtenant_tenant" "flyway" {
  name                = "ported_shop"
  schema              = "shop"
  deletion_protection = false

  # Flyway says CREATE SCHEMA IF NOT EXISTS, for which it needs this, whether there is one or not.
  allow_create_schema = true
}

resource "pgtenant_role" "flyway" {
  tenant = pgtenant_tenant.flyway.name
  name   = "ported_shop_flyway"
  access = "owner"

  password_wo         = "ported flyway"
  password_wo_version = 1
}

resource "pgtenant_role" "user" {
  tenant = pgtenant_tenant.flyway.name
  name   = "ported_shop_user"
  access = "write"

  password_wo         = "ported user"
  password_wo_version = 1
}
