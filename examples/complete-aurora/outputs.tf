output "address" {
  description = "Host name of the writer."
  value       = module.aurora.address
}

output "reader_address" {
  description = "Host name that leads to the readers. A tenant's limits count on each instance by itself, and the watchdog runs on the writer only."
  value       = module.aurora.reader_address
}

output "isolation" {
  description = "For each tenant, what was found of each control."
  value       = module.tenants.isolation
}

output "headroom" {
  description = "Connections that no tenant has been promised."
  value       = module.tenants.headroom
}

output "topic_arn" {
  description = "SNS topic that hears of alarms and events."
  value       = module.alarms.topic_arn
}

output "final_snapshot_identifier" {
  description = "Name of the snapshot that a destroy leaves."
  value       = module.aurora.final_snapshot_identifier
}

output "key_policy_json" {
  description = "Policy for the key at `kms_key_arn`: who may administer it, and use it through RDS."
  value       = module.snapshot_guard.key_policy_json
}

output "scp_json" {
  description = "Service control policy that keeps snapshots from everybody else: for the organisation's management account."
  value       = module.snapshot_guard.scp_json
}
