variables {
  db_instance_identifier = "tenants"
  instance_class         = "db.r7g.large"
  allocated_storage      = 100
  resource_id            = "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
}

run "thresholds_follow_from_the_size" {
  command = plan

  variables {
    connections_for_tenants = 487
  }

  assert {
    condition     = output.size == { vcpus = 2, memory_gib = 16, connections = 487, allocated_storage = 100, iops = 3000, throughput_bytes = 78750000 }
    error_message = "A db.r7g.large has 2 vCPUs, 16 GiB and 78.75 MB/s, and 100 GiB of gp3 have 3000 IOPS."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["connections"].threshold == 438 &&
      aws_cloudwatch_metric_alarm.this["connections_growth"].threshold == 97 &&
      aws_cloudwatch_metric_alarm.this["freeable_memory"].threshold == 4 * 1073741824 &&
      aws_cloudwatch_metric_alarm.this["free_storage"].threshold == 10 * 1073741824 &&
      aws_cloudwatch_metric_alarm.this["free_storage_critical"].threshold == 5 * 1073741824 &&
      aws_cloudwatch_metric_alarm.this["db_load"].threshold == 2 &&
      aws_cloudwatch_metric_alarm.this["disk_queue"].threshold == 60 &&
      aws_cloudwatch_metric_alarm.this["wal_usage"].threshold == 20 * 1073741824
    )
    error_message = "Thresholds are shares of the size."
  }

  assert {
    condition     = [for name, alarm in aws_cloudwatch_metric_alarm.this : name if alarm.treat_missing_data == "breaching"] == ["availability"]
    error_message = "One alarm says that the instance is down."
  }

  assert {
    condition     = [for name, alarm in aws_cloudwatch_metric_alarm.this : name if alarm.treat_missing_data == "notBreaching"] == ["blocked_transactions", "db_load", "deadlocks", "idle_in_transaction", "replication_slot_lag"]
    error_message = "What is reported only while there is something to report counts as good without data."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this :
      length(alarm.alarm_description) <= 1024 && strcontains(alarm.alarm_description, " Missing data is ${alarm.treat_missing_data}: ") &&
      can(regex(" Runbook: https://github.com/.+/docs/guides/operations.md#[a-z-]+$", alarm.alarm_description))
    ])
    error_message = "Each alarm says how missing data counts and why, and where its runbook is."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this : alarm.dimensions == tomap({ DBInstanceIdentifier = "tenants" }) if alarm.metric_name != null
    ])
    error_message = "Each metric is this instance's."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["read_latency"].extended_statistic == "p90" &&
      aws_cloudwatch_metric_alarm.this["read_latency"].statistic == null &&
      aws_cloudwatch_metric_alarm.this["free_storage"].statistic == "Minimum"
    )
    error_message = "Percentiles are extended statistics."
  }

  assert {
    condition     = [for query in aws_cloudwatch_metric_alarm.this["iops_saturation"].metric_query : query.expression if query.expression != null] == ["100 * (reads + writes) / 3000"]
    error_message = "IOPS are a share of what storage and class can do."
  }

  assert {
    condition = [
      for query in aws_cloudwatch_metric_alarm.this["deadlocks"].metric_query : query.expression
    ] == ["DB_PERF_INSIGHTS('RDS', 'db-ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'db.Concurrency.deadlocks.avg')"]
    error_message = "Deadlocks are counted by Performance Insights."
  }

  assert {
    condition     = !anytrue([for name in keys(output.alarms) : startswith(name, "replica_lag")]) && length(output.alarms) == 22
    error_message = "Without replicas there is no alarm on lag."
  }
}

run "the_class_is_the_narrower_one" {
  command = plan

  variables {
    allocated_storage = 500
    iops              = 12000
  }

  assert {
    condition     = output.size.iops == 3600 && output.size.throughput_bytes == 78750000
    error_message = "A db.r7g.large sustains 3600 IOPS, whatever the storage does."
  }
}

run "the_storage_is_the_narrower_one" {
  command = plan

  variables {
    instance_class     = "db.r7g.8xlarge"
    allocated_storage  = 500
    iops               = 16000
    storage_throughput = 1000
  }

  assert {
    condition     = output.size.iops == 16000 && output.size.throughput_bytes == 1000 * 1048576
    error_message = "A db.r7g.8xlarge sustains 40000 IOPS and 1250 MB/s: more than this storage does."
  }

  assert {
    condition     = !anytrue([for name in keys(output.alarms) : startswith(name, "ebs_")])
    error_message = "A class that does not burst has no burst to spend."
  }
}

run "with_autoscaling" {
  command = plan

  variables {
    max_allocated_storage = 500
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["free_storage"].evaluation_periods == 30 &&
      aws_cloudwatch_metric_alarm.this["free_storage_critical"].evaluation_periods == 5 &&
      aws_cloudwatch_metric_alarm.this["storage_ceiling"].threshold == 450 * 1048576
    )
    error_message = "RDS gets time to grow the storage, and the ceiling is watched."
  }

  assert {
    condition     = !strcontains(aws_cloudwatch_event_rule.this["instance"].event_pattern, "RDS-EVENT-0089")
    error_message = "RDS's event on 10 % free is for storage that does not grow."
  }
}

run "at_the_ceiling_the_storage_grows_no_more" {
  command = plan

  variables {
    allocated_storage     = 480
    max_allocated_storage = 500
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["free_storage"].evaluation_periods == 5 && strcontains(aws_cloudwatch_event_rule.this["instance"].event_pattern, "RDS-EVENT-0089")
    error_message = "There is nothing to wait for."
  }
}

run "fewer_connections_than_cpus" {
  command = plan

  variables {
    instance_class          = "db.m7g.16xlarge"
    connections_for_tenants = 10
    thresholds              = { blocked_transactions = 50 }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["db_load"].threshold == 9 && aws_cloudwatch_metric_alarm.this["blocked_transactions"].threshold == 9
    error_message = "No more sessions can be active or blocked than there are."
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
      aws_cloudwatch_metric_alarm.this["replica_lag/tenants-replica"].dimensions == tomap({ DBInstanceIdentifier = "tenants-replica" }) &&
      aws_cloudwatch_metric_alarm.this["replica_lag/tenants-replica"].treat_missing_data == "breaching"
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
    instance_class     = "db.t4g.micro"
    allocated_storage  = 20
    iops               = 0
    storage_throughput = 0
  }

  assert {
    condition     = output.size == { vcpus = 2, memory_gib = 1, connections = 107, allocated_storage = 20, iops = 500, throughput_bytes = 10875000 }
    error_message = "A db.t4g.micro sustains 500 IOPS; RDS's default of connections follows from the memory."
  }

  assert {
    condition = (
      [for query in aws_cloudwatch_metric_alarm.this["cpu_credits"].metric_query : query.expression if query.expression != null] == ["IF(cpu > 10, credits, 288)"] &&
      aws_cloudwatch_metric_alarm.this["cpu_credits"].threshold == 28.8 &&
      alltrue([for query in aws_cloudwatch_metric_alarm.this["cpu_credits"].metric_query : one(query.metric).period == 300 if query.expression == null])
    )
    error_message = "CPU credits are reported every five minutes."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["freeable_memory"].threshold == floor(0.1 * 1073741824)
    error_message = "Of 1 GiB no quarter is free even at rest."
  }
}

run "gp2_bursts" {
  command = plan

  variables {
    instance_class = "db.m6gd.4xlarge"
    storage_type   = "gp2"
  }

  assert {
    condition     = output.size.vcpus == 16 && output.size.memory_gib == 64 && output.size.connections == 4995 && output.size.iops == 3000
    error_message = "gp2 does 3000 IOPS as long as it bursts."
  }

  assert {
    condition     = contains(keys(output.alarms), "burst_balance") && contains(keys(output.alarms), "free_local_storage")
    error_message = "The burst is watched, and the local disk of a class that has one."
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
    condition     = output.size.vcpus == 4 && output.size.memory_gib == 128 && output.size.iops == 8125 && output.size.throughput_bytes == 312500000
    error_message = "A db.x2iedn.xlarge has 4 vCPUs and 128 GiB, and sustains 8125 IOPS."
  }
}

run "other_classes_in_numbers" {
  command = plan

  variables {
    instance_class      = "db.m99g.large"
    memory_gib          = 16
    vcpus               = 2
    instance_iops       = 2000
    instance_throughput = 50
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["freeable_memory"].threshold == 4 * 1073741824 && output.size.iops == 2000 && output.size.throughput_bytes == 50000000
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
    create_events    = false
    disabled         = ["checkpoint_lag", "iops_saturation", "deadlocks"]
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this :
      alarm.alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:platform"]) && length(alarm.ok_actions) == 0
    ])
    error_message = "The alarms notify the topic that was given."
  }

  assert {
    condition     = output.kms_key_arn == null && length(aws_cloudwatch_dashboard.this) == 0 && length(aws_cloudwatch_event_rule.this) == 0 && length(output.alarms) == 19
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
    condition     = !anytrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.metric_name == null && strcontains(jsonencode(alarm.metric_query), "DB_PERF_INSIGHTS")]) && !strcontains(aws_cloudwatch_dashboard.this[0].dashboard_body, "DB_PERF_INSIGHTS")
    error_message = "Its counters are not asked."
  }
}

run "deadlocks_are_counted_once" {
  command = plan

  variables {
    log_metrics_namespace = "pgtenant/tenants"
  }

  assert {
    condition     = !contains(keys(output.alarms), "deadlocks") && contains(keys(output.alarms), "blocked_transactions")
    error_message = "The module rds-log-metrics has the alarm on deadlocks."
  }
}

run "events" {
  command = plan

  variables {
    replica_identifiers   = ["tenants-replica"]
    parameter_group_names = ["tenants-postgres17"]
    runbook_url           = "https://wiki.example.com/postgres"
  }

  assert {
    condition     = keys(aws_cloudwatch_event_rule.this) == ["instance", "pending-reboot"] && jsondecode(aws_cloudwatch_event_rule.this["instance"].event_pattern).detail.SourceIdentifier == ["tenants", "tenants-replica"]
    error_message = "RDS's events of the instance and its replicas are heard of, and parameters that wait for a reboot."
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.this : strcontains(target.input_transformer[0].input_template, "https://wiki.example.com/postgres")])
    error_message = "An event says where the runbook is."
  }

  assert {
    condition     = endswith(aws_cloudwatch_metric_alarm.this["cpu"].alarm_description, " Runbook: https://wiki.example.com/postgres#runaway-queries")
    error_message = "So does an alarm."
  }
}

run "applied" {
  variables {
    subscriptions = {
      platform = { protocol = "email", endpoint = "platform@example.com" }
    }
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.this : target.arn == output.topic_arn])
    error_message = "Events go to the topic."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([output.topic_arn])])
    error_message = "The alarms notify the topic."
  }

  # What the dashboard shows is there.
  assert {
    condition = toset(jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets[0].properties.alarms) == toset([
      for alarm in values(output.alarms) : alarm.arn
    ])
    error_message = "The dashboard's alarms are those that were made."
  }
}
