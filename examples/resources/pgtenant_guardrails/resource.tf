resource "pgtenant_tenant" "acme" {
  name = "acme"
}

# Limits on what one tenant can take from all the others. Without them a tenant has safe defaults, and goes
# back to those when its guardrails are destroyed.
resource "pgtenant_guardrails" "acme" {
  tenant = pgtenant_tenant.acme.name

  connection_limit                    = 20
  statement_timeout                   = "30s"
  lock_timeout                        = "5s"
  idle_in_transaction_session_timeout = "1min"
  idle_session_timeout                = "10min" # PostgreSQL 14 and newer

  parameters = {
    work_mem = "16MB"
  }
}

# What the tenant's role has set for itself in addition to these limits.
output "overrides" {
  value = pgtenant_guardrails.acme.overrides
}
