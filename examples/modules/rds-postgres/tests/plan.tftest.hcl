# What is planned when nothing but the network is said, and what a few arguments change about it.

provider "aws" {
  region = "eu-west-1"
}

variables {
  identifier = "tenants"
  vpc_id     = "vpc-0123456789abcdef0"
  subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
}

run "defaults" {
  command = plan

  assert {
    condition = alltrue([
      aws_db_instance.this.storage_encrypted,
      aws_db_instance.this.manage_master_user_password,
      aws_db_instance.this.iam_database_authentication_enabled,
      aws_db_instance.this.multi_az,
      aws_db_instance.this.deletion_protection,
      aws_db_instance.this.copy_tags_to_snapshot,
      aws_db_instance.this.performance_insights_enabled,
      !aws_db_instance.this.publicly_accessible,
      !aws_db_instance.this.skip_final_snapshot,
      !aws_db_instance.this.delete_automated_backups,
      !aws_db_instance.this.apply_immediately,
    ])
    error_message = "The instance is not as safe as it should be."
  }

  assert {
    condition     = aws_db_instance.this.password == null && aws_db_instance.this.username == "platform_admin"
    error_message = "The password must be AWS's to make."
  }

  assert {
    condition     = aws_db_instance.this.backup_retention_period == 14 && aws_db_instance.this.monitoring_interval == 60
    error_message = "Backups or monitoring are not as documented."
  }

  assert {
    condition     = aws_db_instance.this.iops == null && aws_db_instance.this.max_allocated_storage == 500
    error_message = "Storage is not as documented."
  }

  assert {
    condition     = aws_db_parameter_group.this.family == "postgres17" && aws_db_parameter_group.this.name_prefix == "tenants-postgres17-"
    error_message = "The parameter group is of another family."
  }

  assert {
    condition = { for p in aws_db_parameter_group.this.parameter : p.name => "${p.value} ${p.apply_method}" } == {
      "cron.database_name"          = "postgres pending-reboot"
      "cron.use_background_workers" = "1 pending-reboot"
      log_autovacuum_min_duration   = "1000 immediate"
      log_connections               = "1 immediate"
      log_disconnections            = "1 immediate"
      log_lock_waits                = "1 immediate"
      log_min_duration_statement    = "1000 immediate"
      log_temp_files                = "10240 immediate"
      max_connections               = "400 pending-reboot"
      "pgaudit.log"                 = "ddl,role immediate"
      "pgaudit.role"                = "rds_pgaudit immediate"
      "rds.force_ssl"               = "1 pending-reboot"
      reserved_connections          = "10 pending-reboot"
      shared_preload_libraries      = "pg_cron,pg_stat_statements,pgaudit pending-reboot"
      temp_file_limit               = "10485760 immediate"
      track_io_timing               = "1 immediate"
    }
    error_message = "The parameters are not those documented: ${jsonencode(aws_db_parameter_group.this.parameter)}"
  }

  assert {
    condition     = output.connections_for_tenants == 387 && output.iops == 3000
    error_message = "The connections left for tenants, or the IOPS, are computed wrongly."
  }

  assert {
    condition = alltrue([for export, group in aws_cloudwatch_log_group.this :
    group.name == "/aws/rds/instance/tenants/${export}" && group.retention_in_days == 365])
    error_message = "The log groups are not those that RDS writes to."
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_log_group.this)) == toset(aws_db_instance.this.enabled_cloudwatch_logs_exports)
    error_message = "A log is exported to a group that is not made here."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.group) == 0 && length(aws_vpc_security_group_ingress_rule.network) == 0
    error_message = "Somebody may connect who was not named."
  }
}

run "older_major_without_cron" {
  command = plan

  variables {
    engine_version     = "15.14"
    cron               = false
    preload_libraries  = ["auto_explain"]
    temp_file_limit_mb = -1
    pgaudit_log        = []
    parameters = {
      log_connections     = "0"
      deadlock_timeout    = "1000"
      work_mem            = "16384"
      wal_buffers         = "2048"
      autovacuum_naptime  = "15"
      log_lock_waits      = "1"
      log_disconnections  = "1"
      track_io_timing     = "1"
      log_temp_files      = "0"
      max_wal_senders     = "20"
      "pgaudit.log_level" = "notice"
    }
  }

  assert {
    condition = { for p in aws_db_parameter_group.this.parameter : p.name => "${p.value} ${p.apply_method}" } == {
      autovacuum_naptime          = "15 immediate"
      log_autovacuum_min_duration = "1000 immediate"
      log_disconnections          = "1 immediate"
      log_lock_waits              = "1 immediate"
      log_min_duration_statement  = "1000 immediate"
      log_temp_files              = "0 immediate"
      max_connections             = "400 pending-reboot"
      max_wal_senders             = "20 pending-reboot"
      "pgaudit.log"               = "none immediate"
      "pgaudit.log_level"         = "notice immediate"
      "pgaudit.role"              = "rds_pgaudit immediate"
      "rds.force_ssl"             = "1 pending-reboot"
      shared_preload_libraries    = "auto_explain,pg_stat_statements,pgaudit pending-reboot"
      track_io_timing             = "1 immediate"
      wal_buffers                 = "2048 pending-reboot"
      work_mem                    = "16384 immediate"
    }
    error_message = "What is the default already must be left out, what is static wait for a restart: ${jsonencode(aws_db_parameter_group.this.parameter)}"
  }

  assert {
    condition     = output.connections_for_tenants == 395
    error_message = "PostgreSQL 15 has no reserved_connections, and RDS keeps two there."
  }
}

# Those that AWS refuses to apply at once, its stand-in refuses too.
run "what_is_not_known_to_be_dynamic_waits_for_a_restart" {
  command = plan

  variables {
    engine_version = "18"
    parameters = {
      "pg_stat_statements.max"         = "20000"
      "cron.max_running_jobs"          = "10"
      "rds.local_volume_spill_enabled" = "1"
      autovacuum_worker_slots          = "32"
      io_method                        = "worker"
      max_replication_slots            = "20"
      of_a_version_to_come             = "1"
      track_io_timing                  = "0"
      work_mem                         = "16384"
    }
  }

  assert {
    condition = { for p in aws_db_parameter_group.this.parameter : p.name => p.apply_method if contains(keys(var.parameters), p.name) } == {
      "pg_stat_statements.max"         = "pending-reboot"
      "cron.max_running_jobs"          = "pending-reboot"
      "rds.local_volume_spill_enabled" = "pending-reboot"
      autovacuum_worker_slots          = "pending-reboot"
      io_method                        = "pending-reboot"
      max_replication_slots            = "pending-reboot"
      of_a_version_to_come             = "pending-reboot"
      track_io_timing                  = "immediate"
      work_mem                         = "immediate"
    }
    error_message = "Only what is known to be dynamic is applied at once: ${jsonencode(aws_db_parameter_group.this.parameter)}"
  }
}

run "a_key_of_ones_own_and_large_storage" {
  command = plan

  variables {
    kms_key_arn                         = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-4333-8444-555555555555"
    allocated_storage                   = 800
    max_allocated_storage               = 0
    iops                                = 20000
    storage_throughput                  = 1000
    database_insights_mode              = "advanced"
    performance_insights_retention_days = 465
    allowed_security_group_ids          = { pgbouncer = "sg-0123456789abcdef0" }
    allowed_cidr_blocks                 = { offices = "192.0.2.0/24" }
  }

  assert {
    condition     = length(aws_kms_key.this) == 0 && aws_db_instance.this.kms_key_id == var.kms_key_arn && output.kms_key_arn == var.kms_key_arn
    error_message = "The key that was named is not used."
  }

  assert {
    condition     = aws_db_instance.this.max_allocated_storage == null && aws_db_instance.this.iops == 20000 && output.iops == 20000
    error_message = "Storage is not as asked for."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.group["pgbouncer"].from_port == 5432 && aws_vpc_security_group_ingress_rule.network["offices"].cidr_ipv4 == "192.0.2.0/24"
    error_message = "Those who were named may not connect."
  }
}

run "apply" {
  assert {
    condition     = output.address != "" && output.port == 5432 && startswith(output.resource_id, "db-") && startswith(output.master_secret_arn, "arn:aws:secretsmanager:")
    error_message = "What others need to know of the instance is not told."
  }

  assert {
    condition     = jsondecode(aws_kms_key.this[0].policy).Statement[1].Principal.Service == "logs.eu-west-1.amazonaws.com"
    error_message = "CloudWatch Logs may not use the key."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_kms_key.this[0].policy).Statement : jsonencode([
        sort(statement.Action),
        sort(statement.Condition.StringEquals["kms:ViaService"]),
        statement.Condition.StringEquals["kms:CallerAccount"],
        statement.Condition.ArnLike["aws:PrincipalArn"],
      ]) if statement.Sid == "AlarmsOnPerformanceInsights"
      ] == [jsonencode([
        ["kms:Decrypt", "kms:GenerateDataKey"],
        ["pi.eu-west-1.amazonaws.com", "rds.eu-west-1.amazonaws.com"],
        "123456789012",
        "arn:aws:iam::123456789012:role/aws-service-role/pi-db.metrics.cloudwatch.amazonaws.com/*",
    ])]
    error_message = "Only CloudWatch's service-linked role reads Performance Insights with the key: ${aws_kms_key.this[0].policy}"
  }

  assert {
    condition     = output.log_group_names.postgresql == "/aws/rds/instance/tenants/postgresql"
    error_message = "The log group is not told."
  }
}
