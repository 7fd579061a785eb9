data "pgtenant_signals" "now" {
  deep = true # enters each tenant's database
}

# Every plan and apply reports it; a scheduled plan makes an alert of it.
check "nobody_forgot_a_transaction" {
  assert {
    condition     = try(data.pgtenant_signals.now.oldest_transaction.seconds < 3600, true)
    error_message = "A transaction of ${try(data.pgtenant_signals.now.oldest_transaction.role, "")} (pid ${try(data.pgtenant_signals.now.oldest_transaction.pid, 0)}) is open for more than an hour."
  }
}

check "nobody_waits_for_another_tenant" {
  assert {
    condition = alltrue([
      for pair in data.pgtenant_signals.now.blocked : pair.tenant == pair.blocking_tenant || coalesce(pair.waiting_seconds, 0) < 60
    ])
    error_message = "A session waits for another tenant's, or the admin's, for a minute or more: see `blocked`."
  }
}

# Tables with more than 1 GB of dead rows that autovacuum has not reached.
output "bloated" {
  value = flatten([
    for tenant in data.pgtenant_signals.now.tenants : [
      for table in coalesce(tenant.tables, []) : "${tenant.name}: ${table.schema}.${table.table}"
      if table.estimated_bloat_bytes > 1024 * 1024 * 1024
    ]
  ])
}
