variable "create" {
  description = "Whether to make anything at all."
  type        = bool
  default     = true
  nullable    = false
}

variable "identifier" {
  description = "Name of the cluster, and the beginning of the names of all that belongs to it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.identifier)) && length(var.identifier) <= 50
    error_message = "identifier must begin with a letter, hold only lower-case letters, digits and single hyphens, and have at most 50 characters."
  }
}

variable "engine_version" {
  description = "PostgreSQL version: a major one, as `17`, whose minor versions AWS then chooses, or a minor one, as `17.4`. 13 to 18."
  type        = string
  default     = "17"
  nullable    = false

  validation {
    condition     = can(regex("^1[3-8](\\.[0-9]+)?$", var.engine_version))
    error_message = "engine_version must be a PostgreSQL version from 13 to 18, as \"17\" or \"17.4\"."
  }
}

variable "engine_lifecycle_support" {
  description = "`open-source-rds-extended-support-disabled` keeps AWS from charging for RDS Extended Support: a major version whose standard support has ended is then upgraded by AWS, and cannot be created. `open-source-rds-extended-support` pays for it."
  type        = string
  default     = "open-source-rds-extended-support-disabled"
  nullable    = false

  validation {
    condition     = contains(["open-source-rds-extended-support", "open-source-rds-extended-support-disabled"], var.engine_lifecycle_support)
    error_message = "engine_lifecycle_support must be open-source-rds-extended-support or open-source-rds-extended-support-disabled."
  }
}

variable "allow_major_version_upgrade" {
  description = "Whether a higher major version of `engine_version` upgrades the cluster. Every tenant goes along: rehearse it on a restored snapshot first."
  type        = bool
  default     = false
  nullable    = false
}

variable "auto_minor_version_upgrade" {
  description = "Whether AWS upgrades minor versions in the maintenance window."
  type        = bool
  default     = true
  nullable    = false
}

variable "instance_class" {
  description = "Class of the instances. `db.serverless` scales between the capacities of `serverlessv2_scaling_configuration`. Burstable classes (`db.t*`) run out of CPU credits for all tenants at once."
  type        = string
  default     = "db.r7g.large"
  nullable    = false

  validation {
    condition     = can(regex("^db\\.(serverless|[a-z0-9-]+\\.[a-z0-9]+)$", var.instance_class))
    error_message = "instance_class must be db.serverless, or look like \"db.r7g.large\"."
  }
}

variable "instances" {
  description = "The instances by the ends of their names. One of them writes, the others read and take over when it fails, those with a lower `promotion_tier` first. `instance_class` defaults to that of the module, `availability_zone` to AWS's choice."
  type = map(object({
    instance_class    = optional(string)
    promotion_tier    = optional(number, 1)
    availability_zone = optional(string)
  }))
  default  = { one = {}, two = {} }
  nullable = false

  validation {
    condition     = length(var.instances) >= 1 && length(var.instances) <= 16 && alltrue([for name in keys(var.instances) : can(regex("^[a-z0-9]+$", name))])
    error_message = "instances must hold 1 to 16 instances, with lower-case letters and digits as names."
  }

  validation {
    condition     = alltrue([for instance in values(var.instances) : instance.promotion_tier >= 0 && instance.promotion_tier <= 15])
    error_message = "promotion_tier must be from 0 to 15."
  }
}

variable "serverlessv2_scaling_configuration" {
  description = "Aurora capacity units, of 2 GiB of memory each, between which an instance of the class `db.serverless` scales. With 0 AWS would pause the cluster: the watchdog then does not run, and the first tenant waits."
  type = object({
    min_capacity = optional(number, 1)
    max_capacity = optional(number, 16)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for capacity in values(var.serverlessv2_scaling_configuration) :
      capacity >= 0.5 && capacity <= 256 && floor(capacity * 2) == capacity * 2
    ])
    error_message = "min_capacity and max_capacity must be from 0.5 to 256, by halves."
  }

  validation {
    condition     = var.serverlessv2_scaling_configuration.max_capacity >= max(1, var.serverlessv2_scaling_configuration.min_capacity)
    error_message = "max_capacity must be 1 or more, and not below min_capacity."
  }
}

variable "autoscaling_enabled" {
  description = "Whether AWS adds readers under load, and takes them away again. Their names are AWS's."
  type        = bool
  default     = false
  nullable    = false
}

variable "autoscaling_min_capacity" {
  description = "The fewest readers. Those of `instances` count."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.autoscaling_min_capacity >= 0 && var.autoscaling_min_capacity <= 15
    error_message = "autoscaling_min_capacity must be from 0 to 15."
  }
}

variable "autoscaling_max_capacity" {
  description = "The most readers."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.autoscaling_max_capacity >= 1 && var.autoscaling_max_capacity <= 15
    error_message = "autoscaling_max_capacity must be from 1 to 15."
  }
}

variable "autoscaling_target_cpu" {
  description = "CPU of the readers in per cent that AWS keeps to by adding and removing readers."
  type        = number
  default     = 70
  nullable    = false

  validation {
    condition     = var.autoscaling_target_cpu >= 10 && var.autoscaling_target_cpu <= 90
    error_message = "autoscaling_target_cpu must be from 10 to 90."
  }
}

variable "storage_type" {
  description = "`aurora`, which bills each I/O, or `aurora-iopt1` (I/O-Optimized), which bills none and asks more for instances and storage."
  type        = string
  default     = "aurora"
  nullable    = false

  validation {
    condition     = contains(["aurora", "aurora-iopt1"], var.storage_type)
    error_message = "storage_type must be aurora or aurora-iopt1."
  }
}

variable "username" {
  description = "Name of the master role: the admin that the provider pgtenant logs in as. AWS keeps its password in Secrets Manager. A restored cluster has the master role of its source: name that one. A change replaces the cluster."
  type        = string
  default     = "platform_admin"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,62}$", var.username)) && !contains(["admin", "postgres", "rdsadmin", "public"], var.username) && !startswith(var.username, "pg_")
    error_message = "username must be a lower-case PostgreSQL name that is not reserved (admin, postgres, rdsadmin, public, pg_...)."
  }
}

variable "port" {
  description = "TCP port of the server."
  type        = number
  default     = 5432
  nullable    = false

  validation {
    condition     = var.port >= 1150 && var.port <= 65535
    error_message = "port must be from 1150 to 65535."
  }
}

variable "network_type" {
  description = "`IPV4`, or `DUAL` for IPv6 too, which the subnets must have."
  type        = string
  default     = "IPV4"
  nullable    = false

  validation {
    condition     = contains(["IPV4", "DUAL"], var.network_type)
    error_message = "network_type must be IPV4 or DUAL."
  }
}

variable "ca_cert_identifier" {
  description = "Authority that signs the certificates of the instances."
  type        = string
  default     = "rds-ca-rsa2048-g1"
  nullable    = false

  validation {
    condition     = contains(["rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1"], var.ca_cert_identifier)
    error_message = "ca_cert_identifier must be rds-ca-rsa2048-g1, rds-ca-rsa4096-g1 or rds-ca-ecc384-g1."
  }
}

variable "vpc_id" {
  description = "VPC of the security group. Not needed without `create_security_group`."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_id == null ? true : startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id must be the id of a VPC, as \"vpc-0123456789abcdef0\"."
  }
}

variable "create_db_subnet_group" {
  description = "Whether to make the subnet group, of `subnet_ids`."
  type        = bool
  default     = true
  nullable    = false
}

variable "subnet_ids" {
  description = "Private subnets of the cluster, in two availability zones at least. Not needed without `create_db_subnet_group`."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "db_subnet_group_name" {
  description = "Name of a subnet group of yours, with `create_db_subnet_group = false`. A change replaces the cluster."
  type        = string
  default     = null

  validation {
    condition     = var.create_db_subnet_group == (var.db_subnet_group_name == null)
    error_message = "Give db_subnet_group_name with create_db_subnet_group = false, and only then."
  }
}

variable "create_security_group" {
  description = "Whether to make a security group that admits `allowed_security_group_ids` and `allowed_cidr_blocks`."
  type        = bool
  default     = true
  nullable    = false
}

variable "vpc_security_group_ids" {
  description = "Existing security groups of the cluster, in addition to the one that this module makes."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.vpc_security_group_ids : startswith(id, "sg-")])
    error_message = "vpc_security_group_ids must be ids of security groups, as \"sg-0123456789abcdef0\"."
  }
}

variable "allowed_security_group_ids" {
  description = "Security groups that may connect: those of the applications, of pgBouncer, and of whatever runs Terraform. The key is a name of yours for each."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "allowed_cidr_blocks" {
  description = "IPv4 networks that may connect. The key is a name of yours for each."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for block in values(var.allowed_cidr_blocks) : can(cidrhost(block, 0)) && !endswith(block, "/0")])
    error_message = "allowed_cidr_blocks must hold IPv4 networks in CIDR notation, and not the whole internet."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key for storage, snapshots, Performance Insights, the master secret and the logs. Made elsewhere, so that a destroy of the cluster leaves it: without the key its snapshots cannot be restored. Its policy must admit CloudWatch Logs, and for alarms on Performance Insights CloudWatch's service-linked role. A change replaces the cluster."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key: an alias can be moved to another key, and what is encrypted with the old one does not follow."
  }
}

variable "max_connections" {
  description = "Connections that each instance takes. A number of yours and not by AWS's formula, so that alarms, pools and tenants' limits can count on it. Changing it restarts nothing: it counts from the next restart."
  type        = number
  default     = 400
  nullable    = false

  validation {
    condition     = var.max_connections >= 25 && var.max_connections <= 5000 && floor(var.max_connections) == var.max_connections
    error_message = "max_connections must be a whole number from 25 to 5000; for more clients than that, put pgBouncer in front."
  }
}

variable "reserved_connections" {
  description = "Connections kept for members of `pg_use_reserved_connections`, PostgreSQL 16 and newer. Whether Aurora lets a parameter group set it is not verified: null leaves it to Aurora, and counts two."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_connections == null ? true : var.reserved_connections >= 0 && floor(var.reserved_connections) == var.reserved_connections && local.major >= 16
    error_message = "reserved_connections must be null, or a whole number, 0 or more, on PostgreSQL 16 or newer."
  }
}

variable "pgaudit_log" {
  description = "Classes of statements that pgAudit logs for every role. `ddl` and `role` say who changed what; `read` and `write` log every query of every tenant."
  type        = set(string)
  default     = ["ddl", "role"]
  nullable    = false

  validation {
    condition     = alltrue([for class in var.pgaudit_log : contains(["all", "ddl", "function", "misc", "misc_set", "read", "role", "write"], class)])
    error_message = "pgaudit_log may hold all, ddl, function, misc, misc_set, read, role and write."
  }
}

variable "cron" {
  description = "Whether pg_cron is loaded, which `pgtenant_watchdog` needs."
  type        = bool
  default     = true
  nullable    = false
}

variable "cron_database" {
  description = "Database in which pg_cron keeps its jobs: the one that the provider pgtenant connects to."
  type        = string
  default     = "postgres"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,62}$", var.cron_database))
    error_message = "cron_database must be a lower-case PostgreSQL name."
  }
}

variable "logical_replication" {
  description = "Whether `rds.logical_replication` is on, which tenants with `replication` need. It counts from the next restart."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_min_duration_ms" {
  description = "Statements that take this many milliseconds or more are logged, with their text. `-1` logs none."
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = var.log_min_duration_ms == -1 || var.log_min_duration_ms >= 100
    error_message = "log_min_duration_ms must be -1, or 100 and more: below that the log costs more than it tells."
  }
}

variable "temp_file_limit_mb" {
  description = "Megabytes of temporary files that one session may write: beyond that its statement fails, and not the local disk of all tenants, which is small: some 32 GiB on a `large` class. `-1` sets no limit."
  type        = number
  default     = 4096
  nullable    = false

  validation {
    condition     = var.temp_file_limit_mb == -1 || (var.temp_file_limit_mb >= 1 && var.temp_file_limit_mb <= 2097151)
    error_message = "temp_file_limit_mb must be -1, or from 1 to 2097151."
  }
}

variable "parameters" {
  description = "Further parameters of the cluster's parameter group, by name. Values in the units of AWS. What is not known here to be dynamic waits for a restart."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(setintersection(keys(var.parameters), [
      "cron.database_name", "cron.use_background_workers", "log_line_prefix", "log_min_duration_statement", "max_connections", "pgaudit.log",
      "pgaudit.role", "rds.force_ssl", "rds.logical_replication", "reserved_connections", "shared_preload_libraries", "temp_file_limit",
    ])) == 0
    error_message = "parameters must not hold what other variables of this module set: connections, pg_cron, pgAudit, TLS, preloaded libraries, logical replication, log_min_duration_statement and temp_file_limit; nor log_line_prefix, by whose default the module rds-log-metrics reads the log."
  }

  validation {
    condition     = !contains(["all", "ddl", "mod"], lookup(var.parameters, "log_statement", "none"))
    error_message = "log_statement must stay none: it logs the passwords that a tenant sets for its own role. pgAudit hides them."
  }
}

variable "instance_parameters" {
  description = "Further parameters of the instances' parameter group, by name, such as `work_mem`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.instance_parameters), concat(["log_statement", "max_connections", "reserved_connections", "temp_file_limit"], keys(local.cluster_parameters)))) == 0
    error_message = "instance_parameters must not hold what other variables of this module or the cluster's parameters set: an instance's value would stand above the cluster's."
  }
}

variable "preload_libraries" {
  description = "Libraries in `shared_preload_libraries` in addition to pgAudit, pg_stat_statements and pg_cron."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "create_db_cluster_parameter_group" {
  description = "Whether to make the cluster's parameter group. Without it nothing that this module says of TLS, pgAudit, pg_cron and logs is set."
  type        = bool
  default     = true
  nullable    = false
}

variable "db_cluster_parameter_group_name" {
  description = "Name of a cluster parameter group of yours, with `create_db_cluster_parameter_group = false`."
  type        = string
  default     = null

  validation {
    condition     = var.create_db_cluster_parameter_group == (var.db_cluster_parameter_group_name == null)
    error_message = "Give db_cluster_parameter_group_name with create_db_cluster_parameter_group = false, and only then."
  }
}

variable "create_db_parameter_group" {
  description = "Whether to make the instances' parameter group. Without it set `max_connections` in yours to what this module has."
  type        = bool
  default     = true
  nullable    = false
}

variable "db_parameter_group_name" {
  description = "Name of an instance parameter group of yours, with `create_db_parameter_group = false`."
  type        = string
  default     = null

  validation {
    condition     = var.create_db_parameter_group == (var.db_parameter_group_name == null)
    error_message = "Give db_parameter_group_name with create_db_parameter_group = false, and only then."
  }
}

variable "backup_retention_period" {
  description = "Days for which automated backups, and with them recovery to a point in time, are kept."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = var.backup_retention_period >= 14 && var.backup_retention_period <= 35
    error_message = "backup_retention_period must be from 14 to 35: all tenants' data hangs on it."
  }
}

variable "backup_window" {
  description = "When the daily backup is taken, in UTC."
  type        = string
  default     = "02:00-03:00"
  nullable    = false

  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$", var.backup_window))
    error_message = "backup_window must look like \"02:00-03:00\"."
  }
}

variable "maintenance_window" {
  description = "When AWS may change the instance, in UTC. Must not overlap `backup_window`."
  type        = string
  default     = "sun:04:00-sun:05:00"
  nullable    = false

  validation {
    condition     = can(regex("^(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]$", var.maintenance_window))
    error_message = "maintenance_window must look like \"sun:04:00-sun:05:00\"."
  }
}

variable "apply_immediately" {
  description = "Whether changes are made at once, which may restart the server for all tenants, and not in the maintenance window."
  type        = bool
  default     = false
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the cluster."
  type        = bool
  default     = true
  nullable    = false
}

variable "final_snapshot_identifier_prefix" {
  description = "Beginning of the name of the snapshot that a destroy leaves: prefix, `identifier`, and eight characters that are new for each cluster."
  type        = string
  default     = "final"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.final_snapshot_identifier_prefix)) && length(var.final_snapshot_identifier_prefix) <= 100
    error_message = "final_snapshot_identifier_prefix must begin with a letter, and hold only lower-case letters, digits and single hyphens."
  }
}

variable "snapshot_identifier" {
  description = "Snapshot that the cluster is restored from: the name or ARN of a cluster snapshot. Leave it in place afterwards: a change replaces the cluster."
  type        = string
  default     = null
}

variable "restore_to_point_in_time" {
  description = "Cluster and time that this one is restored from: `source_cluster_identifier`, or `source_cluster_resource_id` for one that is gone and whose backups are kept; `restore_to_time` in UTC, by default the latest; `restore_type`, `full-copy` or `copy-on-write` (a clone). Leave it in place afterwards: a change replaces the cluster."
  type = object({
    source_cluster_identifier  = optional(string)
    source_cluster_resource_id = optional(string)
    restore_to_time            = optional(string)
    restore_type               = optional(string, "full-copy")
  })
  default = null

  validation {
    condition     = var.restore_to_point_in_time == null ? true : (var.restore_to_point_in_time.source_cluster_identifier == null) != (var.restore_to_point_in_time.source_cluster_resource_id == null)
    error_message = "restore_to_point_in_time needs source_cluster_identifier or source_cluster_resource_id, and one of them."
  }

  validation {
    condition     = var.restore_to_point_in_time == null ? true : contains(["copy-on-write", "full-copy"], var.restore_to_point_in_time.restore_type)
    error_message = "restore_type must be full-copy or copy-on-write."
  }

  validation {
    condition     = try(var.restore_to_point_in_time.restore_to_time, null) == null ? true : can(formatdate("YYYY", var.restore_to_point_in_time.restore_to_time))
    error_message = "restore_to_time must be a time such as \"2026-01-31T12:00:00Z\"."
  }
}

variable "monitoring_interval" {
  description = "How often Enhanced Monitoring measures the operating system."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = contains([1, 5, 10, 15, 30, 60], var.monitoring_interval)
    error_message = "monitoring_interval must be 1, 5, 10, 15, 30 or 60."
  }
}

variable "create_monitoring_role" {
  description = "Whether to make the role of Enhanced Monitoring."
  type        = bool
  default     = true
  nullable    = false
}

variable "monitoring_role_arn" {
  description = "ARN of a role of yours as which RDS writes what Enhanced Monitoring measures, with `create_monitoring_role = false`."
  type        = string
  default     = null

  validation {
    condition     = var.monitoring_role_arn == null ? true : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", var.monitoring_role_arn))
    error_message = "monitoring_role_arn must be the ARN of an IAM role."
  }

  validation {
    condition     = var.create_monitoring_role == (var.monitoring_role_arn == null)
    error_message = "Give monitoring_role_arn with create_monitoring_role = false, and only then."
  }
}

variable "monitoring_role_permissions_boundary" {
  description = "ARN of the policy that bounds the role that this module makes."
  type        = string
  default     = null

  validation {
    condition     = var.monitoring_role_permissions_boundary == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/", var.monitoring_role_permissions_boundary))
    error_message = "monitoring_role_permissions_boundary must be the ARN of an IAM policy."
  }
}

variable "database_insights_mode" {
  description = "`standard`, or `advanced`, which keeps 15 months and shows locks and plans, for a price per vCPU."
  type        = string
  default     = "standard"
  nullable    = false

  validation {
    condition     = contains(["standard", "advanced"], var.database_insights_mode)
    error_message = "database_insights_mode must be standard or advanced."
  }
}

variable "performance_insights_retention_period" {
  description = "Days for which Performance Insights keeps its samples: 7 (free), 731, or months of 31 days. `advanced` needs 465 at least."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = contains(concat([7, 731], [for month in range(1, 24) : month * 31]), var.performance_insights_retention_period)
    error_message = "performance_insights_retention_period must be 7, 731, or a multiple of 31 up to 713."
  }
}

variable "create_cloudwatch_log_group" {
  description = "Whether to make the log groups. `false` for an identifier whose log groups an earlier cluster has left."
  type        = bool
  default     = true
  nullable    = false
}

variable "cloudwatch_log_group_retention_in_days" {
  description = "Days for which CloudWatch keeps the logs: evidence of who did what."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.cloudwatch_log_group_retention_in_days)
    error_message = "cloudwatch_log_group_retention_in_days must be a number of days that CloudWatch knows, a year or more: 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "cloudwatch_log_group_skip_destroy" {
  description = "Whether a destroy leaves the log groups, which say who did what, and takes them out of the state only."
  type        = bool
  default     = true
  nullable    = false
}

variable "timeouts" {
  description = "How long Terraform waits for the cluster and for each instance, such as `120m`. A final snapshot of terabytes and a major upgrade take long."
  type = object({
    create = optional(string, "120m")
    update = optional(string, "120m")
    delete = optional(string, "120m")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for time in values(var.timeouts) : can(regex("^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", time)) && time != ""])
    error_message = "timeouts must be durations such as 90m or 2h30m."
  }
}

variable "tags" {
  description = "Tags of everything that this module makes."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "cluster_tags" {
  description = "Tags of the cluster in addition to `tags`. Its snapshots copy them."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "instance_tags" {
  description = "Tags of the instances in addition to `tags`."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "security_group_tags" {
  description = "Tags of the security group in addition to `tags`."
  type        = map(string)
  default     = {}
  nullable    = false
}
