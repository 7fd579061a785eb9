# The key of an instance, its snapshots and its logs, apart from the instance: whatever it has encrypted is lost with it.
# Its policy decides who can read what a snapshot holds.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

resource "aws_kms_key" "this" {
  description             = "Storage, snapshots, insights, master secret and logs of ${var.identifier}"
  enable_key_rotation     = true
  multi_region            = var.multi_region
  deletion_window_in_days = 30
  policy                  = var.policy != null ? var.policy : data.aws_iam_policy_document.this.json
  tags                    = var.tags

  lifecycle {
    # A key that is to be deleted cannot be used from that moment on, so a destroy would leave snapshots, backups and logs
    # that nobody can read. README.md says how to give the key up.
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.identifier}"
  target_key_id = aws_kms_key.this.key_id
}

data "aws_iam_policy_document" "this" {
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
