variables {
  db_instance_identifier = "tenants"
  instance_class         = "db.r7g.large"
  allocated_storage      = 100
  resource_id            = "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
}

run "identifier" {
  command = plan
  variables {
    db_instance_identifier = "-tenants"
  }
  expect_failures = [var.db_instance_identifier]
}

run "instance_class" {
  command = plan
  variables {
    instance_class = "r7g.large"
  }
  expect_failures = [var.instance_class]
}

run "memory" {
  command = plan
  variables {
    memory_gib = 0
  }
  expect_failures = [var.memory_gib]
}

run "vcpus" {
  command = plan
  variables {
    vcpus = 0
  }
  expect_failures = [var.vcpus]
}

run "engine" {
  command = plan
  variables {
    engine = "aurora-postgresql"
  }
  expect_failures = [var.engine]
}

run "serverless" {
  command = plan
  variables {
    instance_class = "db.serverless"
  }
  expect_failures = [var.instance_class]
}

run "instance_iops" {
  command = plan
  variables {
    instance_iops = 0
  }
  expect_failures = [var.instance_iops]
}

run "instance_throughput" {
  command = plan
  variables {
    instance_throughput = 0
  }
  expect_failures = [var.instance_throughput]
}

run "connections_for_tenants" {
  command = plan
  variables {
    connections_for_tenants = 1
  }
  expect_failures = [var.connections_for_tenants]
}

run "max_allocated_storage" {
  command = plan
  variables {
    max_allocated_storage = 99
  }
  expect_failures = [var.max_allocated_storage]
}

run "storage_throughput" {
  command = plan
  variables {
    storage_throughput = 99
  }
  expect_failures = [var.storage_throughput]
}

run "runbook_url" {
  command = plan
  variables {
    runbook_url = "https://wiki.example.com/postgres#page"
  }
  expect_failures = [var.runbook_url]
}

run "allocated_storage" {
  command = plan
  variables {
    allocated_storage = 4
  }
  expect_failures = [var.allocated_storage]
}

run "storage_type" {
  command = plan
  variables {
    storage_type = "standard"
  }
  expect_failures = [var.storage_type]
}

run "iops" {
  command = plan
  variables {
    iops = 99
  }
  expect_failures = [var.iops]
}

run "replicas" {
  command = plan
  variables {
    replica_identifiers = ["arn:aws:rds:eu-west-1:123456789012:db:replica"]
  }
  expect_failures = [var.replica_identifiers]
}

run "resource_id_is_missing" {
  command = plan
  variables {
    resource_id = null
  }
  expect_failures = [var.resource_id]
}

run "resource_id_is_an_identifier" {
  command = plan
  variables {
    resource_id = "tenants"
  }
  expect_failures = [var.resource_id]
}

run "per_cent" {
  command = plan
  variables {
    thresholds = { memory_percent = 101 }
  }
  expect_failures = [var.thresholds]
}

run "not_positive" {
  command = plan
  variables {
    thresholds = { latency_seconds = 0 }
  }
  expect_failures = [var.thresholds]
}

run "transaction_ids" {
  command = plan
  variables {
    thresholds = { transaction_ids = 200000000 }
  }
  expect_failures = [var.thresholds]
}

run "disabled" {
  command = plan
  variables {
    disabled = ["bloat"]
  }
  expect_failures = [var.disabled]
}

run "class_of_unknown_size" {
  command = plan
  variables {
    instance_class = "db.m99g.large"
  }
  expect_failures = [aws_cloudwatch_metric_alarm.this]
}

run "provisioned_without_iops" {
  command = plan
  variables {
    storage_type = "io2"
  }
  expect_failures = [aws_cloudwatch_metric_alarm.this]
}

run "alarm_that_cannot_fire" {
  command = plan
  variables {
    connections_for_tenants = 87
    thresholds              = { connections_percent = 100 }
  }
  expect_failures = [aws_cloudwatch_metric_alarm.this["connections"]]
}

run "deadlocks_watched_by_nothing" {
  command = plan
  variables {
    performance_insights = false
    resource_id          = null
  }
  expect_failures = [output.alarms]
}
