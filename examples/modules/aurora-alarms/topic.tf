# Where alarms and events go.
module "topic" {
  source = "../alarm-topic"

  name          = "${local.prefix}alarms"
  create_topic  = var.create_topic
  topic_arn     = var.topic_arn
  subscriptions = var.subscriptions
  tags          = var.tags
}
