# A secret in Secrets Manager for each login of a tenant, for its applications to read. The password goes there through a
# write-only argument: it is in no state.

resource "aws_secretsmanager_secret" "login" {
  #checkov:skip=CKV2_AWS_57:password_version rotates secret and role in one apply; a function of Secrets Manager would change one without the other
  for_each = module.tenants.logins

  # A name is taken until the recovery window of a deleted secret ends: a tenant that comes back needs another one.
  name_prefix             = "${var.name}/${each.key}-"
  description             = "Login ${each.key} on ${var.name}"
  kms_key_id              = module.postgres.kms_key_arn
  recovery_window_in_days = var.secret_recovery_window_in_days
  tags                    = var.tags
}

resource "aws_secretsmanager_secret_version" "login" {
  for_each = module.tenants.logins

  secret_id = aws_secretsmanager_secret.login[each.key].id
  secret_string_wo = jsonencode({
    engine   = "postgres"
    dbname   = each.value.database
    username = each.key
    password = try(var.passwords[each.key], var.role_passwords[each.key])
  })
  secret_string_wo_version = each.value.password_version
}
