variable "db_instance_identifier" {
  description = "Identifier of the RDS instance to watch. Part of every name made here."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,62}$", var.db_instance_identifier))
    error_message = "db_instance_identifier must be an RDS instance identifier: a lower-case letter, then letters, digits and hyphens, at most 63 characters."
  }
}

variable "instance_class" {
  description = "Instance class, such as `db.r7g.large`. Memory and vCPUs of the families t3, t4g, m5 to m8g, r5 to r8g and x2 are known from it; for others give `memory_gib` and `vcpus`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^db\\.[a-z0-9-]+\\.[a-z0-9.]+$", var.instance_class))
    error_message = "instance_class must be an RDS instance class, such as db.r7g.large."
  }
}

variable "memory_gib" {
  description = "Memory of the instance in GiB. Null means that of `instance_class`."
  type        = number
  default     = null

  validation {
    condition     = var.memory_gib == null || coalesce(var.memory_gib, 0) > 0
    error_message = "memory_gib must be more than 0."
  }
}

variable "vcpus" {
  description = "Number of vCPUs. Null means that of `instance_class`; give it where the number was lowered (Optimize CPUs)."
  type        = number
  default     = null

  validation {
    condition     = var.vcpus == null || coalesce(var.vcpus, 0) > 0
    error_message = "vcpus must be more than 0."
  }
}

variable "max_connections" {
  description = "Connections that the server takes. Null means RDS's default for the memory, `LEAST(memory / 9531392, 5000)`, which is a little more than the server really has: give it where you set it."
  type        = number
  default     = null

  validation {
    condition     = var.max_connections == null || coalesce(var.max_connections, 0) >= 6
    error_message = "max_connections must be 6 or more, as RDS has it."
  }
}

variable "allocated_storage" {
  description = "Storage in GiB. With storage autoscaling, what it is now: an alarm on 10 % of it comes after RDS should have grown it."
  type        = number
  nullable    = false

  validation {
    condition     = var.allocated_storage >= 5 && var.allocated_storage <= 65536
    error_message = "allocated_storage must be from 5 to 65536 GiB."
  }
}

variable "storage_type" {
  description = "`gp3`, `gp2`, `io1` or `io2`."
  type        = string
  default     = "gp3"
  nullable    = false

  validation {
    condition     = contains(["gp3", "gp2", "io1", "io2"], var.storage_type)
    error_message = "storage_type must be gp3, gp2, io1 or io2."
  }
}

variable "iops" {
  description = "IOPS that the storage can do. Null means what comes with the size: gp3 3000, from 400 GiB 12000; gp2 3 for each GiB, 100 to 64000. Needed for io1 and io2."
  type        = number
  default     = null

  validation {
    condition     = var.iops == null || coalesce(var.iops, 0) >= 100
    error_message = "iops must be 100 or more."
  }
}

variable "replica_identifiers" {
  description = "Identifiers of the instance's read replicas: each gets an alarm on its lag. None by default."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for identifier in var.replica_identifiers : can(regex("^[a-z][a-z0-9-]{0,62}$", identifier))])
    error_message = "replica_identifiers must be RDS instance identifiers."
  }
}

variable "performance_insights" {
  description = "Whether the instance has Performance Insights (Database Insights). Deadlocks, blocked transactions and idle transactions are counted there only, as far as metrics go."
  type        = bool
  default     = true
  nullable    = false
}

variable "resource_id" {
  description = "Resource ID of the instance, `db-...` (`aws_db_instance.resource_id`): its name in Performance Insights. Needed with `performance_insights`."
  type        = string
  default     = null

  validation {
    condition     = !var.performance_insights || var.resource_id != null
    error_message = "With performance_insights, resource_id is needed: the db-... of aws_db_instance.resource_id. Without, set performance_insights = false."
  }

  validation {
    condition     = var.resource_id == null || can(regex("^db-[A-Z0-9]+$", var.resource_id))
    error_message = "resource_id must be a resource ID such as db-ABCDEFGHIJKL: not the identifier and not the ARN."
  }
}

variable "log_metrics_namespace" {
  description = "Namespace of the module `rds-log-metrics` (its output `namespace`), whose metrics the dashboard then shows too. Null without."
  type        = string
  default     = null
}

variable "thresholds" {
  description = "What is too much, relative to the instance's size where that makes sense. Per cent: `connections_percent` of max_connections, `cpu_percent`, `memory_percent` and `storage_percent` that must stay free, `iops_percent` of the storage's IOPS, `ebs_balance_percent` of the burst that must stay, `wal_percent` of the storage that WAL or a replication slot may hold. Seconds: `latency_seconds` (90th percentile), `replica_lag_seconds`, `checkpoint_lag_seconds`, `idle_in_transaction_seconds`. Numbers: `load_per_vcpu` (active sessions), `transaction_ids` (of some 2000 million), `deadlocks` (more than which alarm), `blocked_transactions`."
  type = object({
    connections_percent         = optional(number, 90)
    cpu_percent                 = optional(number, 90)
    memory_percent              = optional(number, 25)
    storage_percent             = optional(number, 10)
    latency_seconds             = optional(number, 0.02)
    iops_percent                = optional(number, 80)
    ebs_balance_percent         = optional(number, 10)
    load_per_vcpu               = optional(number, 1)
    replica_lag_seconds         = optional(number, 60)
    transaction_ids             = optional(number, 1000000000)
    wal_percent                 = optional(number, 20)
    checkpoint_lag_seconds      = optional(number, 900)
    deadlocks                   = optional(number, 0)
    blocked_transactions        = optional(number, 5)
    idle_in_transaction_seconds = optional(number, 300)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for name, value in var.thresholds : value > 0 && value <= 100 if endswith(name, "_percent")
    ])
    error_message = "Each of thresholds that ends in _percent must be more than 0 and at most 100."
  }

  validation {
    condition     = alltrue([for name, value in var.thresholds : value > 0 if name != "deadlocks"]) && var.thresholds.deadlocks >= 0
    error_message = "thresholds must be more than 0; deadlocks may be 0, which alarms at the first."
  }

  validation {
    condition     = var.thresholds.transaction_ids <= 2000000000
    error_message = "thresholds.transaction_ids must be at most 2000000000: PostgreSQL stops writing shortly behind it."
  }
}

variable "disabled" {
  description = "Names of alarms to leave out, as the output `alarms` has them, such as `ebs_io_balance`."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.disabled, local.names)) == 0
    error_message = "disabled names an unknown alarm. An alarm is one of: ${join(", ", local.names)}."
  }
}

variable "create_topic" {
  description = "Whether to make an SNS topic, encrypted with a key of its own, for the alarms and for events."
  type        = bool
  default     = true
  nullable    = false
}

variable "topic_arn" {
  description = "ARN of the SNS topic to notify when `create_topic` is false. If it is encrypted, its key must let `cloudwatch.amazonaws.com` use it: the AWS managed key does not."
  type        = string
  default     = null

  validation {
    condition     = var.create_topic == (var.topic_arn == null)
    error_message = "Give topic_arn with create_topic = false, and only then."
  }

  validation {
    condition     = var.topic_arn == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:.+$", var.topic_arn))
    error_message = "topic_arn must be the ARN of an SNS topic."
  }
}

variable "subscriptions" {
  description = "Who hears of alarms, by a name of your choice: `protocol` (email, https, sqs, lambda, ...) and `endpoint`. E-mail must be confirmed by its reader."
  type = map(object({
    protocol = string
    endpoint = string
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for subscription in values(var.subscriptions) :
      contains(["email", "email-json", "https", "sqs", "lambda", "firehose", "sms"], subscription.protocol)
    ])
    error_message = "The protocol of each of subscriptions must be email, email-json, https, sqs, lambda, firehose or sms; http would carry alarms in clear."
  }

  validation {
    condition     = var.create_topic || length(var.subscriptions) == 0
    error_message = "subscriptions are for the topic made here: with create_topic = false subscribe where that topic is made."
  }
}

variable "notify_ok" {
  description = "Whether the topic also hears when an alarm is over."
  type        = bool
  default     = true
  nullable    = false
}

variable "create_dashboard" {
  description = "Whether to make a dashboard, named for the instance, with one row for each risk."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags of all that can have them."
  type        = map(string)
  default     = {}
  nullable    = false
}
