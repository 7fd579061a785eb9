# Who hears of snapshots. RDS's own events say what became of one; sharing is in none of them, only in CloudTrail.
locals {
  rules = {
    snapshots = {
      description = "A snapshot was made, copied, restored or deleted, or that failed"
      pattern = {
        source      = ["aws.rds"]
        detail-type = ["RDS DB Cluster Snapshot Event", "RDS DB Snapshot Event"]
      }
    }
    sharing = {
      description = "Somebody shared a snapshot, or tried"
      pattern = {
        source      = ["aws.rds"]
        detail-type = ["AWS API Call via CloudTrail"]
        detail      = { eventSource = ["rds.amazonaws.com"], eventName = [for action in local.sharing : trimprefix(action, "rds:")] }
      }
    }
    calls = {
      description = "Somebody made, copied, restored, exported or deleted a snapshot, or copied an instance, or tried"
      pattern = {
        source      = ["aws.rds"]
        detail-type = ["AWS API Call via CloudTrail"]
        detail      = { eventSource = ["rds.amazonaws.com"], eventName = [for action in concat(local.routine, local.emergency) : trimprefix(action, "rds:")] }
      }
    }
    keys = {
      description = "Somebody disabled or deleted a key, or changed its policy, or tried"
      pattern = {
        source      = ["aws.kms"]
        detail-type = ["AWS API Call via CloudTrail"]
        detail      = { eventSource = ["kms.amazonaws.com"], eventName = [for action in local.key_emergency : trimprefix(action, "kms:")] }
      }
    }
  }
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.rules

  name          = "${var.name}-${each.key}"
  description   = each.value.description
  event_pattern = jsonencode(each.value.pattern)
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.rules

  rule      = aws_cloudwatch_event_rule.this[each.key].name
  target_id = "topic"
  arn       = var.topic_arn
}
