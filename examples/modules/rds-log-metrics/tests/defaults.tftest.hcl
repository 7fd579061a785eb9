variables {
  db_instance_identifier = "tenants"
}

run "defaults" {
  command = plan

  assert {
    condition     = length(aws_cloudwatch_log_metric_filter.instance) == length(output.patterns) && length(aws_cloudwatch_log_metric_filter.tenant) == 0
    error_message = "Without tenants there is one filter for each condition, and no other."
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
    condition     = alltrue([for query in aws_cloudwatch_query_definition.by_tenant : startswith(query.name, "pgtenant/tenants/")])
    error_message = "Saved queries lie in a folder of the instance."
  }

  assert {
    condition     = output.filter_count == length(output.patterns)
    error_message = "Every filter is counted."
  }
}

run "by_tenant" {
  command = plan

  variables {
    log_group_name    = "/platform/postgresql"
    namespace         = "platform"
    tenants           = { acme = {}, globex = { role = "globex_app", database = "globex_db" } }
    tenant_conditions = ["deadlock", "failed_login"]
    other_filters     = 3
    alarms            = { deadlock = { threshold = 2, period = 60, periods = 3 } }
    alarm_actions     = ["arn:aws:sns:eu-west-1:123456789012:alarms"]
  }

  assert {
    condition     = length(aws_cloudwatch_log_metric_filter.tenant) == 4 && output.filter_count == length(output.patterns) + 4 + 3
    error_message = "Two tenants times two conditions are four filters more."
  }

  assert {
    condition     = startswith(aws_cloudwatch_log_metric_filter.tenant["globex/failed_login"].pattern, "\":globex_app@\" \"FATAL:\" ")
    error_message = "A tenant's pattern asks for its role."
  }

  assert {
    condition     = output.tenant_metric_names["acme"]["deadlock"] == "deadlock.acme"
    error_message = "A tenant's metric is named for the condition and the tenant."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_query_definition.tenant["globex"].query_string, "filter role = \"globex_app\" or database = \"globex_db\"")
    error_message = "A tenant's query asks for its role and its database."
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
