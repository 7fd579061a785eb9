# What pgBouncer reads. The verifiers go through the environment into a file, and into no state: hand the directory
# to whatever runs pgBouncer.

module "pgbouncer" {
  source = "../modules/pgbouncer"

  tenants   = module.tenants.tenants
  verifiers = module.tenants.verifiers

  host               = module.postgres.address
  port               = module.postgres.port
  server_tls_ca_file = "/etc/pgbouncer/global-bundle.pem"
  listen_addr        = "*"
  client_networks    = var.pgbouncer_networks
}

resource "terraform_data" "pgbouncer" {
  triggers_replace = [
    module.pgbouncer.pgbouncer_ini,
    module.pgbouncer.pg_hba_conf,
    module.pgbouncer.userlist_roles,
    { for name, login in module.tenants.logins : name => login.password_version },
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
      DIRECTORY     = "${path.module}/rendered"
      PGBOUNCER_INI = module.pgbouncer.pgbouncer_ini
      PG_HBA_CONF   = module.pgbouncer.pg_hba_conf
      USERLIST      = module.pgbouncer.userlist
    }
  }
}
