output "topic_arn" {
  description = "ARN of the SNS topic that the alarms notify: for the alarms of `rds-log-metrics` and the events of `snapshot-guard` too."
  value       = local.topic_arn
}

output "alarms" {
  description = "What is watched, by name: ARN, threshold, and how missing data counts. Those of Performance Insights are `<name>/<instance>`."
  value = {
    for name, alarm in merge(aws_cloudwatch_metric_alarm.metric, aws_cloudwatch_metric_alarm.insight) :
    name => { arn = alarm.arn, threshold = alarm.threshold, treat_missing_data = alarm.treat_missing_data }
  }
}

output "size" {
  description = "What the thresholds were computed from: `vcpus`, `memory_gib`, `connections_for_tenants`, `volume_budget_gib`."
  value = {
    vcpus                   = local.vcpus
    memory_gib              = local.memory_gib
    connections_for_tenants = var.connections_for_tenants
    volume_budget_gib       = var.volume_budget_gib
  }
}

output "dashboard_name" {
  description = "Name of the dashboard; null without."
  value       = var.create_dashboard ? aws_cloudwatch_dashboard.this[0].dashboard_name : null
}

output "kms_key_arn" {
  description = "Key of the topic; null without."
  value       = module.topic.kms_key_arn
}
