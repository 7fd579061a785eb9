# Every condition, each met by the arguments that it is about.

provider "aws" {
  region = "eu-west-1"
}

variables {
  cluster_identifier      = "tenants"
  instance_class          = "db.r7g.large"
  connections_for_tenants = 395
}

run "cluster_identifier" {
  command = plan

  variables {
    cluster_identifier = "Tenants"
  }

  expect_failures = [var.cluster_identifier]
}

run "instance_class" {
  command = plan

  variables {
    instance_class = "r7g.large"
  }

  expect_failures = [var.instance_class]
}

run "serverless_without_capacity" {
  command = plan

  variables {
    instance_class = "db.serverless"
  }

  expect_failures = [var.max_capacity]
}

run "memory_gib" {
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

run "connections_for_tenants" {
  command = plan

  variables {
    connections_for_tenants = 2
  }

  expect_failures = [var.connections_for_tenants]
}

run "volume_budget_gib" {
  command = plan

  variables {
    volume_budget_gib = 1
  }

  expect_failures = [var.volume_budget_gib]
}

run "instance_resource_ids" {
  command = plan

  variables {
    instance_resource_ids = { one = "tenants-one" }
  }

  expect_failures = [var.instance_resource_ids]
}

run "threshold_never_reached" {
  command = plan

  variables {
    thresholds = { connections_percent = 100 }
  }

  expect_failures = [var.thresholds]
}

run "threshold_of_nothing" {
  command = plan

  variables {
    thresholds = { replica_lag_ms = 0 }
  }

  expect_failures = [var.thresholds]
}

run "threshold_after_the_end" {
  command = plan

  variables {
    thresholds = { transaction_ids = 2100000000 }
  }

  expect_failures = [var.thresholds]
}

run "disabled" {
  command = plan

  variables {
    disabled = ["free_storage"]
  }

  expect_failures = [var.disabled]
}

run "runbook_url" {
  command = plan

  variables {
    runbook_url = "operations.md"
  }

  expect_failures = [var.runbook_url]
}

run "unknown_class" {
  command = plan

  variables {
    instance_class = "db.x9.large"
  }

  expect_failures = [aws_cloudwatch_metric_alarm.metric]
}
