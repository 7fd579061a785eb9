# After rallyware/terraform-postgresql-bootstrap: a list of databases with a limit, and a list of roles with what each may
# do in which database; among them the exporter of a monitoring system.

locals {
  databases = { ported_app = { connection_limit = 15 }, ported_jobs = { connection_limit = 5 } }

  roles = {
    ported_app_worker = { database = "ported_app", access = "write", connection_limit = 3 }
    ported_app_ro     = { database = "ported_app", access = "read", connection_limit = 2, timezone = "Europe/Vienna" }
    ported_jobs_ro    = { database = "ported_jobs", access = "read", connection_limit = 2 }
  }
}

resource "pgtenant_tenant" "bootstrap" {
  for_each = local.databases

  name                = each.key
  deletion_protection = false
}

resource "pgtenant_guardrails" "bootstrap" {
  for_each = local.databases

  tenant           = pgtenant_tenant.bootstrap[each.key].name
  connection_limit = each.value.connection_limit
  parameters       = { work_mem = "8MB" }
}

resource "pgtenant_role" "bootstrap" {
  for_each = local.roles

  tenant           = pgtenant_tenant.bootstrap[each.value.database].name
  name             = each.key
  access           = each.value.access
  connection_limit = each.value.connection_limit
  parameters       = try({ TimeZone = each.value.timezone }, null)
}

# A member of pg_monitor sees every tenant's sessions, so it is no tenant's role: somebody else made it, and it gets in.
resource "pgtenant_access" "exporter" {
  for_each = local.databases

  tenant = pgtenant_tenant.bootstrap[each.key].name
  role   = "ported_exporter"
  access = "connect"
}
