variable "identifier" {
  description = "Name of the instance: that of the key's alias, and of the log groups for which CloudWatch Logs may use the key."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.identifier)) && length(var.identifier) <= 50
    error_message = "identifier must begin with a letter, hold only lower-case letters, digits and single hyphens, and have at most 50 characters."
  }
}

variable "policy" {
  description = "Policy of the key as JSON, such as `snapshot-guard` renders. It must admit CloudWatch Logs, and for alarms on Performance Insights CloudWatch's service-linked role. Default: the account decides by IAM, CloudWatch Logs may use the key for this instance's log groups, and that role through Performance Insights and RDS."
  type        = string
  default     = null

  validation {
    condition     = var.policy == null ? true : can(jsondecode(var.policy).Statement)
    error_message = "policy must be the JSON of a policy, with a Statement."
  }
}

variable "multi_region" {
  description = "Whether the key can have replicas in other regions, as copies of backups there need it. Cannot be changed later."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags of the key."
  type        = map(string)
  default     = {}
  nullable    = false
}
