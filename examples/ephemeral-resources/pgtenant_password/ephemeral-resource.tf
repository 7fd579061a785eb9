# A new random password each time Terraform runs; nothing keeps it.
ephemeral "pgtenant_password" "acme" {}

# It reaches the role and the secret store in the same apply, or, while the versions stay as they are, neither.
locals {
  password_version = 1
}

resource "pgtenant_tenant" "acme" {
  name                = "acme"
  password_wo         = ephemeral.pgtenant_password.acme.result
  password_wo_version = local.password_version
}

# The secret store, on AWS for instance:
#
# resource "aws_secretsmanager_secret_version" "acme" {
#   secret_id                = aws_secretsmanager_secret.acme.id
#   secret_string_wo         = ephemeral.pgtenant_password.acme.result
#   secret_string_wo_version = local.password_version
# }
