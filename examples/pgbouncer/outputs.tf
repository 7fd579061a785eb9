output "pool_sizes" {
  description = "For each tenant, how many server connections pgBouncer opens for it at most."
  value       = module.pgbouncer.pool_sizes
}

output "timeouts" {
  description = "pgBouncer's timeouts, in seconds, as derived from the guardrails."
  value       = module.pgbouncer.timeouts
}
