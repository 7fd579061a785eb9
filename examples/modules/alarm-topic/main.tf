# The SNS topic of alarms and events, on a key of its own: the AWS managed key of SNS does not let CloudWatch publish. And its
# subscriptions.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  queues = { for name, subscription in var.subscriptions : name => subscription.endpoint if subscription.protocol == "sqs" }
}

resource "aws_kms_key" "this" {
  count = var.create_topic ? 1 : 0

  description             = "SNS topic ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
  tags                    = var.tags
}

resource "aws_kms_alias" "this" {
  count = var.create_topic ? 1 : 0

  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this[0].key_id
}

resource "aws_sns_topic" "this" {
  count = var.create_topic ? 1 : 0

  name              = var.name
  kms_master_key_id = aws_kms_key.this[0].arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "this" {
  count = var.create_topic ? 1 : 0

  arn    = aws_sns_topic.this[0].arn
  policy = data.aws_iam_policy_document.topic[0].json
}

resource "aws_sns_topic_subscription" "this" {
  for_each = var.subscriptions

  topic_arn              = aws_sns_topic.this[0].arn
  protocol               = each.value.protocol
  endpoint               = each.value.endpoint
  endpoint_auto_confirms = each.value.endpoint_auto_confirms ? true : null
  subscription_role_arn  = each.value.subscription_role_arn

  # A message that comes before the permission is lost.
  depends_on = [aws_lambda_permission.this, aws_sqs_queue_policy.this]
}

resource "aws_lambda_permission" "this" {
  for_each = { for name, subscription in var.subscriptions : name => subscription if subscription.protocol == "lambda" }

  statement_id  = "${var.name}-${each.key}"
  action        = "lambda:InvokeFunction"
  function_name = each.value.endpoint
  principal     = "sns.amazonaws.com"
  source_arn    = aws_sns_topic.this[0].arn
}

resource "aws_sqs_queue_policy" "this" {
  for_each = local.queues

  queue_url = "https://sqs.${split(":", each.value)[3]}.${data.aws_partition.this.dns_suffix}/${split(":", each.value)[4]}/${split(":", each.value)[5]}"
  policy    = data.aws_iam_policy_document.queue[each.key].json
}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:in a key's policy the resource * is this key
  #checkov:skip=CKV_AWS_111:in a key's policy the resource * is this key
  #checkov:skip=CKV_AWS_356:in a key's policy the resource * is this key
  statement {
    sid       = "AccountDecidesByIam"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:root"]
    }
  }

  # EventBridge sends no source account or ARN to KMS when its target is a topic, so none is demanded here;
  # nor can the topic's own policy demand one of it.
  statement {
    sid       = "PublishersEncrypt"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "events.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "topic" {
  count = var.create_topic ? 1 : 0

  statement {
    sid       = "AlarmsOfThisAccount"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this[0].arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${data.aws_partition.this.partition}:cloudwatch:${data.aws_region.this.region}:${data.aws_caller_identity.this.account_id}:alarm:*"]
    }
  }

  # For the rules of rds-alarms, aurora-alarms and snapshot-guard. AWS supports no condition here: with one, EventBridge's messages
  # would not arrive. So the source of a message is not proven: take it as a signal.
  statement {
    sid       = "EventsOfRules"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this[0].arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }

  statement {
    sid       = "NothingInClear"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this[0].arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

data "aws_iam_policy_document" "queue" {
  for_each = local.queues

  statement {
    sid       = "AlarmsOfTheTopic"
    actions   = ["sqs:SendMessage"]
    resources = [each.value]

    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_sns_topic.this[0].arn]
    }
  }
}
