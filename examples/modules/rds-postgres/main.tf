# The instance that all tenants share, and what belongs to it. Connections come from the security groups
# that are named, over TLS, and everything at rest is encrypted with one key.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  kms_key_arn = var.kms_key_arn != null ? var.kms_key_arn : aws_kms_key.this[0].arn

  # gp3 of RDS for PostgreSQL has no other than the baseline below this size.
  provisionable_from_gib = 400

  baseline_iops = var.allocated_storage < local.provisionable_from_gib ? 3000 : 12000

  log_exports = ["iam-db-auth-error", "postgresql", "upgrade"]

  # What PostgreSQL keeps for superusers (3), and what is kept here. Before PostgreSQL 16 RDS keeps 2 for rds_superuser;
  # from then on reserved_connections takes their place.
  kept_connections = 3 + (local.major >= 16 ? var.reserved_connections : 2)
}

resource "aws_db_instance" "this" {
  identifier     = var.identifier
  engine         = "postgres"
  engine_version = var.engine_version
  instance_class = var.instance_class

  allocated_storage     = var.allocated_storage
  max_allocated_storage = var.max_allocated_storage == 0 ? null : var.max_allocated_storage
  storage_type          = "gp3"
  iops                  = var.iops
  storage_throughput    = var.storage_throughput
  storage_encrypted     = true
  kms_key_id            = local.kms_key_arn

  username                            = var.username
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = local.kms_key_arn
  iam_database_authentication_enabled = true

  port                   = var.port
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  publicly_accessible    = false
  multi_az               = var.multi_az
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  parameter_group_name        = aws_db_parameter_group.this.name
  allow_major_version_upgrade = var.allow_major_version_upgrade
  auto_minor_version_upgrade  = true
  apply_immediately           = var.apply_immediately
  maintenance_window          = var.maintenance_window

  backup_window             = var.backup_window
  backup_retention_period   = var.backup_retention_days
  delete_automated_backups  = false
  copy_tags_to_snapshot     = true
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.identifier}-final"

  enabled_cloudwatch_logs_exports       = local.log_exports
  monitoring_interval                   = var.monitoring_interval_seconds
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  database_insights_mode                = var.database_insights_mode
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = local.kms_key_arn
  performance_insights_retention_period = var.performance_insights_retention_days

  tags = var.tags

  # Log groups that RDS makes itself keep everything for ever, without a key.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy_attachment.monitoring]

  lifecycle {
    precondition {
      condition     = var.max_allocated_storage == 0 || var.max_allocated_storage >= var.allocated_storage * 1.1
      error_message = "max_allocated_storage must be 0, or 10 % above allocated_storage at least."
    }

    precondition {
      condition     = (var.iops == null && var.storage_throughput == null) || var.allocated_storage >= local.provisionable_from_gib
      error_message = "iops and storage_throughput of gp3 can be chosen from an allocated_storage of 400 GiB on."
    }

    precondition {
      condition     = var.database_insights_mode != "advanced" || var.performance_insights_retention_days >= 465
      error_message = "database_insights_mode \"advanced\" needs performance_insights_retention_days of 465 or more."
    }

    precondition {
      condition     = var.kms_key_arn == null || var.kms_key_policy == null
      error_message = "kms_key_policy is for the key that this module makes: leave it out with kms_key_arn."
    }
  }
}

resource "aws_db_subnet_group" "this" {
  name_prefix = "${var.identifier}-"
  description = "Subnets of ${var.identifier}"
  subnet_ids  = var.subnet_ids
  tags        = var.tags
}

resource "aws_security_group" "this" {
  name_prefix = "${var.identifier}-"
  description = "Who may connect to ${var.identifier}"
  vpc_id      = var.vpc_id
  tags        = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "group" {
  for_each = var.allowed_security_group_ids

  security_group_id            = aws_security_group.this.id
  description                  = "PostgreSQL from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "network" {
  for_each = var.allowed_cidr_blocks

  security_group_id = aws_security_group.this.id
  description       = "PostgreSQL from ${each.key}"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = var.port
  to_port           = var.port
  tags              = var.tags
}

# Made before the instance, under the names that RDS writes to.
resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(local.log_exports)

  name              = "/aws/rds/instance/${var.identifier}/${each.value}"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key_arn
  tags              = var.tags
}
