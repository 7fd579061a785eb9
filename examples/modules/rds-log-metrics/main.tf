# Counts in CloudWatch what PostgreSQL says in its log: limits that were reached, locks, logins, privileges, and what
# pgtenant_watchdog ends and sees.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  log_group_name = coalesce(var.log_group_name, "/aws/rds/instance/${var.db_instance_identifier}/postgresql")
  log_group_arn  = "arn:${data.aws_partition.this.partition}:logs:${data.aws_region.this.region}:${data.aws_caller_identity.this.account_id}:log-group:${local.log_group_name}"
  namespace      = "${var.namespace}/${var.db_instance_identifier}"

  by_role   = { for name in var.tenant_conditions : name => local.role_patterns[name] if contains(keys(local.role_patterns), name) }
  by_tenant = { for name in var.tenant_conditions : name => local.watchdog_patterns[name] if contains(keys(local.watchdog_patterns), name) }
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

# Sets the role apart from the rest of a line, so that it can be a dimension.
resource "aws_cloudwatch_log_transformer" "this" {
  count = length(local.by_role) > 0 ? 1 : 0

  log_group_arn = local.log_group_arn

  transformer_config {
    parse_postgres {}
  }

  # ParsePostgres keeps no text.
  transformer_config {
    grok {
      source = "@message"
      match  = "%%{DATA}]:%%{WORD}:%%{SPACE}%%{GREEDYDATA_MULTILINE:${local.field_text}}"
    }
  }
}

# By role, because that is who did it, also in somebody else's database.
resource "aws_cloudwatch_log_metric_filter" "role" {
  for_each = local.by_role

  name                      = "${var.db_instance_identifier}-${each.key}-by-role"
  log_group_name            = local.log_group_name
  pattern                   = each.value
  apply_on_transformed_logs = true

  # CloudWatch takes no default value with dimensions.
  metric_transformation {
    name       = each.key
    namespace  = local.namespace
    value      = "1"
    unit       = "Count"
    dimensions = { role = "$.${local.field_role}" }
  }

  depends_on = [aws_cloudwatch_log_transformer.this]
}

# The value that was measured, so that its maximum says how bad it is.
resource "aws_cloudwatch_log_metric_filter" "tenant" {
  for_each = local.by_tenant

  name           = "${var.db_instance_identifier}-${each.key}-by-tenant"
  log_group_name = local.log_group_name
  pattern        = each.value

  metric_transformation {
    name       = each.key
    namespace  = local.namespace
    value      = "$value"
    unit       = "None"
    dimensions = { tenant = "$tenant" }
  }
}

resource "aws_cloudwatch_metric_alarm" "condition" {
  for_each = var.alarms

  alarm_name          = "${var.db_instance_identifier}-log-${each.key}"
  alarm_description   = "${local.conditions[each.key].description} At least ${each.value.threshold} lines in ${each.value.period} s${each.value.periods > 1 ? ", ${each.value.periods} times in a row" : ""}."
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
