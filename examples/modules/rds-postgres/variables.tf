variable "create" {
  description = "Whether anything is made. With `false` the module is empty, and its outputs are null."
  type        = bool
  default     = true
  nullable    = false
}

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
  nullable    = false

  validation {
    condition     = can(regex("^1[3-8](\\.[0-9]+)?$", var.engine_version))
    error_message = "engine_version must be a PostgreSQL version from 13 to 18, as \"17\" or \"17.4\"."
  }
}

variable "engine_lifecycle_support" {
  description = "`open-source-rds-extended-support-disabled`, or `open-source-rds-extended-support`, with which AWS goes on patching a major version after its end of standard support, for a price per vCPU and hour. Disabled, AWS upgrades the instance then, and makes and restores none of that version. AWS takes it when an instance is made or restored."
  type        = string
  default     = "open-source-rds-extended-support-disabled"
  nullable    = false

  validation {
    condition     = contains(["open-source-rds-extended-support", "open-source-rds-extended-support-disabled"], var.engine_lifecycle_support)
    error_message = "engine_lifecycle_support must be open-source-rds-extended-support or open-source-rds-extended-support-disabled."
  }
}

variable "allow_major_version_upgrade" {
  description = "Whether a higher major version of `engine_version` upgrades the instance. Every tenant goes along: rehearse it on a restored snapshot first."
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

variable "blue_green_update" {
  description = "Whether changes that need a restart, such as a new major version, are made on a copy that then takes the place of the instance; hashicorp/aws deletes the old one."
  type        = bool
  default     = false
  nullable    = false
}

variable "instance_class" {
  description = "Instance class. Burstable classes (`db.t*`) run out of CPU credits for all tenants at once."
  type        = string
  default     = "db.m7g.large"
  nullable    = false

  validation {
    condition     = can(regex("^db\\.[a-z0-9-]+\\.[a-z0-9]+$", var.instance_class))
    error_message = "instance_class must look like \"db.m7g.large\"."
  }
}

variable "storage_type" {
  description = "`gp3`, or `io2` or `io1` with provisioned `iops`."
  type        = string
  default     = "gp3"
  nullable    = false

  validation {
    condition     = contains(["gp3", "io1", "io2"], var.storage_type)
    error_message = "storage_type must be gp3, io1 or io2."
  }
}

variable "allocated_storage" {
  description = "Storage in GiB."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.allocated_storage >= 20 && var.allocated_storage <= 65536 && floor(var.allocated_storage) == var.allocated_storage
    error_message = "allocated_storage must be a whole number of GiB from 20 to 65536."
  }
}

variable "max_allocated_storage" {
  description = "Up to how many GiB the storage grows by itself. `0` keeps it from growing."
  type        = number
  default     = 500
  nullable    = false

  validation {
    condition     = var.max_allocated_storage == 0 || (var.max_allocated_storage >= 22 && var.max_allocated_storage <= 65536)
    error_message = "max_allocated_storage must be 0, or from 22 to 65536 GiB."
  }
}

variable "iops" {
  description = "Provisioned IOPS: of gp3 from 12000 to 64000, for 400 GiB and more; of io1 and io2, which need it, from 1000 to 256000. Default: gp3's baseline, 3000 below 400 GiB and 12000 from there."
  type        = number
  default     = null

  validation {
    condition     = var.iops == null ? true : var.iops >= 1000 && var.iops <= 256000 && floor(var.iops) == var.iops
    error_message = "iops must be a whole number from 1000 to 256000, or left out for the baseline of gp3."
  }
}

variable "storage_throughput" {
  description = "Provisioned throughput of gp3 in MiB/s, from 500 to 4000, for 400 GiB and more. Default: the baseline, 125 below 400 GiB and 500 from there."
  type        = number
  default     = null

  validation {
    condition     = var.storage_throughput == null ? true : var.storage_throughput >= 500 && var.storage_throughput <= 4000
    error_message = "storage_throughput must be from 500 to 4000 MiB/s, or left out for the baseline."
  }
}

variable "dedicated_log_volume" {
  description = "Whether WAL has a volume of its own. For `io1` and `io2`. A change restarts the server."
  type        = bool
  default     = false
  nullable    = false
}

variable "multi_az" {
  description = "Whether a standby in another availability zone takes over when the instance fails."
  type        = bool
  default     = true
  nullable    = false
}

variable "availability_zone" {
  description = "Availability zone of an instance without a standby. Counts when the instance is made."
  type        = string
  default     = null
}

variable "username" {
  description = "Name of the master role: the admin that the provider pgtenant logs in as. AWS keeps its password in Secrets Manager."
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
  description = "`IPV4`, or `DUAL` for IPv6 in addition, in subnets that have both."
  type        = string
  default     = "IPV4"
  nullable    = false

  validation {
    condition     = contains(["DUAL", "IPV4"], var.network_type)
    error_message = "network_type must be IPV4 or DUAL."
  }
}

variable "ca_cert_identifier" {
  description = "Certificate authority of the server's certificate."
  type        = string
  default     = "rds-ca-rsa2048-g1"
  nullable    = false

  validation {
    condition     = contains(["rds-ca-ecc384-g1", "rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1"], var.ca_cert_identifier)
    error_message = "ca_cert_identifier must be rds-ca-rsa2048-g1, rds-ca-rsa4096-g1 or rds-ca-ecc384-g1."
  }
}

variable "create_db_subnet_group" {
  description = "Whether the subnet group is made, of `subnet_ids`."
  type        = bool
  default     = true
  nullable    = false
}

variable "db_subnet_group_name" {
  description = "Name of a subnet group of yours, with `create_db_subnet_group = false`."
  type        = string
  default     = null
}

variable "db_subnet_group_use_name_prefix" {
  description = "Whether the name of the subnet group ends in digits that Terraform chooses."
  type        = bool
  default     = true
  nullable    = false
}

variable "subnet_ids" {
  description = "Private subnets of the instance, in two availability zones at least."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.subnet_ids : startswith(id, "subnet-")])
    error_message = "subnet_ids must be ids of subnets, as \"subnet-0123456789abcdef0\"."
  }
}

variable "create_security_group" {
  description = "Whether a security group is made that lets in who is named below."
  type        = bool
  default     = true
  nullable    = false
}

variable "vpc_security_group_ids" {
  description = "Your security groups, in addition to the one that is made, or in its place."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "security_group_use_name_prefix" {
  description = "Whether the name of the security group ends in digits that Terraform chooses."
  type        = bool
  default     = true
  nullable    = false
}

variable "vpc_id" {
  description = "VPC of the security group that is made."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_id == null ? true : startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id must be the id of a VPC, as \"vpc-0123456789abcdef0\"."
  }
}

variable "allowed_security_group_ids" {
  description = "Security groups that may connect: those of the applications, of pgBouncer, and of whatever runs Terraform. The key is a name of yours for each."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "allowed_cidr_blocks" {
  description = "IPv4 and IPv6 networks that may connect. The key is a name of yours for each."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for block in values(var.allowed_cidr_blocks) : can(cidrhost(block, 0)) && !endswith(block, "/0")])
    error_message = "allowed_cidr_blocks must hold networks in CIDR notation, and not the whole internet."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key for storage and snapshots, and by default for Performance Insights, the master secret and the logs. It must outlive the instance: the module `rds-key` makes one that a destroy does not take. Its policy must admit CloudWatch Logs, and for alarms on Performance Insights CloudWatch's service-linked role. Cannot be changed later."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key: an alias can be moved to another key, and what is encrypted with the old one does not follow."
  }
}

variable "master_user_secret_kms_key_id" {
  description = "ARN of a key of its own for the master secret. Default: `kms_key_arn`."
  type        = string
  default     = null

  validation {
    condition     = var.master_user_secret_kms_key_id == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.master_user_secret_kms_key_id))
    error_message = "master_user_secret_kms_key_id must be the ARN of a key, or left out."
  }
}

variable "performance_insights_kms_key_id" {
  description = "ARN of a key of its own for Performance Insights. Default: `kms_key_arn`."
  type        = string
  default     = null

  validation {
    condition     = var.performance_insights_kms_key_id == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.performance_insights_kms_key_id))
    error_message = "performance_insights_kms_key_id must be the ARN of a key, or left out."
  }
}

variable "cloudwatch_log_group_kms_key_id" {
  description = "ARN of a key of its own for the log groups. Default: `kms_key_arn`."
  type        = string
  default     = null

  validation {
    condition     = var.cloudwatch_log_group_kms_key_id == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.cloudwatch_log_group_kms_key_id))
    error_message = "cloudwatch_log_group_kms_key_id must be the ARN of a key, or left out."
  }
}

variable "max_connections" {
  description = "Connections that the server takes. Set here and not by AWS's formula, so that alarms, pools and tenants' limits can count on it. Changing it restarts nothing: it counts from the next restart."
  type        = number
  default     = 400
  nullable    = false

  validation {
    condition     = var.max_connections >= 25 && var.max_connections <= 5000 && floor(var.max_connections) == var.max_connections
    error_message = "max_connections must be a whole number from 25 to 5000; for more clients than that, put pgBouncer in front."
  }
}

variable "reserved_connections" {
  description = "Connections kept for members of `pg_use_reserved_connections`, so that operators get in when tenants have taken the rest. PostgreSQL 16+, nothing before. `null` leaves the parameter out: nobody was seen to set it on RDS, so RDS may refuse it."
  type        = number
  default     = 10
  nullable    = true

  validation {
    condition     = var.reserved_connections == null ? true : var.reserved_connections >= 0 && floor(var.reserved_connections) == var.reserved_connections
    error_message = "reserved_connections must be a whole number, 0 or more, or null."
  }

  validation {
    condition     = var.reserved_connections == null ? true : var.reserved_connections <= var.max_connections / 4
    error_message = "reserved_connections must be a quarter of max_connections at most: the rest is for tenants."
  }
}

variable "pgaudit_log" {
  description = "Classes of statements that pgAudit logs for every role. `ddl` and `role` say who changed what; `read` and `write` log every query of every tenant."
  type        = set(string)
  default     = ["ddl", "role"]
  nullable    = false

  validation {
    condition     = alltrue([for class in var.pgaudit_log : contains(["all", "ddl", "function", "misc", "read", "role", "write"], class)])
    error_message = "pgaudit_log may hold all, ddl, function, misc, read, role and write."
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
  description = "Megabytes of temporary files that one session may write: beyond that its statement fails, and not the disk of all tenants. `-1` sets no limit."
  type        = number
  default     = 10240
  nullable    = false

  validation {
    condition     = var.temp_file_limit_mb == -1 || (var.temp_file_limit_mb >= 1 && var.temp_file_limit_mb <= 2097151)
    error_message = "temp_file_limit_mb must be -1, or from 1 to 2097151."
  }
}

variable "parameters" {
  description = "Further parameters of the parameter group, by name. Values in the units of AWS. They are checked against `parameters.json`; what it does not list is passed on, and waits for a restart."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(setintersection(keys(var.parameters), [
      "cron.database_name", "cron.use_background_workers", "log_min_duration_statement", "max_connections", "pgaudit.log",
      "pgaudit.role", "rds.force_ssl", "reserved_connections", "shared_preload_libraries", "superuser_reserved_connections",
      "temp_file_limit",
    ])) == 0
    error_message = "parameters must not hold what other variables of this module set: connections, pg_cron, pgAudit, TLS, preloaded libraries, log_min_duration_statement and temp_file_limit."
  }

  validation {
    condition     = !contains(["all", "ddl", "mod"], lookup(var.parameters, "log_statement", "none"))
    error_message = "log_statement must stay none: it logs the passwords that a tenant sets for its own role. pgAudit hides them."
  }

  validation {
    condition     = lookup(var.parameters, "log_line_prefix", "%t:%r:%u@%d:[%p]:") == "%t:%r:%u@%d:[%p]:"
    error_message = "log_line_prefix must stay %t:%r:%u@%d:[%p]: since rds-log-metrics finds nothing in lines with another one."
  }
}

variable "preload_libraries" {
  description = "Libraries in `shared_preload_libraries` in addition to pgAudit, pg_stat_statements and pg_cron."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "create_db_parameter_group" {
  description = "Whether the parameter group is made. With `false` nothing that this module says of connections, pgAudit, pg_cron and logs is set."
  type        = bool
  default     = true
  nullable    = false
}

variable "parameter_group_name" {
  description = "Name of a parameter group of yours, with `create_db_parameter_group = false`."
  type        = string
  default     = null
}

variable "parameter_group_use_name_prefix" {
  description = "Whether the name of the parameter group ends in digits that Terraform chooses. A new group for each change of family needs none, as its name holds the family."
  type        = bool
  default     = true
  nullable    = false
}

variable "option_group_name" {
  description = "Name of an option group of yours. Default: AWS's own; PostgreSQL has no options."
  type        = string
  default     = null
}

variable "snapshot_identifier" {
  description = "Snapshot to restore when the instance is made, with the key that it has. A change later does nothing."
  type        = string
  default     = null
}

variable "restore_to_point_in_time" {
  description = "Restore another instance at a moment when this one is made: `restore_time` as `2026-01-31T12:00:00Z`, by default the latest possible, of a `source_db_instance_identifier`, a `source_dbi_resource_id` or a `source_db_instance_automated_backups_arn`. A change later does nothing."
  type = object({
    restore_time                             = optional(string)
    source_db_instance_automated_backups_arn = optional(string)
    source_db_instance_identifier            = optional(string)
    source_dbi_resource_id                   = optional(string)
  })
  default = null

  validation {
    condition     = var.restore_to_point_in_time == null ? true : length([for name, value in var.restore_to_point_in_time : name if name != "restore_time" && value != null]) == 1
    error_message = "restore_to_point_in_time needs one of source_db_instance_identifier, source_dbi_resource_id and source_db_instance_automated_backups_arn."
  }

  validation {
    condition     = try(var.restore_to_point_in_time.restore_time, null) == null ? true : can(timeadd(var.restore_to_point_in_time.restore_time, "0s"))
    error_message = "restore_time must look like \"2026-01-31T12:00:00Z\"."
  }
}

variable "replicas" {
  description = "Read replicas, by a name that is added to `identifier`: each with its own `instance_class` (default: the instance's), `availability_zone` and `multi_az`. Their identifiers are outputs: `rds-alarms` takes them."
  type = map(object({
    instance_class    = optional(string)
    availability_zone = optional(string)
    multi_az          = optional(bool, false)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.replicas) : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", name)) && length(name) <= 12])
    error_message = "replicas must have names of lower-case letters, digits and single hyphens, of 12 characters at most."
  }
}

variable "backup_retention_period" {
  description = "Days for which automated backups, and with them recovery to a point in time, are kept. A destroy keeps them until then."
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
  description = "Whether AWS refuses to delete the instance."
  type        = bool
  default     = true
  nullable    = false
}

variable "final_snapshot_identifier_prefix" {
  description = "Beginning of the name of the snapshot that AWS takes when the instance is deleted: prefix, `identifier`, and eight digits that are new in each life of the instance."
  type        = string
  default     = "final"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.final_snapshot_identifier_prefix)) && length(var.final_snapshot_identifier_prefix) <= 100
    error_message = "final_snapshot_identifier_prefix must begin with a letter, and hold only lower-case letters, digits and single hyphens."
  }
}

variable "monitoring_interval" {
  description = "How often, in seconds, Enhanced Monitoring measures the operating system."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = contains([1, 5, 10, 15, 30, 60], var.monitoring_interval)
    error_message = "monitoring_interval must be 1, 5, 10, 15, 30 or 60."
  }
}

variable "create_monitoring_role" {
  description = "Whether the role of Enhanced Monitoring is made."
  type        = bool
  default     = true
  nullable    = false
}

variable "monitoring_role_arn" {
  description = "ARN of a role of yours for Enhanced Monitoring, with `create_monitoring_role = false`."
  type        = string
  default     = null
}

variable "monitoring_role_name" {
  description = "Name of the role that is made, or its beginning. Default: `identifier` and `-monitor`."
  type        = string
  default     = null

  validation {
    condition     = var.monitoring_role_name == null ? true : length(var.monitoring_role_name) <= 37
    error_message = "monitoring_role_name must have 37 characters at most: Terraform adds 27 to it."
  }
}

variable "monitoring_role_use_name_prefix" {
  description = "Whether the name of the role ends in digits that Terraform chooses."
  type        = bool
  default     = true
  nullable    = false
}

variable "monitoring_role_path" {
  description = "Path of the role that is made."
  type        = string
  default     = null
}

variable "monitoring_role_permissions_boundary" {
  description = "ARN of the policy that bounds the permissions of the role that is made."
  type        = string
  default     = null

  validation {
    condition     = var.monitoring_role_permissions_boundary == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/", var.monitoring_role_permissions_boundary))
    error_message = "monitoring_role_permissions_boundary must be the ARN of a policy."
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
  description = "Whether the log groups are made. `false` for an identifier whose log groups an earlier life has left."
  type        = bool
  default     = true
  nullable    = false
}

variable "cloudwatch_log_group_class" {
  description = "`STANDARD`, or `INFREQUENT_ACCESS`, which has no metric filters: `rds-log-metrics` then counts nothing."
  type        = string
  default     = "STANDARD"
  nullable    = false

  validation {
    condition     = contains(["INFREQUENT_ACCESS", "STANDARD"], var.cloudwatch_log_group_class)
    error_message = "cloudwatch_log_group_class must be STANDARD or INFREQUENT_ACCESS."
  }
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
  description = "Whether a destroy leaves the log groups."
  type        = bool
  default     = true
  nullable    = false
}

variable "timeouts" {
  description = "How long Terraform waits for the instance. A final snapshot of a large one takes hours."
  type = object({
    create = optional(string, "60m")
    update = optional(string, "120m")
    delete = optional(string, "180m")
  })
  default  = {}
  nullable = false
}

variable "tags" {
  description = "Tags of everything that this module makes."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "db_instance_tags" {
  description = "Further tags of the instance, and its snapshots."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "db_parameter_group_tags" {
  description = "Further tags of the parameter group."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "db_subnet_group_tags" {
  description = "Further tags of the subnet group."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "security_group_tags" {
  description = "Further tags of the security group and its rules."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "cloudwatch_log_group_tags" {
  description = "Further tags of the log groups."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "monitoring_role_tags" {
  description = "Further tags of the role of Enhanced Monitoring."
  type        = map(string)
  default     = {}
  nullable    = false
}
