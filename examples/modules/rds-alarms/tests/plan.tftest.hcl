variables {
  db_instance_identifier = "tenants"
  instance_class         = "db.r7g.large"
  allocated_storage      = 100
  resource_id            = "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
}

run "thresholds_follow_from_the_size" {
  command = plan

  variables {
    max_connections = 500
  }

  assert {
    condition     = output.size == { vcpus = 2, memory_gib = 16, max_connections = 500, allocated_storage = 100, iops = 3000 }
    error_message = "A db.r7g.large with 100 GiB of gp3 has 2 vCPUs, 16 GiB and 3000 IOPS."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.metric["connections"].threshold == 450 &&
      aws_cloudwatch_metric_alarm.metric["freeable_memory"].threshold == 4 * 1073741824 &&
      aws_cloudwatch_metric_alarm.metric["free_storage"].threshold == 10 * 1073741824 &&
      aws_cloudwatch_metric_alarm.metric["db_load"].threshold == 2 &&
      aws_cloudwatch_metric_alarm.metric["disk_queue"].threshold == 60 &&
      aws_cloudwatch_metric_alarm.metric["wal_usage"].threshold == 20 * 1073741824
    )
    error_message = "Thresholds are shares of the size."
  }

  assert {
    condition = { for name, alarm in aws_cloudwatch_metric_alarm.metric : name => alarm.treat_missing_data } == {
      connections          = "breaching", cpu = "breaching", freeable_memory = "breaching", free_storage = "breaching"
      read_latency         = "missing", write_latency = "missing", disk_queue = "missing"
      ebs_io_balance       = "missing", ebs_byte_balance = "missing", transaction_ids = "missing", wal_usage = "missing"
      checkpoint_lag       = "missing"
      replication_slot_lag = "notBreaching", db_load = "notBreaching"
    }
    error_message = "How missing data counts is chosen one by one."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.metric :
      alarm.dimensions == tomap({ DBInstanceIdentifier = "tenants" }) && alarm.period == 60 &&
      strcontains(alarm.alarm_description, "Missing data is ${alarm.treat_missing_data}: ")
    ])
    error_message = "Each alarm is on this instance, and says how missing data counts and why."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.metric["read_latency"].extended_statistic == "p90" &&
      aws_cloudwatch_metric_alarm.metric["read_latency"].statistic == null &&
      aws_cloudwatch_metric_alarm.metric["free_storage"].statistic == "Minimum"
    )
    error_message = "Percentiles are extended statistics."
  }

  assert {
    condition     = [for query in aws_cloudwatch_metric_alarm.iops_saturation[0].metric_query : query.expression if query.expression != null] == ["100 * (reads + writes) / 3000"]
    error_message = "IOPS are a share of what the storage can do."
  }

  assert {
    condition = [
      for query in aws_cloudwatch_metric_alarm.insight["deadlocks"].metric_query : query.expression
    ] == ["DB_PERF_INSIGHTS('RDS', 'db-ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'db.Concurrency.deadlocks.avg')"]
    error_message = "Deadlocks are counted by Performance Insights."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.replica_lag) == 0 && length(output.alarms) == 18
    error_message = "Without replicas there is no alarm on lag."
  }

  assert {
    condition     = [for document in data.aws_iam_policy_document.key.statement : one(document.principals).identifiers if document.sid == "PublishersEncrypt"] == [toset(["cloudwatch.amazonaws.com", "events.amazonaws.com"])]
    error_message = "CloudWatch and EventBridge may use the topic's key."
  }
}

run "dashboard_has_a_row_for_each_risk" {
  command = plan

  variables {
    log_metrics_namespace = "pgtenant/tenants"
    replica_identifiers   = ["tenants-replica"]
  }

  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
      trimprefix(split("\n", widget.properties.markdown)[0], "## ") if widget.type == "text"
      ] == [
      "Connection exhaustion", "Runaway queries", "Locks and long transactions", "Memory", "I/O saturation",
      "Storage growth", "Autovacuum and bloat", "Replication lag", "Access"
    ]
    error_message = "There is one row for each risk."
  }

  # A row is as wide as the dashboard, and the next begins where it ends.
  assert {
    condition = alltrue([
      for row in range(9) : sum([
        for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
        widget.width if widget.type == "metric" && widget.y == 6 + row * 8
      ]) == 24
    ])
    error_message = "The metrics of a row fill it."
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets[0].properties.alarms) == length(output.alarms)
    error_message = "The state of all alarms is on top."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.this[0].dashboard_body, "[\"pgtenant/tenants\",\"failed_login\",{\"stat\":\"Sum\"}]")
    error_message = "Metrics of the log are shown."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.replica_lag["tenants-replica"].dimensions == tomap({ DBInstanceIdentifier = "tenants-replica" }) &&
      aws_cloudwatch_metric_alarm.replica_lag["tenants-replica"].treat_missing_data == "breaching"
    )
    error_message = "Lag is measured at the replica."
  }
}

run "without_log_and_replicas_their_rows_are_left_out" {
  command = plan

  assert {
    condition     = length([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : widget if widget.type == "text"]) == 7
    error_message = "A row without metrics is not shown."
  }
}

run "burstable" {
  command = plan

  variables {
    instance_class    = "db.t4g.medium"
    allocated_storage = 400
  }

  assert {
    condition     = output.size == { vcpus = 2, memory_gib = 4, max_connections = 450, allocated_storage = 400, iops = 12000 }
    error_message = "A db.t4g.medium has 2 vCPUs and 4 GiB; gp3 from 400 GiB 12000 IOPS; RDS's default follows from the memory."
  }
}

run "general_purpose" {
  command = plan

  variables {
    instance_class = "db.m6gd.4xlarge"
    storage_type   = "gp2"
  }

  assert {
    condition     = output.size == { vcpus = 16, memory_gib = 64, max_connections = 5000, allocated_storage = 100, iops = 300 }
    error_message = "A db.m6gd.4xlarge has 16 vCPUs and 64 GiB; gp2 3 IOPS for each GiB."
  }
}

run "memory_optimized" {
  command = plan

  variables {
    instance_class = "db.x2iedn.xlarge"
    storage_type   = "io2"
    iops           = 20000
  }

  assert {
    condition     = output.size.vcpus == 4 && output.size.memory_gib == 128 && output.size.iops == 20000
    error_message = "A db.x2iedn.xlarge has 4 vCPUs and 128 GiB."
  }
}

run "other_classes_in_numbers" {
  command = plan

  variables {
    instance_class = "db.z1d.large"
    memory_gib     = 16
    vcpus          = 2
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.metric["freeable_memory"].threshold == 4 * 1073741824
    error_message = "A class that is not known can be described."
  }
}

run "another_topic" {
  command = plan

  variables {
    create_topic     = false
    topic_arn        = "arn:aws:sns:eu-west-1:123456789012:platform"
    notify_ok        = false
    create_dashboard = false
    disabled         = ["checkpoint_lag", "iops_saturation", "deadlocks"]
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.metric :
      alarm.alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:platform"]) && length(alarm.ok_actions) == 0
    ])
    error_message = "The alarms notify the topic that was given."
  }

  assert {
    condition     = length(aws_sns_topic.this) == 0 && length(aws_kms_key.topic) == 0 && length(aws_cloudwatch_dashboard.this) == 0 && length(output.alarms) == 15
    error_message = "What is not wanted is not made."
  }
}

run "without_performance_insights" {
  command = plan

  variables {
    performance_insights  = false
    resource_id           = null
    log_metrics_namespace = "pgtenant/tenants"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.insight) == 0 && !strcontains(aws_cloudwatch_dashboard.this[0].dashboard_body, "DB_PERF_INSIGHTS")
    error_message = "Its counters are not asked."
  }
}

run "applied" {
  variables {
    subscriptions = { platform = { protocol = "email", endpoint = "platform@example.com" } }
  }

  assert {
    condition     = aws_sns_topic.this[0].kms_master_key_id == aws_kms_key.topic[0].arn && aws_sns_topic_subscription.this["platform"].topic_arn == aws_sns_topic.this[0].arn
    error_message = "The topic is on its own key, and has its subscribers."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.metric : alarm.alarm_actions == toset([aws_sns_topic.this[0].arn])])
    error_message = "The alarms notify the topic."
  }

  # What the dashboard shows is there.
  assert {
    condition = toset(jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets[0].properties.alarms) == toset([
      for alarm in values(output.alarms) : alarm.arn
    ])
    error_message = "The dashboard's alarms are those that were made."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_sns_topic_policy.this[0].policy).Statement :
      statement.Principal.Service => can(statement.Condition.ArnLike["aws:SourceArn"]) if statement.Effect == "Allow"
    } == { "cloudwatch.amazonaws.com" = true, "events.amazonaws.com" = false }
    error_message = "Alarms of this account publish, and EventBridge."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_sns_topic_policy.this[0].policy).Statement :
      can(statement.Condition) if statement.Sid == "EventsOfRules"
    ] == [false]
    error_message = "With a condition in its statement EventBridge could not publish."
  }
}
