output "topic_arn" {
  description = "ARN of the SNS topic that the alarms notify: for the alarms of `rds-log-metrics` and the events of `snapshot-guard` too."
  value       = local.topic_arn
}

output "alarms" {
  description = "What is watched, by name: ARN, threshold, and how missing data counts. Replicas are `replica_lag/<identifier>`."
  value = {
    for name, alarm in aws_cloudwatch_metric_alarm.this :
    name => { arn = alarm.arn, threshold = alarm.threshold, treat_missing_data = alarm.treat_missing_data }
  }

  precondition {
    condition     = var.performance_insights || var.log_metrics_namespace != null || contains(var.disabled, "deadlocks")
    error_message = "Deadlocks would be watched by nothing: set performance_insights with resource_id, or use the module rds-log-metrics and give its namespace as log_metrics_namespace, or name \"deadlocks\" in disabled."
  }
}

output "size" {
  description = "What the thresholds were computed from: `vcpus`, `memory_gib`, `connections`, `allocated_storage` (GiB), and of storage and class the smaller `iops` and `throughput_bytes` (a second)."
  value = {
    vcpus             = local.vcpus
    memory_gib        = local.memory_gib
    connections       = local.connections
    allocated_storage = var.allocated_storage
    iops              = local.iops
    throughput_bytes  = local.throughput_bytes
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
