# The instance that all tenants share, and what belongs to it. Connections come from the security groups
# that are named, over TLS, and everything at rest is encrypted with a key that is made elsewhere.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  log_exports = ["iam-db-auth-error", "postgresql", "upgrade"]

  # What PostgreSQL keeps for superusers (3), and what is kept besides. Without reserved_connections, which PostgreSQL has
  # from 16 on, RDS keeps 2 for rds_superuser.
  kept_connections = 3 + (local.major >= 16 && var.reserved_connections != null ? var.reserved_connections : 2)

  db_subnet_group_name = var.create_db_subnet_group ? one(aws_db_subnet_group.this[*].name) : var.db_subnet_group_name
  security_group_ids   = concat(aws_security_group.this[*].id, tolist(var.vpc_security_group_ids))
}

# A final snapshot has a name of its own in each life of the instance: AWS refuses to delete an instance whose final
# snapshot has the name of an existing one.
resource "terraform_data" "life" {
  count = var.create ? 1 : 0

  triggers_replace = [var.identifier]
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV2_AWS_30:parameters.tf logs slow statements, which the check does not find when another module calls this one
  count = var.create ? 1 : 0

  identifier               = var.identifier
  engine                   = "postgres"
  engine_version           = var.engine_version
  engine_lifecycle_support = var.engine_lifecycle_support
  instance_class           = var.instance_class

  allocated_storage     = var.allocated_storage
  max_allocated_storage = var.max_allocated_storage == 0 ? null : var.max_allocated_storage
  storage_type          = var.storage_type
  iops                  = local.iops
  storage_throughput    = local.storage_throughput
  dedicated_log_volume  = var.dedicated_log_volume
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  username                            = var.username
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = coalesce(var.master_user_secret_kms_key_id, var.kms_key_arn)
  iam_database_authentication_enabled = true

  port                   = var.port
  network_type           = var.network_type
  db_subnet_group_name   = local.db_subnet_group_name
  vpc_security_group_ids = local.security_group_ids
  publicly_accessible    = false
  multi_az               = var.multi_az
  availability_zone      = var.availability_zone
  ca_cert_identifier     = var.ca_cert_identifier

  parameter_group_name        = local.parameter_group_name
  option_group_name           = var.option_group_name
  allow_major_version_upgrade = var.allow_major_version_upgrade
  auto_minor_version_upgrade  = var.auto_minor_version_upgrade
  apply_immediately           = var.apply_immediately
  maintenance_window          = var.maintenance_window

  backup_window             = var.backup_window
  backup_retention_period   = var.backup_retention_period
  delete_automated_backups  = false
  copy_tags_to_snapshot     = true
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.final_snapshot_identifier_prefix}-${var.identifier}-${substr(terraform_data.life[0].id, 0, 8)}"
  snapshot_identifier       = var.snapshot_identifier

  enabled_cloudwatch_logs_exports       = local.log_exports
  monitoring_interval                   = var.monitoring_interval
  monitoring_role_arn                   = local.monitoring_role_arn
  database_insights_mode                = var.database_insights_mode
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = coalesce(var.performance_insights_kms_key_id, var.kms_key_arn)
  performance_insights_retention_period = var.performance_insights_retention_period

  tags = merge(var.tags, var.db_instance_tags)

  dynamic "blue_green_update" {
    for_each = var.blue_green_update ? [true] : []
    content {
      enabled = true
    }
  }

  dynamic "restore_to_point_in_time" {
    for_each = var.restore_to_point_in_time == null ? [] : [var.restore_to_point_in_time]
    content {
      restore_time                             = restore_to_point_in_time.value.restore_time
      source_db_instance_automated_backups_arn = restore_to_point_in_time.value.source_db_instance_automated_backups_arn
      source_db_instance_identifier            = restore_to_point_in_time.value.source_db_instance_identifier
      source_dbi_resource_id                   = restore_to_point_in_time.value.source_dbi_resource_id
      use_latest_restorable_time               = restore_to_point_in_time.value.restore_time == null ? true : null
    }
  }

  timeouts {
    create = var.timeouts.create
    update = var.timeouts.update
    delete = var.timeouts.delete
  }

  # Log groups that RDS makes itself keep everything for ever, without a key.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy_attachment.monitoring]

  lifecycle {
    # A change of these replaces the instance, with all tenants' data. Those that say what it was made from count once;
    # a failover changes the zone; another key or master role is refused below.
    ignore_changes = [availability_zone, kms_key_id, restore_to_point_in_time, snapshot_identifier, username]

    precondition {
      condition     = var.max_allocated_storage == 0 || var.max_allocated_storage >= var.allocated_storage * 1.1
      error_message = "max_allocated_storage must be 0, or 10 % above allocated_storage at least."
    }

    precondition {
      condition     = local.storage_refused == null
      error_message = "The storage cannot be made: ${coalesce(local.storage_refused, "-")}."
    }

    precondition {
      condition     = var.database_insights_mode != "advanced" || var.performance_insights_retention_period >= 465
      error_message = "database_insights_mode \"advanced\" needs performance_insights_retention_period of 465 or more."
    }

    precondition {
      condition     = var.availability_zone == null || !var.multi_az
      error_message = "availability_zone is for an instance without a standby: set multi_az to false, or leave availability_zone out."
    }

    precondition {
      condition     = var.snapshot_identifier == null || var.restore_to_point_in_time == null
      error_message = "snapshot_identifier and restore_to_point_in_time exclude each other."
    }

    precondition {
      condition     = length(local.security_group_ids) > 0
      error_message = "create_security_group is false: vpc_security_group_ids must name a security group."
    }

    precondition {
      condition     = var.create_db_subnet_group ? length(var.subnet_ids) >= 2 : var.db_subnet_group_name != null
      error_message = "subnet_ids must name two subnets at least, each in an availability zone of its own; or db_subnet_group_name a group, with create_db_subnet_group = false."
    }

    precondition {
      condition     = var.create_db_parameter_group || var.parameter_group_name != null
      error_message = "create_db_parameter_group is false: parameter_group_name must name a parameter group."
    }

    precondition {
      condition     = var.create_db_parameter_group || length(var.parameters) == 0
      error_message = "parameters are for the parameter group that this module makes: set them in ${coalesce(var.parameter_group_name, "the group of yours")}."
    }

    precondition {
      condition     = var.create_monitoring_role || var.monitoring_role_arn != null
      error_message = "create_monitoring_role is false: monitoring_role_arn must be the ARN of a role."
    }

    postcondition {
      condition     = self.kms_key_id == var.kms_key_arn
      error_message = "The storage of an instance keeps its key. kms_key_arn must stay ${coalesce(self.kms_key_id, "what it was")}: for another key, copy a snapshot with that key and restore the copy under another identifier."
    }

    postcondition {
      condition     = self.username == var.username
      error_message = "The master role of an instance keeps its name. username must stay ${coalesce(self.username, "what it was")}."
    }
  }
}

resource "aws_db_subnet_group" "this" {
  count = var.create && var.create_db_subnet_group ? 1 : 0

  name        = var.db_subnet_group_use_name_prefix ? null : var.identifier
  name_prefix = var.db_subnet_group_use_name_prefix ? "${var.identifier}-" : null
  description = "Subnets of ${var.identifier}"
  subnet_ids  = var.subnet_ids
  tags        = merge(var.tags, var.db_subnet_group_tags)
}

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:it is the instance's unless others are brought, which the check does not find when another module calls this one
  count = var.create && var.create_security_group ? 1 : 0

  name        = var.security_group_use_name_prefix ? null : var.identifier
  name_prefix = var.security_group_use_name_prefix ? "${var.identifier}-" : null
  description = "Who may connect to ${var.identifier}"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, var.security_group_tags)

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = var.vpc_id != null
      error_message = "vpc_id must name the VPC of the security group; or vpc_security_group_ids groups of yours, with create_security_group = false."
    }
  }
}

resource "aws_vpc_security_group_ingress_rule" "group" {
  for_each = var.create && var.create_security_group ? var.allowed_security_group_ids : {}

  security_group_id            = aws_security_group.this[0].id
  description                  = "PostgreSQL from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
  tags                         = merge(var.tags, var.security_group_tags)
}

resource "aws_vpc_security_group_ingress_rule" "network" {
  for_each = var.create && var.create_security_group ? var.allowed_cidr_blocks : {}

  security_group_id = aws_security_group.this[0].id
  description       = "PostgreSQL from ${each.key}"
  cidr_ipv4         = strcontains(each.value, ":") ? null : each.value
  cidr_ipv6         = strcontains(each.value, ":") ? each.value : null
  ip_protocol       = "tcp"
  from_port         = var.port
  to_port           = var.port
  tags              = merge(var.tags, var.security_group_tags)
}

# Made before the instance, under the names that RDS writes to. A destroy leaves them: they are evidence of who did what.
resource "aws_cloudwatch_log_group" "this" {
  for_each = var.create && var.create_cloudwatch_log_group ? toset(local.log_exports) : []

  name              = "/aws/rds/instance/${var.identifier}/${each.value}"
  log_group_class   = var.cloudwatch_log_group_class
  retention_in_days = var.cloudwatch_log_group_retention_in_days
  kms_key_id        = coalesce(var.cloudwatch_log_group_kms_key_id, var.kms_key_arn)
  skip_destroy      = var.cloudwatch_log_group_skip_destroy
  tags              = merge(var.tags, var.cloudwatch_log_group_tags)
}
