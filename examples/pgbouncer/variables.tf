variable "tenants" {
  description = "The tenants by name, each with what it may take from the shared server and whether it is suspended."
  type = map(object({
    connection_limit                    = optional(number, 10)
    statement_timeout                   = optional(string, "30s")
    lock_timeout                        = optional(string, "5s")
    idle_in_transaction_session_timeout = optional(string, "30s")
    parameters                          = optional(map(string), {})
    suspended                           = optional(bool, false)
  }))
  default = {
    acme   = {}
    globex = { connection_limit = 5, statement_timeout = "10s" }
  }
  nullable = false
}

variable "passwords" {
  description = "The password of each tenant, and of each role of the console."
  type        = map(string)
  nullable    = false
  sensitive   = true
}

variable "passwords_version" {
  description = "Change this number together with `passwords`: PostgreSQL and pgBouncer must get the new ones in the same apply."
  type        = number
  default     = 1
  nullable    = false
}

variable "stats_roles" {
  description = "Who may read pgBouncer's statistics."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "server" {
  description = "Where pgBouncer finds PostgreSQL: for docker-compose.yml the name of its service."
  type        = object({ host = string, port = number })
  default     = { host = "postgres", port = 5432 }
  nullable    = false
}

variable "listen" {
  description = "Where pgBouncer listens, and the networks from which clients come. Default: all addresses of the container, and Docker's networks."
  type        = object({ addr = string, port = number, networks = list(string) })
  default     = { addr = "*", port = 6432, networks = ["172.16.0.0/12", "192.168.0.0/16"] }
  nullable    = false
}

variable "directory" {
  description = "The directory of the files as pgBouncer sees it."
  type        = string
  default     = "/etc/pgbouncer"
  nullable    = false
}

variable "rendered" {
  description = "The directory, on the machine that Terraform runs on, into which the files are written. Default: `rendered` next to the configuration."
  type        = string
  default     = null
}
