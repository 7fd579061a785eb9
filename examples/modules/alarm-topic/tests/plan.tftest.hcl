provider "aws" {
  region = "eu-west-1"
}

variables {
  name = "tenants-alarms"
}

run "applied" {
  variables {
    subscriptions = {
      platform = { protocol = "email", endpoint = "platform@example.com" }
      pager    = { protocol = "https", endpoint = "https://events.example.com/integration/1/enqueue", endpoint_auto_confirms = true }
      archive  = { protocol = "firehose", endpoint = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/alarms", subscription_role_arn = "arn:aws:iam::123456789012:role/sns-to-firehose" }
      chat     = { protocol = "lambda", endpoint = "arn:aws:lambda:eu-west-1:123456789012:function:chat" }
      queue    = { protocol = "sqs", endpoint = "arn:aws:sqs:eu-west-1:123456789012:alarms", replace_queue_policy = true }
      phone    = { protocol = "sms", endpoint = "+4915123456789" }
    }
  }

  assert {
    condition     = [for document in data.aws_iam_policy_document.key.statement : one(document.principals).identifiers if document.sid == "PublishersEncrypt"] == [toset(["cloudwatch.amazonaws.com", "events.amazonaws.com"])]
    error_message = "CloudWatch and EventBridge may use the topic's key."
  }

  assert {
    condition     = aws_lambda_permission.this["chat"].source_arn == aws_sns_topic.this[0].arn && aws_lambda_permission.this["chat"].principal == "sns.amazonaws.com"
    error_message = "The topic may invoke the function."
  }

  assert {
    condition = (
      aws_sqs_queue_policy.this["queue"].queue_url == "https://sqs.eu-west-1.amazonaws.com/123456789012/alarms" &&
      jsondecode(aws_sqs_queue_policy.this["queue"].policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == aws_sns_topic.this[0].arn
    )
    error_message = "The topic may send to the queue, and no other one."
  }

  assert {
    condition = (
      aws_sns_topic_subscription.this["archive"].subscription_role_arn == "arn:aws:iam::123456789012:role/sns-to-firehose" &&
      aws_sns_topic_subscription.this["pager"].endpoint_auto_confirms == true && length(aws_lambda_permission.this) == 1 && length(aws_sqs_queue_policy.this) == 1
    )
    error_message = "Each protocol has what it needs."
  }

  assert {
    condition     = aws_sns_topic.this[0].kms_master_key_id == aws_kms_key.this[0].arn && aws_sns_topic_subscription.this["platform"].topic_arn == aws_sns_topic.this[0].arn
    error_message = "The topic is on its own key, and has its subscribers."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_sns_topic_policy.this[0].policy).Statement :
      statement.Principal.Service => can(statement.Condition.ArnLike["aws:SourceArn"]) if statement.Effect == "Allow"
    } == { "cloudwatch.amazonaws.com" = true, "events.amazonaws.com" = false }
    error_message = "Alarms of this account publish, and EventBridge."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_sns_topic_policy.this[0].policy).Statement :
      can(statement.Condition) if statement.Sid == "EventsOfRules"
    ] == [false]
    error_message = "With a condition in its statement EventBridge could not publish."
  }

  assert {
    condition     = output.topic_arn == aws_sns_topic.this[0].arn && output.kms_key_arn == aws_kms_key.this[0].arn && aws_kms_key.this[0].enable_key_rotation && aws_kms_alias.this[0].name == "alias/tenants-alarms"
    error_message = "The outputs are those of the topic and its key."
  }
}

run "another_topic" {
  command = plan

  variables {
    create_topic = false
    topic_arn    = "arn:aws:sns:eu-west-1:123456789012:platform"
  }

  assert {
    condition     = output.topic_arn == var.topic_arn && output.kms_key_arn == null
    error_message = "The topic that was given is handed on."
  }

  assert {
    condition     = length(aws_sns_topic.this) == 0 && length(aws_kms_key.this) == 0 && length(aws_kms_alias.this) == 0 && length(aws_sns_topic_policy.this) == 0
    error_message = "With a topic that was given, nothing is made."
  }
}
