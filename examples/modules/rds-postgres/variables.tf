variable "identifier" {
  description = "Name of the instance, and the beginning of the names of all that belongs to it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.identifier)) && length(var.identifier) <= 50
    error_message = "identifier must begin with a letter, hold only lower-case letters, digits and single hyphens, and have at most 50 characters."
  }
}

variable "engine_version" {
  description = "PostgreSQL version: a major one, as `17`, whose minor versions AWS then chooses, or a minor one, as `17.4`. 13 to 18."
  type        = string
  default     = "17"

  validation {
    condition     = can(regex("^1[3-8](\\.[0-9]+)?$", var.engine_version))
    error_message = "engine_version must be a PostgreSQL version from 13 to 18, as \"17\" or \"17.4\"."
  }
}

variable "allow_major_version_upgrade" {
  description = "Whether a higher major version of `engine_version` upgrades the instance. Every tenant goes along: rehearse it on a restored snapshot first."
  type        = bool
  default     = false
}

variable "instance_class" {
  description = "Instance class. Burstable classes (`db.t*`) run out of CPU credits for all tenants at once."
  type        = string
  default     = "db.m7g.large"

  validation {
    condition     = can(regex("^db\\.[a-z0-9-]+\\.[a-z0-9]+$", var.instance_class))
    error_message = "instance_class must look like \"db.m7g.large\"."
  }
}

variable "allocated_storage" {
  description = "Storage in GiB."
  type        = number
  default     = 100

  validation {
    condition     = var.allocated_storage >= 20 && var.allocated_storage <= 65536 && floor(var.allocated_storage) == var.allocated_storage
    error_message = "allocated_storage must be a whole number of GiB from 20 to 65536."
  }
}

variable "max_allocated_storage" {
  description = "Up to how many GiB the storage grows by itself. `0` keeps it from growing."
  type        = number
  default     = 500

  validation {
    condition     = var.max_allocated_storage == 0 || (var.max_allocated_storage >= 22 && var.max_allocated_storage <= 65536)
    error_message = "max_allocated_storage must be 0, or from 22 to 65536 GiB."
  }
}

variable "iops" {
  description = "Provisioned IOPS of the gp3 storage, from 12000, for 400 GiB and more. Default: the baseline, 3000 below 400 GiB and 12000 from there."
  type        = number
  default     = null

  validation {
    condition     = var.iops == null ? true : var.iops >= 12000 && var.iops <= 64000
    error_message = "iops must be from 12000 to 64000, or left out for the baseline."
  }
}

variable "storage_throughput" {
  description = "Provisioned throughput of the gp3 storage in MiB/s, from 500, for 400 GiB and more. Default: the baseline, 125 below 400 GiB and 500 from there."
  type        = number
  default     = null

  validation {
    condition     = var.storage_throughput == null ? true : var.storage_throughput >= 500 && var.storage_throughput <= 4000
    error_message = "storage_throughput must be from 500 to 4000 MiB/s, or left out for the baseline."
  }
}

variable "multi_az" {
  description = "Whether a standby in another availability zone takes over when the instance fails."
  type        = bool
  default     = true
}

variable "username" {
  description = "Name of the master role: the admin that the provider pgtenant logs in as. AWS keeps its password in Secrets Manager."
  type        = string
  default     = "platform_admin"

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,62}$", var.username)) && !contains(["admin", "postgres", "rdsadmin", "public"], var.username) && !startswith(var.username, "pg_")
    error_message = "username must be a lower-case PostgreSQL name that is not reserved (admin, postgres, rdsadmin, public, pg_...)."
  }
}

variable "port" {
  description = "TCP port of the server."
  type        = number
  default     = 5432

  validation {
    condition     = var.port >= 1150 && var.port <= 65535
    error_message = "port must be from 1150 to 65535."
  }
}

variable "vpc_id" {
  description = "VPC of the instance."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id must be the id of a VPC, as \"vpc-0123456789abcdef0\"."
  }
}

variable "subnet_ids" {
  description = "Private subnets of the instance, in two availability zones at least."
  type        = set(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must name two subnets at least, each in an availability zone of its own."
  }
}

variable "allowed_security_group_ids" {
  description = "Security groups that may connect: those of the applications, of pgBouncer, and of whatever runs Terraform. The key is a name of yours for each."
  type        = map(string)
  default     = {}
}

variable "allowed_cidr_blocks" {
  description = "IPv4 networks that may connect. The key is a name of yours for each."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for block in values(var.allowed_cidr_blocks) : can(cidrhost(block, 0)) && !endswith(block, "/0")])
    error_message = "allowed_cidr_blocks must hold IPv4 networks in CIDR notation, and not the whole internet."
  }
}

variable "kms_key_arn" {
  description = "ARN of a KMS key for storage, snapshots, Performance Insights, the master secret and the logs. Its policy must admit CloudWatch Logs, and for alarms on Performance Insights CloudWatch's service-linked role. Default: a key of the instance's own."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key: an alias may come to mean another key, and what is encrypted with the old one does not follow."
  }
}

variable "kms_key_policy" {
  description = "Policy of the key that this module makes, as JSON, such as `snapshot-guard` renders. It must admit CloudWatch Logs, and for alarms on Performance Insights CloudWatch's service-linked role. Default: the account decides by IAM, CloudWatch Logs may use the key for this instance's log groups, and that role through Performance Insights and RDS."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_policy == null ? true : can(jsondecode(var.kms_key_policy).Statement)
    error_message = "kms_key_policy must be the JSON of a policy, with a Statement."
  }
}

variable "max_connections" {
  description = "Connections that the server takes. Set here and not by AWS's formula, so that alarms, pools and tenants' limits can count on it. Changing it restarts nothing: it counts from the next restart."
  type        = number
  default     = 400

  validation {
    condition     = var.max_connections >= 25 && var.max_connections <= 5000 && floor(var.max_connections) == var.max_connections
    error_message = "max_connections must be a whole number from 25 to 5000; for more clients than that, put pgBouncer in front."
  }
}

variable "reserved_connections" {
  description = "Connections kept for members of `pg_use_reserved_connections`, so that operators get in when tenants have taken the rest. PostgreSQL 16+, nothing before."
  type        = number
  default     = 10

  validation {
    condition     = var.reserved_connections >= 0 && floor(var.reserved_connections) == var.reserved_connections
    error_message = "reserved_connections must be a whole number, 0 or more."
  }
}

variable "pgaudit_log" {
  description = "Classes of statements that pgAudit logs for every role. `ddl` and `role` say who changed what; `read` and `write` log every query of every tenant."
  type        = set(string)
  default     = ["ddl", "role"]

  validation {
    condition     = alltrue([for class in var.pgaudit_log : contains(["all", "ddl", "function", "misc", "misc_set", "read", "role", "write"], class)])
    error_message = "pgaudit_log may hold all, ddl, function, misc, misc_set, read, role and write."
  }
}

variable "cron" {
  description = "Whether pg_cron is loaded, which `pgtenant_watchdog` needs."
  type        = bool
  default     = true
}

variable "cron_database" {
  description = "Database in which pg_cron keeps its jobs: the one that the provider pgtenant connects to."
  type        = string
  default     = "postgres"

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,62}$", var.cron_database))
    error_message = "cron_database must be a lower-case PostgreSQL name."
  }
}

variable "log_min_duration_ms" {
  description = "Statements that take this many milliseconds or more are logged, with their text. `-1` logs none."
  type        = number
  default     = 1000

  validation {
    condition     = var.log_min_duration_ms == -1 || var.log_min_duration_ms >= 100
    error_message = "log_min_duration_ms must be -1, or 100 and more: below that the log costs more than it tells."
  }
}

variable "temp_file_limit_mb" {
  description = "Megabytes of temporary files that one session may write: beyond that its statement fails, and not the disk of all tenants. `-1` sets no limit."
  type        = number
  default     = 10240

  validation {
    condition     = var.temp_file_limit_mb == -1 || (var.temp_file_limit_mb >= 1 && var.temp_file_limit_mb <= 2097151)
    error_message = "temp_file_limit_mb must be -1, or from 1 to 2097151."
  }
}

variable "parameters" {
  description = "Further parameters of the parameter group, by name. Values in the units of AWS. What is not known here to be dynamic waits for a restart."
  type        = map(string)
  default     = {}

  validation {
    condition = length(setintersection(keys(var.parameters), [
      "cron.database_name", "cron.use_background_workers", "log_min_duration_statement", "max_connections", "pgaudit.log",
      "pgaudit.role", "rds.force_ssl", "reserved_connections", "shared_preload_libraries", "temp_file_limit",
    ])) == 0
    error_message = "parameters must not hold what other variables of this module set: connections, pg_cron, pgAudit, TLS, preloaded libraries, log_min_duration_statement and temp_file_limit."
  }

  validation {
    condition     = !contains(["all", "ddl", "mod"], lookup(var.parameters, "log_statement", "none"))
    error_message = "log_statement must stay none: it logs the passwords that a tenant sets for its own role. pgAudit hides them."
  }
}

variable "preload_libraries" {
  description = "Libraries in `shared_preload_libraries` beside pgAudit, pg_stat_statements and pg_cron."
  type        = set(string)
  default     = []
}

variable "backup_retention_days" {
  description = "Days for which automated backups, and with them recovery to a point in time, are kept."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_retention_days >= 14 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be from 14 to 35: all tenants' data hangs on it."
  }
}

variable "backup_window" {
  description = "When the daily backup is taken, in UTC."
  type        = string
  default     = "02:00-03:00"

  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$", var.backup_window))
    error_message = "backup_window must look like \"02:00-03:00\"."
  }
}

variable "maintenance_window" {
  description = "When AWS may change the instance, in UTC. Must not overlap `backup_window`."
  type        = string
  default     = "sun:04:00-sun:05:00"

  validation {
    condition     = can(regex("^(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]$", var.maintenance_window))
    error_message = "maintenance_window must look like \"sun:04:00-sun:05:00\"."
  }
}

variable "apply_immediately" {
  description = "Whether changes are made at once, which may restart the server for all tenants, and not in the maintenance window."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the instance."
  type        = bool
  default     = true
}

variable "monitoring_interval_seconds" {
  description = "How often Enhanced Monitoring measures the operating system."
  type        = number
  default     = 60

  validation {
    condition     = contains([1, 5, 10, 15, 30, 60], var.monitoring_interval_seconds)
    error_message = "monitoring_interval_seconds must be 1, 5, 10, 15, 30 or 60."
  }
}

variable "database_insights_mode" {
  description = "`standard`, or `advanced`, which keeps 15 months and shows locks and plans, for a price per vCPU."
  type        = string
  default     = "standard"

  validation {
    condition     = contains(["standard", "advanced"], var.database_insights_mode)
    error_message = "database_insights_mode must be standard or advanced."
  }
}

variable "performance_insights_retention_days" {
  description = "Days for which Performance Insights keeps its samples: 7 (free), 731, or months of 31 days. `advanced` needs 465 at least."
  type        = number
  default     = 7

  validation {
    condition     = contains(concat([7, 731], [for month in range(1, 24) : month * 31]), var.performance_insights_retention_days)
    error_message = "performance_insights_retention_days must be 7, 731, or a multiple of 31 up to 713."
  }
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the logs: evidence of who did what."
  type        = number
  default     = 365

  validation {
    condition     = contains([365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch knows, a year or more: 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "tags" {
  description = "Tags of everything that this module makes."
  type        = map(string)
  default     = {}
}
