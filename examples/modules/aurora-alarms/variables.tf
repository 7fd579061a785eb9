variable "cluster_identifier" {
  description = "Identifier of the Aurora cluster to watch. Part of every name made here."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,62}$", var.cluster_identifier))
    error_message = "cluster_identifier must be an RDS cluster identifier: a lower-case letter, then letters, digits and hyphens, at most 63 characters."
  }
}

variable "instance_class" {
  description = "Class of the smallest instance that may write, such as `db.r7g.large`, or `db.serverless` together with `max_capacity`. Memory and vCPUs of the families t3, t4g, r5 to r8g and x2g are known from it; for others give `memory_gib` and `vcpus`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^db\\.(serverless|[a-z0-9-]+\\.[a-z0-9.]+)$", var.instance_class))
    error_message = "instance_class must be db.serverless, or an RDS instance class such as db.r7g.large."
  }
}

variable "max_capacity" {
  description = "Aurora capacity units to which a serverless instance grows. Needed for `db.serverless`."
  type        = number
  default     = null

  validation {
    condition     = var.max_capacity == null ? var.instance_class != "db.serverless" : var.max_capacity >= 1 && var.max_capacity <= 256
    error_message = "max_capacity must be from 1 to 256, and is needed for db.serverless."
  }
}

variable "memory_gib" {
  description = "Memory of the writer in GiB. Null means that of `instance_class`."
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

variable "connections_for_tenants" {
  description = "Connections that each instance has for tenants: the output of that name of the module `aurora-postgres`, which is `max_connections` less what is kept for superusers and operators. Tenants are refused here, and not at `max_connections`."
  type        = number
  nullable    = false

  validation {
    condition     = var.connections_for_tenants >= 5
    error_message = "connections_for_tenants must be 5 or more."
  }
}

variable "readers" {
  description = "Whether the cluster has readers: then a reader that is missing or behind is an alarm."
  type        = bool
  default     = true
  nullable    = false
}

variable "volume_budget_gib" {
  description = "GiB that the cluster's volume is meant to stay below. It has no size of its own: it grows until 128 TiB, or until somebody looks at the bill."
  type        = number
  default     = 1024
  nullable    = false

  validation {
    condition     = var.volume_budget_gib >= 10 && var.volume_budget_gib <= 131072
    error_message = "volume_budget_gib must be from 10 to 131072: the volume begins at 10 GiB, and ends at 128 TiB."
  }
}

variable "instance_resource_ids" {
  description = "Resource IDs of the instances, `db-...`, by a name of yours for each: their names in Performance Insights, in which blocked and idle transactions are counted. None makes no such alarm."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for id in values(var.instance_resource_ids) : can(regex("^db-[A-Z0-9]+$", id))])
    error_message = "instance_resource_ids must be resource IDs such as db-ABCDEFGHIJKL: not identifiers and not ARNs."
  }
}

variable "log_metrics_namespace" {
  description = "Namespace of the module `rds-log-metrics` (its output `namespace`), whose metrics the dashboard then shows too. Null without."
  type        = string
  default     = null
}

variable "thresholds" {
  description = "What is too much, relative to the size where that makes sense. Per cent: `connections_percent` of `connections_for_tenants`, `connections_growth_percent` of them in five minutes, `cpu_percent`, `memory_percent` that must stay free, `cache_hit_percent` that must come from memory, `capacity_percent` of `max_capacity`. Times: `latency_seconds` (90th percentile of reads), `commit_latency_ms`, `replica_lag_ms`, `idle_in_transaction_seconds`. GiB: `local_storage_gib` that must stay free, `wal_gib`. Numbers: `load_per_vcpu` (active sessions), `transaction_ids` (of some 2000 million), `deadlocks_per_minute`, `blocked_transactions`, `cpu_credits` that must stay."
  type = object({
    connections_percent         = optional(number, 90)
    connections_growth_percent  = optional(number, 20)
    cpu_percent                 = optional(number, 90)
    memory_percent              = optional(number, 5)
    cache_hit_percent           = optional(number, 90)
    capacity_percent            = optional(number, 90)
    latency_seconds             = optional(number, 0.02)
    commit_latency_ms           = optional(number, 50)
    replica_lag_ms              = optional(number, 2000)
    idle_in_transaction_seconds = optional(number, 300)
    local_storage_gib           = optional(number, 4)
    wal_gib                     = optional(number, 50)
    load_per_vcpu               = optional(number, 1)
    transaction_ids             = optional(number, 500000000)
    deadlocks_per_minute        = optional(number, 1)
    blocked_transactions        = optional(number, 5)
    cpu_credits                 = optional(number, 50)
  })
  default  = {}
  nullable = false

  validation {
    # At 100 % nothing is above the threshold any more.
    condition     = alltrue([for name, value in var.thresholds : value > 0 && value < 100 if endswith(name, "_percent")])
    error_message = "Each of thresholds that ends in _percent must be more than 0 and less than 100: an alarm at 100 never fires."
  }

  validation {
    condition     = alltrue([for value in values(var.thresholds) : value > 0])
    error_message = "thresholds must be more than 0."
  }

  validation {
    condition     = var.thresholds.transaction_ids <= 2000000000
    error_message = "thresholds.transaction_ids must be at most 2000000000: PostgreSQL stops writing shortly behind it."
  }
}

variable "disabled" {
  description = "Names of alarms to leave out, such as `buffer_cache`."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.disabled, local.known_names)) == 0
    error_message = "disabled names an unknown alarm. An alarm is one of: ${join(", ", local.known_names)}."
  }
}

variable "create_events" {
  description = "Whether the topic also hears of RDS's own events: failover, failure, low storage, maintenance, recovery, and parameters that wait for a restart."
  type        = bool
  default     = true
  nullable    = false
}

variable "parameter_group_names" {
  description = "Names of the instances' parameter groups: a changed parameter that waits for a restart is reported."
  type        = list(string)
  default     = []
  nullable    = false
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

variable "create_topic" {
  description = "Whether to make an SNS topic, encrypted with a key of its own, for the alarms and for events."
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
  description = "Whether to make a dashboard, named for the cluster, with one row for each risk."
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
