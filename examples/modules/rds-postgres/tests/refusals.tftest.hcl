# Every condition, each met by the one argument that it is about.

provider "aws" {
  region = "eu-west-1"
}

variables {
  identifier = "tenants"
  vpc_id     = "vpc-0123456789abcdef0"
  subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
}

run "identifier" {
  command = plan

  variables {
    identifier = "Tenants"
  }

  expect_failures = [var.identifier]
}

run "engine_version_too_old" {
  command = plan

  variables {
    engine_version = "12.4"
  }

  expect_failures = [var.engine_version]
}

run "instance_class" {
  command = plan

  variables {
    instance_class = "m7g.large"
  }

  expect_failures = [var.instance_class]
}

run "allocated_storage" {
  command = plan

  variables {
    allocated_storage = 10
  }

  expect_failures = [var.allocated_storage]
}

run "max_allocated_storage" {
  command = plan

  variables {
    max_allocated_storage = 70000
  }

  expect_failures = [var.max_allocated_storage]
}

run "iops" {
  command = plan

  variables {
    iops = 3000
  }

  expect_failures = [var.iops]
}

run "storage_throughput" {
  command = plan

  variables {
    storage_throughput = 100
  }

  expect_failures = [var.storage_throughput]
}

run "username_reserved" {
  command = plan

  variables {
    username = "rdsadmin"
  }

  expect_failures = [var.username]
}

run "port" {
  command = plan

  variables {
    port = 80
  }

  expect_failures = [var.port]
}

run "vpc_id" {
  command = plan

  variables {
    vpc_id = "subnet-0123456789abcdef0"
  }

  expect_failures = [var.vpc_id]
}

run "one_subnet" {
  command = plan

  variables {
    subnet_ids = ["subnet-0123456789abcdef0"]
  }

  expect_failures = [var.subnet_ids]
}

run "the_whole_internet" {
  command = plan

  variables {
    allowed_cidr_blocks = { all = "0.0.0.0/0" }
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "key_by_alias" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/tenants"
  }

  expect_failures = [var.kms_key_arn]
}

run "key_policy_not_json" {
  command = plan

  variables {
    kms_key_policy = "everybody"
  }

  expect_failures = [var.kms_key_policy]
}

run "max_connections" {
  command = plan

  variables {
    max_connections = 20000
  }

  expect_failures = [var.max_connections]
}

run "reserved_connections" {
  command = plan

  variables {
    reserved_connections = -1
  }

  expect_failures = [var.reserved_connections]
}

run "pgaudit_log" {
  command = plan

  variables {
    pgaudit_log = ["dml"]
  }

  expect_failures = [var.pgaudit_log]
}

run "cron_database" {
  command = plan

  variables {
    cron_database = "Post gres"
  }

  expect_failures = [var.cron_database]
}

run "log_min_duration_ms" {
  command = plan

  variables {
    log_min_duration_ms = 0
  }

  expect_failures = [var.log_min_duration_ms]
}

run "temp_file_limit_mb" {
  command = plan

  variables {
    temp_file_limit_mb = 0
  }

  expect_failures = [var.temp_file_limit_mb]
}

run "parameter_of_another_variable" {
  command = plan

  variables {
    parameters = { "rds.force_ssl" = "0" }
  }

  expect_failures = [var.parameters]
}

run "statements_logged_in_clear" {
  command = plan

  variables {
    parameters = { log_statement = "ddl" }
  }

  expect_failures = [var.parameters]
}

run "short_backups" {
  command = plan

  variables {
    backup_retention_days = 7
  }

  expect_failures = [var.backup_retention_days]
}

run "backup_window" {
  command = plan

  variables {
    backup_window = "2-3"
  }

  expect_failures = [var.backup_window]
}

run "maintenance_window" {
  command = plan

  variables {
    maintenance_window = "sunday"
  }

  expect_failures = [var.maintenance_window]
}

run "monitoring_interval" {
  command = plan

  variables {
    monitoring_interval_seconds = 0
  }

  expect_failures = [var.monitoring_interval_seconds]
}

run "insights_mode" {
  command = plan

  variables {
    database_insights_mode = "extra"
  }

  expect_failures = [var.database_insights_mode]
}

run "insights_retention" {
  command = plan

  variables {
    performance_insights_retention_days = 30
  }

  expect_failures = [var.performance_insights_retention_days]
}

run "log_retention" {
  command = plan

  variables {
    log_retention_days = 30
  }

  expect_failures = [var.log_retention_days]
}

run "storage_that_hardly_grows" {
  command = plan

  variables {
    allocated_storage = 490
  }

  expect_failures = [aws_db_instance.this]
}

run "iops_for_small_storage" {
  command = plan

  variables {
    iops = 12000
  }

  expect_failures = [aws_db_instance.this]
}

run "advanced_insights_for_a_week" {
  command = plan

  variables {
    database_insights_mode = "advanced"
  }

  expect_failures = [aws_db_instance.this]
}

run "policy_for_a_key_of_others" {
  command = plan

  variables {
    kms_key_arn    = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-4333-8444-555555555555"
    kms_key_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
  }

  expect_failures = [aws_db_instance.this]
}

run "more_reserved_than_left" {
  command = plan

  variables {
    max_connections      = 100
    reserved_connections = 50
  }

  expect_failures = [aws_db_parameter_group.this]
}
