variable "db_instance_identifier" {
  description = "Identifier of the RDS instance to watch. Part of every name made here."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,62}$", var.db_instance_identifier))
    error_message = "db_instance_identifier must be an RDS instance identifier: a lower-case letter, then letters, digits and hyphens, at most 63 characters."
  }
}

variable "engine" {
  description = "Engine of the instance. `postgres` is the only one: Aurora publishes other metrics (`aws_db_instance.engine`)."
  type        = string
  default     = "postgres"
  nullable    = false

  validation {
    condition     = var.engine == "postgres"
    error_message = "engine must be postgres. Aurora has no FreeStorageSpace, IOPS limit or checkpoint lag: alarms on them would never have data."
  }
}

variable "instance_class" {
  description = "Instance class, such as `db.r7g.large`. `classes.json` has what the families t3, t4g, m5 to m8g, r5 to r8g, x2 and z1d can do; for others give `memory_gib`, `vcpus`, `instance_iops` and `instance_throughput`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^db\\.[a-z0-9-]+\\.[a-z0-9.]+$", var.instance_class))
    error_message = "instance_class must be an RDS instance class, such as db.r7g.large."
  }

  validation {
    condition     = var.instance_class != "db.serverless"
    error_message = "instance_class db.serverless is Aurora's, which publishes other metrics."
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

variable "instance_iops" {
  description = "IOPS that the instance class sustains between itself and the storage. Null means that of `instance_class`."
  type        = number
  default     = null

  validation {
    condition     = var.instance_iops == null || coalesce(var.instance_iops, 0) > 0
    error_message = "instance_iops must be more than 0."
  }
}

variable "instance_throughput" {
  description = "Throughput in MB/s that the instance class sustains between itself and the storage. Null means that of `instance_class`."
  type        = number
  default     = null

  validation {
    condition     = var.instance_throughput == null || coalesce(var.instance_throughput, 0) > 0
    error_message = "instance_throughput must be more than 0."
  }
}

variable "connections_for_tenants" {
  description = "Connections that tenants can hold: `max_connections` less `superuser_reserved_connections`, `reserved_connections` and `rds.rds_superuser_reserved_connections` (output of the module `rds-postgres`). Null means RDS's default for the memory, `LEAST(memory / 9531392, 5000)` less 5."
  type        = number
  default     = null

  validation {
    condition     = var.connections_for_tenants == null || coalesce(var.connections_for_tenants, 0) >= 2
    error_message = "connections_for_tenants must be 2 or more."
  }
}

variable "allocated_storage" {
  description = "Storage in GiB, as it is now: with storage autoscaling the instance's attribute, and not what was once configured."
  type        = number
  nullable    = false

  validation {
    condition     = var.allocated_storage >= 5 && var.allocated_storage <= 65536
    error_message = "allocated_storage must be from 5 to 65536 GiB."
  }
}

variable "max_allocated_storage" {
  description = "GiB up to which RDS grows the storage by itself; 0 without storage autoscaling. With it, `free_storage` waits until RDS had its time, and `storage_ceiling` watches the maximum."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.max_allocated_storage == 0 || var.max_allocated_storage >= var.allocated_storage
    error_message = "max_allocated_storage must be 0, or allocated_storage at least."
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
  description = "IOPS of the storage (`aws_db_instance.iops`). Null or 0 means what comes with the size: gp3 3000, from 400 GiB 12000; gp2 3 for each GiB, and in bursts 3000, from 400 GiB 12000. Needed for io1 and io2."
  type        = number
  default     = null

  validation {
    condition     = coalesce(var.iops, 0) == 0 || coalesce(var.iops, 0) >= 100
    error_message = "iops must be 100 or more, or 0 or null for what comes with type and size."
  }
}

variable "storage_throughput" {
  description = "Throughput of the storage in MiB/s (`aws_db_instance.storage_throughput`). Null or 0 means what comes with type and size: gp3 125, from 400 GiB 500; gp2 128, 250 above 170 GiB and 500 from 400 GiB; io1 and io2 a quarter of the IOPS, 4000 at most."
  type        = number
  default     = null

  validation {
    condition     = coalesce(var.storage_throughput, 0) == 0 || coalesce(var.storage_throughput, 0) >= 100
    error_message = "storage_throughput must be 100 MiB/s or more, or 0 or null for what comes with type and size."
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

variable "parameter_group_names" {
  description = "Names of the parameter groups of the instance and its replicas: changes that wait for a reboot are notified. None by default."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "thresholds" {
  description = <<-EOT
    What is too much, relative to the instance's size where that makes sense. Per cent: `connections_percent` of
    `connections_for_tenants`; `connections_growth_percent` of them in five minutes; `cpu_percent`; `memory_percent` that must stay free (null: 25, and 10 below 4 GiB of memory);
    `storage_percent` and `storage_critical_percent` that must stay free; `storage_ceiling_percent` of
    `max_allocated_storage`; `iops_percent` and `throughput_percent` of what storage and class can do;
    `ebs_balance_percent`, `burst_balance_percent` and `cpu_credits_percent` of the burst that must stay;
    `local_storage_percent` that must stay free; `wal_percent` of the storage that WAL or a replication slot may hold.
    Seconds: `latency_seconds` (90th percentile), `replica_lag_seconds`, `checkpoint_lag_seconds`,
    `idle_in_transaction_seconds`. Numbers: `load_per_vcpu` (active sessions), `transaction_ids` (of some 2000 million; above
    `autovacuum_freeze_max_age`, at which autovacuum begins to freeze), `deadlocks` in five minutes, `blocked_transactions`.
  EOT
  type = object({
    connections_percent         = optional(number, 90)
    connections_growth_percent  = optional(number, 20)
    cpu_percent                 = optional(number, 90)
    memory_percent              = optional(number)
    storage_percent             = optional(number, 10)
    storage_critical_percent    = optional(number, 5)
    storage_ceiling_percent     = optional(number, 90)
    latency_seconds             = optional(number, 0.02)
    iops_percent                = optional(number, 80)
    throughput_percent          = optional(number, 80)
    ebs_balance_percent         = optional(number, 10)
    burst_balance_percent       = optional(number, 20)
    cpu_credits_percent         = optional(number, 10)
    local_storage_percent       = optional(number, 10)
    load_per_vcpu               = optional(number, 1)
    replica_lag_seconds         = optional(number, 60)
    transaction_ids             = optional(number, 500000000)
    wal_percent                 = optional(number, 20)
    checkpoint_lag_seconds      = optional(number, 900)
    deadlocks                   = optional(number, 5)
    blocked_transactions        = optional(number, 5)
    idle_in_transaction_seconds = optional(number, 300)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for name, value in var.thresholds : try(value > 0 && value <= 100, value == null) if endswith(name, "_percent")
    ])
    error_message = "Each of thresholds that ends in _percent must be more than 0 and at most 100."
  }

  validation {
    condition     = alltrue([for value in values(var.thresholds) : try(value > 0, value == null)])
    error_message = "thresholds must be more than 0."
  }

  validation {
    condition     = var.thresholds.transaction_ids > 200000000
    error_message = "thresholds.transaction_ids must be more than 200000000, the default of autovacuum_freeze_max_age: tables get that old on a healthy server."
  }
}

variable "runbook_url" {
  description = "Page with a runbook for each alarm: an alarm's description ends with this URL and the section's anchor. The default is this provider's guide."
  type        = string
  default     = "https://github.com/pgtenant/terraform-provider-pgtenant/blob/main/docs/guides/operations.md"
  nullable    = false

  validation {
    condition     = can(regex("^https://[^#\\s]{1,300}$", var.runbook_url))
    error_message = "runbook_url must be an https URL without an anchor, of 300 characters at most."
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

variable "create_events" {
  description = "Whether the topic also hears of RDS's events of the instance and its replicas: failover, failure, recovery, maintenance, replication errors, full storage, stop and start."
  type        = bool
  default     = true
  nullable    = false
}

variable "topic_arn" {
  description = "ARN of the SNS topic to notify when `create_topic` is false. Its policy must let `cloudwatch.amazonaws.com` and, for events, `events.amazonaws.com` publish. If it is encrypted, its key must let both use it: the AWS managed key does not."
  type        = string
  default     = null
}

variable "subscriptions" {
  description = "Subscriptions of the topic, by a name of your choice. The module [`alarm-topic`](../alarm-topic) says what each `protocol` needs."
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
