output "namespace" {
  description = "CloudWatch namespace of all the metrics."
  value       = local.namespace
}

output "metric_names" {
  description = "Names of the instance-wide metrics, by condition."
  value       = { for name, filter in aws_cloudwatch_log_metric_filter.instance : name => filter.metric_transformation[0].name }
}

output "tenant_metric_names" {
  description = "Names of the metrics of every tenant, by the dimension that they have: `role` or `tenant`."
  value = {
    role   = [for filter in aws_cloudwatch_log_metric_filter.role : filter.metric_transformation[0].name]
    tenant = [for filter in aws_cloudwatch_log_metric_filter.tenant : filter.metric_transformation[0].name]
  }
}

output "patterns" {
  description = "Filter patterns of the instance-wide metrics, by condition."
  value       = local.patterns
}

output "tenant_patterns" {
  description = "Filter patterns of the metrics of every tenant, by condition."
  value       = merge(local.by_role, local.by_tenant)
}

output "alarm_arns" {
  description = "ARNs of the alarms, by condition."
  value       = { for name, alarm in aws_cloudwatch_metric_alarm.condition : name => alarm.arn }
}

output "query_names" {
  description = "Names of the saved queries, as the console lists them."
  value       = sort([for query in aws_cloudwatch_query_definition.this : query.name])
}
