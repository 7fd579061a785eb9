# One key for all of an instance: its policy decides who can read what a snapshot holds.

resource "aws_kms_key" "this" {
  count = var.kms_key_arn == null ? 1 : 0

  description             = "Storage, snapshots, insights, master secret and logs of ${var.identifier}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = var.kms_key_policy != null ? var.kms_key_policy : data.aws_iam_policy_document.key.json
  tags                    = var.tags
}

resource "aws_kms_alias" "this" {
  count = var.kms_key_arn == null ? 1 : 0

  name          = "alias/${var.identifier}"
  target_key_id = aws_kms_key.this[0].key_id
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:in a key's policy "*" is this key, and without the account's root nobody could change it
  #checkov:skip=CKV_AWS_111:in a key's policy "*" is this key, and without the account's root nobody could change it
  #checkov:skip=CKV_AWS_356:in a key's policy "*" is this key

  statement {
    sid       = "AccountDecidesByIam"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:root"]
    }
  }

  statement {
    sid       = "LogsOfThisInstance"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${data.aws_region.this.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${data.aws_partition.this.partition}:logs:${data.aws_region.this.region}:${data.aws_caller_identity.this.account_id}:log-group:/aws/rds/instance/${var.identifier}/*"]
    }
  }

  # CloudWatch's alarms on Performance Insights read as a service-linked role that has no permission on keys. It is made
  # with the first such alarm, and KMS refuses a principal that is not there yet: so a condition names it.
  statement {
    sid       = "AlarmsOnPerformanceInsights"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    # AWS documents rds for readers of Performance Insights, whose own service name is pi.
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["pi", "rds"] : "${service}.${data.aws_region.this.region}.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:CallerAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:PrincipalArn"
      values   = ["arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:role/aws-service-role/pi-db.metrics.cloudwatch.amazonaws.com/*"]
    }
  }
}
