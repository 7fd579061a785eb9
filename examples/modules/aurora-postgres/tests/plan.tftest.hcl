# What is planned when nothing but network and key are said, and what a few arguments change about it.

provider "aws" {
  region = "eu-west-1"
}

variables {
  identifier  = "tenants"
  vpc_id      = "vpc-0123456789abcdef0"
  subnet_ids  = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
}

run "defaults" {
  command = plan

  assert {
    condition = alltrue([
      aws_rds_cluster.this[0].storage_encrypted,
      aws_rds_cluster.this[0].manage_master_user_password,
      aws_rds_cluster.this[0].iam_database_authentication_enabled,
      aws_rds_cluster.this[0].deletion_protection,
      aws_rds_cluster.this[0].copy_tags_to_snapshot,
      aws_rds_cluster.this[0].performance_insights_enabled,
      !aws_rds_cluster.this[0].skip_final_snapshot,
      !aws_rds_cluster.this[0].delete_automated_backups,
      !aws_rds_cluster.this[0].apply_immediately,
    ])
    error_message = "The cluster is not as safe as it should be."
  }

  assert {
    condition     = aws_rds_cluster.this[0].master_password == null && aws_rds_cluster.this[0].master_username == "platform_admin"
    error_message = "The password must be AWS's to make."
  }

  assert {
    condition     = aws_rds_cluster.this[0].backup_retention_period == 14 && aws_rds_cluster.this[0].engine_lifecycle_support == "open-source-rds-extended-support-disabled"
    error_message = "Backups or extended support are not as documented."
  }

  assert {
    condition     = keys(aws_rds_cluster_instance.this) == ["one", "two"] && alltrue([for it in aws_rds_cluster_instance.this : !it.publicly_accessible && it.instance_class == "db.r7g.large" && it.monitoring_interval == 60])
    error_message = "There must be a writer and a reader that takes over, neither of them public."
  }

  assert {
    condition     = length(aws_rds_cluster.this[0].serverlessv2_scaling_configuration) == 0 && output.max_capacity == null
    error_message = "A provisioned cluster has no capacity units."
  }

  assert {
    condition = { for p in aws_rds_cluster_parameter_group.this[0].parameter : p.name => "${p.value} ${p.apply_method}" } == {
      "cron.database_name"          = "postgres pending-reboot"
      "cron.use_background_workers" = "1 pending-reboot"
      log_autovacuum_min_duration   = "1000 immediate"
      log_connections               = "1 immediate"
      log_disconnections            = "1 immediate"
      log_lock_waits                = "1 immediate"
      log_min_duration_statement    = "1000 immediate"
      log_temp_files                = "10240 immediate"
      "pgaudit.log"                 = "ddl,role immediate"
      "pgaudit.role"                = "rds_pgaudit immediate"
      "rds.force_ssl"               = "1 pending-reboot"
      shared_preload_libraries      = "pg_cron,pg_stat_statements,pgaudit pending-reboot"
      track_io_timing               = "1 immediate"
    }
    error_message = "The cluster's parameters are not those documented: ${jsonencode(aws_rds_cluster_parameter_group.this[0].parameter)}"
  }

  assert {
    condition = { for p in aws_db_parameter_group.this[0].parameter : p.name => "${p.value} ${p.apply_method}" } == {
      max_connections = "400 pending-reboot"
      temp_file_limit = "4194304 pending-reboot"
    }
    error_message = "The instances' parameters are not those documented: ${jsonencode(aws_db_parameter_group.this[0].parameter)}"
  }

  assert {
    condition     = aws_rds_cluster_parameter_group.this[0].family == "aurora-postgresql17" && aws_db_parameter_group.this[0].family == "aurora-postgresql17"
    error_message = "The parameter groups are of another family."
  }

  assert {
    condition     = output.connections_for_tenants == 395
    error_message = "The connections left for tenants are computed wrongly."
  }

  assert {
    condition = alltrue([for export, group in aws_cloudwatch_log_group.this :
    group.name == "/aws/rds/cluster/tenants/${export}" && group.retention_in_days == 365 && group.skip_destroy])
    error_message = "The log groups are not those that Aurora writes to, or a destroy takes them along."
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_log_group.this)) == toset(aws_rds_cluster.this[0].enabled_cloudwatch_logs_exports)
    error_message = "A log is exported to a group that is not made here."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.group) == 0 && length(aws_vpc_security_group_ingress_rule.network) == 0
    error_message = "Somebody may connect who was not named."
  }
}

# An unset optional attribute of a wrapper is null, and must not switch off what is safe by default.
run "null_is_the_default" {
  command = plan

  variables {
    create                                 = null
    deletion_protection                    = null
    instances                              = null
    backup_retention_period                = null
    cloudwatch_log_group_skip_destroy      = null
    cloudwatch_log_group_retention_in_days = null
    cron                                   = null
    max_connections                        = null
    monitoring_interval                    = null
    engine_lifecycle_support               = null
    parameters                             = null
    timeouts                               = null
  }

  assert {
    condition     = aws_rds_cluster.this[0].deletion_protection && aws_rds_cluster.this[0].backup_retention_period == 14 && length(aws_rds_cluster_instance.this) == 2
    error_message = "null switched a safe default off."
  }
}

run "serverless" {
  command = plan

  variables {
    instance_class                     = "db.serverless"
    instances                          = { one = {}, two = {}, reports = { instance_class = "db.r7g.large", promotion_tier = 15 } }
    serverlessv2_scaling_configuration = { min_capacity = 0.5, max_capacity = 8 }
  }

  assert {
    condition     = aws_rds_cluster.this[0].serverlessv2_scaling_configuration[0].max_capacity == 8 && output.max_capacity == 8
    error_message = "The capacity does not arrive."
  }

  assert {
    condition     = aws_rds_cluster_instance.this["one"].instance_class == "db.serverless" && aws_rds_cluster_instance.this["reports"].instance_class == "db.r7g.large"
    error_message = "The classes of the instances are mixed up."
  }
}

run "postgresql_18" {
  command = plan

  variables {
    engine_version       = "18"
    reserved_connections = 10
    logical_replication  = true
    parameters           = { deadlock_timeout = "1000", wal_sender_timeout = "30000", autovacuum_naptime = "15" }
    instance_parameters  = { work_mem = "16384" }
  }

  assert {
    condition = {
      for p in aws_rds_cluster_parameter_group.this[0].parameter : p.name => "${p.value} ${p.apply_method}"
      if contains(["log_connections", "rds.logical_replication", "deadlock_timeout", "wal_sender_timeout", "autovacuum_naptime"], p.name)
      } == {
      log_connections           = "all immediate"
      "rds.logical_replication" = "1 pending-reboot"
      wal_sender_timeout        = "30000 pending-reboot"
      autovacuum_naptime        = "15 immediate"
    }
    error_message = "RDS takes words for log_connections from 18 on, and no value that is the default."
  }

  assert {
    condition = { for p in aws_db_parameter_group.this[0].parameter : p.name => "${p.value} ${p.apply_method}" } == {
      max_connections      = "400 pending-reboot"
      reserved_connections = "10 pending-reboot"
      temp_file_limit      = "4194304 pending-reboot"
      work_mem             = "16384 immediate"
    }
    error_message = "The instances' parameters are not those documented."
  }

  assert {
    condition     = output.connections_for_tenants == 387
    error_message = "The reserve is not counted."
  }
}

run "brought" {
  command = plan

  variables {
    vpc_id                            = null
    subnet_ids                        = []
    create_db_subnet_group            = false
    create_db_cluster_parameter_group = false
    create_db_parameter_group         = false
    create_monitoring_role            = false
    create_cloudwatch_log_group       = false
    db_subnet_group_name              = "platform"
    create_security_group             = false
    vpc_security_group_ids            = ["sg-0123456789abcdef0"]
    db_cluster_parameter_group_name   = "cluster-parameters"
    db_parameter_group_name           = "instance-parameters"
    monitoring_role_arn               = "arn:aws:iam::123456789012:role/monitoring"
    allowed_security_group_ids        = { applications = "sg-0123456789abcdef1" }
  }

  assert {
    condition = alltrue([
      length(aws_db_subnet_group.this) == 0,
      length(aws_security_group.this) == 0,
      length(aws_vpc_security_group_ingress_rule.group) == 0,
      length(aws_rds_cluster_parameter_group.this) == 0,
      length(aws_db_parameter_group.this) == 0,
      length(aws_iam_role.monitoring) == 0,
      length(aws_cloudwatch_log_group.this) == 0,
    ])
    error_message = "What was brought is made once more."
  }

  assert {
    condition     = aws_rds_cluster.this[0].db_subnet_group_name == "platform" && aws_rds_cluster.this[0].vpc_security_group_ids == toset(["sg-0123456789abcdef0"]) && aws_rds_cluster.this[0].db_cluster_parameter_group_name == "cluster-parameters"
    error_message = "What was brought does not arrive at the cluster."
  }

  assert {
    condition     = alltrue([for it in aws_rds_cluster_instance.this : it.db_parameter_group_name == "instance-parameters" && it.monitoring_role_arn == "arn:aws:iam::123456789012:role/monitoring"])
    error_message = "What was brought does not arrive at the instances."
  }
}

run "restored_and_bounded" {
  command = plan

  variables {
    restore_to_point_in_time             = { source_cluster_identifier = "tenants-lost", restore_to_time = "2026-01-31T12:00:00Z" }
    monitoring_role_permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
    timeouts                             = { delete = "6h" }
    cluster_tags                         = { backup = "daily" }
    tags                                 = { owner = "platform" }
  }

  assert {
    condition     = aws_rds_cluster.this[0].restore_to_point_in_time[0].restore_type == "full-copy" && aws_rds_cluster.this[0].restore_to_point_in_time[0].use_latest_restorable_time == null
    error_message = "The restore does not arrive as asked."
  }

  assert {
    condition     = aws_iam_role.monitoring[0].permissions_boundary == "arn:aws:iam::123456789012:policy/boundary" && aws_rds_cluster.this[0].timeouts.delete == "6h"
    error_message = "The boundary or the timeout does not arrive."
  }

  assert {
    condition     = aws_rds_cluster.this[0].tags == tomap({ backup = "daily", owner = "platform" }) && aws_rds_cluster_instance.this["one"].tags == tomap({ owner = "platform" })
    error_message = "The tags are mixed up."
  }
}

run "autoscaling" {
  command = plan

  variables {
    autoscaling_enabled      = true
    autoscaling_max_capacity = 5
  }

  assert {
    condition     = aws_appautoscaling_target.readers[0].max_capacity == 5 && aws_appautoscaling_policy.readers[0].target_tracking_scaling_policy_configuration[0].target_value == 70
    error_message = "The readers do not scale."
  }
}

run "upgraded" {
  command = plan

  variables {
    engine_version              = "16.4"
    allow_major_version_upgrade = true
    create_db_parameter_group   = false
    db_parameter_group_name     = "instance-parameters"
  }

  assert {
    condition     = aws_rds_cluster.this[0].db_instance_parameter_group_name == "instance-parameters"
    error_message = "A major upgrade needs the instances' parameter group of the new family."
  }
}

run "nothing" {
  command = plan

  variables {
    create = false
  }

  assert {
    condition     = length(aws_rds_cluster.this) + length(aws_rds_cluster_instance.this) + length(aws_cloudwatch_log_group.this) + length(aws_iam_role.monitoring) == 0
    error_message = "Something is made although nothing should."
  }

  assert {
    condition     = output.identifier == null && output.master_secret_arn == null && length(output.instances) == 0
    error_message = "The outputs of nothing must be null."
  }
}

# Applied by a stand-in that makes up what AWS answers.
run "made" {
  variables {
    deletion_protection        = false
    allowed_security_group_ids = { applications = "sg-0123456789abcdef0" }
    allowed_cidr_blocks        = { office = "192.0.2.0/24" }
  }

  assert {
    condition     = can(regex("^final-tenants-[0-9a-f]{8}$", aws_rds_cluster.this[0].final_snapshot_identifier))
    error_message = "The final snapshot has no name of its own: ${aws_rds_cluster.this[0].final_snapshot_identifier}"
  }

  assert {
    condition     = startswith(output.master_secret_arn, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!cluster-") && output.address != output.reader_address
    error_message = "The secret or the addresses are not told."
  }

  assert {
    condition     = startswith(output.resource_id, "cluster-") && alltrue([for it in output.instances : startswith(it.resource_id, "db-")]) && output.instances["one"].identifier == "tenants-one"
    error_message = "The resource IDs are mixed up."
  }
}

# The same name once more, with another key: another cluster, whose final snapshot must not meet that of the first.
run "made_anew" {
  variables {
    deletion_protection = false
    kms_key_arn         = "arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-1111-1111-111111111111"
  }

  assert {
    condition     = aws_rds_cluster.this[0].final_snapshot_identifier != run.made.final_snapshot_identifier
    error_message = "Two clusters would leave final snapshots of one name."
  }
}
