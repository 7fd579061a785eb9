# Every condition, each met by the one argument that it is about.

provider "aws" {
  region = "eu-west-1"
}

variables {
  identifier  = "tenants"
  vpc_id      = "vpc-0123456789abcdef0"
  subnet_ids  = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-4333-8444-555555555555"
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

run "monitoring_interval" {
  command = plan

  variables {
    monitoring_interval = 0
  }

  expect_failures = [var.monitoring_interval]
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
    performance_insights_retention_period = 30
  }

  expect_failures = [var.performance_insights_retention_period]
}

run "log_retention" {
  command = plan

  variables {
    cloudwatch_log_group_retention_in_days = 30
  }

  expect_failures = [var.cloudwatch_log_group_retention_in_days]
}

run "storage_that_hardly_grows" {
  command = plan

  variables {
    allocated_storage = 490
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

run "iops" {
  command = plan

  variables {
    iops = 100
  }

  expect_failures = [var.iops]
}

run "more_reserved_than_left" {
  command = plan

  variables {
    max_connections      = 100
    reserved_connections = 50
  }

  expect_failures = [var.reserved_connections]
}

run "one_subnet" {
  command = plan

  variables {
    subnet_ids = ["subnet-0123456789abcdef0"]
  }

  expect_failures = [aws_db_instance.this]
}

run "a_subnet_of_another_kind" {
  command = plan

  variables {
    subnet_ids = ["vpc-0123456789abcdef0", "vpc-0123456789abcdef1"]
  }

  expect_failures = [var.subnet_ids]
}

run "lifecycle" {
  command = plan

  variables {
    engine_lifecycle_support = "extended"
  }

  expect_failures = [var.engine_lifecycle_support]
}

run "storage_type" {
  command = plan

  variables {
    storage_type = "gp2"
  }

  expect_failures = [var.storage_type]
}

run "network_type" {
  command = plan

  variables {
    network_type = "IPV6"
  }

  expect_failures = [var.network_type]
}

run "ca" {
  command = plan

  variables {
    ca_cert_identifier = "rds-ca-2019"
  }

  expect_failures = [var.ca_cert_identifier]
}

run "master_user_secret_kms_key_id" {
  command = plan

  variables {
    master_user_secret_kms_key_id = "alias/aws/rds"
  }

  expect_failures = [var.master_user_secret_kms_key_id]
}

run "performance_insights_kms_key_id" {
  command = plan

  variables {
    performance_insights_kms_key_id = "alias/aws/rds"
  }

  expect_failures = [var.performance_insights_kms_key_id]
}

run "cloudwatch_log_group_kms_key_id" {
  command = plan

  variables {
    cloudwatch_log_group_kms_key_id = "alias/aws/rds"
  }

  expect_failures = [var.cloudwatch_log_group_kms_key_id]
}

run "moment_of_nothing" {
  command = plan

  variables {
    restore_to_point_in_time = { restore_time = "2026-01-31T12:00:00Z" }
  }

  expect_failures = [var.restore_to_point_in_time]
}

run "moment_unreadable" {
  command = plan

  variables {
    restore_to_point_in_time = { restore_time = "yesterday", source_db_instance_identifier = "old" }
  }

  expect_failures = [var.restore_to_point_in_time]
}

run "final_snapshot" {
  command = plan

  variables {
    final_snapshot_identifier_prefix = "Final_"
  }

  expect_failures = [var.final_snapshot_identifier_prefix]
}

run "monitoring_role_name" {
  command = plan

  variables {
    monitoring_role_name = "a-name-of-more-than-thirty-seven-letters"
  }

  expect_failures = [var.monitoring_role_name]
}

run "boundary" {
  command = plan

  variables {
    monitoring_role_permissions_boundary = "boundary"
  }

  expect_failures = [var.monitoring_role_permissions_boundary]
}

run "log_group_class" {
  command = plan

  variables {
    cloudwatch_log_group_class = "DELIVERY"
  }

  expect_failures = [var.cloudwatch_log_group_class]
}

run "another_log_line_prefix" {
  command = plan

  variables {
    parameters = { log_line_prefix = "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:" }
  }

  expect_failures = [var.parameters]
}

run "logins_of_18_in_the_words_of_17" {
  command = plan

  variables {
    engine_version = "18"
    parameters     = { log_connections = "1" }
  }

  expect_failures = [aws_db_parameter_group.this]
}

run "logins_of_18_in_words_of_nobody" {
  command = plan

  variables {
    engine_version = "18"
    parameters     = { log_connections = "receipt,everything" }
  }

  expect_failures = [aws_db_parameter_group.this]
}

run "logins_of_17_in_the_words_of_18" {
  command = plan

  variables {
    engine_version = "17"
    parameters     = { log_connections = "all" }
  }

  expect_failures = [aws_db_parameter_group.this]
}

run "a_parameter_of_a_later_major" {
  command = plan

  variables {
    engine_version = "16"
    parameters     = { transaction_timeout = "60000" }
  }

  expect_failures = [aws_db_parameter_group.this]
}

run "a_word_that_is_no_value" {
  command = plan

  variables {
    engine_version = "17"
    parameters     = { track_functions = "some" }
  }

  expect_failures = [aws_db_parameter_group.this]
}

run "a_number_out_of_range" {
  command = plan

  variables {
    engine_version = "17"
    parameters     = { checkpoint_timeout = "5" }
  }

  expect_failures = [aws_db_parameter_group.this]
}

run "half_a_number" {
  command = plan

  variables {
    engine_version = "17"
    parameters     = { work_mem = "64.5" }
  }

  expect_failures = [aws_db_parameter_group.this]
}

run "a_unit_in_a_number" {
  command = plan

  variables {
    engine_version = "17"
    parameters     = { work_mem = "64MB" }
  }

  expect_failures = [aws_db_parameter_group.this]
}

run "a_boolean_in_words" {
  command = plan

  variables {
    engine_version = "17"
    parameters     = { log_lock_waits = "on" }
  }

  expect_failures = [aws_db_parameter_group.this]
}

run "iops_for_small_storage" {
  command = plan

  variables {
    iops = 12000
  }

  expect_failures = [aws_db_instance.this]
}

run "iops_of_gp3_below_the_baseline" {
  command = plan

  variables {
    allocated_storage     = 400
    max_allocated_storage = 0
    iops                  = 3000
  }

  expect_failures = [aws_db_instance.this]
}

run "more_throughput_than_a_quarter_of_iops" {
  command = plan

  variables {
    allocated_storage     = 400
    max_allocated_storage = 0
    iops                  = 12000
    storage_throughput    = 4000
  }

  expect_failures = [aws_db_instance.this]
}

run "io2_without_iops" {
  command = plan

  variables {
    storage_type = "io2"
  }

  expect_failures = [aws_db_instance.this]
}

run "io1_with_more_iops_than_its_size" {
  command = plan

  variables {
    storage_type = "io1"
    iops         = 6000
  }

  expect_failures = [aws_db_instance.this]
}

run "small_io2" {
  command = plan

  variables {
    storage_type      = "io2"
    allocated_storage = 50
    iops              = 3000
  }

  expect_failures = [aws_db_instance.this]
}

run "throughput_of_io2" {
  command = plan

  variables {
    storage_type       = "io2"
    iops               = 3000
    storage_throughput = 500
  }

  expect_failures = [aws_db_instance.this]
}

run "log_volume_of_gp3" {
  command = plan

  variables {
    dedicated_log_volume = true
  }

  expect_failures = [aws_db_instance.this]
}

run "a_zone_and_a_standby" {
  command = plan

  variables {
    availability_zone = "eu-west-1a"
  }

  expect_failures = [aws_db_instance.this]
}

run "two_ways_to_restore" {
  command = plan

  variables {
    snapshot_identifier      = "old"
    restore_to_point_in_time = { source_db_instance_identifier = "old" }
  }

  expect_failures = [aws_db_instance.this]
}

run "no_security_group" {
  command = plan

  variables {
    create_security_group = false
  }

  expect_failures = [aws_db_instance.this]
}

run "no_parameter_group" {
  command = plan

  variables {
    create_db_parameter_group = false
  }

  expect_failures = [aws_db_instance.this]
}

run "parameters_of_a_group_of_others" {
  command = plan

  variables {
    create_db_parameter_group = false
    parameter_group_name      = "tenants"
    parameters                = { work_mem = "16384" }
  }

  expect_failures = [aws_db_instance.this]
}

run "no_monitoring_role" {
  command = plan

  variables {
    create_monitoring_role = false
  }

  expect_failures = [aws_db_instance.this]
}

run "no_vpc" {
  command = plan

  variables {
    vpc_id = null
  }

  expect_failures = [aws_security_group.this]
}

run "name_of_a_replica" {
  command = plan

  variables {
    replicas = { Reporting = {} }
  }

  expect_failures = [var.replicas]
}
