# PGHOST, PGPORT, PGUSER, PGPASSWORD and similar variables say where the server is and who the admin is.
provider "pgtenant" {}

locals {
  secrets = coalesce(var.secrets, "${path.module}/secrets")
}

# New in each run and kept nowhere. It reaches a login and the store together, and only when that login's version changes.
ephemeral "pgtenant_password" "login" {
  for_each = var.logins
}

# Without a password: nobody logs in as the tenant's own role.
resource "pgtenant_tenant" "this" {
  name = var.tenant

  # So that `terraform destroy` cleans up after the tour. For real tenants leave it at true, the default.
  deletion_protection = false
}

# What either makes is the tenant's, so that the other one owns it too.
resource "pgtenant_role" "login" {
  for_each = var.logins

  tenant              = pgtenant_tenant.this.name
  name                = "${pgtenant_tenant.this.name}_${each.key}"
  access              = "owner"
  login               = each.value.login
  connection_limit    = 10
  password_wo         = ephemeral.pgtenant_password.login[each.key].result
  password_wo_version = each.value.version
}

# A file for each login, readable by its owner only. With a real store these are two secrets, on AWS for instance
# aws_secretsmanager_secret_version with secret_string_wo, and secret_string_wo_version = each.value.version.
resource "terraform_data" "secret" {
  for_each = var.logins

  triggers_replace = [local.secrets, pgtenant_role.login[each.key].name, each.value.version]

  provisioner "local-exec" {
    command = <<-EOT
      set -eu
      umask 077
      mkdir -p "$DIRECTORY"
      printf '%s' "$SECRET" > "$DIRECTORY/$LOGIN.json.new"
      mv "$DIRECTORY/$LOGIN.json.new" "$DIRECTORY/$LOGIN.json"
    EOT
    environment = {
      DIRECTORY = local.secrets
      LOGIN     = each.key
      SECRET = jsonencode({
        dbname   = pgtenant_tenant.this.database
        username = pgtenant_role.login[each.key].name
        password = ephemeral.pgtenant_password.login[each.key].result
      })
    }
  }
}

# What an application reads before it connects. It is written last, and replaced as a whole.
resource "terraform_data" "current" {
  triggers_replace = [var.active, terraform_data.secret[var.active].id]

  provisioner "local-exec" {
    command = <<-EOT
      set -eu
      umask 077
      cp "$DIRECTORY/$LOGIN.json" "$DIRECTORY/current.json.new"
      mv "$DIRECTORY/current.json.new" "$DIRECTORY/current.json"
    EOT
    environment = {
      DIRECTORY = local.secrets
      LOGIN     = var.active
    }
  }
}
