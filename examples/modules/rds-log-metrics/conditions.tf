# What is counted, as data. `all` must be in the line, `none` must not. PostgreSQL's messages, in English: the
# same from 13 to 18 as far as they are written here, and no further.
locals {
  # Messages that repeat the text of statements, which may hold anything: also the words of another condition.
  quoting = ["]:STATEMENT:", "]:DETAIL:", "]:CONTEXT:", "]:QUERY:", "]:HINT:"]
  # A slow or audited statement is repeated as LOG.
  not_error = concat(local.quoting, ["]:LOG:"])

  conditions = {
    statement_timeout = {
      all         = ["ERROR:", "canceling statement due to statement timeout"]
      none        = local.not_error
      description = "A statement ran longer than statement_timeout."
    }
    lock_timeout = {
      all         = ["ERROR:", "canceling statement due to lock timeout"]
      none        = local.not_error
      description = "A statement waited for a lock longer than lock_timeout."
    }
    idle_in_transaction_timeout = {
      all         = ["FATAL:", "terminating connection due to idle-in-transaction timeout"]
      none        = local.not_error
      description = "A session was idle in a transaction longer than idle_in_transaction_session_timeout."
    }
    idle_session_timeout = {
      all         = ["FATAL:", "terminating connection due to idle-session timeout"]
      none        = local.not_error
      description = "A session was idle longer than idle_session_timeout (PostgreSQL 14 and newer)."
    }
    transaction_timeout = {
      all         = ["FATAL:", "terminating connection due to transaction timeout"]
      none        = local.not_error
      description = "A transaction ran longer than transaction_timeout (PostgreSQL 17 and newer)."
    }
    role_connection_limit = {
      all         = ["FATAL:", "too many connections for role"]
      none        = local.not_error
      description = "A role was at its CONNECTION LIMIT."
    }
    database_connection_limit = {
      all         = ["FATAL:", "too many connections for database"]
      none        = local.not_error
      description = "A database was at its CONNECTION LIMIT."
    }
    slots_reserved = {
      all         = ["FATAL:", "remaining connection slots are reserved"]
      none        = local.not_error
      description = "Only reserved connection slots were left: tenants are locked out."
    }
    too_many_clients = {
      all         = ["FATAL:", "sorry, too many clients already"]
      none        = local.not_error
      description = "All of max_connections were taken, the reserved ones too."
    }
    deadlock = {
      all         = ["ERROR:", "deadlock detected"]
      none        = local.not_error
      description = "PostgreSQL ended a transaction to resolve a deadlock."
    }
    lock_wait = {
      all         = ["]:LOG:", "still waiting for"]
      none        = concat(local.quoting, ["duration:", "AUDIT:"])
      description = "A session waited for a lock longer than deadlock_timeout (needs log_lock_waits)."
    }
    # Said as ERROR of objects and as FATAL of databases, and two levels in one pattern would be a third filter.
    permission_denied = {
      all         = ["permission denied for"]
      none        = local.not_error
      description = "A role reached for an object or a database that it has no privilege on."
    }
    failed_login = {
      all         = ["FATAL:", "authentication failed for user"]
      none        = local.not_error
      description = "A login failed: a wrong password, an unknown role, or an IAM token that was refused (PAM)."
    }
    login_not_permitted = {
      all         = ["FATAL:", "is not permitted to log in"]
      none        = local.not_error
      description = "The role of a suspended tenant tried to log in, with the right password."
    }
    temp_file_limit = {
      all         = ["ERROR:", "temporary file size exceeds"]
      none        = local.not_error
      description = "A statement spilled more to disk than temp_file_limit allows."
    }
    slow_statement = {
      all         = ["]:LOG:", "duration:"]
      none        = local.quoting
      description = "A statement took longer than log_min_duration_statement; said when it ends, not while it runs."
    }
    wraparound_vacuum = {
      all         = ["LOG:", "automatic", "vacuum to prevent wraparound of table"]
      none        = concat(local.quoting, ["duration:", "AUDIT:"])
      description = "Autovacuum had to freeze a table whose age passed autovacuum_freeze_max_age; the table's name begins with its database."
    }
  }

  # Quotes and backslashes occur in no phrase, so the quoting is plain.
  patterns = {
    for name, condition in local.conditions :
    name => join(" ", concat([for phrase in condition.all : "\"${phrase}\""], [for phrase in condition.none : "-\"${phrase}\""]))
  }

  # Autovacuum runs as nobody: its lines carry no role and no database before the level.
  tenant_patterns = { for name, pattern in local.patterns : name => pattern if name != "wraparound_vacuum" }
}
