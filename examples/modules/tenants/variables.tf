variable "tenants" {
  description = <<-EOT
    The tenants by name, each with its guardrails: `connection_limit` connections at once; how long a statement, the
    wait for a lock, an idle transaction and (PostgreSQL 17+) a transaction may take; further `parameters` of its
    sessions; its `extensions`, and each `extension` with a `schema` or a `version` of its own; its `schemas` in addition to
    the first, and whether it makes more itself (`allow_create_schema`); whether `replication` out of its database
    is meant; how many `admin_connections` its database has for the admin's own work (-1: it has no limit); the
    `template` that its database is copied from; whether it is `suspended`; when its password expires
    (`valid_until`); its `password_version`, which is added to `passwords_version`: raise it with a new password to
    have that one alone set; what its database's `comment` says of it to people; what a destroy does, `on_destroy`
    (`drop` or `archive`); and its further `roles`, each by the end of its name behind the tenant's: what it may do
    (`access`: `owner`, `write`, `read` or `connect`), its connections, parameters, `valid_until`,
    `password_version`, and `authentication` (`password`, `rds_iam` or `certificate`).
  EOT
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

  validation {
    condition     = alltrue([for tenant in var.tenants : tenant.connection_limit >= 1])
    error_message = "connection_limit must be 1 or more."
  }
}

variable "passwords" {
  description = "The tenants' passwords, by name. Only SCRAM verifiers of them reach the server, and no state holds them."
  type        = map(string)
  nullable    = false
  sensitive   = true

  validation {
    condition     = alltrue([for password in values(var.passwords) : length(password) >= 16])
    error_message = "A password must have 16 characters or more: the verifiers that pgBouncer is given could be guessed at."
  }
}

variable "role_passwords" {
  description = "The passwords of further roles, by their names (`acme_reader`). One without a password cannot log in with one."
  type        = map(string)
  default     = {}
  nullable    = false
  sensitive   = true

  validation {
    condition     = alltrue([for password in values(var.role_passwords) : length(password) >= 16])
    error_message = "A password must have 16 characters or more."
  }
}

variable "passwords_version" {
  description = "Raise it to set all passwords again, with new salts."
  type        = number
  default     = 1
  nullable    = false
}

variable "available_connections" {
  description = "Connections that the limits of all tenants together may reach, such as `connections_for_tenants` of the module `rds-postgres`."
  type        = number
  nullable    = false
}

variable "baseline" {
  description = "Whether the databases that belong to no tenant are closed to all of them."
  type        = bool
  default     = true
  nullable    = false
}

variable "watchdog" {
  description = "Whether pg_cron ends what exceeds its limits and cannot be ended otherwise. The server must have loaded pg_cron."
  type        = bool
  default     = true
  nullable    = false
}

variable "watchdog_report" {
  description = "Thresholds from which on the watchdog writes a line to the server's log at each run, by signal, such as `{ statement = \"5min\", connections = 80 }`: `report` of `pgtenant_watchdog`, which lists the signals. `0` writes no line. A signal that is left out has the provider's default. Not used without `watchdog`."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether a destroy of a tenant is refused."
  type        = bool
  default     = true
  nullable    = false
}
