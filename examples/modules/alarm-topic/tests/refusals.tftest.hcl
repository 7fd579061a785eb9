# Every condition refuses what it is about.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name = "tenants-alarms"
}

run "name" {
  command = plan
  variables {
    name = "tenants.alarms"
  }
  expect_failures = [var.name]
}

run "no_topic" {
  command = plan
  variables {
    create_topic = false
  }
  expect_failures = [var.topic_arn]
}

run "two_topics" {
  command = plan
  variables {
    topic_arn = "arn:aws:sns:eu-west-1:123456789012:platform"
  }
  expect_failures = [var.topic_arn]
}

run "topic_name" {
  command = plan
  variables {
    create_topic = false
    topic_arn    = "platform"
  }
  expect_failures = [var.topic_arn]
}

run "protocol" {
  command = plan
  variables {
    subscriptions = { a = { protocol = "http", endpoint = "http://example.com" } }
  }
  expect_failures = [var.subscriptions]
}

run "endpoint" {
  command = plan
  variables {
    subscriptions = { a = { protocol = "lambda", endpoint = "https://example.com" } }
  }
  expect_failures = [var.subscriptions]
}

run "firehose_without_a_role" {
  command = plan
  variables {
    subscriptions = { a = { protocol = "firehose", endpoint = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/alarms" } }
  }
  expect_failures = [var.subscriptions]
}

run "https_that_nobody_confirms" {
  command = plan
  variables {
    subscriptions = { a = { protocol = "https", endpoint = "https://example.com" } }
  }
  expect_failures = [var.subscriptions]
}

run "queue_without_a_policy" {
  command = plan
  variables {
    subscriptions = { a = { protocol = "sqs", endpoint = "arn:aws:sqs:eu-west-1:123456789012:alarms" } }
  }
  expect_failures = [var.subscriptions]
}

run "subscriptions_elsewhere" {
  command = plan
  variables {
    create_topic  = false
    topic_arn     = "arn:aws:sns:eu-west-1:123456789012:platform"
    subscriptions = { a = { protocol = "email", endpoint = "a@example.com" } }
  }
  expect_failures = [var.subscriptions]
}
