# Every validation and every precondition refuses what it should refuse.
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

run "a_name_that_ends_a_line" {
  command = plan
  variables {
    tenants   = { "a\nb" = {} }
    verifiers = null
  }
  expect_failures = [var.tenants]
}

run "a_database_that_is_the_console" {
  command = plan
  variables {
    tenants   = { acme = { database = "pgbouncer" } }
    verifiers = null
  }
  expect_failures = [var.tenants]
}

run "two_tenants_with_one_role" {
  command = plan
  variables {
    tenants   = { acme = { role = "app" }, globex = { role = "app" } }
    verifiers = null
  }
  expect_failures = [var.tenants]
}

run "no_limit_to_take_a_part_of" {
  command = plan
  variables {
    tenants   = { acme = { connection_limit = -1 } }
    verifiers = null
  }
  expect_failures = [var.tenants]
}

run "a_server_of_its_own_that_is_two" {
  command = plan
  variables {
    tenants   = { acme = { host = "db1.example.com,db2.example.com" } }
    verifiers = null
  }
  expect_failures = [var.tenants]
}

run "a_server_of_its_own_at_no_port" {
  command = plan
  variables {
    tenants   = { acme = { host = "db2.example.com", port = 70000 } }
    verifiers = null
  }
  expect_failures = [var.tenants]
}

run "a_duration_of_another_language" {
  command = plan
  variables {
    tenants   = { acme = { statement_timeout = "30 seconds" } }
    verifiers = null
  }
  expect_failures = [var.tenants]
}

run "a_password_in_clear_text" {
  command = plan
  variables {
    verifiers = { acme = "secret", globex_app = "secret" }
  }
  expect_failures = [var.verifiers]
}

run "an_md5_hash" {
  command = plan
  variables {
    verifiers = { acme = "md545f2603610af569b6155c45067268c6b", globex_app = "md545f2603610af569b6155c45067268c6b" }
  }
  expect_failures = [var.verifiers]
}

run "an_admin_of_everything" {
  command = plan
  variables {
    admin_roles = ["all"]
  }
  expect_failures = [var.admin_roles]
}

run "a_reader_with_a_quote" {
  command = plan
  variables {
    stats_roles = ["a\"b"]
  }
  expect_failures = [var.stats_roles]
}

run "two_hosts" {
  command = plan
  variables {
    host = "a,b"
  }
  expect_failures = [var.host]
}

run "no_port" {
  command = plan
  variables {
    port = 0
  }
  expect_failures = [var.port]
}

run "an_address_with_a_line_break" {
  command = plan
  variables {
    listen_addr = "*\nadmin_users = acme"
  }
  expect_failures = [var.listen_addr]
}

run "a_port_that_is_none" {
  command = plan
  variables {
    listen_port = 70000
  }
  expect_failures = [var.listen_port]
}

run "a_network_that_is_none" {
  command = plan
  variables {
    client_networks = ["everywhere"]
  }
  expect_failures = [var.client_networks]
}

run "a_relative_directory" {
  command = plan
  variables {
    directory = "pgbouncer"
  }
  expect_failures = [var.directory]
}

run "tls_as_the_client_likes" {
  command = plan
  variables {
    client_tls_sslmode = "prefer"
  }
  expect_failures = [var.client_tls_sslmode]
}

run "a_relative_certificate" {
  command = plan
  variables {
    client_tls_cert_file = "server.crt"
  }
  expect_failures = [var.client_tls_cert_file]
}

run "a_relative_key" {
  command = plan
  variables {
    client_tls_key_file = "server.key"
  }
  expect_failures = [var.client_tls_key_file]
}

run "a_relative_authority_of_clients" {
  command = plan
  variables {
    client_tls_ca_file = "ca.pem"
  }
  expect_failures = [var.client_tls_ca_file]
}

run "tls_as_the_server_likes" {
  command = plan
  variables {
    server_tls_sslmode = "prefer"
  }
  expect_failures = [var.server_tls_sslmode]
}

run "a_relative_authority_of_the_server" {
  command = plan
  variables {
    server_tls_ca_file = "ca.pem"
  }
  expect_failures = [var.server_tls_ca_file]
}

run "no_instance" {
  command = plan
  variables {
    instances = 0
  }
  expect_failures = [var.instances]
}

run "less_than_no_direct_connections" {
  command = plan
  variables {
    direct_connections = -1
  }
  expect_failures = [var.direct_connections]
}

run "no_clients" {
  command = plan
  variables {
    max_client_conn = 0
  }
  expect_failures = [var.max_client_conn]
}

run "a_query_timeout_before_the_query" {
  command = plan
  variables {
    query_timeout = -1
  }
  expect_failures = [var.query_timeout]
}

run "waiting_for_ever" {
  command = plan
  variables {
    query_wait_timeout = 0
  }
  expect_failures = [var.query_wait_timeout]
}

run "an_idle_transaction_timeout_before_the_transaction" {
  command = plan
  variables {
    idle_transaction_timeout = -1
  }
  expect_failures = [var.idle_transaction_timeout]
}

run "a_server_idle_timeout_below_0" {
  command = plan
  variables {
    server_idle_timeout = -1
  }
  expect_failures = [var.server_idle_timeout]
}

run "a_server_lifetime_below_0" {
  command = plan
  variables {
    server_lifetime = -1
  }
  expect_failures = [var.server_lifetime]
}

run "a_client_idle_timeout_below_0" {
  command = plan
  variables {
    client_idle_timeout = -1
  }
  expect_failures = [var.client_idle_timeout]
}

run "a_login_for_ever" {
  command = plan
  variables {
    client_login_timeout = 0
  }
  expect_failures = [var.client_login_timeout]
}

run "a_login_without_a_pause" {
  command = plan
  variables {
    server_login_retry = 0
  }
  expect_failures = [var.server_login_retry]
}

run "a_reset_query_of_two_lines" {
  command = plan
  variables {
    server_reset_query = "DISCARD ALL\nadmin_users = acme"
  }
  expect_failures = [var.server_reset_query]
}

run "a_parameter_with_a_blank" {
  command = plan
  variables {
    ignore_startup_parameters = ["a b"]
  }
  expect_failures = [var.ignore_startup_parameters]
}

run "a_limit_too_small_for_its_pools" {
  command = plan
  variables {
    instances = 5
  }
  expect_failures = [output.pgbouncer_ini]
}

run "verify_full_without_an_authority" {
  command = plan
  variables {
    server_tls_ca_file = null
  }
  expect_failures = [output.pgbouncer_ini]
}

run "certificates_of_clients_without_an_authority" {
  command = plan
  variables {
    client_tls_sslmode = "verify-full"
  }
  expect_failures = [output.pgbouncer_ini]
}

run "a_tenant_on_the_console" {
  command = plan
  variables {
    stats_roles = ["acme"]
  }
  expect_failures = [output.pgbouncer_ini]
}

run "a_role_without_a_verifier" {
  command = plan
  variables {
    stats_roles = ["pool_reader"]
  }
  expect_failures = [output.userlist]
}
