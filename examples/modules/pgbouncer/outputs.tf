output "pgbouncer_ini" {
  description = "The text of `pgbouncer.ini`. Nothing in it is secret."
  value = join("\n", concat(
    ["[databases]"], local.databases, ["", "[users]"], local.users, ["", "[pgbouncer]"],
    [for name, value in local.settings : "${name} = ${value}"], [""],
  ))

  precondition {
    condition     = alltrue([for tenant in local.active : tenant.pool_size >= 1])
    error_message = "A tenant's connection_limit is too small to give each pgBouncer one connection and leave direct_connections free: ${join(", ", [for name, tenant in local.active : name if tenant.pool_size < 1])}."
  }
  precondition {
    condition     = !local.needs_server_ca || var.server_tls_ca_file != null
    error_message = "server_tls_sslmode ${var.server_tls_sslmode} needs server_tls_ca_file: pgBouncer asks no store of the system's."
  }
  precondition {
    condition     = var.client_tls_sslmode != "verify-full" || var.client_tls_ca_file != null
    error_message = "client_tls_sslmode verify-full needs client_tls_ca_file, the authority behind the clients' certificates."
  }
  precondition {
    condition     = length(setintersection(local.console_roles, [for name, tenant in var.tenants : coalesce(tenant.role, name)])) == 0
    error_message = "A tenant's role is among admin_roles or stats_roles: on the console it would see, or end, what other tenants do."
  }
}

output "pg_hba_conf" {
  description = "The text of `pg_hba.conf`: each role may reach its own database and nothing else, so that pgBouncer refuses all other logins before it asks the server."
  value       = join("\n", concat(local.rules, [""]))
}

output "userlist" {
  description = "The text of `userlist.txt`: roles and their SCRAM verifiers. Null if `verifiers` is. Secret enough to be kept in no state: weak passwords can be guessed from it."
  value       = var.verifiers == null ? null : join("", [for role in local.userlist_roles : "\"${role}\" \"${lookup(var.verifiers, role, "")}\"\n"])
  sensitive   = true

  precondition {
    condition     = var.verifiers == null ? true : alltrue([for role in local.userlist_roles : contains(keys(var.verifiers), role)])
    error_message = "verifiers must have one for each role: ${join(", ", local.userlist_roles)}."
  }
}

output "userlist_roles" {
  description = "The roles that `userlist.txt` must list."
  value       = local.userlist_roles
}

output "pool_sizes" {
  description = "For each tenant that is not suspended, how many server connections one pgBouncer opens for it at most."
  value       = { for name, tenant in local.active : name => tenant.pool_size }
}

output "server_connections" {
  description = "How many server connections all pgBouncers open for all tenants at most, to be held against the server's `max_connections`."
  value       = var.instances * sum(concat([0], [for tenant in local.active : tenant.pool_size]))
}

output "timeouts" {
  description = "The timeouts, in seconds, that were derived from the guardrails."
  value = {
    query_timeout            = local.query_timeout
    idle_transaction_timeout = local.idle_transaction_timeout
  }
}
