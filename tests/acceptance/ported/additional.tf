# After cloudposse's component aurora-postgres-resources: additional databases, additional schemas in them, and users with
# grants on any of it. A user with `ALL` on its database is the tenant: it makes schemas and temporary tables. One with
# grants on two databases is let into both. Grants on single tables are no resource: the tenant gives them, as SQL in its
# migrations, to the roles that it has.

locals {
  additional_databases = {
    ported_orders  = { schemas = ["archive", "invoices"] }
    ported_catalog = { schemas = [] }
  }
}

resource "pgtenant_tenant" "additional" {
  for_each = local.additional_databases

  name                   = each.key
  schemas                = each.value.schemas
  allow_create_schema    = true
  allow_temporary_tables = true
  deletion_protection    = false
}

# The service reads what is in the catalog, and writes orders.
resource "pgtenant_access" "service" {
  for_each = { ported_orders = "write", ported_catalog = "read" }

  tenant = pgtenant_tenant.additional[each.key].name
  role   = "ported_service"
  access = each.value
}

# Gets in, and has what the tenant gives it.
resource "pgtenant_role" "auditor" {
  tenant = pgtenant_tenant.additional["ported_orders"].name
  name   = "ported_orders_auditor"
  access = "connect"
}
