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
