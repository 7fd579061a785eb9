# Alarms on an Aurora PostgreSQL cluster, with thresholds that follow from its size, and rules for RDS's own events.

locals {
  prefix    = "${var.cluster_identifier}-"
  topic_arn = module.topic.topic_arn
  ok        = var.notify_ok ? [local.topic_arn] : []

  metric_alarms = { for name, signal in local.signals : name => signal if !contains(var.disabled, name) }

  insight_alarms = merge([
    for name, signal in local.insights : {
      for instance, resource_id in var.instance_resource_ids :
      "${name}/${instance}" => merge(signal, { resource_id = resource_id }) if !contains(var.disabled, name)
    }
  ]...)

  alarm_names = {
    for name in concat(keys(local.metric_alarms), keys(local.insight_alarms)) : name => "${local.prefix}${replace(name, "/[_/]/", "-")}"
  }
}

resource "aws_cloudwatch_metric_alarm" "metric" {
  for_each = local.metric_alarms

  alarm_name          = local.alarm_names[each.key]
  alarm_description   = "${each.value.says} Missing data is ${each.value.missing}: ${each.value.why} Runbook: ${var.runbook_url}#${each.value.runbook}"
  namespace           = can(each.value.metric) ? "AWS/RDS" : null
  metric_name         = try(each.value.metric, null)
  dimensions          = can(each.value.metric) ? each.value.dimensions : null
  statistic           = can(each.value.metric) && !startswith(each.value.statistic, "p") ? each.value.statistic : null
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = can(each.value.metric) ? try(each.value.period, 60) : null
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = [local.topic_arn]
  ok_actions          = local.ok
  tags                = var.tags

  dynamic "metric_query" {
    for_each = can(each.value.math) ? [each.value.math.expression] : []

    content {
      id          = "result"
      expression  = metric_query.value
      label       = each.key
      return_data = true
    }
  }

  dynamic "metric_query" {
    for_each = try(each.value.math.metrics, {})

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/RDS"
        metric_name = metric_query.value
        dimensions  = each.value.dimensions
        period      = each.value.period
        stat        = each.value.statistic
      }
    }
  }

  lifecycle {
    precondition {
      condition     = local.is_known
      error_message = "Memory and vCPUs of ${var.instance_class} are not known here: give memory_gib and vcpus, or max_capacity for db.serverless."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "insight" {
  for_each = local.insight_alarms

  alarm_name          = local.alarm_names[each.key]
  alarm_description   = "${each.value.says} Missing data is notBreaching: Counters are reported while there is something to count. Runbook: ${var.runbook_url}#${each.value.runbook}"
  comparison_operator = local.gt
  threshold           = each.value.threshold
  evaluation_periods  = 5
  datapoints_to_alarm = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.topic_arn]
  ok_actions          = local.ok
  tags                = var.tags

  metric_query {
    id          = "counter"
    expression  = "DB_PERF_INSIGHTS('RDS', '${each.value.resource_id}', '${each.value.counter}')"
    label       = each.value.counter
    period      = 60
    return_data = true
  }
}
