# The role as which RDS writes what Enhanced Monitoring measures.

resource "aws_iam_role" "monitoring" {
  name_prefix        = "${substr(var.identifier, 0, 26)}-monitor-"
  description        = "Enhanced Monitoring of ${var.identifier}"
  assume_role_policy = data.aws_iam_policy_document.monitoring.json
  tags               = var.tags
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
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
