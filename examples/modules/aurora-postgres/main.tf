# The Aurora cluster that all tenants share, its instances, and the network around them. The key comes from outside, so
# that a destroy of the cluster leaves what its snapshots and logs are read with.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  instances = var.create ? var.instances : {}

  # The class of each instance; db.serverless scales between the capacities of the cluster.
  instance_classes = { for name, instance in local.instances : name => coalesce(instance.instance_class, var.instance_class) }
  is_serverless    = contains(values(local.instance_classes), "db.serverless")

  log_exports = ["iam-db-auth-error", "postgresql"]

  security_group_ids = concat(aws_security_group.this[*].id, tolist(var.vpc_security_group_ids))

  # What PostgreSQL keeps for superusers (3), and what is kept for operators: two of Aurora's own unless the parameter is set.
  kept_connections = 3 + (var.reserved_connections == null ? 2 : var.reserved_connections)
}

# The end of the final snapshot's name: a new one for each cluster, also when a change replaces it. A snapshot whose name
# is taken cannot be made, and the cluster then cannot be destroyed.
resource "terraform_data" "final_snapshot" {
  count = var.create ? 1 : 0

  triggers_replace = [
    var.identifier,
    var.username,
    var.kms_key_arn,
    var.snapshot_identifier,
    var.restore_to_point_in_time,
    var.db_subnet_group_name,
  ]
}

resource "aws_rds_cluster" "this" {
  #checkov:skip=CKV_AWS_326:backtracking exists in Aurora MySQL only
  #checkov:skip=CKV2_AWS_27:the parameter group logs slow statements, and pgAudit the rest; log_statement would log the passwords that tenants set
  #checkov:skip=CKV2_AWS_8:backups are those of the cluster itself, kept for backup_retention_period, and AWS Backup is the choice of its user
  count = var.create ? 1 : 0

  cluster_identifier = var.identifier
  engine             = "aurora-postgresql"
  engine_mode        = "provisioned"
  engine_version     = var.engine_version

  engine_lifecycle_support    = var.engine_lifecycle_support
  allow_major_version_upgrade = var.allow_major_version_upgrade
  apply_immediately           = var.apply_immediately

  storage_type      = var.storage_type == "aurora" ? null : var.storage_type
  storage_encrypted = true
  kms_key_id        = var.kms_key_arn

  master_username                     = var.username
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = var.kms_key_arn
  iam_database_authentication_enabled = true

  port                   = var.port
  network_type           = var.network_type
  db_subnet_group_name   = local.db_subnet_group_name
  vpc_security_group_ids = local.security_group_ids

  db_cluster_parameter_group_name = local.db_cluster_parameter_group_name
  # AWS takes it together with a major upgrade only, where it replaces the group of the old family on every instance.
  db_instance_parameter_group_name = var.allow_major_version_upgrade ? local.db_parameter_group_name : null

  preferred_backup_window      = var.backup_window
  backup_retention_period      = var.backup_retention_period
  preferred_maintenance_window = var.maintenance_window
  delete_automated_backups     = false
  copy_tags_to_snapshot        = true
  deletion_protection          = var.deletion_protection
  skip_final_snapshot          = false
  final_snapshot_identifier    = "${var.final_snapshot_identifier_prefix}-${var.identifier}-${substr(terraform_data.final_snapshot[0].id, 0, 8)}"
  snapshot_identifier          = var.snapshot_identifier

  enabled_cloudwatch_logs_exports       = local.log_exports
  database_insights_mode                = var.database_insights_mode
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.kms_key_arn
  performance_insights_retention_period = var.performance_insights_retention_period

  tags = merge(var.tags, var.cluster_tags)

  dynamic "restore_to_point_in_time" {
    for_each = var.restore_to_point_in_time == null ? [] : [var.restore_to_point_in_time]
    content {
      source_cluster_identifier  = restore_to_point_in_time.value.source_cluster_identifier
      source_cluster_resource_id = restore_to_point_in_time.value.source_cluster_resource_id
      restore_to_time            = restore_to_point_in_time.value.restore_to_time
      use_latest_restorable_time = restore_to_point_in_time.value.restore_to_time == null ? true : null
      restore_type               = restore_to_point_in_time.value.restore_type
    }
  }

  dynamic "serverlessv2_scaling_configuration" {
    for_each = local.is_serverless ? [var.serverlessv2_scaling_configuration] : []
    content {
      min_capacity = serverlessv2_scaling_configuration.value.min_capacity
      max_capacity = serverlessv2_scaling_configuration.value.max_capacity
    }
  }

  timeouts {
    create = var.timeouts.create
    update = var.timeouts.update
    delete = var.timeouts.delete
  }

  # Log groups that Aurora makes itself keep everything for ever, without a key.
  depends_on = [aws_cloudwatch_log_group.this]

  lifecycle {
    precondition {
      condition     = var.database_insights_mode != "advanced" || var.performance_insights_retention_period >= 465
      error_message = "database_insights_mode \"advanced\" needs performance_insights_retention_period of 465 or more."
    }

    precondition {
      condition     = var.snapshot_identifier == null || var.restore_to_point_in_time == null
      error_message = "A cluster is restored from snapshot_identifier or by restore_to_point_in_time: give one of them."
    }

    precondition {
      condition     = length(local.security_group_ids) > 0
      error_message = "Without create_security_group, give vpc_security_group_ids: AWS would take the VPC's default group."
    }

    precondition {
      condition     = !local.is_serverless || var.serverlessv2_scaling_configuration.min_capacity >= 1 || var.max_connections <= 2000
      error_message = "A serverless cluster with a min_capacity below 1 takes 2000 connections at most, whatever max_connections says."
    }
  }
}

resource "aws_rds_cluster_instance" "this" {
  for_each = local.instances

  identifier         = "${var.identifier}-${each.key}"
  cluster_identifier = aws_rds_cluster.this[0].cluster_identifier
  engine             = aws_rds_cluster.this[0].engine
  engine_version     = aws_rds_cluster.this[0].engine_version
  instance_class     = local.instance_classes[each.key]
  promotion_tier     = each.value.promotion_tier
  availability_zone  = each.value.availability_zone

  publicly_accessible        = false
  ca_cert_identifier         = var.ca_cert_identifier
  db_subnet_group_name       = local.db_subnet_group_name
  db_parameter_group_name    = local.db_parameter_group_name
  auto_minor_version_upgrade = var.auto_minor_version_upgrade
  apply_immediately          = var.apply_immediately
  copy_tags_to_snapshot      = true

  monitoring_interval                   = var.monitoring_interval
  monitoring_role_arn                   = local.monitoring_role_arn
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.kms_key_arn
  performance_insights_retention_period = var.performance_insights_retention_period

  tags = merge(var.tags, var.instance_tags)

  timeouts {
    create = var.timeouts.create
    update = var.timeouts.update
    delete = var.timeouts.delete
  }

  depends_on = [aws_iam_role_policy_attachment.monitoring]
}

# Readers that come and go with the load. They take class and parameter group of the writer, and no name of this module's.
resource "aws_appautoscaling_target" "readers" {
  count = var.create && var.autoscaling_enabled ? 1 : 0

  service_namespace  = "rds"
  scalable_dimension = "rds:cluster:ReadReplicaCount"
  resource_id        = "cluster:${aws_rds_cluster.this[0].cluster_identifier}"
  min_capacity       = var.autoscaling_min_capacity
  max_capacity       = var.autoscaling_max_capacity
  tags               = var.tags

  depends_on = [aws_rds_cluster_instance.this]

  lifecycle {
    precondition {
      condition     = var.autoscaling_min_capacity <= var.autoscaling_max_capacity
      error_message = "autoscaling_min_capacity must not exceed autoscaling_max_capacity."
    }
  }
}

resource "aws_appautoscaling_policy" "readers" {
  count = var.create && var.autoscaling_enabled ? 1 : 0

  name               = "${var.identifier}-readers"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.readers[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.readers[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.readers[0].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.autoscaling_target_cpu
    scale_in_cooldown  = 300
    scale_out_cooldown = 300

    predefined_metric_specification {
      predefined_metric_type = "RDSReaderAverageCPUUtilization"
    }
  }
}

# Made before the cluster, under the names that Aurora writes to.
resource "aws_cloudwatch_log_group" "this" {
  for_each = var.create && var.create_cloudwatch_log_group ? toset(local.log_exports) : toset([])

  name              = "/aws/rds/cluster/${var.identifier}/${each.value}"
  retention_in_days = var.cloudwatch_log_group_retention_in_days
  kms_key_id        = var.kms_key_arn
  skip_destroy      = var.cloudwatch_log_group_skip_destroy
  tags              = var.tags
}
