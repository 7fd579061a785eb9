variable "region" {
  description = "AWS region. Default: as the environment says."
  type        = string
  default     = null
}

variable "network" {
  description = "VPC and private subnets of all cells, and the security groups that may connect, by a name of yours for each."
  type = object({
    vpc_id                     = string
    subnet_ids                 = set(string)
    allowed_security_group_ids = map(string)
  })
  nullable = false
}

variable "cells" {
  description = "The cells by name, each with what the module `rds-postgres` takes, under its names: cells are upgraded and grown one at a time. What is left out or null has the module's default; `reserved_connections = -1` leaves that parameter out. Each cell has a file `<name>.tf`."
  type = map(object({
    engine_version                  = optional(string)
    engine_lifecycle_support        = optional(string)
    allow_major_version_upgrade     = optional(bool)
    auto_minor_version_upgrade      = optional(bool)
    blue_green_update               = optional(bool)
    instance_class                  = optional(string)
    storage_type                    = optional(string)
    allocated_storage               = optional(number)
    max_allocated_storage           = optional(number)
    iops                            = optional(number)
    storage_throughput              = optional(number)
    dedicated_log_volume            = optional(bool)
    multi_az                        = optional(bool)
    availability_zone               = optional(string)
    username                        = optional(string)
    port                            = optional(number)
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
    max_connections                 = optional(number)
    reserved_connections            = optional(number, 10)
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
  }))
  default  = { blue = {}, green = {} }
  nullable = false

  validation {
    condition     = alltrue([for cell in keys(var.cells) : can(regex("^[a-z][a-z0-9]*$", cell))])
    error_message = "The name of a cell must begin with a letter, and hold only lower-case letters and digits."
  }

  validation {
    condition     = alltrue([for cell in keys(var.cells) : fileexists("${path.module}/${cell}.tf")])
    error_message = "A cell has no file with its provider and its tenants: make <name>.tf from green.tf, as README.md says."
  }
}

variable "sslrootcert" {
  description = "Path of the authority behind the servers' certificates, PEM: RDS's global-bundle.pem."
  type        = string
  default     = "global-bundle.pem"
  nullable    = false
}

variable "tenants" {
  description = "The tenants by name: the `cell` that each lives in, one of `cells`, and its guardrails as the module `tenants` takes them."
  type = map(object({
    cell                                = string
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

  validation {
    condition     = alltrue([for tenant in var.tenants : contains(keys(var.cells), tenant.cell)])
    error_message = "A tenant's cell must be one of cells."
  }
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
  description = "Raise it to set all passwords again. A tenant's `password_version` does it for one."
  type        = number
  default     = 1
  nullable    = false
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
    exports them, and `terraform` is what applies this: it administers the keys and uses them through RDS. They must exist.
  EOT
  type = object({
    dba         = list(string)
    break_glass = list(string)
    terraform   = list(string)
  })
}

variable "subscriptions" {
  description = "Who hears of alarms of all cells, by a name of yours: `protocol` (email, https, sqs, ...) and `endpoint`, and what the protocol needs, as the module `alarm-topic` takes it."
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
