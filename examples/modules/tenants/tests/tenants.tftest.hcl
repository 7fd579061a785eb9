# What the server answers is made up here: a real one has its say where the compositions are applied.

mock_provider "pgtenant" {
  mock_data "pgtenant_capacity" {
    defaults = { headroom = 20, over_committed = false, committed = 20, available = 40 }
  }
}

variables {
  tenants = {
    acme = {
      connection_limit    = 15
      statement_timeout   = "30s"
      allow_create_schema = true
      roles = {
        migrator = { access = "owner", connection_limit = 2, parameters = { statement_timeout = "15min" } }
        reader   = { access = "read", authentication = "rds_iam" }
      }
    }
    globex = { suspended = true, admin_connections = -1, parameters = { work_mem = "8MB" } }
  }
  passwords             = { acme = "0123456789abcdef", globex = "fedcba9876543210" }
  available_connections = 100
}

run "tenants_are_governed" {
  assert {
    condition     = pgtenant_guardrails.this["acme"].connection_limit == 15 && pgtenant_guardrails.this["acme"].statement_timeout == "30s"
    error_message = "The guardrails do not arrive."
  }

  assert {
    condition     = pgtenant_guardrails.this["globex"].connection_limit == 10 && pgtenant_guardrails.this["globex"].parameters.work_mem == "8MB"
    error_message = "A tenant without limits of its own must have safe ones."
  }

  assert {
    condition     = pgtenant_tenant.this["globex"].admin_connections == -1 && pgtenant_tenant.this["acme"].admin_connections == 5
    error_message = "The admin's share of a database does not arrive."
  }

  assert {
    condition     = pgtenant_tenant.this["globex"].suspended && pgtenant_tenant.this["acme"].deletion_protection && pgtenant_tenant.this["acme"].on_destroy == "archive"
    error_message = "A tenant is not kept as it should be."
  }

  assert {
    condition     = length(pgtenant_cluster_baseline.this) == 1 && length(pgtenant_watchdog.this) == 1 && output.headroom == 20
    error_message = "The server itself is not looked after."
  }
}

run "one_password_is_rotated" {
  variables {
    tenants = {
      acme   = { password_version = 2, roles = { migrator = { access = "owner", password_version = 4 }, reader = { access = "read" } } }
      globex = {}
    }
    role_passwords = { acme_migrator = "0123456789abcdef" }
  }

  assert {
    condition     = { for name, login in output.logins : name => login.password_version } == { acme = 3, acme_migrator = 5, globex = 1 }
    error_message = "The logins with a password are others, or their versions: ${jsonencode(output.logins)}"
  }

  assert {
    condition     = pgtenant_tenant.this["acme"].password_wo_version == 3 && pgtenant_role.this["acme_migrator"].password_wo_version == 5 && pgtenant_role.this["acme_reader"].password_wo_version == null
    error_message = "The versions do not arrive at the logins."
  }
}

run "roles_go_with_their_tenant" {
  variables {
    role_passwords = { acme_migrator = "0123456789abcdef" }
  }

  assert {
    condition     = join(",", keys(output.roles)) == "acme_migrator,acme_reader" && output.roles.acme_reader.tenant == "acme"
    error_message = "Not these roles."
  }

  assert {
    condition     = pgtenant_role.this["acme_migrator"].access == "owner" && pgtenant_role.this["acme_migrator"].connection_limit == 2
    error_message = "What a role may do does not arrive."
  }

  assert {
    condition     = pgtenant_role.this["acme_migrator"].password_wo_version == 1 && pgtenant_role.this["acme_reader"].password_wo_version == null
    error_message = "A password is where none was given, or is not where one was."
  }
}

run "roles_count" {
  command = plan

  variables {
    available_connections = 31
  }

  expect_failures = [pgtenant_guardrails.this["acme"], pgtenant_guardrails.this["globex"]]
}

run "thresholds_of_the_watchdog" {
  variables {
    watchdog_report = { statement = "5min", connections = 80 }
  }

  assert {
    condition     = pgtenant_watchdog.this[0].report == tomap({ statement = "5min", connections = "80" })
    error_message = "The thresholds do not arrive."
  }
}

run "without_baseline_and_watchdog" {
  variables {
    baseline = false
    watchdog = false
  }

  assert {
    condition     = length(pgtenant_cluster_baseline.this) == 0 && length(pgtenant_watchdog.this) == 0
    error_message = "What was not asked for is made."
  }
}

run "no_connections_at_all" {
  command = plan

  variables {
    tenants = { acme = { connection_limit = 0 } }
  }

  expect_failures = [var.tenants]
}

run "short_password" {
  command = plan

  variables {
    passwords = { acme = "secret", globex = "fedcba9876543210" }
  }

  expect_failures = [var.passwords]
}

run "short_role_password" {
  command = plan

  variables {
    role_passwords = { acme_migrator = "secret" }
  }

  expect_failures = [var.role_passwords]
}

run "no_password" {
  command = plan

  variables {
    passwords = { acme = "0123456789abcdef" }
  }

  expect_failures = [pgtenant_tenant.this["globex"]]
}

run "more_promised_than_there_is" {
  command = plan

  variables {
    available_connections = 24
  }

  expect_failures = [pgtenant_guardrails.this["acme"], pgtenant_guardrails.this["globex"]]
}

run "the_server_counts_otherwise" {
  override_data {
    target = data.pgtenant_capacity.this
    values = { headroom = -5, over_committed = true, committed = 105, available = 100 }
  }

  expect_failures = [check.tenants_fit]
}

run "a_server_without_tenants_is_planned" {
  variables {
    tenants   = {}
    passwords = {}
  }

  assert {
    condition     = length(pgtenant_tenant.this) == 0
    error_message = "A new cell has no tenant."
  }
}
