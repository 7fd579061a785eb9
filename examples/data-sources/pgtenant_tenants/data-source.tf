data "pgtenant_tenants" "all" {}

# How many connections the tenants could open together: to be kept below max_connections.
output "committed_connections" {
  value = sum(concat([0], [for tenant in data.pgtenant_tenants.all.tenants : tenant.connection_limit]))
}

# Tenants whose creation was interrupted; the next apply finishes them.
output "incomplete" {
  value = [for tenant in data.pgtenant_tenants.all.tenants : tenant.name if !tenant.complete]
}

output "suspended" {
  value = [for tenant in data.pgtenant_tenants.all.tenants : tenant.name if tenant.suspended]
}
