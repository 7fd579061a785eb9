variable "tenant" {
  description = "The tenant's name."
  type        = string
  default     = "acme"
  nullable    = false
}

variable "logins" {
  description = "The two logins: the version of each one's password, and whether it may log in. Raise the version of the one that is not active."
  type = object({
    blue  = object({ version = number, login = optional(bool, true) })
    green = object({ version = number, login = optional(bool, true) })
  })
  default = {
    blue  = { version = 1 }
    green = { version = 1 }
  }
  nullable = false
}

variable "active" {
  description = "The login that applications are to use: blue or green."
  type        = string
  default     = "blue"
  nullable    = false

  validation {
    condition     = contains(["blue", "green"], var.active)
    error_message = "The logins are blue and green."
  }
  validation {
    condition     = try(var.logins[var.active].login, true)
    error_message = "The active login may not log in. Make the other one active first."
  }
}

variable "secrets" {
  description = "The directory, on the machine that Terraform runs on, that serves as a secret store. Default: `secrets` next to the configuration."
  type        = string
  default     = null
}
