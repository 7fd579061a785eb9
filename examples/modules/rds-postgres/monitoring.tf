# The role as which RDS writes what Enhanced Monitoring measures.

locals {
  create_monitoring_role = var.create && var.create_monitoring_role
  monitoring_role_arn    = var.create_monitoring_role ? one(aws_iam_role.monitoring[*].arn) : var.monitoring_role_arn
  monitoring_role_name   = coalesce(var.monitoring_role_name, "${substr(var.identifier, 0, 26)}-monitor")
}

resource "aws_iam_role" "monitoring" {
  count = local.create_monitoring_role ? 1 : 0

  name                 = var.monitoring_role_use_name_prefix ? null : local.monitoring_role_name
  name_prefix          = var.monitoring_role_use_name_prefix ? "${local.monitoring_role_name}-" : null
  path                 = var.monitoring_role_path
  description          = "Enhanced Monitoring of ${var.identifier}"
  assume_role_policy   = data.aws_iam_policy_document.monitoring.json
  permissions_boundary = var.monitoring_role_permissions_boundary
  tags                 = merge(var.tags, var.monitoring_role_tags)
}

data "aws_iam_policy_document" "monitoring" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }

    # Only for instances of this account.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  count = local.create_monitoring_role ? 1 : 0

  role       = aws_iam_role.monitoring[0].name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
