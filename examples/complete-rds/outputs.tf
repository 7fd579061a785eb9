output "address" {
  description = "Host name of the server."
  value       = module.postgres.address
}

output "isolation" {
  description = "For each tenant, what was found of each control."
  value       = module.tenants.isolation
}

output "headroom" {
  description = "Connections that no tenant has been promised."
  value       = module.tenants.headroom
}

output "pool_sizes" {
  description = "For each tenant, how many server connections pgBouncer opens for it at most."
  value       = module.pgbouncer.pool_sizes
}

output "topic_arn" {
  description = "SNS topic that hears of alarms."
  value       = module.alarms.topic_arn
}

output "scp_json" {
  description = "Service control policy that keeps snapshots from everybody else: for the organisation's management account."
  value       = module.snapshot_guard.scp_json
}

output "secret_arns" {
  description = "For each login, the ARN of its secret: JSON with `engine`, `dbname`, `username` and `password`."
  value       = { for name, secret in aws_secretsmanager_secret.login : name => secret.arn }
}
