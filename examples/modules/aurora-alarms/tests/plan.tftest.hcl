# What is watched by default, and how it follows the size of the cluster.

provider "aws" {
  region = "eu-west-1"
}

variables {
  cluster_identifier      = "tenants"
  instance_class          = "db.r7g.large"
  connections_for_tenants = 395
}

run "defaults" {
  command = plan

  assert {
    condition = keys(aws_cloudwatch_metric_alarm.metric) == [
      "availability", "buffer_cache", "commit_latency", "connections", "connections_growth", "cpu", "db_load", "deadlocks", "freeable_memory",
      "local_storage", "read_latency", "reader_connections", "reader_cpu", "replica_lag", "transaction_ids", "volume", "wal_usage",
    ]
    error_message = "The alarms are not those documented: ${jsonencode(keys(aws_cloudwatch_metric_alarm.metric))}"
  }

  assert {
    condition = { for name, alarm in aws_cloudwatch_metric_alarm.metric : name => alarm.threshold } == {
      availability    = 1, buffer_cache = 90, commit_latency = 50, connections = 355, connections_growth = 79, cpu = 90, db_load = 2, deadlocks = 1 / 60
      freeable_memory = 858993459, local_storage = 4294967296, read_latency = 0.02, reader_connections = 355, reader_cpu = 90
      replica_lag     = 2000, transaction_ids = 500000000, volume = 1099511627776, wal_usage = 53687091200
    }
    error_message = "The thresholds are not those that follow from the size: ${jsonencode({ for name, alarm in aws_cloudwatch_metric_alarm.metric : name => alarm.threshold })}"
  }

  # What Aurora does not have must not be waited for.
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.metric : !contains(["FreeStorageSpace", "DiskQueueDepth", "EBSIOBalance%", "EBSByteBalance%", "CheckpointLag", "ReplicaLag"], coalesce(alarm.metric_name, "-"))])
    error_message = "An alarm waits for a metric that Aurora does not have."
  }

  # A writer that is gone is one page, by the alarm that watches for it.
  assert {
    condition     = [for name, alarm in aws_cloudwatch_metric_alarm.metric : name if alarm.treat_missing_data == "breaching"] == ["availability", "replica_lag"]
    error_message = "Missing data is more than one page for one cause."
  }

  assert {
    condition = alltrue([
      for name, dimensions in merge(
        { for name, alarm in aws_cloudwatch_metric_alarm.metric : name => alarm.dimensions if alarm.metric_name != null },
        merge([
          for name, alarm in aws_cloudwatch_metric_alarm.metric :
          { for query in alarm.metric_query : "${name} ${query.id}" => query.metric[0].dimensions if length(query.metric) > 0 }
        ]...),
      ) : dimensions["DBClusterIdentifier"] == "tenants" && (name == "volume" || contains(["READER", "WRITER"], try(dimensions["Role"], "")))
    ])
    error_message = "An alarm does not follow a failover."
  }

  assert {
    condition     = [for query in aws_cloudwatch_metric_alarm.metric["connections_growth"].metric_query : query.expression if query.expression != null] == ["IF(connections > 355, 0, 300 * RATE(connections))"]
    error_message = "The growth of connections is not what is watched."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.insight) == 0
    error_message = "There is an alarm on Performance Insights of an instance that was not named."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.metric : can(regex("Runbook: https://.*/docs/guides/operations.md#[a-z-]+$", alarm.alarm_description)) && length(alarm.alarm_description) <= 1024])
    error_message = "An alarm does not say what to do."
  }

  assert {
    condition = { for name, rule in aws_cloudwatch_event_rule.this : name => jsondecode(rule.event_pattern).detail } == {
      cluster   = { EventCategories = ["failover", "failure", "maintenance", "notification"], SourceIdentifier = ["tenants"] }
      instances = { EventCategories = ["availability", "failure", "low storage", "maintenance", "recovery"], SourceIdentifier = [{ prefix = "tenants-" }] }
    }
    error_message = "The events are not those documented."
  }
}

# However few connections tenants have, the last of them is above the threshold.
run "few_connections" {
  command = plan

  variables {
    connections_for_tenants = 5
    thresholds              = { connections_percent = 99.9 }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.metric["connections"].threshold < 5 && 2 * (aws_cloudwatch_metric_alarm.metric["connections_growth"].threshold + 1) <= aws_cloudwatch_metric_alarm.metric["connections"].threshold
    error_message = "The alarms on connections cannot fire."
  }
}

run "dashboard_has_a_row_for_each_risk" {
  command = plan

  variables {
    log_metrics_namespace = "pgtenant/tenants"
    instance_resource_ids = { one = "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ" }
  }

  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
      trimprefix(split("\n", widget.properties.markdown)[0], "## ") if widget.type == "text"
      ] == [
      "Connection exhaustion", "Runaway queries", "Locks and long transactions", "Memory", "I/O",
      "Storage growth", "Autovacuum and bloat", "Replication lag", "Access"
    ]
    error_message = "There is one row for each risk."
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets[0].properties.alarms) == length(output.alarms) && output.dashboard_name == "tenants-risks"
    error_message = "The state of all alarms is on top."
  }

  # Each metric that an alarm watches is shown.
  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.metric :
      strcontains(aws_cloudwatch_dashboard.this[0].dashboard_body, "[\"AWS/RDS\",\"${alarm.metric_name}\",\"DBClusterIdentifier\",\"tenants\"") if alarm.metric_name != null && alarm.metric_name != "EngineUptime"
    ])
    error_message = "The dashboard lacks the metric of an alarm."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.this[0].dashboard_body, "[\"pgtenant/tenants\",\"failed_login\",{\"stat\":\"Sum\"}]") && strcontains(aws_cloudwatch_dashboard.this[0].dashboard_body, "DB_PERF_INSIGHTS('RDS', 'db-ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'db.Transactions.blocked_transactions.avg')")
    error_message = "Metrics of the log and of Performance Insights are shown."
  }
}

run "serverless" {
  command = plan

  variables {
    instance_class = "db.serverless"
    max_capacity   = 8
    readers        = false
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.metric), "local_storage") && !contains(keys(aws_cloudwatch_metric_alarm.metric), "replica_lag")
    error_message = "A serverless instance does not report its local storage, and a single one no lag."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.metric["capacity"].metric_name == "ACUUtilization" && aws_cloudwatch_metric_alarm.metric["capacity"].threshold == 90
    error_message = "The capacity is not watched."
  }

  assert {
    condition = [
      for metric in ["ACUUtilization", "FreeLocalStorage", "AuroraReplicaLag", "READER", "pgtenant/"] :
      metric if strcontains(aws_cloudwatch_dashboard.this[0].dashboard_body, metric)
    ] == ["ACUUtilization"]
    error_message = "The dashboard shows what is not there."
  }

  assert {
    condition     = output.size.memory_gib == 16 && output.size.vcpus == 2
    error_message = "The size does not follow from the capacity."
  }
}

run "burstable_with_insights" {
  command = plan

  variables {
    instance_class        = "db.t4g.medium"
    instance_resource_ids = { one = "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ", two = "db-BCDEFGHIJKLMNOPQRSTUVWXYZA" }
    disabled              = ["buffer_cache", "idle_in_transaction"]
    create_events         = false
    create_dashboard      = false
    create_topic          = false
    topic_arn             = "arn:aws:sns:eu-west-1:123456789012:alarms"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.metric["cpu_credits"].threshold == 50 && !contains(keys(aws_cloudwatch_metric_alarm.metric), "buffer_cache")
    error_message = "The credits are not watched, or a disabled alarm is there."
  }

  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.insight) == ["blocked_transactions/one", "blocked_transactions/two"] && aws_cloudwatch_metric_alarm.insight["blocked_transactions/one"].alarm_name == "tenants-blocked-transactions-one"
    error_message = "The alarms on Performance Insights are not those of the instances."
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.this) == 0 && output.kms_key_arn == null && length(aws_cloudwatch_dashboard.this) == 0 && output.dashboard_name == null
    error_message = "What was switched off is there."
  }
}

run "heard" {
  variables {
    parameter_group_names = ["tenants-aurora-postgresql17"]
    subscriptions = {
      mail = { protocol = "email", endpoint = "oncall@example.com" }
    }
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.metric : alarm.alarm_actions == toset([output.topic_arn])]) && alltrue([for target in aws_cloudwatch_event_target.this : target.arn == output.topic_arn])
    error_message = "An alarm or an event notifies nobody."
  }

  assert {
    condition     = keys(aws_cloudwatch_event_target.this) == ["cluster", "instances", "pending-reboot"]
    error_message = "A parameter that waits for a restart is not reported."
  }
}
