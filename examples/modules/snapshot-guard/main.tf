# A snapshot of a shared instance holds the data of all tenants: who may make, restore, export, share or delete one.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  partition = data.aws_partition.this.partition
  account   = data.aws_caller_identity.this.account_id
  region    = data.aws_region.this.region

  # The role behind a session, without its path, which no session shows. Names of roles are unique in an account.
  caller      = data.aws_caller_identity.this.arn
  caller_role = try(regex("^arn:[a-z-]+:sts::[0-9]{12}:assumed-role/([^/]+)/", local.caller)[0], "")
  # The account's root user may always change the policy; a role must be among the administrators to.
  caller_administers = local.caller == "arn:${local.partition}:iam::${local.account}:root" || contains(
    [for arn in local.key_administrators : reverse(split("/", arn))[0] if split(":", arn)[4] == local.account], local.caller_role
  )

  # Nobody. No condition key limits with whom one shares, so there is no safe half of it.
  sharing = ["rds:ModifyDBClusterSnapshotAttribute", "rds:ModifyDBSnapshotAttribute"]

  # DBAs, and the roles that destroy or stop an instance: RDS asks the caller for these when it makes the final snapshot.
  making = ["rds:CreateDBClusterSnapshot", "rds:CreateDBSnapshot"]

  # DBAs, day by day. A replica, a green environment and an integration hold what a snapshot holds. Log files and
  # activity streams hold the texts of statements.
  routine = [
    "rds:CopyDBClusterSnapshot",
    "rds:CopyDBSnapshot",
    "rds:CreateBlueGreenDeployment",
    "rds:CreateDBInstanceReadReplica",
    "rds:CreateIntegration",
    "rds:DownloadCompleteDBLogFile",
    "rds:DownloadDBLogFilePortion",
    "rds:ModifyDBSnapshot",
    "rds:RestoreDBClusterFromSnapshot",
    "rds:RestoreDBClusterToPointInTime",
    "rds:RestoreDBInstanceFromDBSnapshot",
    "rds:RestoreDBInstanceToPointInTime",
    "rds:StartActivityStream",
    "rds:StartDBInstanceAutomatedBackupsReplication",
  ]

  # What RDS asks of the same caller in the course of that, and what ends it: a green environment takes over, a copy
  # is thrown away. The table of dependencies is tests/modules/iam/dependents.json.
  in_the_course = [
    "rds:AddTagsToResource",
    "rds:CreateDBCluster",
    "rds:CreateDBClusterEndpoint",
    "rds:CreateDBInstance",
    "rds:DeleteBlueGreenDeployment",
    "rds:DeleteDBCluster",
    "rds:DeleteDBClusterEndpoint",
    "rds:DeleteDBInstance",
    "rds:ModifyDBCluster",
    "rds:ModifyDBInstance",
    "rds:PromoteReadReplica",
    "rds:PromoteReadReplicaDBCluster",
    "rds:SwitchoverBlueGreenDeployment",
  ]

  # Emergencies: what takes data out of RDS, brings it in, or takes the last copy away.
  emergency = [
    "rds:DeleteDBClusterAutomatedBackup",
    "rds:DeleteDBClusterSnapshot",
    "rds:DeleteDBInstanceAutomatedBackup",
    "rds:DeleteDBSnapshot",
    "rds:RestoreDBClusterFromS3",
    "rds:RestoreDBInstanceFromS3",
    "rds:StartExportTask",
    "rds:StopDBInstanceAutomatedBackupsReplication",
  ]

  # The same by way of AWS Backup, whose vaults hold snapshots. A plan starts jobs of its own.
  backup_sharing = ["backup:PutBackupVaultAccessPolicy", "backup:PutBackupVaultSharingPolicy"]
  backup_jobs    = ["backup:CopyFromBackupVault", "backup:StartBackupJob", "backup:StartCopyJob", "backup:StartRestoreJob"]
  backup_plans = [
    "backup:CreateBackupPlan",
    "backup:CreateBackupSelection",
    "backup:CreateRestoreTestingPlan",
    "backup:CreateRestoreTestingSelection",
    "backup:UpdateBackupPlan",
    "backup:UpdateRestoreTestingPlan",
    "backup:UpdateRestoreTestingSelection",
  ]
  backup_emergency = [
    "backup:DeleteBackupVault",
    "backup:DeleteBackupVaultAccessPolicy",
    "backup:DeleteBackupVaultLockConfiguration",
    "backup:DeleteRecoveryPoint",
    "backup:DisassociateRecoveryPoint",
    "backup:UpdateRecoveryPointLifecycle",
  ]

  # What the guard denies, tier by tier. A pattern is shorter than its actions, and the guard's length is limited.
  patterns = {
    "backup:CreateRestoreTestingPlan"           = "backup:CreateRestoreTesting*"
    "backup:CreateRestoreTestingSelection"      = "backup:CreateRestoreTesting*"
    "backup:DeleteBackupVault"                  = "backup:DeleteBackupVault*"
    "backup:DeleteBackupVaultAccessPolicy"      = "backup:DeleteBackupVault*"
    "backup:DeleteBackupVaultLockConfiguration" = "backup:DeleteBackupVault*"
    "backup:PutBackupVaultAccessPolicy"         = "backup:PutBackupVault*Policy"
    "backup:PutBackupVaultSharingPolicy"        = "backup:PutBackupVault*Policy"
    "backup:UpdateRestoreTestingPlan"           = "backup:UpdateRestoreTesting*"
    "backup:UpdateRestoreTestingSelection"      = "backup:UpdateRestoreTesting*"
    "rds:CopyDBClusterSnapshot"                 = "rds:CopyDB*Snapshot"
    "rds:CopyDBSnapshot"                        = "rds:CopyDB*Snapshot"
    "rds:CreateDBClusterSnapshot"               = "rds:CreateDB*Snapshot"
    "rds:CreateDBSnapshot"                      = "rds:CreateDB*Snapshot"
    "rds:DeleteDBClusterAutomatedBackup"        = "rds:DeleteDB*Backup"
    "rds:DeleteDBClusterSnapshot"               = "rds:DeleteDB*Snapshot"
    "rds:DeleteDBInstanceAutomatedBackup"       = "rds:DeleteDB*Backup"
    "rds:DeleteDBSnapshot"                      = "rds:DeleteDB*Snapshot"
    "rds:DownloadCompleteDBLogFile"             = "rds:Download*"
    "rds:DownloadDBLogFilePortion"              = "rds:Download*"
    "rds:ModifyDBClusterSnapshotAttribute"      = "rds:ModifyDB*SnapshotAttribute"
    "rds:ModifyDBSnapshotAttribute"             = "rds:ModifyDB*SnapshotAttribute"
    "rds:RestoreDBClusterFromS3"                = "rds:RestoreDB*FromS3"
    "rds:RestoreDBClusterFromSnapshot"          = "rds:RestoreDB*"
    "rds:RestoreDBClusterToPointInTime"         = "rds:RestoreDB*"
    "rds:RestoreDBInstanceFromDBSnapshot"       = "rds:RestoreDB*"
    "rds:RestoreDBInstanceFromS3"               = "rds:RestoreDB*FromS3"
    "rds:RestoreDBInstanceToPointInTime"        = "rds:RestoreDB*"
  }
  denied = { for tier, actions in {
    nobody      = concat(var.guard_backups ? local.backup_sharing : [], local.sharing)
    makers      = local.making
    dbas        = concat(var.guard_backups ? concat(local.backup_jobs, local.backup_plans) : [], local.routine)
    break_glass = concat(var.guard_backups ? local.backup_emergency : [], local.emergency)
  } : tier => distinct([for action in actions : lookup(local.patterns, action, action)]) }

  # A key that is gone takes every snapshot with it; another policy opens them all.
  key_emergency = ["kms:DisableKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"]

  # Who may change, or make again, a role that is told apart by its ARN, can become it.
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

  dbas               = distinct(concat(var.dba_role_arns, var.break_glass_role_arns, var.backup_role_arns))
  makers             = distinct(concat(local.dbas, var.final_snapshot_role_arns))
  key_administrators = distinct(concat(var.break_glass_role_arns, var.key_administrator_role_arns))
  guarded_roles      = distinct(concat(local.dbas, local.key_administrators))
  key_users          = distinct(concat(local.dbas, var.key_user_role_arns))

  # Where a backup may be copied to: no vault of another account, unless it is named.
  vaults       = ["arn:${local.partition}:backup:*:${local.account}:backup-vault:*"]
  copy_targets = concat(local.vaults, var.backup_copy_vault_arns)
  backed_up = concat(["arn:${local.partition}:backup:*:${local.account}:recovery-point:*"], [
    for kind in ["cluster-snapshot", "snapshot"] : "arn:${local.partition}:rds:*:${local.account}:${kind}:awsbackup:*"
  ])
  shared        = sort(var.db_instance_identifiers)
  not_deletable = flatten([for kind in ["cluster", "db"] : [for name in local.shared : "arn:${local.partition}:rds:*:${local.account}:${kind}:${name}"]])

  via_services = [for service in sort(var.key_services) : "${service}.${local.region}.amazonaws.com"]
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
