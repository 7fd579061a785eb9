# What is planned when nothing but the network and the key is said, and what a few arguments change about it.

provider "aws" {
  region = "eu-west-1"
}

variables {
  identifier  = "tenants"
  vpc_id      = "vpc-0123456789abcdef0"
  subnet_ids  = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-4333-8444-555555555555"
}

run "defaults" {
  command = plan

  assert {
    condition = alltrue([
      aws_db_instance.this[0].storage_encrypted,
      aws_db_instance.this[0].manage_master_user_password,
      aws_db_instance.this[0].iam_database_authentication_enabled,
      aws_db_instance.this[0].multi_az,
      aws_db_instance.this[0].deletion_protection,
      aws_db_instance.this[0].copy_tags_to_snapshot,
      aws_db_instance.this[0].performance_insights_enabled,
      !aws_db_instance.this[0].publicly_accessible,
      !aws_db_instance.this[0].skip_final_snapshot,
      !aws_db_instance.this[0].delete_automated_backups,
      !aws_db_instance.this[0].apply_immediately,
    ])
    error_message = "The instance is not as safe as it should be."
  }

  assert {
    condition     = aws_db_instance.this[0].password == null && aws_db_instance.this[0].username == "platform_admin"
    error_message = "The password must be AWS's to make."
  }

  assert {
    condition     = aws_db_instance.this[0].backup_retention_period == 14 && aws_db_instance.this[0].monitoring_interval == 60
    error_message = "Backups or monitoring are not as documented."
  }

  assert {
    condition     = aws_db_instance.this[0].max_allocated_storage == 500 && aws_db_instance.this[0].storage_type == "gp3"
    error_message = "Storage is not as documented."
  }

  assert {
    condition     = aws_db_instance.this[0].engine_lifecycle_support == "open-source-rds-extended-support-disabled"
    error_message = "Extended Support costs money, and must be asked for."
  }

  assert {
    condition = toset([
      aws_db_instance.this[0].kms_key_id,
      aws_db_instance.this[0].master_user_secret_kms_key_id,
      aws_db_instance.this[0].performance_insights_kms_key_id,
      aws_cloudwatch_log_group.this["postgresql"].kms_key_id,
      output.kms_key_arn,
    ]) == toset([var.kms_key_arn])
    error_message = "The key that was named is not used."
  }

  assert {
    condition     = aws_db_parameter_group.this[0].family == "postgres17" && aws_db_parameter_group.this[0].name_prefix == "tenants-postgres17-"
    error_message = "The parameter group is of another family."
  }

  assert {
    condition = { for p in aws_db_parameter_group.this[0].parameter : p.name => "${p.value} ${p.apply_method}" } == {
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
      temp_file_limit               = "10485760 pending-reboot"
      track_io_timing               = "1 immediate"
    }
    error_message = "The parameters are not those documented: ${jsonencode(aws_db_parameter_group.this[0].parameter)}"
  }

  assert {
    condition     = output.connections_for_tenants == 387
    error_message = "The connections left for tenants are computed wrongly."
  }

  assert {
    condition = alltrue([for export, group in aws_cloudwatch_log_group.this :
    group.name == "/aws/rds/instance/tenants/${export}" && group.retention_in_days == 365 && group.skip_destroy])
    error_message = "The log groups are not those that RDS writes to, or do not survive a destroy."
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_log_group.this)) == toset(aws_db_instance.this[0].enabled_cloudwatch_logs_exports)
    error_message = "A log is exported to a group that is not made here."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.group) == 0 && length(aws_vpc_security_group_ingress_rule.network) == 0
    error_message = "Somebody may connect who was not named."
  }
}

# A wrapper hands an optional argument that nobody has set on as null.
run "null_is_the_default" {
  command = plan

  variables {
    deletion_protection               = null
    multi_az                          = null
    cron                              = null
    max_connections                   = null
    backup_retention_period           = null
    cloudwatch_log_group_skip_destroy = null
    log_min_duration_ms               = null
    parameters                        = null
  }

  assert {
    condition     = aws_db_instance.this[0].deletion_protection && aws_db_instance.this[0].multi_az && aws_db_instance.this[0].backup_retention_period == 14
    error_message = "null has switched a protection off."
  }

  assert {
    condition     = output.max_connections == 400 && aws_cloudwatch_log_group.this["postgresql"].skip_destroy
    error_message = "null is not the default."
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
    condition = { for p in aws_db_parameter_group.this[0].parameter : p.name => "${p.value} ${p.apply_method}" } == {
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
    error_message = "What is the default already must be left out, what is static wait for a restart: ${jsonencode(aws_db_parameter_group.this[0].parameter)}"
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
      effective_cache_size             = "{DBInstanceClassMemory/16384}"
      io_method                        = "worker"
      max_replication_slots            = "20"
      of_a_version_to_come             = "1"
      track_io_timing                  = "0"
      work_mem                         = "16384"
    }
  }

  assert {
    condition = { for p in aws_db_parameter_group.this[0].parameter : p.name => p.apply_method if contains(keys(var.parameters), p.name) } == {
      "pg_stat_statements.max"         = "pending-reboot"
      "cron.max_running_jobs"          = "pending-reboot"
      "rds.local_volume_spill_enabled" = "pending-reboot"
      autovacuum_worker_slots          = "pending-reboot"
      effective_cache_size             = "immediate"
      io_method                        = "pending-reboot"
      max_replication_slots            = "pending-reboot"
      of_a_version_to_come             = "pending-reboot"
      track_io_timing                  = "immediate"
      work_mem                         = "immediate"
    }
    error_message = "Only what is known to be dynamic is applied at once: ${jsonencode(aws_db_parameter_group.this[0].parameter)}"
  }

  assert {
    condition     = one([for p in aws_db_parameter_group.this[0].parameter : p.value if p.name == "log_connections"]) == "all"
    error_message = "RDS refuses 1 for log_connections of PostgreSQL 18."
  }
}

run "logins_of_18_as_somebody_asks_for_them" {
  command = plan

  variables {
    engine_version       = "18"
    reserved_connections = null
    parameters           = { log_connections = "receipt,authorization" }
  }

  assert {
    condition     = one([for p in aws_db_parameter_group.this[0].parameter : p.value if p.name == "log_connections"]) == "receipt,authorization"
    error_message = "What was asked for is not sent."
  }

  assert {
    condition     = !contains([for p in aws_db_parameter_group.this[0].parameter : p.name], "reserved_connections") && output.connections_for_tenants == 395
    error_message = "reserved_connections = null must leave the parameter out, and count RDS's own two."
  }
}

run "logins_of_18_not_logged" {
  command = plan

  variables {
    engine_version = "18"
    parameters     = { log_connections = "" }
  }

  assert {
    condition     = !contains([for p in aws_db_parameter_group.this[0].parameter : p.name], "log_connections")
    error_message = "Nothing is RDS's default, and must be left out."
  }
}

run "large_storage_and_who_may_connect" {
  command = plan

  variables {
    allocated_storage                     = 800
    max_allocated_storage                 = 0
    iops                                  = 20000
    storage_throughput                    = 1000
    database_insights_mode                = "advanced"
    performance_insights_retention_period = 465
    allowed_security_group_ids            = { pgbouncer = "sg-0123456789abcdef0" }
    allowed_cidr_blocks                   = { offices = "192.0.2.0/24", offices_6 = "2001:db8::/32" }
    network_type                          = "DUAL"
  }

  assert {
    condition     = aws_db_instance.this[0].max_allocated_storage == null && aws_db_instance.this[0].iops == 20000 && output.iops == 20000
    error_message = "Storage is not as asked for."
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.group["pgbouncer"].from_port == 5432
      && aws_vpc_security_group_ingress_rule.network["offices"].cidr_ipv4 == "192.0.2.0/24"
      && aws_vpc_security_group_ingress_rule.network["offices_6"].cidr_ipv6 == "2001:db8::/32"
      && aws_vpc_security_group_ingress_rule.network["offices_6"].cidr_ipv4 == null
    )
    error_message = "Those who were named may not connect."
  }
}

# hashicorp/aws would send the IOPS of the small storage for the large one.
run "the_baseline_of_large_storage_is_stated" {
  command = plan

  variables {
    allocated_storage = 400
  }

  assert {
    condition     = aws_db_instance.this[0].iops == 12000 && aws_db_instance.this[0].storage_throughput == 500
    error_message = "From 400 GiB on the baseline must be sent."
  }
}

run "io2" {
  command = plan

  variables {
    storage_type         = "io2"
    iops                 = 40000
    dedicated_log_volume = true
  }

  assert {
    condition     = aws_db_instance.this[0].iops == 40000 && aws_db_instance.this[0].dedicated_log_volume
    error_message = "Storage is not as asked for."
  }
}

run "what_is_there_is_used" {
  command = plan

  variables {
    create_security_group           = false
    vpc_id                          = null
    vpc_security_group_ids          = ["sg-0123456789abcdef0"]
    create_db_subnet_group          = false
    db_subnet_group_name            = "databases"
    subnet_ids                      = []
    create_db_parameter_group       = false
    parameter_group_name            = "tenants"
    create_monitoring_role          = false
    monitoring_role_arn             = "arn:aws:iam::123456789012:role/monitoring"
    create_cloudwatch_log_group     = false
    option_group_name               = "default:postgres-17"
    master_user_secret_kms_key_id   = "arn:aws:kms:eu-west-1:123456789012:key/22222222-2222-4333-8444-555555555555"
    performance_insights_kms_key_id = "arn:aws:kms:eu-west-1:123456789012:key/33333333-2222-4333-8444-555555555555"
  }

  assert {
    condition = (
      toset(aws_db_instance.this[0].vpc_security_group_ids) == toset(["sg-0123456789abcdef0"])
      && aws_db_instance.this[0].db_subnet_group_name == "databases"
      && aws_db_instance.this[0].parameter_group_name == "tenants"
      && aws_db_instance.this[0].option_group_name == "default:postgres-17"
      && aws_db_instance.this[0].monitoring_role_arn == "arn:aws:iam::123456789012:role/monitoring"
      && endswith(aws_db_instance.this[0].master_user_secret_kms_key_id, "key/22222222-2222-4333-8444-555555555555")
      && endswith(aws_db_instance.this[0].performance_insights_kms_key_id, "key/33333333-2222-4333-8444-555555555555")
    )
    error_message = "What was named is not used."
  }

  assert {
    condition = 0 == length(concat(
      aws_security_group.this, aws_db_subnet_group.this, aws_db_parameter_group.this, aws_iam_role.monitoring,
      aws_iam_role_policy_attachment.monitoring, values(aws_cloudwatch_log_group.this),
    ))
    error_message = "Something is made although one of the user's own is used."
  }

  assert {
    condition     = output.log_group_names.postgresql == "/aws/rds/instance/tenants/postgresql"
    error_message = "The log group that is there is not told."
  }
}

run "names_tags_and_boundary" {
  command = plan

  variables {
    parameter_group_use_name_prefix      = false
    db_subnet_group_use_name_prefix      = false
    security_group_use_name_prefix       = false
    monitoring_role_use_name_prefix      = false
    monitoring_role_name                 = "watch-tenants"
    monitoring_role_path                 = "/platform/"
    monitoring_role_permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
    tags                                 = { owner = "platform" }
    db_instance_tags                     = { backup = "daily" }
    cloudwatch_log_group_tags            = { owner = "audit" }
  }

  assert {
    condition = (
      aws_db_parameter_group.this[0].name == "tenants-postgres17"
      && aws_db_subnet_group.this[0].name == "tenants"
      && aws_security_group.this[0].name == "tenants"
      && aws_iam_role.monitoring[0].name == "watch-tenants"
      && aws_iam_role.monitoring[0].path == "/platform/"
      && aws_iam_role.monitoring[0].permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    )
    error_message = "Names or the boundary are not as asked for."
  }

  assert {
    condition = (
      aws_db_instance.this[0].tags == tomap({ owner = "platform", backup = "daily" })
      && aws_db_subnet_group.this[0].tags == tomap({ owner = "platform" })
      && aws_cloudwatch_log_group.this["upgrade"].tags == tomap({ owner = "audit" })
    )
    error_message = "Tags are not as asked for."
  }
}

run "restored_from_a_moment" {
  command = plan

  variables {
    restore_to_point_in_time = { source_db_instance_identifier = "tenants-old" }
    blue_green_update        = true
    multi_az                 = false
    availability_zone        = "eu-west-1b"
    timeouts                 = { delete = "6h" }
  }

  assert {
    condition = (
      aws_db_instance.this[0].restore_to_point_in_time[0].use_latest_restorable_time
      && aws_db_instance.this[0].restore_to_point_in_time[0].source_db_instance_identifier == "tenants-old"
      && aws_db_instance.this[0].blue_green_update[0].enabled
      && aws_db_instance.this[0].availability_zone == "eu-west-1b"
      && aws_db_instance.this[0].timeouts.delete == "6h"
      && aws_db_instance.this[0].timeouts.create == "60m"
    )
    error_message = "The restore is not as asked for."
  }
}

run "replicas" {
  command = plan

  variables {
    replicas = { reporting = { instance_class = "db.r7g.large", availability_zone = "eu-west-1c" }, spare = {} }
  }

  assert {
    condition = (
      output.replica_identifiers == { reporting = "tenants-reporting", spare = "tenants-spare" }
      && aws_db_instance.replica["reporting"].instance_class == "db.r7g.large"
      && aws_db_instance.replica["spare"].instance_class == "db.m7g.large"
      && aws_db_instance.replica["spare"].replicate_source_db == "tenants"
      && aws_db_instance.replica["spare"].kms_key_id == var.kms_key_arn
      && aws_db_instance.replica["spare"].deletion_protection
    )
    error_message = "The replicas are not as asked for."
  }

  assert {
    condition = alltrue([
      for replica in aws_db_instance.replica :
      alltrue([replica.username == null, replica.manage_master_user_password == null, replica.engine_version == null, replica.allocated_storage == null])
    ])
    error_message = "AWS refuses for a replica what it has from its source."
  }

  assert {
    condition     = aws_cloudwatch_log_group.replica["reporting/postgresql"].name == "/aws/rds/instance/tenants-reporting/postgresql" && length(aws_cloudwatch_log_group.replica) == 6
    error_message = "The log groups of the replicas are not those that RDS writes to."
  }
}

run "nothing" {
  command = plan

  variables {
    create = false
  }

  assert {
    condition     = output.identifier == null && output.connections_for_tenants == null && length(output.log_group_names) == 0 && length(aws_db_instance.this) == 0
    error_message = "Something is made."
  }
}

run "apply" {
  variables {
    deletion_protection = false
  }

  assert {
    condition     = output.address != "" && output.port == 5432 && startswith(output.resource_id, "db-") && startswith(output.master_secret_arn, "arn:aws:secretsmanager:")
    error_message = "What others need to know of the instance is not told."
  }

  assert {
    condition     = output.allocated_storage == 100 && output.iops == 3000 && output.storage_throughput == 125 && output.max_allocated_storage == 500
    error_message = "What the storage can do is not told."
  }

  assert {
    condition     = can(regex("^final-tenants-[0-9a-f]{8}$", output.final_snapshot_identifier))
    error_message = "The final snapshot has no name of its own: ${output.final_snapshot_identifier}"
  }

  assert {
    condition     = output.log_group_names.postgresql == "/aws/rds/instance/tenants/postgresql"
    error_message = "The log group is not told."
  }
}

# AWS would make a new instance, without any tenant.
run "another_key_for_an_instance_that_is_there" {
  command = plan

  variables {
    deletion_protection = false
    kms_key_arn         = "arn:aws:kms:eu-west-1:123456789012:key/99999999-2222-4333-8444-555555555555"
  }

  expect_failures = [aws_db_instance.this]
}

run "another_master_for_an_instance_that_is_there" {
  command = plan

  variables {
    deletion_protection = false
    username            = "somebody_else"
  }

  expect_failures = [aws_db_instance.this]
}

run "a_snapshot_and_a_zone_for_an_instance_that_is_there" {
  command = plan

  variables {
    deletion_protection = false
    snapshot_identifier = "of-yesterday"
    multi_az            = false
    availability_zone   = "eu-west-1c"
  }

  assert {
    condition     = aws_db_instance.this[0].snapshot_identifier == null && output.resource_id == run.apply.resource_id
    error_message = "The instance would be made anew."
  }
}

run "it_grows_past_400_gib" {
  variables {
    deletion_protection   = false
    allocated_storage     = 500
    max_allocated_storage = 1000
  }

  assert {
    condition     = output.allocated_storage == 500 && output.iops == 12000 && output.storage_throughput == 500 && output.resource_id == run.apply.resource_id
    error_message = "The storage does not grow in place."
  }
}
