# What RDS itself reports of the instance, and no metric shows.
locals {
  # Where RDS grows the storage, its event "less than 10 % free" (0089) announces nothing but that.
  event_ids = concat(
    [
      "RDS-EVENT-0004", # shut down
      "RDS-EVENT-0006", # restarted
      "RDS-EVENT-0007", # the storage is exhausted
      "RDS-EVENT-0022", # the restart failed
      "RDS-EVENT-0087", # stopped
      "RDS-EVENT-0088", # started
      "RDS-EVENT-0154", # started, because it had been stopped for as long as it may
      "RDS-EVENT-0158", # cannot be upgraded
      "RDS-EVENT-0189", # the burst of gp2 is low
      "RDS-EVENT-0225", # the storage is at 80 % of max_allocated_storage
      "RDS-EVENT-0231", # growing the storage failed
      "RDS-EVENT-0404", # memory is so low that RDS has lowered shared_buffers
    ],
    local.autoscales ? [] : ["RDS-EVENT-0089"],
  )

  rules = merge(
    {
      instance = {
        description = "RDS reports a failover, a failure, maintenance or an error of replication of ${var.db_instance_identifier}"
        pattern = {
          source      = ["aws.rds"]
          detail-type = ["RDS DB Instance Event"]
          detail = {
            SourceIdentifier = sort(concat([var.db_instance_identifier], tolist(var.replica_identifiers)))
            "$or" = [
              { EventCategories = ["failover", "failure", "maintenance", "read replica", "recovery"] },
              { EventID = local.event_ids },
            ]
          }
        }
      }
    },
    length(var.parameter_group_names) == 0 ? {} : {
      pending-reboot = {
        description = "A parameter of ${var.db_instance_identifier} was changed, and counts from the next reboot"
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

  input_transformer {
    input_paths = {
      event   = "$.detail.EventID"
      message = "$.detail.Message"
      source  = "$.detail.SourceIdentifier"
      time    = "$.time"
    }
    # EventBridge puts quotation marks around a text itself.
    input_template = "{\"event\": <event>, \"source\": <source>, \"message\": <message>, \"time\": <time>, \"runbook\": \"${var.runbook_url}\"}"
  }
}
