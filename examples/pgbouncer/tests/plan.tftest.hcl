# What the tenants' resources answer is made up here: a real server has its say in the project's own tests.
mock_provider "pgtenant" {
  override_during = plan
  mock_resource "pgtenant_tenant" {
    defaults = { database = "acme", role = "acme" }
  }
}

run "guardrails_become_pools_and_timeouts" {
  command = plan
  variables {
    tenants   = { acme = { connection_limit = 7, statement_timeout = "20s" } }
    passwords = { acme = "not a real one" }
  }
  assert {
    condition     = output.pool_sizes == { acme = 6 } && output.timeouts.query_timeout == 35
    error_message = "The guardrails do not arrive in the module: ${jsonencode(output.pool_sizes)} ${jsonencode(output.timeouts)}"
  }
  assert {
    condition     = pgtenant_guardrails.this["acme"].connection_limit == 7
    error_message = "The guardrails do not arrive at the tenant."
  }
}
