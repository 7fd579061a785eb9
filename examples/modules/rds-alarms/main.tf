# Alarms on an RDS instance, with thresholds that follow from what it is.

locals {
  prefix      = "${var.db_instance_identifier}-"
  topic_arn   = module.topic.topic_arn
  ok          = var.notify_ok ? [local.topic_arn] : []
  alarm_names = { for name, signal in local.alarms : name => "${local.prefix}${replace(replace(name, "_", "-"), "/", "-")}" }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = local.alarm_names[each.key]
  alarm_description   = "${each.value.says} Missing data is ${each.value.missing}: ${each.value.why} Runbook: ${var.runbook_url}#${each.value.runbook}"
  namespace           = can(each.value.metric) ? "AWS/RDS" : null
  metric_name         = try(each.value.metric, null)
  dimensions          = can(each.value.metric) ? { DBInstanceIdentifier = try(each.value.instance, var.db_instance_identifier) } : null
  statistic           = can(regex("^p[0-9]", each.value.statistic)) ? null : try(each.value.statistic, null)
  extended_statistic  = can(regex("^p[0-9]", each.value.statistic)) ? each.value.statistic : null
  period              = can(each.value.metric) ? try(each.value.period, 60) : null
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = [local.topic_arn]
  ok_actions          = local.ok
  tags                = var.tags

  dynamic "metric_query" {
    for_each = can(each.value.counter) ? [each.value.counter] : []

    content {
      id          = "counter"
      expression  = "DB_PERF_INSIGHTS('RDS', '${var.resource_id}', '${metric_query.value}')"
      label       = metric_query.value
      period      = try(each.value.period, 60)
      return_data = true
    }
  }

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
        dimensions  = { DBInstanceIdentifier = var.db_instance_identifier }
        period      = try(each.value.period, 60)
        stat        = try(each.value.math.statistic, "Average")
      }
    }
  }

  lifecycle {
    precondition {
      condition     = local.is_known
      error_message = "The class ${var.instance_class} is not in classes.json: give memory_gib, vcpus, instance_iops and instance_throughput."
    }

    precondition {
      condition     = local.has_iops
      error_message = "The IOPS of ${var.storage_type} do not follow from its size: give iops."
    }

    precondition {
      condition     = !can(each.value.most) || try(each.value.threshold < each.value.most, false)
      error_message = "The alarm ${each.key} cannot fire: its threshold is ${each.value.threshold}, and its signal never exceeds ${try(each.value.most, 0)}. Lower its threshold in thresholds."
    }
  }
}
