variable "region" {
  description = "AWS region of the instance. Default: as the environment says."
  type        = string
  default     = null
}

variable "instance" {
  description = <<-EOT
    The existing instance, as `aws rds describe-db-instances` shows it: its `identifier`, `resource_id` (`db-...`),
    `instance_class`, `allocated_storage` in GiB, `storage_type`, `iops` of the storage (null: what comes with type and
    size), `kms_key_arn` of its key, `address` and `port`, whether it has `performance_insights`, the
    `replica_identifiers`, and the `max_connections` of its server. For a class that the module `rds-alarms` does not know,
    `memory_gib` and `vcpus` as well.
  EOT
  type = object({
    identifier           = string
    resource_id          = string
    instance_class       = string
    memory_gib           = optional(number)
    vcpus                = optional(number)
    allocated_storage    = number
    storage_type         = optional(string, "gp3")
    iops                 = optional(number)
    kms_key_arn          = string
    performance_insights = optional(bool, true)
    replica_identifiers  = optional(set(string), [])
    address              = string
    port                 = optional(number, 5432)
    max_connections      = number
  })
  nullable = false

  validation {
    condition     = startswith(var.instance.resource_id, "db-")
    error_message = "instance.resource_id must be the resource ID, \"db-...\", and not the identifier or the ARN."
  }
}

variable "kept_connections" {
  description = "Connections that are not for tenants: PostgreSQL's and RDS's reserve, `reserved_connections`, monitoring, and what else connects."
  type        = number
  default     = 25
  nullable    = false
}

variable "username" {
  description = "Role that the provider logs in as."
  type        = string
  default     = "platform_admin"
  nullable    = false
}

variable "admin_secret_arn" {
  description = "ARN of the secret with that role's password: JSON with a `password`, as RDS makes it."
  type        = string
  nullable    = false
}

variable "sslrootcert" {
  description = "Path of the authority behind the server's certificate, PEM: RDS's global-bundle.pem."
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

variable "baseline" {
  description = "Whether the databases that belong to no tenant are closed to all of them. Grant CONNECT by name first to the roles that work there."
  type        = bool
  default     = false
  nullable    = false
}

variable "watchdog" {
  description = "Whether pg_cron ends what exceeds its limits. The instance's parameter group must have loaded it."
  type        = bool
  default     = false
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
    exports them, and `terraform` is what applies this: it administers the key and uses it through AWS's services.
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
