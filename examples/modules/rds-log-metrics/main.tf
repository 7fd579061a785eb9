# Counts in CloudWatch what PostgreSQL says in its log: limits that were reached, locks, logins, privileges.

locals {
  log_group_name = coalesce(var.log_group_name, "/aws/rds/instance/${var.db_instance_identifier}/postgresql")
  namespace      = "${var.namespace}/${var.db_instance_identifier}"

  tenants = {
    for name, tenant in var.tenants : name => {
      role     = coalesce(tenant.role, name)
      database = coalesce(tenant.database, name)
    }
  }

  tenant_filters = merge([
    for name, tenant in local.tenants : {
      for condition in var.tenant_conditions : "${name}/${condition}" => {
        metric = "${condition}.${name}"
        # RDS writes `<time>:<client>:<role>@<database>:[<pid>]:` before the level. By role, because that is
        # who did it, also in somebody else's database.
        pattern = "\":${tenant.role}@\" ${local.tenant_patterns[condition]}"
      }
    }
  ]...)

  filter_count = length(local.conditions) + length(local.tenant_filters) + var.other_filters
}

resource "aws_cloudwatch_log_metric_filter" "instance" {
  for_each = local.patterns

  name           = "${var.db_instance_identifier}-${each.key}"
  log_group_name = local.log_group_name
  pattern        = each.value

  metric_transformation {
    name          = each.key
    namespace     = local.namespace
    value         = "1"
    default_value = "0"
    unit          = "Count"
  }
}

resource "aws_cloudwatch_log_metric_filter" "tenant" {
  for_each = local.tenant_filters

  name           = "${var.db_instance_identifier}-${replace(each.key, "/", "-")}"
  log_group_name = local.log_group_name
  pattern        = each.value.pattern

  metric_transformation {
    name          = each.value.metric
    namespace     = local.namespace
    value         = "1"
    default_value = "0"
    unit          = "Count"
  }
}

resource "aws_cloudwatch_metric_alarm" "condition" {
  for_each = var.alarms

  alarm_name          = "${var.db_instance_identifier}-log-${each.key}"
  alarm_description   = "${local.conditions[each.key].description} At least ${each.value.threshold} lines in ${each.value.period} s."
  namespace           = local.namespace
  metric_name         = each.key
  statistic           = "Sum"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = each.value.periods
  # A log that is silent says nothing bad: that the instance lives is for the alarms on its own metrics.
  treat_missing_data = "notBreaching"
  alarm_actions      = var.alarm_actions
  ok_actions         = var.alarm_actions
  tags               = var.tags

  depends_on = [aws_cloudwatch_log_metric_filter.instance]
}
