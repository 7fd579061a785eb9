output "isolation" {
  description = "For each tenant, what was found of each control."
  value       = module.tenants.isolation
}

output "headroom" {
  description = "Connections that no tenant has been promised."
  value       = module.tenants.headroom
}

output "topic_arn" {
  description = "SNS topic that hears of alarms."
  value       = module.alarms.topic_arn
}

output "key_policy_json" {
  description = "What the policy of the instance's key should be."
  value       = module.snapshot_guard.key_policy_json
}

output "scp_json" {
  description = "Service control policy that keeps snapshots from everybody else: for the organisation's management account."
  value       = module.snapshot_guard.scp_json
}
