variable "region" {
  description = "AWS region. Default: as the environment says."
  type        = string
  default     = null
}

variable "name" {
  description = "Name of the cluster, and the beginning of all other names."
  type        = string
  default     = "tenants"
  nullable    = false
}

variable "vpc_id" {
  description = "VPC of the cluster."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Private subnets of the cluster, in two availability zones at least."
  type        = set(string)
  nullable    = false
}

variable "allowed_security_group_ids" {
  description = "Security groups that may connect: the applications', and that of whatever runs Terraform. The key is a name of yours for each."
  type        = map(string)
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts everything. Made in another configuration, so that a destroy of this one leaves it, and with it the final snapshot. The output `key_policy_json` is the policy for it."
  type        = string
  nullable    = false
}

variable "port" {
  description = "TCP port of the server."
  type        = number
  default     = 5432
  nullable    = false
}

variable "cluster" {
  description = "The cluster, as the module `aurora-postgres` takes it: what is left out has that module's default."
  type = object({
    engine_version              = optional(string)
    engine_lifecycle_support    = optional(string)
    allow_major_version_upgrade = optional(bool)
    apply_immediately           = optional(bool)
    instance_class              = optional(string, "db.r7g.large")
    instances = optional(map(object({
      instance_class    = optional(string)
      promotion_tier    = optional(number, 1)
      availability_zone = optional(string)
    })), { one = {}, two = {} })
    serverlessv2_scaling_configuration = optional(object({
      min_capacity = optional(number, 1)
      max_capacity = optional(number, 16)
    }))
    autoscaling_enabled      = optional(bool)
    autoscaling_max_capacity = optional(number)
    storage_type             = optional(string)
    max_connections          = optional(number)
    logical_replication      = optional(bool)
    parameters               = optional(map(string))
    instance_parameters      = optional(map(string))
    backup_retention_period  = optional(number, 14)
    deletion_protection      = optional(bool, true)
    snapshot_identifier      = optional(string)
    restore_to_point_in_time = optional(object({
      source_cluster_identifier  = optional(string)
      source_cluster_resource_id = optional(string)
      restore_to_time            = optional(string)
      restore_type               = optional(string, "full-copy")
    }))
    monitoring_role_permissions_boundary = optional(string)
    timeouts = optional(object({
      create = optional(string, "120m")
      update = optional(string, "120m")
      delete = optional(string, "120m")
    }))
  })
  # Scanners read a default, and no `optional()`.
  default  = { backup_retention_period = 14, deletion_protection = true }
  nullable = false
}

variable "volume_budget_gib" {
  description = "GiB that the cluster's volume is meant to stay below: above it an alarm fires."
  type        = number
  default     = 1024
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
    template                            = optional(string)
    suspended                           = optional(bool, false)
    valid_until                         = optional(string)
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
  description = "Raise it to have the passwords set again."
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

variable "tags" {
  description = "Tags of everything on AWS."
  type        = map(string)
  default     = {}
  nullable    = false
}
