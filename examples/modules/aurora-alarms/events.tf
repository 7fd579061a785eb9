# What no metric tells: failovers, failures and maintenance, as RDS says them.
locals {
  rules = {
    cluster = {
      description = "Failover, failure, maintenance or a notice of the cluster ${var.cluster_identifier}"
      type        = "RDS DB Cluster Event"
      categories  = ["failover", "failure", "maintenance", "notification"]
      source      = [var.cluster_identifier]
    }
    instances = {
      description = "Failure, restart, low storage, maintenance or a notice of an instance of ${var.cluster_identifier}"
      type        = "RDS DB Instance Event"
      categories  = ["availability", "failure", "low storage", "maintenance", "notification", "recovery"]
      source      = [{ prefix = "${var.cluster_identifier}-" }]
    }
    # A parameter that waits for a restart is told of the group, and not of the cluster.
    parameters = {
      description = "A parameter group of ${var.cluster_identifier} changed"
      type        = "RDS DB Parameter Group Event"
      categories  = ["configuration change"]
      source      = [{ prefix = "${var.cluster_identifier}-" }]
    }
  }
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = { for name, rule in local.rules : name => rule if var.events }

  name        = "${local.prefix}${each.key}"
  description = each.value.description
  event_pattern = jsonencode({
    source      = ["aws.rds"]
    detail-type = [each.value.type]
    detail      = { EventCategories = each.value.categories, SourceIdentifier = each.value.source }
  })
  tags = var.tags
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = aws_cloudwatch_event_rule.this

  rule      = each.value.name
  target_id = "topic"
  arn       = local.topic_arn
}
