# PGHOST, PGPORT, PGUSER, PGPASSWORD and similar variables say where the server is and who the admin is.
provider "pgtenant" {}

# A salt is no secret: PostgreSQL shows it to everybody who begins a login. It must be unique, and not follow from a
# password. Kept in the state, so that the verifiers stay the same from plan to plan.
resource "terraform_data" "salt" {
  input = uuid()

  lifecycle {
    ignore_changes = [input]
  }
}

locals {
  # New passwords get a new salt.
  salt     = "${terraform_data.salt.output}/${var.passwords_version}"
  rendered = coalesce(var.rendered, "${path.module}/rendered")

  # One verifier for both: pgBouncer can log in to the server with it only if the server has the very same.
  verifiers = {
    for role, password in var.passwords : role => provider::pgtenant::scram_verifier(password, role, local.salt)
  }
}

resource "pgtenant_tenant" "this" {
  for_each = var.tenants

  name                = each.key
  suspended           = each.value.suspended
  password_wo         = local.verifiers[each.key]
  password_wo_version = var.passwords_version

  # So that `terraform destroy` cleans up after the tour. For real tenants leave it at true, the default.
  deletion_protection = false
}

resource "pgtenant_guardrails" "this" {
  for_each = var.tenants

  tenant                              = pgtenant_tenant.this[each.key].name
  connection_limit                    = each.value.connection_limit
  statement_timeout                   = each.value.statement_timeout
  lock_timeout                        = each.value.lock_timeout
  idle_in_transaction_session_timeout = each.value.idle_in_transaction_session_timeout
  parameters                          = each.value.parameters
}

module "pgbouncer" {
  source = "../modules/pgbouncer"

  tenants = {
    for name, tenant in pgtenant_tenant.this : name => {
      database                            = tenant.database
      role                                = tenant.role
      suspended                           = tenant.suspended
      connection_limit                    = pgtenant_guardrails.this[name].connection_limit
      statement_timeout                   = pgtenant_guardrails.this[name].statement_timeout
      idle_in_transaction_session_timeout = pgtenant_guardrails.this[name].idle_in_transaction_session_timeout
    }
  }
  verifiers   = local.verifiers
  stats_roles = var.stats_roles

  host            = var.server.host
  port            = var.server.port
  listen_addr     = var.listen.addr
  listen_port     = var.listen.port
  client_networks = var.listen.networks
  directory       = var.directory

  # For a tour on one machine. Leave both out, and give certificates, where there is a network between.
  client_tls_sslmode = "disable"
  server_tls_sslmode = "disable"
}

# Into files, readable by their owner only. Verifiers pass through the environment, and are in no state.
resource "terraform_data" "files" {
  triggers_replace = [
    local.rendered,
    module.pgbouncer.pgbouncer_ini,
    module.pgbouncer.pg_hba_conf,
    module.pgbouncer.userlist_roles,
    var.passwords_version,
  ]

  provisioner "local-exec" {
    command = <<-EOT
      set -eu
      umask 077
      mkdir -p "$DIRECTORY"
      printf '%s' "$PGBOUNCER_INI" > "$DIRECTORY/pgbouncer.ini"
      printf '%s' "$PG_HBA_CONF" > "$DIRECTORY/pg_hba.conf"
      printf '%s' "$USERLIST" > "$DIRECTORY/userlist.txt"
    EOT
    environment = {
      DIRECTORY     = local.rendered
      PGBOUNCER_INI = module.pgbouncer.pgbouncer_ini
      PG_HBA_CONF   = module.pgbouncer.pg_hba_conf
      USERLIST      = module.pgbouncer.userlist
    }
  }
}
