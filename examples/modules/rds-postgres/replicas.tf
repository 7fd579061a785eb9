# Read replicas in the same region, with the parameters, the key, the security groups and the monitoring of the instance.

resource "aws_db_instance" "replica" {
  #checkov:skip=CKV_AWS_157:a replica that fails is made again from the instance, and each says for itself whether it has a standby

  for_each = var.create ? var.replicas : {}

  identifier          = "${var.identifier}-${each.key}"
  replicate_source_db = aws_db_instance.this[0].identifier
  instance_class      = coalesce(each.value.instance_class, var.instance_class)
  availability_zone   = each.value.availability_zone
  multi_az            = each.value.multi_az

  max_allocated_storage = var.max_allocated_storage == 0 ? null : var.max_allocated_storage
  storage_type          = var.storage_type
  iops                  = local.iops
  storage_throughput    = local.storage_throughput
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  iam_database_authentication_enabled = true

  port                   = var.port
  network_type           = var.network_type
  vpc_security_group_ids = local.security_group_ids
  publicly_accessible    = false
  ca_cert_identifier     = var.ca_cert_identifier

  parameter_group_name       = local.parameter_group_name
  option_group_name          = var.option_group_name
  auto_minor_version_upgrade = var.auto_minor_version_upgrade
  apply_immediately          = var.apply_immediately
  maintenance_window         = var.maintenance_window
  copy_tags_to_snapshot      = true
  deletion_protection        = var.deletion_protection

  # AWS takes no final snapshot of a replica: it holds nothing that the instance does not.
  skip_final_snapshot = true

  enabled_cloudwatch_logs_exports       = local.log_exports
  monitoring_interval                   = var.monitoring_interval
  monitoring_role_arn                   = local.monitoring_role_arn
  database_insights_mode                = var.database_insights_mode
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = coalesce(var.performance_insights_kms_key_id, var.kms_key_arn)
  performance_insights_retention_period = var.performance_insights_retention_period

  tags = merge(var.tags, var.db_instance_tags)

  timeouts {
    create = var.timeouts.create
    update = var.timeouts.update
    delete = var.timeouts.delete
  }

  # Log groups that RDS makes itself keep everything for ever, without a key.
  depends_on = [aws_cloudwatch_log_group.replica, aws_iam_role_policy_attachment.monitoring]

  lifecycle {
    ignore_changes = [availability_zone, kms_key_id]
  }
}

resource "aws_cloudwatch_log_group" "replica" {
  for_each = var.create && var.create_cloudwatch_log_group ? {
    for pair in setproduct(keys(var.replicas), local.log_exports) : "${pair[0]}/${pair[1]}" => pair
  } : {}

  name              = "/aws/rds/instance/${var.identifier}-${each.value[0]}/${each.value[1]}"
  log_group_class   = var.cloudwatch_log_group_class
  retention_in_days = var.cloudwatch_log_group_retention_in_days
  kms_key_id        = coalesce(var.cloudwatch_log_group_kms_key_id, var.kms_key_arn)
  skip_destroy      = var.cloudwatch_log_group_skip_destroy
  tags              = merge(var.tags, var.cloudwatch_log_group_tags)
}
