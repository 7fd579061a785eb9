variable "name" {
  description = "Prefix of the names made here."
  type        = string
  default     = "snapshot-guard"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,40}$", var.name))
    error_message = "name must be letters, digits and hyphens, at most 41 characters."
  }
}

variable "db_instance_identifiers" {
  description = "Identifiers of the shared instances or clusters. DBAs may delete copies of them, and not the instances and clusters of these names."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.db_instance_identifiers) > 0 && alltrue([for name in var.db_instance_identifiers : can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", name))])
    error_message = "db_instance_identifiers must be identifiers of DB instances or clusters, at least one: lower-case letters, digits and hyphens."
  }
}

variable "dba_role_arns" {
  description = "ARNs of the IAM roles that make, copy and restore snapshots, make replicas, blue/green deployments and integrations, and download log files: people and pipelines. The role that applies the configuration must be one of them if Terraform makes replicas, restores, updates by blue/green deployments or makes backup plans. A session of a role counts as the role."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.dba_role_arns) > 0 && alltrue([for arn in var.dba_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "dba_role_arns must be ARNs of IAM roles, at least one, without wildcards: a key policy takes none."
  }
}

variable "break_glass_role_arns" {
  description = "ARNs of the IAM roles for emergencies: besides what DBAs may do they delete and export snapshots, and disable keys."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.break_glass_role_arns) > 0 && alltrue([for arn in var.break_glass_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "break_glass_role_arns must be ARNs of IAM roles, at least one, without wildcards: a key policy takes none."
  }

  validation {
    condition     = length(setintersection(var.dba_role_arns, var.break_glass_role_arns)) == 0
    error_message = "A role in dba_role_arns and break_glass_role_arns would make every day an emergency: give different roles."
  }
}

variable "final_snapshot_role_arns" {
  description = "ARNs of further IAM roles that may make a snapshot, and neither copy nor restore one: the role that applies the configuration. RDS demands this permission of every role that destroys or stops an instance with a final snapshot."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.final_snapshot_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "final_snapshot_role_arns must be ARNs of IAM roles, without wildcards."
  }
}

variable "backup_role_arns" {
  description = "ARNs of the IAM roles that AWS Backup assumes. They make, copy and restore snapshots as DBAs do, and DBAs may pass them to AWS Backup. Empty if AWS Backup is not used."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.backup_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "backup_role_arns must be ARNs of IAM roles, without wildcards: a key policy takes none."
  }
}

variable "backup_copy_vault_arns" {
  description = "ARNs of vaults in other accounts to which AWS Backup may copy. Vaults of this account are allowed in any case."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.backup_copy_vault_arns : can(regex("^arn:[a-z-]+:backup:[a-z0-9-]+:[0-9]{12}:backup-vault:[A-Za-z0-9_-]{2,50}$", arn))])
    error_message = "backup_copy_vault_arns must be ARNs of backup vaults, without wildcards."
  }
}

variable "guard_backups" {
  description = "Whether calls of AWS Backup are denied as those of RDS are. They name vaults and plans rather than databases: the guard then holds for the backups of all services in its accounts. Set false only where AWS Backup is guarded in another way, or denied."
  type        = bool
  default     = true
  nullable    = false
}

variable "export_role_arns" {
  description = "ARNs of the IAM roles that break-glass may pass to `export.rds.amazonaws.com`. An export to S3 needs one, with access to the bucket: if empty, break-glass exports nothing."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.export_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "export_role_arns must be ARNs of IAM roles, without wildcards."
  }
}

variable "monitoring_role_arns" {
  description = "ARNs of the IAM roles of Enhanced Monitoring that DBAs may pass to `monitoring.rds.amazonaws.com`. A replica, a blue/green deployment or a restored copy with Enhanced Monitoring needs one."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.monitoring_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "monitoring_role_arns must be ARNs of IAM roles, without wildcards."
  }
}

variable "break_glass_mfa" {
  description = "Whether the emergency actions need a session with MFA. Sessions of IAM Identity Center never carry that mark: set false there, and demand MFA in Identity Center."
  type        = bool
  default     = true
  nullable    = false
}

variable "key_administrator_role_arns" {
  description = "ARNs of the IAM roles that administer the key, such as the one that applies this configuration. They cannot decrypt with it. They may change the roles named here, which others may not. The break-glass roles do all that in any case."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.key_administrator_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "key_administrator_role_arns must be ARNs of IAM roles, without wildcards: a key policy takes none."
  }
}

variable "check_key_administrator" {
  description = "Whether the plan is refused if the role that Terraform runs as is not among the key's administrators: KMS refuses a key policy that locks out the caller. Set false if another principal makes the key."
  type        = bool
  default     = true
  nullable    = false
}

variable "key_user_role_arns" {
  description = "ARNs of further IAM roles that use the key through `key_services`: those that create the instance, or read the master secret."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.key_user_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "key_user_role_arns must be ARNs of IAM roles, without wildcards: a key policy takes none."
  }
}

variable "key_services" {
  description = "Services through which the key is used: `rds` for storage and snapshots, `secretsmanager` for the managed master secret, `pi` for looking at Performance Insights."
  type        = set(string)
  default     = ["rds", "secretsmanager"]
  nullable    = false

  validation {
    condition     = contains(var.key_services, "rds") && length(setsubtract(var.key_services, ["rds", "secretsmanager", "pi"])) == 0
    error_message = "key_services must have rds, and may have secretsmanager and pi."
  }
}

variable "log_group_prefix" {
  description = "Beginning of the names of log groups that are encrypted with the same key, such as `/aws/rds/instance/tenants/`. Null if there are none."
  type        = string
  default     = null

  validation {
    condition     = var.log_group_prefix == null || can(regex("^[A-Za-z0-9_./#-]{1,400}$", var.log_group_prefix))
    error_message = "log_group_prefix must be the beginning of a log group's name: letters, digits and _ . / # -."
  }
}

variable "kms_key_arns" {
  description = "ARNs of the keys that the SCP keeps from being disabled, deleted or given another policy. Empty means all keys of the accounts that it is attached to."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", arn))])
    error_message = "kms_key_arns must be ARNs of KMS keys; an alias is none."
  }
}

variable "create_organization_policy" {
  description = "Whether to make the service control policy. Needs the management account of an organisation, or one it delegates policies to; elsewhere hand the output `scp_json` to those who have it."
  type        = bool
  default     = false
  nullable    = false
}

variable "organization_target_ids" {
  description = "Accounts and organisational units that the service control policy is attached to."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.organization_target_ids : can(regex("^([0-9]{12}|ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})$", id))])
    error_message = "organization_target_ids must be account IDs, or IDs of organisational units (ou-...) or of the root (r-...)."
  }

  validation {
    condition     = var.create_organization_policy || length(var.organization_target_ids) == 0
    error_message = "organization_target_ids need create_organization_policy: without it there is nothing to attach."
  }
}

variable "create_iam_policies" {
  description = "Whether to make the IAM policies: one for DBAs, one for break-glass, and a boundary for all other roles where there is no organisation."
  type        = bool
  default     = true
  nullable    = false
}

variable "topic_arn" {
  description = "ARN of the SNS topic that hears of snapshots, such as the output `topic_arn` of the module `rds-alarms`. It, and its key, must let `events.amazonaws.com` publish."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:.+$", var.topic_arn))
    error_message = "topic_arn must be the ARN of an SNS topic."
  }
}

variable "snapshot_name_prefixes" {
  description = "Beginnings of the names of snapshots whose events are sent, such as `tenants-` and `rds:tenants-`. Empty: all snapshots of the account and region. A snapshot with another name is still noticed by the calls that CloudTrail records, which are never filtered by name."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for prefix in var.snapshot_name_prefixes : can(regex("^(rds:|awsbackup:)?[A-Za-z0-9-]+$", prefix))])
    error_message = "snapshot_name_prefixes must be beginnings of names of snapshots: letters, digits and hyphens, after rds: or awsbackup: if wanted."
  }
}

variable "tags" {
  description = "Tags of all that can have them."
  type        = map(string)
  default     = {}
  nullable    = false
}
