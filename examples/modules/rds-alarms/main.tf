# Alarms on an RDS instance, with thresholds that follow from its size.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  prefix    = "${var.db_instance_identifier}-"
  topic_arn = var.create_topic ? aws_sns_topic.this[0].arn : var.topic_arn
  ok        = var.notify_ok ? [local.topic_arn] : []

  metric_alarms  = { for name, signal in local.metrics : name => signal if !contains(var.disabled, name) }
  insight_alarms = { for name, signal in local.insights : name => signal if var.performance_insights && !contains(var.disabled, name) }
  lag_alarms     = contains(var.disabled, "replica_lag") ? toset([]) : var.replica_identifiers
}

resource "aws_cloudwatch_metric_alarm" "metric" {
  for_each = local.metric_alarms

  alarm_name          = "${local.prefix}${replace(each.key, "_", "-")}"
  alarm_description   = "${each.value.says} Missing data is ${each.value.missing}: ${each.value.why}"
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  dimensions          = { DBInstanceIdentifier = var.db_instance_identifier }
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = [local.topic_arn]
  ok_actions          = local.ok
  tags                = var.tags

  lifecycle {
    precondition {
      condition     = local.is_known
      error_message = "Memory and vCPUs of ${var.instance_class} are not known here: give memory_gib and vcpus."
    }
  }
}

# CloudWatch has no metric of IOPS in per cent.
resource "aws_cloudwatch_metric_alarm" "iops_saturation" {
  count = contains(var.disabled, "iops_saturation") ? 0 : 1

  alarm_name          = "${local.prefix}iops-saturation"
  alarm_description   = "${local.iops_saturation.says} Missing data is ${local.iops_saturation.missing}: ${local.iops_saturation.why}"
  comparison_operator = local.gt
  threshold           = local.iops_saturation.threshold
  evaluation_periods  = local.iops_saturation.periods
  datapoints_to_alarm = local.iops_saturation.periods
  treat_missing_data  = local.iops_saturation.missing
  alarm_actions       = [local.topic_arn]
  ok_actions          = local.ok
  tags                = var.tags

  metric_query {
    id          = "saturation"
    expression  = "100 * (reads + writes) / ${local.iops}"
    label       = "IOPS in per cent of ${local.iops}"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { reads = "ReadIOPS", writes = "WriteIOPS" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/RDS"
        metric_name = metric_query.value
        dimensions  = { DBInstanceIdentifier = var.db_instance_identifier }
        period      = 60
        stat        = "Average"
      }
    }
  }

  lifecycle {
    precondition {
      condition     = local.has_iops
      error_message = "What ${var.storage_type} can do does not follow from its size: give iops."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "insight" {
  for_each = local.insight_alarms

  alarm_name          = "${local.prefix}${replace(each.key, "_", "-")}"
  alarm_description   = "${each.value.says} Missing data is ${each.value.missing}: ${each.value.why}"
  comparison_operator = local.gt
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = [local.topic_arn]
  ok_actions          = local.ok
  tags                = var.tags

  metric_query {
    id          = "counter"
    expression  = "DB_PERF_INSIGHTS('RDS', '${var.resource_id}', '${each.value.counter}')"
    label       = each.value.counter
    period      = 60
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "replica_lag" {
  for_each = local.lag_alarms

  alarm_name          = "${local.prefix}replica-lag-${each.key}"
  alarm_description   = "${local.replica_lag.says} Missing data is ${local.replica_lag.missing}: ${local.replica_lag.why}"
  namespace           = "AWS/RDS"
  metric_name         = "ReplicaLag"
  dimensions          = { DBInstanceIdentifier = each.key }
  statistic           = "Maximum"
  comparison_operator = local.gt
  threshold           = local.replica_lag.threshold
  period              = 60
  evaluation_periods  = local.replica_lag.periods
  datapoints_to_alarm = local.replica_lag.periods
  treat_missing_data  = local.replica_lag.missing
  alarm_actions       = [local.topic_arn]
  ok_actions          = local.ok
  tags                = var.tags
}
