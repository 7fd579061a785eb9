# The whole of it, applied with AWS's answers made up and a made-up server; a real one is in the
# project's own tests.

provider "aws" {
  region = "eu-west-1"
}

mock_provider "pgtenant" {
  mock_resource "pgtenant_tenant" {
    defaults = { database = "acme", role = "acme", isolation = { other_privileges = "enforced" } }
  }
  mock_data "pgtenant_capacity" {
    defaults = { headroom = 365, over_committed = false, committed = 20, available = 385 }
  }
}

# Terraform could not clear the key away again.
override_module {
  target = module.key
  outputs = {
    arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-4333-8444-555555555555"
  }
}

variables {
  postgres = { deletion_protection = false }
  roles = {
    dba         = ["arn:aws:iam::123456789012:role/dba"]
    break_glass = ["arn:aws:iam::123456789012:role/break-glass"]
    terraform   = ["arn:aws:iam::123456789012:role/terraform"]
  }
  vpc_id                     = "vpc-0123456789abcdef0"
  subnet_ids                 = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  allowed_security_group_ids = { pgbouncer = "sg-0123456789abcdef0" }
  pgbouncer_networks         = ["192.0.2.0/24"]
  tenants                    = { acme = { connection_limit = 20, statement_timeout = "30s" } }
  passwords                  = { acme = "0123456789abcdef" }
}

run "all_of_it" {
  assert {
    condition     = output.pool_sizes == { acme = 19 } && output.headroom == 365
    error_message = "The guardrails do not arrive at pgBouncer."
  }

  assert {
    condition     = output.address == "tenants.abc123.eu-west-1.rds.amazonaws.com" && startswith(output.topic_arn, "arn:aws:sns:eu-west-1:")
    error_message = "The instance's address, or the alarms' topic, is not told."
  }
}

run "a_recovery_window_too_short" {
  command = plan

  variables {
    secret_recovery_window_in_days = 3
  }

  expect_failures = [var.secret_recovery_window_in_days]
}

run "a_secret_for_each_login" {
  variables {
    tenants        = { acme = { password_version = 2, roles = { reader = { access = "read" }, ci = { access = "write", authentication = "rds_iam" } } } }
    role_passwords = { acme_reader = "0123456789abcdef" }
  }

  assert {
    condition     = { for name, secret in aws_secretsmanager_secret_version.login : name => secret.secret_string_wo_version } == { acme = 3, acme_reader = 1 }
    error_message = "The secrets are not those of the logins with a password, each with its version."
  }

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.login : secret.kms_key_id == module.postgres.kms_key_arn && secret.recovery_window_in_days == 30])
    error_message = "The secrets are not encrypted with the instance's key, or are deleted too soon."
  }
}
