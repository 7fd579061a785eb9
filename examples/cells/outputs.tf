output "addresses" {
  description = "Host name of each cell's server."
  value       = { for cell, postgres in module.postgres : cell => postgres.address }
}

output "topic_arns" {
  description = "SNS topic of each cell's alarms."
  value       = { for cell, alarms in module.alarms : cell => alarms.topic_arn }
}

output "scp_json" {
  description = "Service control policy that keeps snapshots of all cells from everybody else: for the organisation's management account."
  value       = module.snapshot_guard.scp_json
}
