# The policies as documents: one that denies, for a whole organisation or as a boundary, and two that allow.

data "aws_iam_policy_document" "guard" {
  statement {
    sid       = "NobodySharesSnapshots"
    effect    = "Deny"
    actions   = local.denied.nobody
    resources = ["*"]

    condition {
      test     = "BoolIfExists"
      variable = "aws:PrincipalIsAWSService"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = var.guard_backups ? [1] : []

    content {
      sid       = "NobodyCopiesBackupsOut"
      effect    = "Deny"
      actions   = ["backup:CopyFromBackupVault"]
      resources = ["*"]

      condition {
        test     = "ForAnyValue:ArnNotLike"
        variable = "backup:CopyTargets"
        values   = local.copy_targets
      }

      condition {
        test     = "BoolIfExists"
        variable = "aws:PrincipalIsAWSService"
        values   = ["false"]
      }
    }
  }

  statement {
    sid       = "DbasMakeSnapshots"
    effect    = "Deny"
    actions   = local.denied.makers
    resources = ["*"]

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = local.makers
    }

    condition {
      test     = "BoolIfExists"
      variable = "aws:PrincipalIsAWSService"
      values   = ["false"]
    }
  }

  statement {
    sid       = "DbasCopyAndRestore"
    effect    = "Deny"
    actions   = local.denied.dbas
    resources = ["*"]

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = local.dbas
    }

    condition {
      test     = "BoolIfExists"
      variable = "aws:PrincipalIsAWSService"
      values   = ["false"]
    }
  }

  statement {
    sid       = "BreakGlassDeletesAndExports"
    effect    = "Deny"
    actions   = local.denied.break_glass
    resources = ["*"]

    # AWS Backup deletes what has expired.
    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = concat(var.break_glass_role_arns, var.backup_role_arns)
    }

    condition {
      test     = "BoolIfExists"
      variable = "aws:PrincipalIsAWSService"
      values   = ["false"]
    }
  }

  statement {
    sid       = "AdministratorsChangeKeys"
    effect    = "Deny"
    actions   = local.key_emergency
    resources = length(var.kms_key_arns) > 0 ? var.kms_key_arns : ["*"]

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = local.key_administrators
    }

    condition {
      test     = "BoolIfExists"
      variable = "aws:PrincipalIsAWSService"
      values   = ["false"]
    }
  }

  statement {
    sid       = "AdministratorsChangeRoles"
    effect    = "Deny"
    actions   = local.role_changes
    resources = local.guarded_roles

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = local.key_administrators
    }

    condition {
      test     = "BoolIfExists"
      variable = "aws:PrincipalIsAWSService"
      values   = ["false"]
    }
  }

  # Missing counts as no MFA.
  dynamic "statement" {
    for_each = var.break_glass_mfa ? [1] : []

    content {
      sid       = "EmergenciesNeedMfa"
      effect    = "Deny"
      actions   = local.denied.break_glass
      resources = ["*"]

      dynamic "condition" {
        for_each = length(var.backup_role_arns) > 0 ? [var.backup_role_arns] : []

        content {
          test     = "ArnNotLike"
          variable = "aws:PrincipalArn"
          values   = condition.value
        }
      }

      condition {
        test     = "BoolIfExists"
        variable = "aws:MultiFactorAuthPresent"
        values   = ["false"]
      }

      condition {
        test     = "BoolIfExists"
        variable = "aws:PrincipalIsAWSService"
        values   = ["false"]
      }
    }
  }
}

# A boundary allows what it does not deny; what is allowed in the end is for the role's own policies.
data "aws_iam_policy_document" "boundary" {
  #checkov:skip=CKV_AWS_1:a boundary gives nothing, it limits what other policies give
  #checkov:skip=CKV_AWS_49:a boundary gives nothing, it limits what other policies give
  #checkov:skip=CKV_AWS_107:a boundary gives nothing, it limits what other policies give
  #checkov:skip=CKV_AWS_108:a boundary gives nothing, it limits what other policies give
  #checkov:skip=CKV_AWS_109:a boundary gives nothing, it limits what other policies give
  #checkov:skip=CKV_AWS_110:a boundary gives nothing, it limits what other policies give
  #checkov:skip=CKV_AWS_111:a boundary gives nothing, it limits what other policies give
  #checkov:skip=CKV_AWS_356:a boundary gives nothing, it limits what other policies give
  source_policy_documents = [data.aws_iam_policy_document.guard.json]

  statement {
    sid       = "AdministratorsLiftBoundaries"
    effect    = "Deny"
    actions   = local.boundary_lifting
    resources = ["*"]

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = local.key_administrators
    }

    condition {
      test     = "BoolIfExists"
      variable = "aws:PrincipalIsAWSService"
      values   = ["false"]
    }
  }

  statement {
    sid       = "AdministratorsChangeTheBoundary"
    effect    = "Deny"
    actions   = local.boundary_changes
    resources = [local.boundary_arn]

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = local.key_administrators
    }

    condition {
      test     = "BoolIfExists"
      variable = "aws:PrincipalIsAWSService"
      values   = ["false"]
    }
  }

  statement {
    sid       = "WhatOtherPoliciesGive"
    actions   = ["*"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "dba" {
  #checkov:skip=CKV_AWS_356:looking is not limited to some instances
  statement {
    sid       = "Look"
    actions   = ["rds:Describe*", "rds:ListTagsForResource"]
    resources = ["*"]
  }

  statement {
    sid       = "MakeCopyAndRestore"
    actions   = concat(local.making, local.routine, local.in_the_course)
    resources = ["arn:${local.partition}:rds:${local.region}:${local.account}:*"]
  }

  # Copies are thrown away, and what was blue before a switchover: never what has the name of a shared instance.
  statement {
    sid       = "NeverTheSharedInstance"
    effect    = "Deny"
    actions   = ["rds:DeleteDBCluster", "rds:DeleteDBInstance"]
    resources = local.not_deletable
  }

  # RDS keeps the master password of a copy that is made with a managed one. To read it is another permission.
  statement {
    sid       = "MasterSecretsOfCopies"
    actions   = ["secretsmanager:CreateSecret", "secretsmanager:RotateSecret", "secretsmanager:TagResource"]
    resources = ["arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:rds!*"]
  }

  statement {
    sid       = "UseKeysThroughServices"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    resources = ["arn:${local.partition}:kms:${local.region}:${local.account}:key/*"]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = local.via_services
    }
  }

  statement {
    sid       = "GrantKeysToServices"
    actions   = ["kms:CreateGrant"]
    resources = ["arn:${local.partition}:kms:${local.region}:${local.account}:key/*"]

    condition {
      test     = "Bool"
      variable = "kms:GrantIsForAWSResource"
      values   = ["true"]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = local.via_services
    }
  }

  dynamic "statement" {
    for_each = length(var.monitoring_role_arns) > 0 ? [1] : []

    content {
      sid       = "PassMonitoringRole"
      actions   = ["iam:PassRole"]
      resources = var.monitoring_role_arns

      condition {
        test     = "StringEquals"
        variable = "iam:PassedToService"
        values   = ["monitoring.rds.amazonaws.com"]
      }
    }
  }

  dynamic "statement" {
    for_each = length(var.backup_role_arns) > 0 ? [1] : []

    content {
      sid       = "BackUpAndRestore"
      actions   = local.backup_jobs
      resources = concat(local.vaults, local.backed_up)
    }
  }

  dynamic "statement" {
    for_each = length(var.backup_role_arns) > 0 ? [1] : []

    content {
      sid       = "PassBackupRole"
      actions   = ["iam:PassRole"]
      resources = var.backup_role_arns

      condition {
        test     = "StringEquals"
        variable = "iam:PassedToService"
        values   = ["backup.amazonaws.com"]
      }
    }
  }
}

data "aws_iam_policy_document" "break_glass" {
  source_policy_documents = [data.aws_iam_policy_document.dba.json]

  statement {
    sid       = "DeleteAndExport"
    actions   = local.emergency
    resources = ["arn:${local.partition}:rds:${local.region}:${local.account}:*"]
  }

  dynamic "statement" {
    for_each = length(var.export_role_arns) > 0 ? [1] : []

    content {
      sid       = "PassExportRole"
      actions   = ["iam:PassRole"]
      resources = var.export_role_arns

      condition {
        test     = "StringEquals"
        variable = "iam:PassedToService"
        values   = ["export.rds.amazonaws.com"]
      }
    }
  }

  dynamic "statement" {
    for_each = length(var.backup_role_arns) > 0 ? [1] : []

    content {
      sid       = "DeleteBackups"
      actions   = local.backup_emergency
      resources = concat(local.vaults, local.backed_up)
    }
  }

  statement {
    sid       = "AdministerKeys"
    actions   = concat(local.key_emergency, ["kms:CancelKeyDeletion", "kms:EnableKey", "kms:GetKeyPolicy"])
    resources = length(var.kms_key_arns) > 0 ? var.kms_key_arns : ["arn:${local.partition}:kms:${local.region}:${local.account}:key/*"]
  }
}
