# Tenants with guardrails on one server, and what protects that server from all of them.

resource "pgtenant_cluster_baseline" "this" {
  count = var.baseline ? 1 : 0
}

resource "pgtenant_watchdog" "this" {
  count = var.watchdog ? 1 : 0

  report = var.watchdog_report
}

# A salt is no secret: PostgreSQL shows it to everybody who begins a login. It must be unique, and not follow from a
# password. Kept in the state, so that the verifiers stay the same from plan to plan.
resource "terraform_data" "salt" {
  input = uuid()

  lifecycle {
    ignore_changes = [input]
  }
}

locals {
  # One verifier for the server and for pgBouncer, which can log in with no other. A new password gets a new salt.
  verifiers = {
    for name, password in var.passwords : name => provider::pgtenant::scram_verifier(
      password, name, "${terraform_data.salt.output}/${local.password_versions[name]}",
    ) if contains(keys(var.tenants), name)
  }

  roles = merge([
    for name, tenant in var.tenants : {
      for suffix, role in tenant.roles : "${name}_${suffix}" => merge(role, { tenant = name })
    }
  ]...)

  # What raises the version of a login's password sets it again.
  password_versions = merge(
    { for name, tenant in var.tenants : name => var.passwords_version + tenant.password_version },
    {
      for name, role in local.roles : name => var.passwords_version + role.password_version
      if contains(nonsensitive(keys(var.role_passwords)), name)
    },
  )

  connections = sum(concat(
    [0], # A new server has no tenants.
    [for tenant in var.tenants : tenant.connection_limit],
    [for role in local.roles : role.connection_limit],
  ))
}

resource "pgtenant_tenant" "this" {
  for_each = var.tenants

  name                = each.key
  suspended           = each.value.suspended
  extensions          = each.value.extensions
  extension           = each.value.extension
  schemas             = each.value.schemas
  allow_create_schema = each.value.allow_create_schema
  replication         = each.value.replication
  admin_connections   = each.value.admin_connections
  template            = each.value.template
  password_wo         = local.verifiers[each.key]
  password_wo_version = local.password_versions[each.key]
  valid_until         = each.value.valid_until
  comment             = each.value.comment
  on_destroy          = each.value.on_destroy
  deletion_protection = var.deletion_protection

  lifecycle {
    precondition {
      condition     = contains(nonsensitive(keys(var.passwords)), each.key)
      error_message = "passwords has none for this tenant."
    }
  }

  # Nobody gets in before everything outside the tenant's own database is closed.
  depends_on = [pgtenant_cluster_baseline.this]
}

resource "pgtenant_role" "this" {
  for_each = local.roles

  tenant              = pgtenant_tenant.this[each.value.tenant].name
  name                = each.key
  access              = each.value.access
  connection_limit    = each.value.connection_limit
  parameters          = each.value.parameters
  authentication      = each.value.authentication
  valid_until         = each.value.valid_until
  password_wo         = try(var.role_passwords[each.key], null)
  password_wo_version = lookup(local.password_versions, each.key, null)
}

resource "pgtenant_guardrails" "this" {
  for_each = var.tenants

  tenant                              = pgtenant_tenant.this[each.key].name
  connection_limit                    = each.value.connection_limit
  statement_timeout                   = each.value.statement_timeout
  lock_timeout                        = each.value.lock_timeout
  idle_in_transaction_session_timeout = each.value.idle_in_transaction_session_timeout
  transaction_timeout                 = each.value.transaction_timeout
  parameters                          = each.value.parameters

  lifecycle {
    precondition {
      condition     = local.connections <= var.available_connections
      error_message = "The tenants' connection limits add up to more than available_connections: one tenant's storm would be another's outage."
    }
  }
}

# What the server itself says of limits, no matter who set them. Every plan reports it.
data "pgtenant_capacity" "this" {
  depends_on = [pgtenant_guardrails.this]
}

check "tenants_fit" {
  assert {
    condition     = !data.pgtenant_capacity.this.over_committed
    error_message = "The tenants on this server may open ${data.pgtenant_capacity.this.committed} of ${data.pgtenant_capacity.this.available} connections."
  }
}
