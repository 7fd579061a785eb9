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

variable "log_line_prefix" {
  description = "The instance's `log_line_prefix`. Only RDS's default can be read: the other one that RDS allows puts the application's name, which a tenant chooses, right before the level."
  type        = string
  default     = "%t:%r:%u@%d:[%p]:"
  nullable    = false

  validation {
    condition     = var.log_line_prefix == "%t:%r:%u@%d:[%p]:"
    error_message = "log_line_prefix must be RDS's default, %t:%r:%u@%d:[%p]:. With %a before the level a tenant could hide its lines from the filters, or pass its text off as a level."
  }
}

variable "tenant_conditions" {
  description = "Conditions that are counted for every tenant too: PostgreSQL's messages with the dimension `role`, lines of pgtenant_watchdog with the dimension `tenant`. Each is a custom metric for each role or tenant that it happens to. `[]` makes none; without PostgreSQL's messages there is no transformer either."
  type        = set(string)
  default = [
    "connections_near_limit", "ended_by_watchdog", "idle_in_transaction_timeout", "long_lock_wait", "long_statement",
    "long_transaction", "permission_denied", "role_connection_limit", "statement_timeout",
  ]
  nullable = false

  validation {
    condition     = length(setsubtract(var.tenant_conditions, concat(keys(local.role_patterns), keys(local.watchdog_patterns)))) == 0
    error_message = "tenant_conditions names what is not counted by tenant. A condition is one of: ${join(", ", sort(concat(keys(local.role_patterns), keys(local.watchdog_patterns))))}."
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
    connections_near_limit    = { threshold = 1, periods = 2 }
    database_age              = { threshold = 1 }
    database_connection_limit = { threshold = 10 }
    deadlock                  = { threshold = 5, periods = 3 }
    ended_by_watchdog         = { threshold = 10, period = 3600 }
    failed_login              = { threshold = 20 }
    lock_timeout              = { threshold = 20 }
    long_lock_wait            = { threshold = 1, periods = 2 }
    long_statement            = { threshold = 1 }
    long_transaction          = { threshold = 1 }
    permission_denied         = { threshold = 10 }
    role_connection_limit     = { threshold = 10 }
    slots_reserved            = { threshold = 1 }
    slow_statement            = { threshold = 100 }
    statement_timeout         = { threshold = 20 }
    temp_file_limit           = { threshold = 5 }
    too_many_clients          = { threshold = 1 }
    watchdog_failed           = { threshold = 5, period = 3600 }
    xmin_age                  = { threshold = 1, periods = 2 }
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
