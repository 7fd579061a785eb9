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

variable "ports" {
  description = "TCP port of each cell's server."
  type        = map(number)
  default     = { blue = 5432, green = 5432 }
  nullable    = false

  validation {
    condition     = toset(keys(var.ports)) == toset(["blue", "green"])
    error_message = "ports must have blue and green, the two cells."
  }
}

variable "sslrootcert" {
  description = "Path of the authority behind the servers' certificates, PEM: RDS's global-bundle.pem."
  type        = string
  default     = "global-bundle.pem"
  nullable    = false
}

variable "tenants" {
  description = "The tenants by name: the `cell` that each lives in, `blue` or `green`, and its guardrails as the module `tenants` takes them."
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
    condition     = alltrue([for tenant in var.tenants : contains(["blue", "green"], tenant.cell)])
    error_message = "A tenant's cell must be blue or green."
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

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the instance of a cell."
  type        = bool
  default     = true
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

variable "subscriptions" {
  description = "Who hears of alarms of all cells, by a name of yours: `protocol` (email, https, sqs, ...) and `endpoint`, and what the protocol needs, as the module `rds-alarms` takes it."
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
