variables {
  host               = "db.example.com"
  server_tls_ca_file = "/etc/pgbouncer/global-bundle.pem"
  tenants = {
    acme   = { connection_limit = 20, statement_timeout = "30s" }
    globex = { database = "globex_production", role = "globex_app", connection_limit = 5, statement_timeout = "1.5min" }
    shut   = { suspended = true, statement_timeout = "0" }
  }
  verifiers = {
    acme       = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="
    globex_app = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA=:DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDA="
  }
}

run "files" {
  command = plan

  assert {
    condition     = strcontains(output.pgbouncer_ini, "\nacme = host=db.example.com port=5432 dbname=acme pool_size=19 max_db_connections=19\n")
    error_message = "acme has no pool of its limit less one: ${output.pgbouncer_ini}"
  }
  assert {
    condition     = strcontains(output.pgbouncer_ini, "\nglobex_production = host=db.example.com port=5432 dbname=globex_production pool_size=4 max_db_connections=4\n") && strcontains(output.pgbouncer_ini, "\nglobex_app = max_user_connections=4\n")
    error_message = "globex is not there under its database's and role's names: ${output.pgbouncer_ini}"
  }
  assert {
    condition     = alltrue([for line in ["pool_mode = transaction", "auth_type = hba", "server_reset_query = DISCARD ALL", "server_reset_query_always = 1", "client_tls_sslmode = require", "server_tls_sslmode = verify-full", "server_tls_ca_file = /etc/pgbouncer/global-bundle.pem", "ignore_startup_parameters = extra_float_digits"] : strcontains(output.pgbouncer_ini, "\n${line}\n")])
    error_message = "A setting is missing: ${output.pgbouncer_ini}"
  }
  assert {
    condition     = !strcontains("${output.pgbouncer_ini}${output.pg_hba_conf}", "shut") && output.userlist_roles == tolist(["acme", "globex_app"])
    error_message = "A suspended tenant is in a file."
  }
  assert {
    condition     = output.timeouts == { query_timeout = 105, idle_transaction_timeout = 65 }
    error_message = "The timeouts do not come after the longest of the tenants': ${jsonencode(output.timeouts)}"
  }
  assert {
    condition     = output.pg_hba_conf == "hostssl \"acme\" \"acme\" 127.0.0.1/32 scram-sha-256\nhostssl \"globex_production\" \"globex_app\" 127.0.0.1/32 scram-sha-256\nhostssl \"acme\" \"acme\" ::1/128 scram-sha-256\nhostssl \"globex_production\" \"globex_app\" ::1/128 scram-sha-256\n"
    error_message = "A role may reach more than its own database: ${output.pg_hba_conf}"
  }
  assert {
    condition     = output.userlist == "\"acme\" \"${var.verifiers.acme}\"\n\"globex_app\" \"${var.verifiers.globex_app}\"\n"
    error_message = "userlist.txt is not a line for each role."
  }
  assert {
    condition     = output.pool_sizes == { acme = 19, globex = 4 } && output.server_connections == 23
    error_message = "The sizes of the pools are not told."
  }
}

run "a_limit_is_shared_by_all_instances" {
  command = plan
  variables {
    instances          = 3
    direct_connections = 2
  }
  assert {
    condition     = output.pool_sizes == { acme = 6, globex = 1 } && output.server_connections == 21
    error_message = "Three pgBouncers together exceed a tenant's limit: ${jsonencode(output.pool_sizes)}"
  }
}

run "a_tenant_on_a_server_of_its_own" {
  command = plan
  variables {
    tenants = {
      acme   = { connection_limit = 20, host = "db2.example.com", port = 5433 }
      globex = { connection_limit = 5 }
    }
    verifiers = null
  }
  assert {
    condition     = strcontains(output.pgbouncer_ini, "\nacme = host=db2.example.com port=5433 dbname=acme ") && strcontains(output.pgbouncer_ini, "\nglobex = host=db.example.com port=5432 dbname=globex ")
    error_message = "acme is not at its own server, or globex not at the module's: ${output.pgbouncer_ini}"
  }
}

run "no_tenants_at_all" {
  command = plan
  variables {
    tenants   = {}
    verifiers = {}
  }
  assert {
    condition     = output.server_connections == 0 && output.timeouts.query_timeout == 0 && output.userlist == ""
    error_message = "Without tenants there is something."
  }
}

run "one_tenant_without_limits_leaves_none_for_all" {
  command = plan
  variables {
    tenants   = { acme = { statement_timeout = "0", idle_in_transaction_session_timeout = "0" } }
    verifiers = null
  }
  assert {
    condition     = output.timeouts == { query_timeout = 0, idle_transaction_timeout = 0 } && output.userlist == null
    error_message = "pgBouncer's timeout is shorter than a tenant's: ${jsonencode(output.timeouts)}"
  }
}

run "the_console_has_roles_of_its_own" {
  command = plan
  variables {
    admin_roles = ["pool_admin"]
    stats_roles = ["pool_reader"]
    verifiers   = null
  }
  assert {
    condition     = strcontains(output.pgbouncer_ini, "\nadmin_users = pool_admin\n") && strcontains(output.pgbouncer_ini, "\nstats_users = pool_reader\n") && strcontains(output.pg_hba_conf, "hostssl pgbouncer \"pool_admin\" 127.0.0.1/32 scram-sha-256\n")
    error_message = "The console's roles are not told: ${output.pgbouncer_ini}"
  }
}
