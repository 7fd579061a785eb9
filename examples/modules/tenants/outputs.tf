output "tenants" {
  description = "The tenants with what the module `pgbouncer` asks of them: database, role, guardrails, and whether they are suspended."
  value = {
    for name, tenant in pgtenant_tenant.this : name => {
      database                            = tenant.database
      role                                = tenant.role
      suspended                           = tenant.suspended
      connection_limit                    = pgtenant_guardrails.this[name].connection_limit
      statement_timeout                   = pgtenant_guardrails.this[name].statement_timeout
      idle_in_transaction_session_timeout = pgtenant_guardrails.this[name].idle_in_transaction_session_timeout
    }
  }
}

output "logins" {
  description = "The logins with a password, of tenants and of further roles: the database of each, and the version of its password."
  value = {
    for name, version in local.password_versions : name => {
      database         = pgtenant_tenant.this[try(local.roles[name].tenant, name)].database
      password_version = version
    }
  }
}

output "verifiers" {
  description = "SCRAM verifiers by role, for the module `pgbouncer`."
  value       = { for name, tenant in pgtenant_tenant.this : tenant.role => local.verifiers[name] }
  sensitive   = true
}

output "roles" {
  description = "The further roles by name: the tenant and the database of each, and its access."
  value = {
    for name, role in pgtenant_role.this : name => {
      tenant   = role.tenant
      database = pgtenant_tenant.this[role.tenant].database
      access   = role.access
    }
  }
}

output "isolation" {
  description = "For each tenant, and for each further role, what was found of each control."
  value = merge(
    { for name, tenant in pgtenant_tenant.this : name => tenant.isolation },
    { for role in pgtenant_role.this : role.id => role.isolation },
  )
}

output "headroom" {
  description = "Connections that no tenant has been promised, as the server counts them."
  value       = data.pgtenant_capacity.this.headroom
}
