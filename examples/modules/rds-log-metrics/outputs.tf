output "namespace" {
  description = "CloudWatch namespace of all the metrics."
  value       = local.namespace
}

output "metric_names" {
  description = "Names of the instance-wide metrics, by condition."
  value       = { for name, filter in aws_cloudwatch_log_metric_filter.instance : name => filter.metric_transformation[0].name }
}

output "tenant_metric_names" {
  description = "Names of the tenants' metrics, by tenant and condition."
  value = {
    for name in keys(local.tenants) : name => {
      for condition in var.tenant_conditions :
      condition => aws_cloudwatch_log_metric_filter.tenant["${name}/${condition}"].metric_transformation[0].name
    }
  }
}

output "patterns" {
  description = "Filter patterns of the instance-wide metrics, by condition."
  value       = local.patterns
}

output "tenant_patterns" {
  description = "Filter patterns of the tenants' metrics, by `<tenant>/<condition>`."
  value       = { for name, filter in local.tenant_filters : name => filter.pattern }
}

output "alarm_arns" {
  description = "ARNs of the alarms, by condition."
  value       = { for name, alarm in aws_cloudwatch_metric_alarm.condition : name => alarm.arn }
}

output "query_names" {
  description = "Names of the saved queries, as the console lists them."
  value = sort(concat(
    [for query in aws_cloudwatch_query_definition.by_tenant : query.name],
    [for query in aws_cloudwatch_query_definition.tenant : query.name],
  ))
}

output "filter_count" {
  description = "Number of metric filters on the log group, `other_filters` included; a log group takes 100."
  value       = local.filter_count

  precondition {
    condition     = local.filter_count <= 100
    error_message = "The log group would have ${local.filter_count} metric filters, and takes 100: ${length(local.conditions)} conditions, ${length(local.tenants)} tenants times ${length(var.tenant_conditions)} tenant_conditions, ${var.other_filters} other_filters. Name fewer tenants or tenant_conditions: the saved queries reach every tenant."
  }
}
