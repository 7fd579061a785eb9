# What RDS itself reports, and no metric shows: failovers, failures, maintenance, and parameters that wait for a restart.
locals {
  rules = merge(
    {
      cluster = {
        description = "RDS reports a failover, a failure, maintenance or a notice of ${var.cluster_identifier}"
        pattern = {
          source      = ["aws.rds"]
          detail-type = ["RDS DB Cluster Event"]
          detail = {
            SourceIdentifier = [var.cluster_identifier]
            EventCategories  = ["failover", "failure", "maintenance", "notification"]
          }
        }
      }
      # Their names begin with the cluster's, but for those of autoscaling.
      instances = {
        description = "RDS reports a failure, a restart, low storage or maintenance of an instance of ${var.cluster_identifier}"
        pattern = {
          source      = ["aws.rds"]
          detail-type = ["RDS DB Instance Event"]
          detail = {
            SourceIdentifier = [{ prefix = "${var.cluster_identifier}-" }]
            EventCategories  = ["availability", "failure", "low storage", "maintenance", "recovery"]
          }
        }
      }
    },
    length(var.parameter_group_names) == 0 ? {} : {
      pending-reboot = {
        description = "A parameter of the instances of ${var.cluster_identifier} was changed, and counts from the next restart"
        pattern = {
          source      = ["aws.rds"]
          detail-type = ["RDS DB Parameter Group Event"]
          detail = {
            SourceIdentifier = var.parameter_group_names
            EventID          = ["RDS-EVENT-0037"]
            Message          = [{ wildcard = "*pending-reboot*" }]
          }
        }
      }
    },
  )
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = { for name, rule in local.rules : name => rule if var.create_events }

  name          = "${local.prefix}${each.key}"
  description   = each.value.description
  event_pattern = jsonencode(each.value.pattern)
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = { for name, rule in local.rules : name => rule if var.create_events }

  rule      = aws_cloudwatch_event_rule.this[each.key].name
  target_id = "topic"
  arn       = local.topic_arn
}
