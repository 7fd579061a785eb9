variable "tenants" {
  description = "The tenants by name, each with what it may take from the shared server."
  type = map(object({
    connection_limit  = optional(number, 10)
    statement_timeout = optional(string, "30s")
  }))
  default = {
    acme   = {}
    globex = { connection_limit = 5, statement_timeout = "10s" }
  }
  nullable = false
}
