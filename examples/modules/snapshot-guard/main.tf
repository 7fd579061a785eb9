# A snapshot of a shared instance holds the data of all tenants: who may make, restore, export, share or delete one.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  partition = data.aws_partition.this.partition
  account   = data.aws_caller_identity.this.account_id
  region    = data.aws_region.this.region

  # Nobody. No condition key limits with whom one shares, so there is no safe half of it.
  sharing = ["rds:ModifyDBClusterSnapshotAttribute", "rds:ModifyDBSnapshotAttribute"]

  # DBAs, day by day. A replica, a green environment and an integration hold what a snapshot holds.
  routine = [
    "rds:CopyDBClusterSnapshot",
    "rds:CopyDBSnapshot",
    "rds:CreateBlueGreenDeployment",
    "rds:CreateDBClusterSnapshot",
    "rds:CreateDBInstanceReadReplica",
    "rds:CreateDBSnapshot",
    "rds:CreateIntegration",
    "rds:ModifyDBSnapshot",
    "rds:RestoreDBClusterFromSnapshot",
    "rds:RestoreDBClusterToPointInTime",
    "rds:RestoreDBInstanceFromDBSnapshot",
    "rds:RestoreDBInstanceToPointInTime",
    "rds:StartDBInstanceAutomatedBackupsReplication",
  ]

  # Emergencies: what takes data out of RDS, brings it in, or takes the last copy away.
  emergency = [
    "rds:DeleteDBClusterSnapshot",
    "rds:DeleteDBInstanceAutomatedBackup",
    "rds:DeleteDBSnapshot",
    "rds:RestoreDBInstanceFromS3",
    "rds:StartExportTask",
    "rds:StopDBInstanceAutomatedBackupsReplication",
  ]

  # A key that is gone takes every snapshot with it; another policy opens them all.
  key_emergency = ["kms:DisableKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"]

  # Who may change, or make anew, a role that is told apart by its ARN, can become it.
  role_changes = [
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:UpdateAssumeRolePolicy",
  ]

  # The boundary is lifted from a role or user, or its text is changed.
  boundary_lifting = [
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteUserPermissionsBoundary",
    "iam:PutRolePermissionsBoundary",
    "iam:PutUserPermissionsBoundary",
  ]
  boundary_changes = ["iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion"]
  boundary_arn     = "arn:${local.partition}:iam::${local.account}:policy/${var.name}-boundary"

  dbas               = distinct(concat(var.dba_role_arns, var.break_glass_role_arns))
  key_administrators = distinct(concat(var.break_glass_role_arns, var.key_administrator_role_arns))
  guarded_roles      = distinct(concat(local.dbas, local.key_administrators))
  key_users          = distinct(concat(local.dbas, var.key_user_role_arns))
  via_services       = [for service in sort(var.key_services) : "${service}.${local.region}.amazonaws.com"]
}

resource "aws_organizations_policy" "this" {
  count = var.create_organization_policy ? 1 : 0

  name        = var.name
  description = "Who may make, restore, export, share and delete snapshots of shared databases"
  type        = "SERVICE_CONTROL_POLICY"
  content     = data.aws_iam_policy_document.guard.minified_json
  tags        = var.tags
}

resource "aws_organizations_policy_attachment" "this" {
  for_each = var.organization_target_ids

  policy_id = aws_organizations_policy.this[0].id
  target_id = each.key
}

resource "aws_iam_policy" "this" {
  for_each = var.create_iam_policies ? {
    dba         = { json = data.aws_iam_policy_document.dba.json, description = "Make, copy and restore snapshots" }
    break-glass = { json = data.aws_iam_policy_document.break_glass.json, description = "In an emergency, delete and export snapshots" }
    boundary    = { json = data.aws_iam_policy_document.boundary.json, description = "Permissions boundary: all but what the guard denies" }
  } : {}

  name        = "${var.name}-${each.key}"
  description = each.value.description
  policy      = each.value.json
  tags        = var.tags
}
