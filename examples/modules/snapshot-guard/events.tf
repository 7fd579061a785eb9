# Who is notified of snapshots. RDS's own events say what became of one; sharing is in none of them, only in CloudTrail.
locals {
  # An automated snapshot of each day, of an instance and of a cluster, and those that AWS Backup makes: its jobs have
  # events of their own. Nobody can give a snapshot a name with a colon.
  automated = ["RDS-EVENT-0090", "RDS-EVENT-0091", "RDS-EVENT-0168", "RDS-EVENT-0169"]
  manual    = ["RDS-EVENT-0040", "RDS-EVENT-0042", "RDS-EVENT-0074", "RDS-EVENT-0075"]
  of_names  = { for key, value in { SourceIdentifier = [for prefix in var.snapshot_name_prefixes : { prefix = prefix }] } : key => value if length(value) > 0 }

  rules = merge({
    snapshots = {
      description = "A person made, copied, restored, exported or deleted, or that failed"
      pattern = {
        source      = ["aws.rds"]
        detail-type = ["RDS DB Cluster Snapshot Event", "RDS DB Snapshot Event"]
        detail = {
          "$or" = [
            merge(local.of_names, { EventID = [{ anything-but = concat(local.automated, local.manual) }] }),
            merge({ SourceIdentifier = [{ anything-but = { prefix = "awsbackup:" } }] }, local.of_names, { EventID = local.manual }),
          ]
        }
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
    # Not what AWS Backup calls in the course of its jobs.
    calls = {
      description = "Somebody made, copied, restored, exported or deleted a snapshot, or copied an instance, or tried"
      pattern = {
        source      = ["aws.rds"]
        detail-type = ["AWS API Call via CloudTrail"]
        detail = {
          eventSource  = ["rds.amazonaws.com"]
          eventName    = [for action in concat(local.making, local.routine, local.emergency) : trimprefix(action, "rds:") if !startswith(action, "rds:Download")]
          userIdentity = { invokedBy = [{ exists = false }, { anything-but = ["backup.amazonaws.com"] }] }
        }
      }
    }
    # DBAs read the log every day, page by page.
    downloads = {
      description = "Somebody tried to download a log file, and was refused"
      pattern = {
        source      = ["aws.rds"]
        detail-type = ["AWS API Call via CloudTrail"]
        detail = {
          eventSource = ["rds.amazonaws.com"]
          eventName   = [for action in local.routine : trimprefix(action, "rds:") if startswith(action, "rds:Download")]
          errorCode   = [{ prefix = "AccessDenied" }]
        }
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
    }, { for name, rule in {
      backup_sharing = {
        description = "Somebody changed who may reach a backup vault, or tried"
        pattern = {
          source      = ["aws.backup"]
          detail-type = ["AWS API Call via CloudTrail"]
          detail      = { eventSource = ["backup.amazonaws.com"], eventName = [for action in local.backup_sharing : trimprefix(action, "backup:")] }
        }
      }
      # What a plan starts by itself is no call.
      backups = {
        description = "Somebody started a job of AWS Backup, changed a plan or deleted a backup, or tried"
        pattern = {
          source      = ["aws.backup"]
          detail-type = ["AWS API Call via CloudTrail"]
          detail = {
            eventSource = ["backup.amazonaws.com"]
            eventName   = [for action in concat(local.backup_jobs, local.backup_plans, local.backup_emergency) : trimprefix(action, "backup:")]
          }
        }
      }
      backup_jobs = {
        description = "AWS Backup restored a database, or copied a backup of one to another account"
        pattern = {
          source = ["aws.backup"]
          "$or" = [
            { detail-type = ["Restore Job State Change"], detail = { resourceType = ["Aurora", "RDS"], status = ["COMPLETED"] } },
            { detail-type = ["Copy Job State Change"], detail = {
              resourceType              = ["Aurora", "RDS"]
              state                     = ["COMPLETED"]
              destinationBackupVaultArn = [{ anything-but = { wildcard = local.copy_targets } }]
            } },
          ]
        }
      }
  } : name => rule if var.guard_backups })
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.rules

  name          = "${var.name}-${replace(each.key, "_", "-")}"
  description   = each.value.description
  event_pattern = jsonencode(each.value.pattern)
  # EventBridge has calls that only read for those rules that ask for them.
  state = each.key == "downloads" ? "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" : "ENABLED"
  tags  = var.tags

  lifecycle {
    precondition {
      condition     = length(jsonencode(each.value.pattern)) <= 2048
      error_message = "The pattern of the rule ${each.key} has ${length(jsonencode(each.value.pattern))} characters, and EventBridge takes 2048: name fewer vaults or prefixes."
    }
  }
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.rules

  rule      = aws_cloudwatch_event_rule.this[each.key].name
  target_id = "topic"
  arn       = var.topic_arn
}
