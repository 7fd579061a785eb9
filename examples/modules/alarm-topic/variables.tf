variable "name" {
  description = "Name of the topic and of its key's alias."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,249}$", var.name))
    error_message = "name must be the name of a standard SNS topic that a KMS alias can have too: letters, digits, hyphens and underscores, at most 249."
  }
}

variable "create_topic" {
  description = "Whether to make an SNS topic, encrypted with a key of its own, for the alarms and for events."
  type        = bool
  default     = true
  nullable    = false
}

variable "topic_arn" {
  description = "ARN of the SNS topic to notify when `create_topic` is false. Its policy must let `cloudwatch.amazonaws.com` and, for events, `events.amazonaws.com` publish. If it is encrypted, its key must let both use it: the AWS managed key does not."
  type        = string
  default     = null

  validation {
    condition     = var.create_topic == (var.topic_arn == null)
    error_message = "Give topic_arn with create_topic = false, and only then."
  }

  validation {
    condition     = var.topic_arn == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:.+$", var.topic_arn))
    error_message = "topic_arn must be the ARN of an SNS topic."
  }
}

variable "subscriptions" {
  description = <<-EOT
    Who hears of alarms and events, by a name of your choice: `protocol` and `endpoint`, and what the protocol needs.
    `email`, `email-json`: the reader must confirm. `sms`: a number, as `+4915123456789`. `https`: a URL whose service confirms by
    itself, as PagerDuty and Opsgenie do, with `endpoint_auto_confirms = true`. `lambda`: ARN of a function of this account; this
    module permits the topic to invoke it. `sqs`: ARN of a queue of this account and region, with `replace_queue_policy = true`: this
    module then owns the queue's policy, which lets this topic send and nobody else. The key of an encrypted queue must let
    `sns.amazonaws.com` use it. `firehose`: ARN of a delivery stream, with `subscription_role_arn`, a role that SNS assumes to
    write to it.
  EOT
  type = map(object({
    protocol               = string
    endpoint               = string
    endpoint_auto_confirms = optional(bool, false)
    replace_queue_policy   = optional(bool, false)
    subscription_role_arn  = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for subscription in values(var.subscriptions) :
      contains(["email", "email-json", "https", "sqs", "lambda", "firehose", "sms"], subscription.protocol)
    ])
    error_message = "The protocol of each of subscriptions must be email, email-json, https, sqs, lambda, firehose or sms; http would carry alarms in clear."
  }

  validation {
    condition = alltrue([
      for subscription in values(var.subscriptions) : can(regex(lookup({
        "email"      = "^[^@\\s]+@[^@\\s]+$"
        "email-json" = "^[^@\\s]+@[^@\\s]+$"
        "https"      = "^https://"
        "sms"        = "^\\+[0-9]+$"
        "sqs"        = "^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$"
        "lambda"     = "^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+$"
        "firehose"   = "^arn:[a-z-]+:firehose:[a-z0-9-]+:[0-9]{12}:deliverystream/.+$"
      }, subscription.protocol, "."), subscription.endpoint))
    ])
    error_message = "The endpoint of each of subscriptions must be what its protocol takes: an address for email, a URL that begins with https:// for https, a number with + for sms, an ARN for sqs (a standard queue), lambda (a function without a version) and firehose."
  }

  validation {
    condition = alltrue([
      for subscription in values(var.subscriptions) : (subscription.protocol == "firehose") == (subscription.subscription_role_arn != null)
    ])
    error_message = "A subscription with the protocol firehose needs subscription_role_arn, the role with which SNS writes to the stream; the others take none."
  }

  validation {
    condition     = alltrue([for subscription in values(var.subscriptions) : (subscription.protocol == "https") == subscription.endpoint_auto_confirms])
    error_message = "A subscription with the protocol https needs endpoint_auto_confirms = true, because Terraform cannot confirm it; the others take none. Subscribe an endpoint that does not confirm by itself outside of Terraform, with the output topic_arn."
  }

  validation {
    condition     = alltrue([for subscription in values(var.subscriptions) : (subscription.protocol == "sqs") == subscription.replace_queue_policy])
    error_message = "A subscription with the protocol sqs needs replace_queue_policy = true: without a policy that lets the topic send, nothing arrives. Where the queue has a policy of its own, subscribe it there, with the output topic_arn. The other protocols take none."
  }

  validation {
    condition     = var.create_topic || length(var.subscriptions) == 0
    error_message = "subscriptions are for the topic made here: with create_topic = false subscribe where that topic is made."
  }
}

variable "tags" {
  description = "Tags of all that can have them."
  type        = map(string)
  default     = {}
  nullable    = false
}
