variable "tenants" {
  description = "The tenants by name, each with its database and role (default: the name), its guardrails as `pgtenant_guardrails` has them, whether it is suspended, which leaves it out of every file, and its server if that is not the module's `host` and `port`, as after a move. Names have letters, digits, `_`, `-` and `.`."
  type = map(object({
    database                            = optional(string)
    role                                = optional(string)
    connection_limit                    = optional(number, 10)
    statement_timeout                   = optional(string, "60s")
    idle_in_transaction_session_timeout = optional(string, "60s")
    suspended                           = optional(bool, false)
    host                                = optional(string)
    port                                = optional(number)
  }))
  nullable = false

  validation {
    condition     = alltrue([for name, tenant in var.tenants : can(regex("^[A-Za-z_][A-Za-z0-9_.-]{0,62}$", coalesce(tenant.database, name))) && can(regex("^[A-Za-z_][A-Za-z0-9_.-]{0,62}$", coalesce(tenant.role, name)))])
    error_message = "A database or role has another name than pgBouncer's files take here: at most 63 letters, digits, \"_\", \"-\" and \".\", and no digit, \"-\" or \".\" first."
  }
  validation {
    condition     = alltrue([for name, tenant in var.tenants : !contains(["all", "pgbouncer", "replication", "samegroup", "samerole", "sameuser"], coalesce(tenant.database, name)) && !contains(["all", "pgbouncer"], coalesce(tenant.role, name))])
    error_message = "A database or role has a name that means something else to pgBouncer: all, pgbouncer, replication, samegroup, samerole or sameuser."
  }
  validation {
    condition     = length(distinct([for name, tenant in var.tenants : coalesce(tenant.database, name)])) == length(var.tenants) && length(distinct([for name, tenant in var.tenants : coalesce(tenant.role, name)])) == length(var.tenants)
    error_message = "Two tenants have the same database or the same role: each needs its own."
  }
  validation {
    condition     = alltrue([for tenant in var.tenants : tenant.connection_limit >= 1 && floor(tenant.connection_limit) == tenant.connection_limit])
    error_message = "connection_limit must be a whole number from 1 on: the pool is a part of it, and without a limit there is nothing to take a part of."
  }
  validation {
    condition     = alltrue(flatten([for tenant in var.tenants : [for text in [tenant.statement_timeout, tenant.idle_in_transaction_session_timeout] : can(regex("^ *[0-9]+(?:\\.[0-9]+)? *(?:us|ms|s|min|h|d)? *$", text))]]))
    error_message = "statement_timeout and idle_in_transaction_session_timeout are durations as PostgreSQL writes them: \"30s\", \"1min\", \"500\" (milliseconds), or \"0\" for no limit."
  }
  validation {
    condition     = alltrue([for tenant in var.tenants : can(regex("^[A-Za-z0-9/_.:-]+$", coalesce(tenant.host, "localhost"))) && coalesce(tenant.port, 5432) >= 1 && coalesce(tenant.port, 5432) <= 65535 && floor(coalesce(tenant.port, 5432)) == coalesce(tenant.port, 5432)])
    error_message = "A tenant's host must be one host name, IP address or directory, without blanks, quotes or commas, and its port a whole number from 1 to 65535."
  }
}

variable "verifiers" {
  description = "The SCRAM-SHA-256 verifier of every role: of the tenants' that are not suspended, the admins' and the stats readers'. A tenant's must be the very verifier that PostgreSQL has, such as `provider::pgtenant::scram_verifier(password, role, salt)` given to `password_wo` as well. Null, when the verifiers are ephemeral: then `userlist` is null, and the caller writes a line for each of `userlist_roles`."
  type        = map(string)
  sensitive   = true
  default     = null

  validation {
    condition     = var.verifiers == null ? true : alltrue([for verifier in values(var.verifiers) : can(regex("^SCRAM-SHA-256\\$[0-9]+:[A-Za-z0-9+/]+=*\\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$", verifier))])
    error_message = "A verifier is not of the form SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>. Passwords in clear text and MD5 hashes are not taken."
  }
}

variable "admin_roles" {
  description = "Who may do everything on pgBouncer's console (`RELOAD`, `PAUSE`, `KILL`). They exist in pgBouncer only and are no tenant's roles."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for role in var.admin_roles : can(regex("^[A-Za-z_][A-Za-z0-9_.-]{0,62}$", role)) && !contains(["all", "pgbouncer"], role)])
    error_message = "An admin's name has other characters than letters, digits, \"_\", \"-\" and \".\", or is all or pgbouncer."
  }
}

variable "stats_roles" {
  description = "Who may read the console's `SHOW` commands, for monitoring. They exist in pgBouncer only and are no tenant's roles."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for role in var.stats_roles : can(regex("^[A-Za-z_][A-Za-z0-9_.-]{0,62}$", role)) && !contains(["all", "pgbouncer"], role)])
    error_message = "A stats reader's name has other characters than letters, digits, \"_\", \"-\" and \".\", or is all or pgbouncer."
  }
}

variable "host" {
  description = "The PostgreSQL server: a host name (an RDS instance's `address`), an IP address, or the directory of its Unix socket."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9/_.:-]+$", var.host))
    error_message = "host must be one host name, IP address or directory, without blanks, quotes or commas."
  }
}

variable "port" {
  description = "The PostgreSQL server's port."
  type        = number
  default     = 5432
  nullable    = false

  validation {
    condition     = var.port >= 1 && var.port <= 65535 && floor(var.port) == var.port
    error_message = "port must be a whole number from 1 to 65535."
  }
}

variable "listen_addr" {
  description = "The addresses that pgBouncer listens on, separated by commas; `*` for all."
  type        = string
  default     = "127.0.0.1"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9.:*, -]+$", var.listen_addr))
    error_message = "listen_addr must be addresses or host names, separated by commas, or *."
  }
}

variable "listen_port" {
  description = "The port that pgBouncer listens on."
  type        = number
  default     = 6432
  nullable    = false

  validation {
    condition     = var.listen_port >= 1 && var.listen_port <= 65535 && floor(var.listen_port) == var.listen_port
    error_message = "listen_port must be a whole number from 1 to 65535."
  }
}

variable "client_networks" {
  description = "The networks, in CIDR notation, from which tenants, admins and stats readers may come; all others are refused. Default: this machine only."
  type        = list(string)
  default     = ["127.0.0.1/32", "::1/128"]
  nullable    = false

  validation {
    condition     = length(var.client_networks) > 0 && alltrue([for network in var.client_networks : can(cidrhost(network, 0))])
    error_message = "client_networks must be at least one network in CIDR notation, such as \"10.0.0.0/16\"."
  }
}

variable "directory" {
  description = "The directory in which `userlist.txt` and `pg_hba.conf` will lie, as pgBouncer sees it."
  type        = string
  default     = "/etc/pgbouncer"
  nullable    = false

  validation {
    condition     = can(regex("^/[A-Za-z0-9/_.-]*[A-Za-z0-9_.-]$", var.directory))
    error_message = "directory must be an absolute path of letters, digits, \"/\", \"_\", \".\" and \"-\", without a slash at its end."
  }
}

variable "client_tls_sslmode" {
  description = "TLS between clients and pgBouncer: `require`, `verify-full` (clients need a certificate too, see `client_tls_ca_file`) or `disable`."
  type        = string
  default     = "require"
  nullable    = false

  validation {
    condition     = contains(["require", "verify-full", "disable"], var.client_tls_sslmode)
    error_message = "client_tls_sslmode must be require, verify-full or disable: allow and prefer would let clients choose to send everything in the clear."
  }
}

variable "client_tls_cert_file" {
  description = "Path of the certificate that pgBouncer shows to clients, PEM."
  type        = string
  default     = "/etc/pgbouncer/server.crt"
  nullable    = false

  validation {
    condition     = can(regex("^/[A-Za-z0-9/_.-]+$", var.client_tls_cert_file))
    error_message = "client_tls_cert_file must be an absolute path of letters, digits, \"/\", \"_\", \".\" and \"-\"."
  }
}

variable "client_tls_key_file" {
  description = "Path of the private key of that certificate, PEM."
  type        = string
  default     = "/etc/pgbouncer/server.key"
  nullable    = false

  validation {
    condition     = can(regex("^/[A-Za-z0-9/_.-]+$", var.client_tls_key_file))
    error_message = "client_tls_key_file must be an absolute path of letters, digits, \"/\", \"_\", \".\" and \"-\"."
  }
}

variable "client_tls_ca_file" {
  description = "Path of the authority behind clients' certificates, PEM. Needed for `verify-full` only."
  type        = string
  default     = null

  validation {
    condition     = var.client_tls_ca_file == null ? true : can(regex("^/[A-Za-z0-9/_.-]+$", var.client_tls_ca_file))
    error_message = "client_tls_ca_file must be an absolute path of letters, digits, \"/\", \"_\", \".\" and \"-\"."
  }
}

variable "server_tls_sslmode" {
  description = "TLS between pgBouncer and PostgreSQL: `verify-full`, `verify-ca`, `require` (does not look at the server's certificate) or `disable`."
  type        = string
  default     = "verify-full"
  nullable    = false

  validation {
    condition     = contains(["verify-full", "verify-ca", "require", "disable"], var.server_tls_sslmode)
    error_message = "server_tls_sslmode must be verify-full, verify-ca, require or disable: allow and prefer give in to a server that stands between."
  }
}

variable "server_tls_ca_file" {
  description = "Path of the authority behind the server's certificate, PEM; for RDS its `global-bundle.pem`. Needed for `verify-full` and `verify-ca`."
  type        = string
  default     = null

  validation {
    condition     = var.server_tls_ca_file == null ? true : can(regex("^/[A-Za-z0-9/_.-]+$", var.server_tls_ca_file))
    error_message = "server_tls_ca_file must be an absolute path of letters, digits, \"/\", \"_\", \".\" and \"-\"."
  }
}

variable "instances" {
  description = "How many pgBouncers run with these files. They know nothing of each other, so each gets its part of a tenant's connections."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.instances >= 1 && floor(var.instances) == var.instances
    error_message = "instances must be a whole number from 1 on."
  }
}

variable "direct_connections" {
  description = "How many of each tenant's connections the pools leave free: for logins past pgBouncer (migrations, `pg_dump`), and for the moment in which an ended session still counts."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.direct_connections >= 0 && floor(var.direct_connections) == var.direct_connections
    error_message = "direct_connections must be a whole number from 0 on."
  }
}

variable "max_client_conn" {
  description = "How many clients, of all tenants together, one pgBouncer takes. It costs a file descriptor each, and one more for each server connection."
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = var.max_client_conn >= 1 && floor(var.max_client_conn) == var.max_client_conn
    error_message = "max_client_conn must be a whole number from 1 on."
  }
}

variable "query_timeout" {
  description = "Seconds after which pgBouncer cuts a query off, whatever the tenant has set; 0 is never. Default: the longest `statement_timeout` of all tenants, and `query_wait_timeout`, and 5 seconds; 0 if a tenant has no limit."
  type        = number
  default     = null

  validation {
    condition     = var.query_timeout == null ? true : var.query_timeout >= 0
    error_message = "query_timeout must not be negative."
  }
}

variable "query_wait_timeout" {
  description = "Seconds that a client waits for a free server connection before it is turned away."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.query_wait_timeout > 0
    error_message = "query_wait_timeout must be more than 0, which would let clients wait for ever."
  }
}

variable "idle_transaction_timeout" {
  description = "Seconds after which pgBouncer ends a client that sits idle in a transaction; 0 is never. Default: the longest `idle_in_transaction_session_timeout` of all tenants and 5 seconds; 0 if a tenant has no limit."
  type        = number
  default     = null

  validation {
    condition     = var.idle_transaction_timeout == null ? true : var.idle_transaction_timeout >= 0
    error_message = "idle_transaction_timeout must not be negative."
  }
}

variable "server_idle_timeout" {
  description = "Seconds after which an unused server connection is closed; 0 is never."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.server_idle_timeout >= 0
    error_message = "server_idle_timeout must not be negative."
  }
}

variable "server_lifetime" {
  description = "Seconds after which a server connection is replaced. Guardrails are read at login, so that this is how long changed ones take to hold everywhere."
  type        = number
  default     = 600
  nullable    = false

  validation {
    condition     = var.server_lifetime >= 0
    error_message = "server_lifetime must not be negative."
  }
}

variable "client_idle_timeout" {
  description = "Seconds after which a client that sends nothing is ended; 0 is never."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.client_idle_timeout >= 0
    error_message = "client_idle_timeout must not be negative."
  }
}

variable "client_login_timeout" {
  description = "Seconds that a client has to log in."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.client_login_timeout > 0
    error_message = "client_login_timeout must be more than 0."
  }
}

variable "server_login_retry" {
  description = "Seconds after a failed login to the server in which a pool's clients are refused without another attempt."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.server_login_retry > 0
    error_message = "server_login_retry must be more than 0."
  }
}

variable "server_reset_query" {
  description = "What is run on a server connection before another client gets it."
  type        = string
  default     = "DISCARD ALL"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_;' =.-]*$", var.server_reset_query))
    error_message = "server_reset_query must be SQL on one line."
  }
}

variable "server_reset_query_always" {
  description = "Whether it is run after every transaction. Without it, what one client has `SET`, an advisory lock or a temporary table stays for the next client of the same tenant. It costs a round trip to the server for each transaction."
  type        = bool
  default     = true
  nullable    = false
}

variable "ignore_startup_parameters" {
  description = "Startup parameters that clients may send and pgBouncer ignores. `options` is left out on purpose: it carries settings that a client would believe to hold."
  type        = set(string)
  default     = ["extra_float_digits"]
  nullable    = false

  validation {
    condition     = alltrue([for name in var.ignore_startup_parameters : can(regex("^[A-Za-z_.]+$", name))])
    error_message = "ignore_startup_parameters must be names of parameters."
  }
}
