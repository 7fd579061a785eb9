# The policies as documents: one that denies, for a whole organisation or as a boundary, and two that allow.

data "aws_iam_policy_document" "guard" {
  statement {
    sid       = "NobodySharesSnapshots"
    effect    = "Deny"
    actions   = local.sharing
    resources = ["*"]

    condition {
      test     = "BoolIfExists"
      variable = "aws:PrincipalIsAWSService"
      values   = ["false"]
    }
  }

  statement {
    sid       = "DbasMakeAndRestore"
    effect    = "Deny"
    actions   = local.routine
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
    actions   = local.emergency
    resources = ["*"]

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = var.break_glass_role_arns
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
      actions   = local.emergency
      resources = ["*"]

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
    actions   = ["rds:DescribeDB*", "rds:DescribeExportTasks", "rds:ListTagsForResource"]
    resources = ["*"]
  }

  statement {
    sid       = "MakeCopyAndRestore"
    actions   = concat(local.routine, ["rds:AddTagsToResource"])
    resources = ["arn:${local.partition}:rds:${local.region}:${local.account}:*"]
  }

  statement {
    sid       = "UseKeysThroughRds"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    resources = ["arn:${local.partition}:kms:${local.region}:${local.account}:key/*"]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["rds.${local.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "GrantKeysToRds"
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
      values   = ["rds.${local.region}.amazonaws.com"]
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

  statement {
    sid       = "AdministerKeys"
    actions   = concat(local.key_emergency, ["kms:CancelKeyDeletion", "kms:EnableKey", "kms:GetKeyPolicy"])
    resources = length(var.kms_key_arns) > 0 ? var.kms_key_arns : ["arn:${local.partition}:kms:${local.region}:${local.account}:key/*"]
  }
}
