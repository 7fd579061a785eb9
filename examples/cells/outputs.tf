output "addresses" {
  description = "Host name of each cell's server."
  value       = { for cell, postgres in module.postgres : cell => postgres.address }
}

output "topic_arns" {
  description = "SNS topic of each cell's alarms."
  value       = { for cell, alarms in module.alarms : cell => alarms.topic_arn }
}
