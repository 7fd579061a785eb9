variables {
  db_instance_identifier = "tenants"
}

run "defaults" {
  command = plan

  assert {
    condition     = length(aws_cloudwatch_log_metric_filter.instance) == length(output.patterns) && length(output.tenant_patterns) == length(var.tenant_conditions)
    error_message = "There is one filter for each condition, and one for each of tenant_conditions."
  }

  assert {
    condition = (
      length(aws_cloudwatch_log_metric_filter.instance) + length(aws_cloudwatch_log_metric_filter.role) +
      length(aws_cloudwatch_log_metric_filter.tenant) <= 100
    )
    error_message = "A log group takes 100 metric filters."
  }

  assert {
    condition     = aws_cloudwatch_log_transformer.this[0].log_group_arn == "arn:aws:logs:${data.aws_region.this.region}:123456789012:log-group:/aws/rds/instance/tenants/postgresql"
    error_message = "The transformer is the log group's."
  }

  assert {
    condition     = aws_cloudwatch_log_transformer.this[0].transformer_config[1].grok[0].match == "%%{DATA}]:%%{WORD}:%%{SPACE}%%{GREEDYDATA_MULTILINE:text}"
    error_message = "The text of a line is all that follows its level."
  }

  assert {
    condition = alltrue([
      for filter in aws_cloudwatch_log_metric_filter.role :
      filter.apply_on_transformed_logs && filter.metric_transformation[0].dimensions == tomap({ role = "$.userName" }) && filter.metric_transformation[0].default_value == null
    ])
    error_message = "PostgreSQL's messages are counted by role, on the lines that are taken apart."
  }

  assert {
    condition = alltrue([
      for filter in aws_cloudwatch_log_metric_filter.tenant :
      filter.metric_transformation[0].value == "$value" && filter.metric_transformation[0].dimensions == tomap({ tenant = "$tenant" })
    ])
    error_message = "Lines of the watchdog are measured by tenant."
  }

  assert {
    condition = alltrue([
      for filter in aws_cloudwatch_log_metric_filter.instance :
      filter.log_group_name == "/aws/rds/instance/tenants/postgresql" && filter.metric_transformation[0].namespace == "pgtenant/tenants"
    ])
    error_message = "The log group and the namespace follow from the instance."
  }

  assert {
    condition     = aws_cloudwatch_log_metric_filter.instance["deadlock"].pattern == "\"ERROR:\" \"deadlock detected\" -\"]:STATEMENT:\" -\"]:DETAIL:\" -\"]:CONTEXT:\" -\"]:QUERY:\" -\"]:HINT:\" -\"]:LOG:\""
    error_message = "A pattern is its phrases, quoted, and those that must not be there."
  }

  assert {
    condition     = alltrue([for pattern in values(output.patterns) : length(pattern) <= 1024])
    error_message = "CloudWatch takes patterns of 1024 characters."
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.condition)) == toset(keys(var.alarms)) && length(aws_cloudwatch_metric_alarm.condition["deadlock"].alarm_actions) == 0
    error_message = "There is an alarm for each of alarms."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.condition["slow_statement"].threshold == 100 && aws_cloudwatch_metric_alarm.condition["slow_statement"].period == 300
    error_message = "Many slow statements alarm by default."
  }

  assert {
    condition     = alltrue([for query in aws_cloudwatch_query_definition.this : startswith(query.name, "pgtenant/tenants/")])
    error_message = "Saved queries lie in a folder of the instance."
  }
}

run "others" {
  command = plan

  variables {
    log_group_name    = "/platform/postgresql"
    namespace         = "platform"
    tenant_conditions = ["deadlock", "permission_denied", "xmin_age"]
    alarms            = { deadlock = { threshold = 2, period = 60, periods = 3 } }
    alarm_actions     = ["arn:aws:sns:eu-west-1:123456789012:alarms"]
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_log_metric_filter.role)) == toset(["deadlock", "permission_denied"]) && toset(keys(aws_cloudwatch_log_metric_filter.tenant)) == toset(["xmin_age"])
    error_message = "The conditions for tenants are those that were asked for."
  }

  assert {
    condition     = aws_cloudwatch_log_metric_filter.role["permission_denied"].pattern == "{ ($.logLevel = \"ERROR\" || $.logLevel = \"FATAL\") && ($.text = \"permission denied for*\") }"
    error_message = "A role's pattern asks for the level and the text."
  }

  assert {
    condition     = aws_cloudwatch_log_metric_filter.tenant["xmin_age"].pattern == "[..., head = \"pgtenant_watchdog:\", event = \"over\", signal = \"xmin_age\", tenant, value, limit, role, database, pid]"
    error_message = "A tenant's pattern asks for the words of the watchdog."
  }

  assert {
    condition     = output.tenant_metric_names == { role = ["deadlock", "permission_denied"], tenant = ["xmin_age"] }
    error_message = "A tenant's metric is named for the condition."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.condition["deadlock"].threshold == 2 &&
      aws_cloudwatch_metric_alarm.condition["deadlock"].evaluation_periods == 3 &&
      aws_cloudwatch_metric_alarm.condition["deadlock"].namespace == "platform/tenants" &&
      aws_cloudwatch_metric_alarm.condition["deadlock"].treat_missing_data == "notBreaching"
    )
    error_message = "The alarm is as asked."
  }
}

# What PostgreSQL does every day is counted, and wakes nobody.
run "routine" {
  command = plan

  assert {
    condition     = !contains(keys(var.alarms), "wraparound_vacuum") && aws_cloudwatch_metric_alarm.condition["deadlock"].evaluation_periods == 3
    error_message = "A vacuum against wraparound alarms nobody, and a deadlock now and then does not."
  }
}

run "no_transformer" {
  command = plan

  variables {
    tenant_conditions = ["long_statement"]
  }

  assert {
    condition     = length(aws_cloudwatch_log_transformer.this) == 0 && length(aws_cloudwatch_log_metric_filter.tenant) == 1
    error_message = "Lines of the watchdog need no transformer."
  }
}

run "no_alarms" {
  command = plan

  variables {
    alarms = {}
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.condition) == 0
    error_message = "Alarms can be left out."
  }
}
