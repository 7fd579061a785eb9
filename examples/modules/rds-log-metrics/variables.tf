variable "db_instance_identifier" {
  description = "Identifier of the RDS instance whose log is read. Part of every name made here, and of the metrics' namespace."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,62}$", var.db_instance_identifier))
    error_message = "db_instance_identifier must be an RDS instance identifier: a lower-case letter, then letters, digits and hyphens, at most 63 characters."
  }
}

variable "log_group_name" {
  description = "CloudWatch log group of the PostgreSQL log. Null means the one that RDS writes to: `/aws/rds/instance/<identifier>/postgresql`. It must exist."
  type        = string
  default     = null

  validation {
    condition     = var.log_group_name == null || can(regex("^[A-Za-z0-9_./#-]{1,512}$", var.log_group_name))
    error_message = "log_group_name must be a log group's name: letters, digits and _ . / # -, at most 512 characters."
  }
}

variable "namespace" {
  description = "First part of the metrics' CloudWatch namespace; the instance's identifier is the second, for a metric filter cannot give its metric a fixed dimension."
  type        = string
  default     = "pgtenant"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_./#-]{1,180}$", var.namespace)) && !startswith(var.namespace, "AWS/")
    error_message = "namespace must be letters, digits and _ . / # -, at most 180 characters, and must not begin with AWS/, which is Amazon's own."
  }
}

variable "tenants" {
  description = "Tenants that get filters and a saved query of their own, by name. `role` and `database` default to the name. Bounded: see `tenant_conditions`."
  type = map(object({
    role     = optional(string)
    database = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for name, tenant in var.tenants :
      alltrue([for part in [name, coalesce(tenant.role, name), coalesce(tenant.database, name)] : can(regex("^[A-Za-z0-9_.-]{1,63}$", part))])
    ])
    error_message = "The name, role and database of a tenant must be letters, digits and _ . -, at most 63 characters: anything else cannot be told apart in a line of the log."
  }
}

variable "tenant_conditions" {
  description = "Conditions that are counted for each of `tenants` too. Filters come to the number of all conditions plus tenants times these, and a log group takes 100."
  type        = set(string)
  default     = ["statement_timeout", "idle_in_transaction_timeout", "role_connection_limit", "permission_denied", "failed_login"]
  nullable    = false

  validation {
    condition     = length(setsubtract(var.tenant_conditions, keys(local.tenant_patterns))) == 0
    error_message = "tenant_conditions names what is not counted by tenant. A condition is one of: ${join(", ", keys(local.tenant_patterns))}."
  }
}

variable "other_filters" {
  description = "Number of metric filters that the log group has from elsewhere. Counts against its 100."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.other_filters >= 0 && var.other_filters <= 100 && floor(var.other_filters) == var.other_filters
    error_message = "other_filters must be a whole number from 0 to 100."
  }
}

variable "alarms" {
  description = "Alarms by condition: at least `threshold` lines in `period` seconds (default 300), in `periods` periods in a row (default 1). `{}` makes none."
  type = map(object({
    threshold = number
    period    = optional(number, 300)
    periods   = optional(number, 1)
  }))
  default = {
    deadlock                  = { threshold = 5 }
    slots_reserved            = { threshold = 1 }
    too_many_clients          = { threshold = 1 }
    database_connection_limit = { threshold = 10 }
    role_connection_limit     = { threshold = 10 }
    statement_timeout         = { threshold = 20 }
    lock_timeout              = { threshold = 20 }
    slow_statement            = { threshold = 100 }
    temp_file_limit           = { threshold = 5 }
    permission_denied         = { threshold = 10 }
    failed_login              = { threshold = 20 }
    wraparound_vacuum         = { threshold = 1, period = 3600 }
  }
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.alarms), keys(local.conditions))) == 0
    error_message = "alarms names an unknown condition. A condition is one of: ${join(", ", keys(local.conditions))}."
  }

  validation {
    condition = alltrue([
      for alarm in values(var.alarms) :
      alarm.threshold >= 1 && alarm.periods >= 1 && contains([60, 300, 900, 3600, 21600, 86400], alarm.period)
    ])
    error_message = "Each of alarms needs a threshold and periods of 1 or more, and a period of 60, 300, 900, 3600, 21600 or 86400 seconds."
  }

  validation {
    condition     = alltrue([for alarm in values(var.alarms) : alarm.period * alarm.periods <= 86400])
    error_message = "period times periods of an alarm must not exceed a day (86400 seconds): CloudWatch evaluates no longer."
  }
}

variable "alarm_actions" {
  description = "ARNs that an alarm notifies, such as the SNS topic of the module `rds-alarms`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.alarm_actions : startswith(arn, "arn:")])
    error_message = "alarm_actions must be ARNs."
  }
}

variable "tags" {
  description = "Tags of the alarms; filters and saved queries have none."
  type        = map(string)
  default     = {}
  nullable    = false
}
