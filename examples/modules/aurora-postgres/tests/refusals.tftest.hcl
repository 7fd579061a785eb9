# Every condition, each met by the arguments that it is about.

provider "aws" {
  region = "eu-west-1"
}

variables {
  identifier  = "tenants"
  vpc_id      = "vpc-0123456789abcdef0"
  subnet_ids  = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
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

run "engine_lifecycle_support" {
  command = plan

  variables {
    engine_lifecycle_support = "none"
  }

  expect_failures = [var.engine_lifecycle_support]
}

run "instance_class" {
  command = plan

  variables {
    instance_class = "r7g.large"
  }

  expect_failures = [var.instance_class]
}

run "no_instance" {
  command = plan

  variables {
    instances = {}
  }

  expect_failures = [var.instances]
}

run "promotion_tier" {
  command = plan

  variables {
    instances = { one = { promotion_tier = 16 } }
  }

  expect_failures = [var.instances]
}

run "paused" {
  command = plan

  variables {
    serverlessv2_scaling_configuration = { min_capacity = 0 }
  }

  expect_failures = [var.serverlessv2_scaling_configuration]
}

run "capacity_upside_down" {
  command = plan

  variables {
    serverlessv2_scaling_configuration = { min_capacity = 8, max_capacity = 4 }
  }

  expect_failures = [var.serverlessv2_scaling_configuration]
}

run "autoscaling_min_capacity" {
  command = plan

  variables {
    autoscaling_min_capacity = 16
  }

  expect_failures = [var.autoscaling_min_capacity]
}

run "autoscaling_max_capacity" {
  command = plan

  variables {
    autoscaling_max_capacity = 16
  }

  expect_failures = [var.autoscaling_max_capacity]
}

run "autoscaling_target_cpu" {
  command = plan

  variables {
    autoscaling_target_cpu = 100
  }

  expect_failures = [var.autoscaling_target_cpu]
}

run "storage_type" {
  command = plan

  variables {
    storage_type = "gp3"
  }

  expect_failures = [var.storage_type]
}

run "username" {
  command = plan

  variables {
    username = "postgres"
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

run "network_type" {
  command = plan

  variables {
    network_type = "IPV6"
  }

  expect_failures = [var.network_type]
}

run "ca_cert_identifier" {
  command = plan

  variables {
    ca_cert_identifier = "rds-ca-2019"
  }

  expect_failures = [var.ca_cert_identifier]
}

run "vpc_id" {
  command = plan

  variables {
    vpc_id = "main"
  }

  expect_failures = [var.vpc_id]
}

run "vpc_security_group_ids" {
  command = plan

  variables {
    vpc_security_group_ids = ["default"]
  }

  expect_failures = [var.vpc_security_group_ids]
}

run "whole_internet" {
  command = plan

  variables {
    allowed_cidr_blocks = { all = "0.0.0.0/0" }
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "alias_as_key" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/tenants"
  }

  expect_failures = [var.kms_key_arn]
}

run "max_connections" {
  command = plan

  variables {
    max_connections = 6000
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
    pgaudit_log = ["everything"]
  }

  expect_failures = [var.pgaudit_log]
}

run "cron_database" {
  command = plan

  variables {
    cron_database = "Postgres"
  }

  expect_failures = [var.cron_database]
}

run "log_min_duration_ms" {
  command = plan

  variables {
    log_min_duration_ms = 10
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

run "parameters_of_other_variables" {
  command = plan

  variables {
    parameters = { log_line_prefix = "%m" }
  }

  expect_failures = [var.parameters]
}

run "log_statement" {
  command = plan

  variables {
    parameters = { log_statement = "ddl" }
  }

  expect_failures = [var.parameters]
}

run "instance_parameters_of_the_cluster" {
  command = plan

  variables {
    instance_parameters = { "pgaudit.log" = "none" }
  }

  expect_failures = [var.instance_parameters]
}

run "backup_retention_period" {
  command = plan

  variables {
    backup_retention_period = 7
  }

  expect_failures = [var.backup_retention_period]
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

run "restore_from_two" {
  command = plan

  variables {
    restore_to_point_in_time = { source_cluster_identifier = "a", source_cluster_resource_id = "b" }
  }

  expect_failures = [var.restore_to_point_in_time]
}

run "restore_type" {
  command = plan

  variables {
    restore_to_point_in_time = { source_cluster_identifier = "a", restore_type = "some" }
  }

  expect_failures = [var.restore_to_point_in_time]
}

run "restore_to_time" {
  command = plan

  variables {
    restore_to_point_in_time = { source_cluster_identifier = "a", restore_to_time = "yesterday" }
  }

  expect_failures = [var.restore_to_point_in_time]
}

run "monitoring_interval" {
  command = plan

  variables {
    monitoring_interval = 0
  }

  expect_failures = [var.monitoring_interval]
}

run "monitoring_role_arn" {
  command = plan

  variables {
    create_monitoring_role = false
    monitoring_role_arn    = "monitoring"
  }

  expect_failures = [var.monitoring_role_arn]
}

run "monitoring_role_permissions_boundary" {
  command = plan

  variables {
    monitoring_role_permissions_boundary = "boundary"
  }

  expect_failures = [var.monitoring_role_permissions_boundary]
}

run "database_insights_mode" {
  command = plan

  variables {
    database_insights_mode = "expert"
  }

  expect_failures = [var.database_insights_mode]
}

run "performance_insights_retention_period" {
  command = plan

  variables {
    performance_insights_retention_period = 8
  }

  expect_failures = [var.performance_insights_retention_period]
}

run "cloudwatch_log_group_retention_in_days" {
  command = plan

  variables {
    cloudwatch_log_group_retention_in_days = 30
  }

  expect_failures = [var.cloudwatch_log_group_retention_in_days]
}

run "timeouts" {
  command = plan

  variables {
    timeouts = { delete = "long" }
  }

  expect_failures = [var.timeouts]
}

run "insights_without_history" {
  command = plan

  variables {
    database_insights_mode = "advanced"
  }

  expect_failures = [aws_rds_cluster.this]
}

run "restored_twice" {
  command = plan

  variables {
    snapshot_identifier      = "lost"
    restore_to_point_in_time = { source_cluster_identifier = "a" }
  }

  expect_failures = [aws_rds_cluster.this]
}

run "nobody_may_connect" {
  command = plan

  variables {
    create_security_group = false
  }

  expect_failures = [aws_rds_cluster.this]
}

run "serverless_with_too_many_connections" {
  command = plan

  variables {
    instance_class                     = "db.serverless"
    max_connections                    = 3000
    serverlessv2_scaling_configuration = { min_capacity = 0.5 }
  }

  expect_failures = [aws_rds_cluster.this]
}

run "autoscaling_upside_down" {
  command = plan

  variables {
    autoscaling_enabled      = true
    autoscaling_min_capacity = 4
  }

  expect_failures = [aws_appautoscaling_target.readers]
}

run "one_subnet" {
  command = plan

  variables {
    subnet_ids = ["subnet-0123456789abcdef0"]
  }

  expect_failures = [aws_db_subnet_group.this]
}

run "no_vpc" {
  command = plan

  variables {
    vpc_id = null
  }

  expect_failures = [aws_security_group.this]
}

run "log_connections_of_17_on_18" {
  command = plan

  variables {
    engine_version = "18"
    parameters     = { log_connections = "1" }
  }

  expect_failures = [aws_rds_cluster_parameter_group.this]
}

run "reserved_connections_too_many" {
  command = plan

  variables {
    max_connections      = 100
    reserved_connections = 50
  }

  expect_failures = [aws_db_parameter_group.this]
}

run "subnet_group_of_nobody" {
  command = plan

  variables {
    create_db_subnet_group = false
  }

  expect_failures = [var.db_subnet_group_name]
}

run "cluster_parameter_group_of_nobody" {
  command = plan

  variables {
    create_db_cluster_parameter_group = false
  }

  expect_failures = [var.db_cluster_parameter_group_name]
}

run "parameter_group_of_nobody" {
  command = plan

  variables {
    create_db_parameter_group = false
  }

  expect_failures = [var.db_parameter_group_name]
}

run "monitoring_role_of_nobody" {
  command = plan

  variables {
    create_monitoring_role = false
  }

  expect_failures = [var.monitoring_role_arn]
}

run "final_snapshot_identifier_prefix" {
  command = plan

  variables {
    final_snapshot_identifier_prefix = "-"
  }

  expect_failures = [var.final_snapshot_identifier_prefix]
}
