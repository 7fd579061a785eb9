# PGHOST, PGPORT, PGUSER, PGPASSWORD and similar variables say where the server is and who the admin is.
provider "pgtenant" {}

# New in each run and kept nowhere: only its SCRAM verifier reaches the server.
ephemeral "pgtenant_password" "tenant" {
  for_each = var.tenants
}

resource "pgtenant_tenant" "this" {
  for_each = var.tenants

  name                = each.key
  password_wo         = ephemeral.pgtenant_password.tenant[each.key].result
  password_wo_version = 1

  # So that `terraform destroy` cleans up after the tour. For real tenants leave it at true, the default.
  deletion_protection = false
}

resource "pgtenant_guardrails" "this" {
  for_each = var.tenants

  tenant            = pgtenant_tenant.this[each.key].name
  connection_limit  = each.value.connection_limit
  statement_timeout = each.value.statement_timeout
  lock_timeout      = "5s"

  idle_in_transaction_session_timeout = "1min"
}
