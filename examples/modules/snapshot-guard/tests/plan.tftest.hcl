variables {
  db_instance_identifiers     = ["tenants"]
  dba_role_arns               = ["arn:aws:iam::123456789012:role/dba"]
  break_glass_role_arns       = ["arn:aws:iam::123456789012:role/break-glass"]
  key_administrator_role_arns = ["arn:aws:iam::123456789012:role/terraform"]
  topic_arn                   = "arn:aws:sns:eu-west-1:123456789012:tenants-alarms"
}

run "defaults" {
  command = plan

  assert {
    condition = [for statement in jsondecode(output.scp_json).Statement : statement.Sid] == [
      "NobodySharesSnapshots", "NobodyCopiesBackupsOut", "DbasMakeSnapshots", "DbasCopyAndRestore", "BreakGlassDeletesAndExports",
      "AdministratorsChangeKeys", "AdministratorsChangeRoles", "EmergenciesNeedMfa"
    ]
    error_message = "The guard has one statement for each tier."
  }

  # An SCP that allows would allow nothing, and one without the exemption could stop AWS's own services.
  assert {
    condition = alltrue([
      for statement in jsondecode(output.scp_json).Statement :
      statement.Effect == "Deny" && statement.Condition.BoolIfExists["aws:PrincipalIsAWSService"] == "false"
    ])
    error_message = "The guard denies only, and AWS services are exempt."
  }

  assert {
    condition     = join(",", keys(jsondecode(output.scp_json).Statement[0].Condition)) == "BoolIfExists"
    error_message = "Sharing is denied to every role."
  }

  assert {
    condition = (
      jsondecode(output.scp_json).Statement[3].Condition.ArnNotLike["aws:PrincipalArn"] == ["arn:aws:iam::123456789012:role/dba", "arn:aws:iam::123456789012:role/break-glass"] &&
      jsondecode(output.scp_json).Statement[4].Condition.ArnNotLike["aws:PrincipalArn"] == "arn:aws:iam::123456789012:role/break-glass"
    )
    error_message = "Break-glass may do what DBAs do, not the other way round."
  }

  assert {
    condition = (
      jsondecode(output.scp_json).Statement[6].Resource == ["arn:aws:iam::123456789012:role/break-glass", "arn:aws:iam::123456789012:role/dba", "arn:aws:iam::123456789012:role/terraform"] &&
      jsondecode(output.scp_json).Statement[6].Condition.ArnNotLike["aws:PrincipalArn"] == ["arn:aws:iam::123456789012:role/break-glass", "arn:aws:iam::123456789012:role/terraform"]
    )
    error_message = "Nobody becomes a DBA by changing the role of one."
  }

  assert {
    condition = {
      for statement in jsondecode(output.boundary_json).Statement : statement.Sid => statement.Resource
      if statement.Effect == "Deny" && !contains([for guard in jsondecode(output.scp_json).Statement : guard.Sid], statement.Sid)
      } == {
      AdministratorsLiftBoundaries    = "*"
      AdministratorsChangeTheBoundary = "arn:aws:iam::123456789012:policy/snapshot-guard-boundary"
    }
    error_message = "The boundary keeps itself."
  }

  # Whoever is a principal of the key by a * is limited by all three.
  assert {
    condition = [
      for statement in jsondecode(output.key_policy_json).Statement : [statement.Sid, statement.Condition]
      if jsonencode(statement.Principal) == jsonencode({ AWS = "*" }) || statement.Principal == "*"
      ] == [["AlarmsReadPerformanceInsights", {
        StringEquals = { "kms:CallerAccount" = "123456789012", "kms:ViaService" = ["pi.eu-west-1.amazonaws.com", "rds.eu-west-1.amazonaws.com"] }
        ArnLike      = { "aws:PrincipalArn" = "arn:aws:iam::123456789012:role/aws-service-role/pi-db.metrics.cloudwatch.amazonaws.com/AWSServiceRoleForCloudWatchMetrics_DbPerfInsights*" }
    }]]
    error_message = "Alarms on Performance Insights may use the key, and nobody else by that statement."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(output.key_policy_json).Statement : statement.Effect == "Allow"])
    error_message = "The key's policy denies nothing."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(output.key_policy_json).Statement :
      can(statement.Condition.StringEquals["kms:ViaService"]) if anytrue([for action in flatten([statement.Action]) : contains(["kms:Decrypt", "kms:CreateGrant"], action)])
    ])
    error_message = "The key decrypts and is granted through services only."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["sharing"].event_pattern).detail.eventName == ["ModifyDBClusterSnapshotAttribute", "ModifyDBSnapshotAttribute"]
    error_message = "Sharing is heard of from CloudTrail."
  }

  assert {
    condition     = contains(jsondecode(aws_cloudwatch_event_rule.this["calls"].event_pattern).detail.eventName, "StartExportTask") && contains(jsondecode(aws_cloudwatch_event_rule.this["keys"].event_pattern).detail.eventName, "ScheduleKeyDeletion")
    error_message = "Every guarded action is heard of."
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.this : target.arn == var.topic_arn]) && length(aws_cloudwatch_event_target.this) == 8
    error_message = "All rules notify the topic."
  }

  assert {
    condition     = length(aws_organizations_policy.this) == 0 && length(aws_iam_policy.this) == 3
    error_message = "The organisation's policy is made only when asked."
  }
}

run "organisation" {
  command = plan

  variables {
    create_organization_policy = true
    organization_target_ids    = ["123456789012", "ou-ab12-cd34ef56"]
    create_iam_policies        = false
    break_glass_mfa            = false
    kms_key_arns               = ["arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"]
    log_group_prefix           = "/aws/rds/instance/tenants/"
    key_services               = ["rds"]
  }

  assert {
    condition     = aws_organizations_policy.this[0].content == output.scp_json && aws_organizations_policy.this[0].type == "SERVICE_CONTROL_POLICY"
    error_message = "The policy of the organisation is the output."
  }

  assert {
    condition     = length(aws_organizations_policy_attachment.this) == 2 && length(aws_iam_policy.this) == 0
    error_message = "It is attached to each target."
  }

  assert {
    condition     = length(jsondecode(output.scp_json).Statement) == 7 && jsondecode(output.scp_json).Statement[5].Resource == var.kms_key_arns[0]
    error_message = "Without MFA there is one statement less, and keys are named."
  }

  assert {
    condition     = [for statement in jsondecode(output.key_policy_json).Statement : statement.Condition.ArnLike["kms:EncryptionContext:aws:logs:arn"] if can(statement.Condition.ArnLike["kms:EncryptionContext:aws:logs:arn"])] == ["arn:aws:logs:eu-west-1:123456789012:log-group:/aws/rds/instance/tenants/*"]
    error_message = "CloudWatch Logs may use the key for the instance's groups."
  }
}

# Roles of AWS Backup may also delete, MFA or not: they let backups expire.
run "backups" {
  command = plan

  variables {
    final_snapshot_role_arns = ["arn:aws:iam::123456789012:role/terraform"]
    backup_role_arns         = ["arn:aws:iam::123456789012:role/service-role/AWSBackupDefaultServiceRole"]
    backup_copy_vault_arns   = ["arn:aws:backup:eu-central-1:210987654321:backup-vault:vault"]
    export_role_arns         = ["arn:aws:iam::123456789012:role/export"]
    monitoring_role_arns     = ["arn:aws:iam::123456789012:role/monitoring"]
  }

  assert {
    condition = jsonencode({
      for statement in jsondecode(output.scp_json).Statement : statement.Sid => flatten([statement.Condition.ArnNotLike["aws:PrincipalArn"]])
      if contains(["DbasMakeSnapshots", "BreakGlassDeletesAndExports", "EmergenciesNeedMfa"], statement.Sid)
      }) == jsonencode({
      DbasMakeSnapshots           = concat(var.dba_role_arns, var.break_glass_role_arns, var.backup_role_arns, var.final_snapshot_role_arns)
      BreakGlassDeletesAndExports = concat(var.break_glass_role_arns, var.backup_role_arns)
      EmergenciesNeedMfa          = var.backup_role_arns
    })
    error_message = "Each tier has its roles."
  }

  assert {
    condition     = jsondecode(output.scp_json).Statement[1].Condition["ForAnyValue:ArnNotLike"]["backup:CopyTargets"] == ["arn:aws:backup:*:123456789012:backup-vault:*", var.backup_copy_vault_arns[0]]
    error_message = "Backups are copied to vaults of this account, and to those that are named."
  }

  assert {
    condition = {
      for statement in jsondecode(output.break_glass_policy_json).Statement : statement.Sid => [statement.Resource, statement.Condition.StringEquals["iam:PassedToService"]]
      if statement.Action == "iam:PassRole"
      } == {
      PassMonitoringRole = [var.monitoring_role_arns[0], "monitoring.rds.amazonaws.com"]
      PassBackupRole     = [var.backup_role_arns[0], "backup.amazonaws.com"]
      PassExportRole     = [var.export_role_arns[0], "export.rds.amazonaws.com"]
    }
    error_message = "A role is passed to its own service only."
  }
}

# AWS limits both: the outputs refuse to be longer.
run "fits_a_team" {
  command = plan

  variables {
    dba_role_arns               = [for number in range(4) : "arn:aws:iam::123456789012:role/database-administrator-${number}"]
    break_glass_role_arns       = [for number in range(2) : "arn:aws:iam::123456789012:role/break-glass-${number}"]
    key_administrator_role_arns = ["arn:aws:iam::123456789012:role/terraform", "arn:aws:iam::123456789012:role/terraform-plan"]
    final_snapshot_role_arns    = ["arn:aws:iam::123456789012:role/terraform"]
    backup_role_arns            = ["arn:aws:iam::123456789012:role/service-role/AWSBackupDefaultServiceRole"]
    backup_copy_vault_arns      = ["arn:aws:backup:eu-central-1:210987654321:backup-vault:vault"]
    kms_key_arns                = ["arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"]
  }

  assert {
    condition     = length(output.scp_json) <= 5120 && length(data.aws_iam_policy_document.boundary.minified_json) <= 6144
    error_message = "Nine roles fit into ${length(output.scp_json)} and ${length(data.aws_iam_policy_document.boundary.minified_json)} characters."
  }
}

run "backups_are_guarded_elsewhere" {
  command = plan

  variables {
    guard_backups = false
  }

  assert {
    condition     = !strcontains(output.scp_json, "backup:") && join(",", keys(aws_cloudwatch_event_rule.this)) == "calls,downloads,keys,sharing,snapshots"
    error_message = "Nothing is said of AWS Backup."
  }
}

# KMS would refuse the policy in the middle of an apply.
run "sessions" {
  command = plan

  override_data {
    target = data.aws_caller_identity.this
    values = {
      account_id = "123456789012"
      arn        = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/alice@example.com"
    }
  }

  variables {
    key_administrator_role_arns = ["arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef"]
  }

  assert {
    condition     = strcontains(output.key_policy_json, "role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef")
    error_message = "A session of Identity Center counts as its role."
  }
}

run "root" {
  command = plan

  override_data {
    target = data.aws_caller_identity.this
    values = { account_id = "123456789012", arn = "arn:aws:iam::123456789012:root" }
  }

  assert {
    condition     = output.key_policy_json != ""
    error_message = "The root user is never locked out."
  }
}

run "somebody_else_makes_the_key" {
  command = plan

  override_data {
    target = data.aws_caller_identity.this
    values = { account_id = "123456789012", arn = "arn:aws:iam::123456789012:user/alice" }
  }

  variables {
    check_key_administrator = false
  }

  assert {
    condition     = output.key_policy_json != ""
    error_message = "Whoever does not make the key is not asked."
  }
}

run "applied" {
  assert {
    condition     = join(",", keys(output.policy_arns)) == "boundary,break-glass,dba" && join(",", keys(output.event_rule_arns)) == "backup_jobs,backup_sharing,backups,calls,downloads,keys,sharing,snapshots"
    error_message = "What was made is in the outputs."
  }
}
