# The role as which RDS writes what Enhanced Monitoring measures: made here, or brought.

locals {
  monitoring_role_arn = var.create_monitoring_role ? one(aws_iam_role.monitoring[*].arn) : var.monitoring_role_arn
}

resource "aws_iam_role" "monitoring" {
  count = var.create && var.create_monitoring_role ? 1 : 0

  name_prefix          = "${substr(var.identifier, 0, 26)}-monitor-"
  description          = "Enhanced Monitoring of ${var.identifier}"
  assume_role_policy   = data.aws_iam_policy_document.monitoring.json
  permissions_boundary = var.monitoring_role_permissions_boundary
  tags                 = var.tags
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
  count = var.create && var.create_monitoring_role ? 1 : 0

  role       = aws_iam_role.monitoring[0].name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
