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
  description = "VPC of the instance."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Private subnets of the instance, in two availability zones at least."
  type        = set(string)
  nullable    = false
}

variable "allowed_security_group_ids" {
  description = "Security groups that may connect: pgBouncer's, and that of whatever runs Terraform. The key is a name of yours for each."
  type        = map(string)
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

variable "watched_tenants" {
  description = "Tenants that the log is watched for by name, beside the instance as a whole: five metric filters each, and a log group takes a hundred, which is room for sixteen."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.watched_tenants, keys(var.tenants))) == 0
    error_message = "watched_tenants must be names of tenants."
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
  description = "Raise it to set all passwords again, on the server, in Secrets Manager and for pgBouncer. A tenant's `password_version` does it for one."
  type        = number
  default     = 1
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the instance."
  type        = bool
  default     = true
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
  description = "Who hears of alarms, by a name of yours: `protocol` (email, https, sqs, ...) and `endpoint`, and what the protocol needs, as the module `rds-alarms` takes it."
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
  description = "Networks, in CIDR notation, from which applications come to pgBouncer."
  type        = list(string)
  nullable    = false
}

variable "tags" {
  description = "Tags of everything on AWS."
  type        = map(string)
  default     = {}
  nullable    = false
}
