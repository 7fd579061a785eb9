# Everything that pgBouncer reads, as texts. Nothing is written here: where they go is the caller's to say.
locals {
  # A suspended tenant is in none of the files.
  active = {
    for name, tenant in var.tenants : name => {
      database  = coalesce(tenant.database, name)
      role      = coalesce(tenant.role, name)
      host      = coalesce(tenant.host, var.host)
      port      = coalesce(tenant.port, var.port)
      pool_size = floor((tenant.connection_limit - var.direct_connections) / var.instances)
    } if !tenant.suspended
  }
  tenant_roles   = toset([for tenant in local.active : tenant.role])
  console_roles  = setunion(var.admin_roles, var.stats_roles)
  userlist_roles = sort(setunion(local.tenant_roles, local.console_roles))

  # In milliseconds; 0 is no limit.
  units = { us = 0.001, ms = 1, s = 1000, min = 60000, h = 3600000, d = 86400000 }
  limits = {
    for parameter, texts in {
      query = [for tenant in var.tenants : tenant.statement_timeout if !tenant.suspended]
      idle  = [for tenant in var.tenants : tenant.idle_in_transaction_session_timeout if !tenant.suspended]
      } : parameter => [
      for parts in [for text in texts : regex("([0-9.]+) *([a-z]+)?", text)] : tonumber(parts[0]) * local.units[coalesce(parts[1], "ms")]
    ]
  }
  # pgBouncer knows one timeout for all tenants: it comes after each tenant's own, or not at all.
  longest = {
    for parameter, limits in local.limits : parameter => length(limits) == 0 || contains(limits, 0) ? 0 : ceil(max(limits...) / 1000)
  }
  query_timeout            = coalesce(var.query_timeout, local.longest.query == 0 ? 0 : local.longest.query + var.query_wait_timeout + 5)
  idle_transaction_timeout = coalesce(var.idle_transaction_timeout, local.longest.idle == 0 ? 0 : local.longest.idle + 5)

  needs_server_ca = startswith(var.server_tls_sslmode, "verify-")
  hba_type        = var.client_tls_sslmode == "disable" ? "host" : "hostssl"

  settings = merge(
    {
      listen_addr     = var.listen_addr
      listen_port     = var.listen_port
      unix_socket_dir = ""

      auth_type     = "hba"
      auth_hba_file = "${var.directory}/pg_hba.conf"
      auth_file     = "${var.directory}/userlist.txt"
      admin_users   = join(", ", var.admin_roles)
      stats_users   = join(", ", var.stats_roles)

      pool_mode                 = "transaction"
      server_reset_query        = var.server_reset_query
      server_reset_query_always = var.server_reset_query_always ? 1 : 0
      ignore_startup_parameters = join(", ", var.ignore_startup_parameters)

      # For pools that are not listed below, of which there should be none.
      default_pool_size    = 1
      min_pool_size        = 0
      reserve_pool_size    = 0
      max_db_connections   = 1
      max_user_connections = 1
      max_client_conn      = var.max_client_conn

      query_timeout            = local.query_timeout
      query_wait_timeout       = var.query_wait_timeout
      idle_transaction_timeout = local.idle_transaction_timeout
      server_idle_timeout      = var.server_idle_timeout
      server_lifetime          = var.server_lifetime
      server_login_retry       = var.server_login_retry
      client_idle_timeout      = var.client_idle_timeout
      client_login_timeout     = var.client_login_timeout

      client_tls_sslmode = var.client_tls_sslmode
      server_tls_sslmode = var.server_tls_sslmode
    },
    var.client_tls_sslmode == "disable" ? {} : {
      client_tls_cert_file = var.client_tls_cert_file
      client_tls_key_file  = var.client_tls_key_file
    },
    var.client_tls_sslmode == "verify-full" && var.client_tls_ca_file != null ? { client_tls_ca_file = var.client_tls_ca_file } : {},
    local.needs_server_ca && var.server_tls_ca_file != null ? { server_tls_ca_file = var.server_tls_ca_file } : {},
  )

  # No `user=` in a database's line: then SCRAM verifiers would not do for the login to the server. And no
  # quotes around names: 1.18 does not take them here.
  databases = [
    for tenant in local.active :
    "${tenant.database} = host=${tenant.host} port=${tenant.port} dbname=${tenant.database} pool_size=${tenant.pool_size} max_db_connections=${tenant.pool_size}"
  ]
  users = [for tenant in local.active : "${tenant.role} = max_user_connections=${tenant.pool_size}"]
  rules = flatten([
    for network in var.client_networks : concat(
      [for tenant in local.active : "${local.hba_type} \"${tenant.database}\" \"${tenant.role}\" ${network} scram-sha-256"],
      [for role in sort(local.console_roles) : "${local.hba_type} pgbouncer \"${role}\" ${network} scram-sha-256"],
    )
  ])
}
