output "topic_arn" {
  description = "ARN of the topic: that of this module, or with `create_topic = false` the `topic_arn` that was given. It is known once the topic's policy is in place."
  value       = var.create_topic ? aws_sns_topic.this[0].arn : var.topic_arn

  # A message that comes before the policy is lost.
  depends_on = [aws_sns_topic_policy.this]
}

output "kms_key_arn" {
  description = "Key of the topic; null without."
  value       = var.create_topic ? aws_kms_key.this[0].arn : null
}
