variable "region" {
  description = "AWS region. Default: as the environment says."
  type        = string
  default     = null
}

variable "name" {
  description = "Name of the instance, and the beginning of all other names."
  type        = string
  default     = "tenants"
  nullable    = false
}

variable "vpc_id" {
  description = "VPC of the instance's security group. Null with `postgres.create_security_group = false`."
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "Private subnets of the instance, in two availability zones at least. None with `postgres.create_db_subnet_group = false`."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "allowed_security_group_ids" {
  description = "Security groups that may connect: pgBouncer's, and that of whatever runs Terraform. The key is a name of yours for each."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "instance_class" {
  description = "Instance class."
  type        = string
  default     = "db.m7g.large"
  nullable    = false
}

variable "port" {
  description = "TCP port of the server."
  type        = number
  default     = 5432
  nullable    = false
}

variable "max_connections" {
  description = "Connections that the server takes."
  type        = number
  default     = 400
  nullable    = false
}

variable "reserved_connections" {
  description = "Connections kept for members of `pg_use_reserved_connections`, so that operators get in when tenants have taken the rest. PostgreSQL 16+, nothing before. `null` leaves the parameter out: nobody was seen to set it on RDS, so RDS may refuse it."
  type        = number
  default     = 10
  nullable    = true
}

variable "postgres" {
  description = "Everything else that the module `rds-postgres` takes, under its names: versions and upgrades, storage, backups, restoring, parameters, protection, windows, and what you bring yourself. What is left out or null has the module's default."
  type = object({
    engine_version                  = optional(string)
    engine_lifecycle_support        = optional(string)
    allow_major_version_upgrade     = optional(bool)
    auto_minor_version_upgrade      = optional(bool)
    blue_green_update               = optional(bool)
    storage_type                    = optional(string)
    allocated_storage               = optional(number)
    max_allocated_storage           = optional(number)
    iops                            = optional(number)
    storage_throughput              = optional(number)
    dedicated_log_volume            = optional(bool)
    multi_az                        = optional(bool)
    availability_zone               = optional(string)
    username                        = optional(string)
    network_type                    = optional(string)
    ca_cert_identifier              = optional(string)
    create_db_subnet_group          = optional(bool)
    db_subnet_group_name            = optional(string)
    db_subnet_group_use_name_prefix = optional(bool)
    create_security_group           = optional(bool)
    vpc_security_group_ids          = optional(set(string))
    security_group_use_name_prefix  = optional(bool)
    allowed_cidr_blocks             = optional(map(string))
    master_user_secret_kms_key_id   = optional(string)
    performance_insights_kms_key_id = optional(string)
    cloudwatch_log_group_kms_key_id = optional(string)
    pgaudit_log                     = optional(set(string))
    cron_database                   = optional(string)
    log_min_duration_ms             = optional(number)
    temp_file_limit_mb              = optional(number)
    parameters                      = optional(map(string))
    preload_libraries               = optional(set(string))
    create_db_parameter_group       = optional(bool)
    parameter_group_name            = optional(string)
    parameter_group_use_name_prefix = optional(bool)
    option_group_name               = optional(string)
    snapshot_identifier             = optional(string)
    restore_to_point_in_time = optional(object({
      restore_time                             = optional(string)
      source_db_instance_automated_backups_arn = optional(string)
      source_db_instance_identifier            = optional(string)
      source_dbi_resource_id                   = optional(string)
    }))
    replicas = optional(map(object({
      instance_class    = optional(string)
      availability_zone = optional(string)
      multi_az          = optional(bool, false)
    })))
    backup_retention_period                = optional(number)
    backup_window                          = optional(string)
    maintenance_window                     = optional(string)
    apply_immediately                      = optional(bool)
    deletion_protection                    = optional(bool)
    final_snapshot_identifier_prefix       = optional(string)
    monitoring_interval                    = optional(number)
    create_monitoring_role                 = optional(bool)
    monitoring_role_arn                    = optional(string)
    monitoring_role_name                   = optional(string)
    monitoring_role_use_name_prefix        = optional(bool)
    monitoring_role_path                   = optional(string)
    monitoring_role_permissions_boundary   = optional(string)
    database_insights_mode                 = optional(string)
    performance_insights_retention_period  = optional(number)
    create_cloudwatch_log_group            = optional(bool)
    cloudwatch_log_group_class             = optional(string)
    cloudwatch_log_group_retention_in_days = optional(number)
    cloudwatch_log_group_skip_destroy      = optional(bool)
    timeouts = optional(object({
      create = optional(string, "60m")
      update = optional(string, "120m")
      delete = optional(string, "180m")
    }))
    db_instance_tags          = optional(map(string))
    db_parameter_group_tags   = optional(map(string))
    db_subnet_group_tags      = optional(map(string))
    security_group_tags       = optional(map(string))
    cloudwatch_log_group_tags = optional(map(string))
    monitoring_role_tags      = optional(map(string))
  })
  default  = {}
  nullable = false
}

variable "sslrootcert" {
  description = "Path of the authority behind the server's certificate, PEM: RDS's global-bundle.pem, https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem."
  type        = string
  default     = "global-bundle.pem"
  nullable    = false
}

variable "tenants" {
  description = "The tenants by name, with their guardrails as the module `tenants` takes them."
  type = map(object({
    connection_limit                    = optional(number, 10)
    statement_timeout                   = optional(string, "60s")
    lock_timeout                        = optional(string, "10s")
    idle_in_transaction_session_timeout = optional(string, "60s")
    transaction_timeout                 = optional(string)
    parameters                          = optional(map(string), {})
    extensions                          = optional(set(string), [])
    schemas                             = optional(set(string), [])
    allow_create_schema                 = optional(bool, false)
    replication                         = optional(bool, false)
    admin_connections                   = optional(number, 5)
    template                            = optional(string)
    suspended                           = optional(bool, false)
    valid_until                         = optional(string)
    password_version                    = optional(number, 0)
    comment                             = optional(string)
    on_destroy                          = optional(string, "archive")
    extension = optional(set(object({
      name    = string
      schema  = optional(string)
      version = optional(string)
    })), [])
    roles = optional(map(object({
      access           = string
      connection_limit = optional(number, 5)
      parameters       = optional(map(string), {})
      authentication   = optional(string, "password")
      valid_until      = optional(string)
      password_version = optional(number, 0)
    })), {})
  }))
  nullable = false
}

variable "passwords" {
  description = "The tenants' passwords, by name, 16 characters or more. In no state."
  type        = map(string)
  nullable    = false
  sensitive   = true
}

variable "role_passwords" {
  description = "The passwords of the tenants' further roles, by their names (`acme_reader`), 16 characters or more. In no state."
  type        = map(string)
  default     = {}
  nullable    = false
  sensitive   = true
}

variable "passwords_version" {
  description = "Raise it to set all passwords again, on the server, in Secrets Manager and for pgBouncer. A tenant's `password_version` does it for one."
  type        = number
  default     = 1
  nullable    = false
}

variable "secret_recovery_window_in_days" {
  description = "Days for which a deleted secret can be restored, 7 to 30; 0 deletes it at once."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.secret_recovery_window_in_days == 0 || var.secret_recovery_window_in_days >= 7 && var.secret_recovery_window_in_days <= 30
    error_message = "secret_recovery_window_in_days must be 0, or 7 to 30."
  }
}

variable "tenants_deletion_protection" {
  description = "Whether a destroy of a tenant is refused."
  type        = bool
  default     = true
  nullable    = false
}

variable "watchdog" {
  description = "Whether pg_cron is loaded, and ends what exceeds its limits and cannot be ended otherwise."
  type        = bool
  default     = true
  nullable    = false
}

variable "watchdog_report" {
  description = "Thresholds from which on the watchdog writes a line to the server's log at each run, by signal, such as `{ statement = \"5min\" }`, as the module `tenants` takes them. `rds-log-metrics` counts the lines."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "roles" {
  description = <<-EOT
    ARNs of the IAM roles that handle snapshots: `dba` makes, copies and restores them, `break_glass` also deletes and
    exports them, and `terraform` is what applies this: it administers the key and uses it through RDS.
  EOT
  type = object({
    dba         = list(string)
    break_glass = list(string)
    terraform   = list(string)
  })
  nullable = false
}

variable "subscriptions" {
  description = "Who hears of alarms, by a name of yours: `protocol` (email, https, sqs, ...) and `endpoint`, and what the protocol needs, as the module `alarm-topic` takes it."
  type = map(object({
    protocol               = string
    endpoint               = string
    endpoint_auto_confirms = optional(bool, false)
    replace_queue_policy   = optional(bool, false)
    subscription_role_arn  = optional(string)
  }))
  default  = {}
  nullable = false
}

variable "pgbouncer_networks" {
  description = "Networks, in CIDR notation, from which applications connect to pgBouncer."
  type        = list(string)
  nullable    = false
}

variable "tags" {
  description = "Tags of everything on AWS."
  type        = map(string)
  default     = {}
  nullable    = false
}
