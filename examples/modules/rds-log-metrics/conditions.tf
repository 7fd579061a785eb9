# What is counted, as data. PostgreSQL's messages, in English: the same from 13 to 18 as far as they are written here, and
# no further.
locals {
  # Messages that repeat the text of statements, which may hold anything: also the words of another condition.
  quoting = ["]:STATEMENT:", "]:DETAIL:", "]:CONTEXT:", "]:QUERY:", "]:HINT:"]
  # A slow or audited statement is repeated as LOG.
  not_error = concat(local.quoting, ["]:LOG:"])
  not_said  = concat(local.quoting, ["duration:", "AUDIT:"])

  # `all` must be in the line, `none` must not. `levels` and `text` say the same of a line that is taken apart: the text matches
  # each of `text`, in which * stands for anything. Conditions without `text` are never counted by role: autovacuum has none, and
  # before a client is authenticated the role is whatever the client says.
  messages = {
    statement_timeout = {
      all         = ["ERROR:", "canceling statement due to statement timeout"]
      none        = local.not_error
      levels      = ["ERROR"]
      text        = ["canceling statement due to statement timeout*"]
      description = "A statement ran longer than statement_timeout."
    }
    lock_timeout = {
      all         = ["ERROR:", "canceling statement due to lock timeout"]
      none        = local.not_error
      levels      = ["ERROR"]
      text        = ["canceling statement due to lock timeout*"]
      description = "A statement waited for a lock longer than lock_timeout."
    }
    idle_in_transaction_timeout = {
      all         = ["FATAL:", "terminating connection due to idle-in-transaction timeout"]
      none        = local.not_error
      levels      = ["FATAL"]
      text        = ["terminating connection due to idle-in-transaction timeout*"]
      description = "A session was idle in a transaction longer than idle_in_transaction_session_timeout."
    }
    idle_session_timeout = {
      all         = ["FATAL:", "terminating connection due to idle-session timeout"]
      none        = local.not_error
      levels      = ["FATAL"]
      text        = ["terminating connection due to idle-session timeout*"]
      description = "A session was idle longer than idle_session_timeout (PostgreSQL 14 and newer)."
    }
    transaction_timeout = {
      all         = ["FATAL:", "terminating connection due to transaction timeout"]
      none        = local.not_error
      levels      = ["FATAL"]
      text        = ["terminating connection due to transaction timeout*"]
      description = "A transaction ran longer than transaction_timeout (PostgreSQL 17 and newer)."
    }
    role_connection_limit = {
      all         = ["FATAL:", "too many connections for role"]
      none        = local.not_error
      levels      = ["FATAL"]
      text        = ["too many connections for role*"]
      description = "A role was at its CONNECTION LIMIT."
    }
    database_connection_limit = {
      all         = ["FATAL:", "too many connections for database"]
      none        = local.not_error
      levels      = ["FATAL"]
      text        = ["too many connections for database*"]
      description = "A database was at its CONNECTION LIMIT."
    }
    slots_reserved = {
      all         = ["FATAL:", "remaining connection slots are reserved"]
      none        = local.not_error
      levels      = ["FATAL"]
      text        = ["remaining connection slots are reserved*"]
      description = "Only reserved connection slots were left: tenants are locked out."
    }
    too_many_clients = {
      all         = ["FATAL:", "sorry, too many clients already"]
      none        = local.not_error
      levels      = ["FATAL"]
      text        = []
      description = "All of max_connections were taken, the reserved ones too."
    }
    deadlock = {
      all         = ["ERROR:", "deadlock detected"]
      none        = local.not_error
      levels      = ["ERROR"]
      text        = ["deadlock detected*"]
      description = "PostgreSQL ended a transaction to resolve a deadlock."
    }
    lock_wait = {
      all         = ["]:LOG:", "still waiting for"]
      none        = local.not_said
      levels      = ["LOG"]
      text        = ["process *", "*still waiting for*"]
      description = "A session waited for a lock longer than deadlock_timeout (needs log_lock_waits)."
    }
    # Said as ERROR of objects and as FATAL of databases, and two levels in one pattern would be a third filter.
    permission_denied = {
      all         = ["permission denied for"]
      none        = local.not_error
      levels      = ["ERROR", "FATAL"]
      text        = ["permission denied for*"]
      description = "A role reached for an object or a database that it has no privilege on."
    }
    failed_login = {
      all         = ["FATAL:", "authentication failed for user"]
      none        = local.not_error
      levels      = ["FATAL"]
      text        = []
      description = "A login failed: a wrong password, an unknown role, or an IAM token that was refused (PAM)."
    }
    login_not_permitted = {
      all         = ["FATAL:", "is not permitted to log in"]
      none        = local.not_error
      levels      = ["FATAL"]
      text        = ["role *", "*is not permitted to log in*"]
      description = "The role of a suspended tenant tried to log in, with the right password."
    }
    temp_file_limit = {
      all         = ["ERROR:", "temporary file size exceeds"]
      none        = local.not_error
      levels      = ["ERROR"]
      text        = ["temporary file size exceeds*"]
      description = "A statement spilled more to disk than temp_file_limit allows."
    }
    slow_statement = {
      all         = ["]:LOG:", "duration:"]
      none        = local.quoting
      levels      = ["LOG"]
      text        = ["duration:*"]
      description = "A statement took longer than log_min_duration_statement; said when it ends, not while it runs."
    }
    wraparound_vacuum = {
      all         = ["LOG:", "automatic", "vacuum to prevent wraparound of table"]
      none        = local.not_said
      levels      = ["LOG"]
      text        = []
      description = "Autovacuum froze a table whose age passed autovacuum_freeze_max_age, which is routine; the table's name begins with its database."
    }
  }

  # Lines of pgtenant_watchdog. `signal` is null where any will do. Of the words no one begins another.
  watchdog = {
    long_statement = {
      event       = "over"
      signal      = "statement"
      description = "A statement has been running for longer than `report` of pgtenant_watchdog allows. Seconds."
    }
    long_transaction = {
      event       = "over"
      signal      = "transaction"
      description = "A transaction has been open for longer than `report` of pgtenant_watchdog allows. Seconds."
    }
    long_lock_wait = {
      event       = "over"
      signal      = "lock_wait"
      description = "A session has been waiting for a lock for longer than `report` of pgtenant_watchdog allows. Seconds."
    }
    connections_near_limit = {
      event       = "over"
      signal      = "connections"
      description = "A tenant uses more of its CONNECTION LIMIT than `report` of pgtenant_watchdog allows. Per cent."
    }
    database_age = {
      event       = "over"
      signal      = "database_age"
      description = "Vacuuming is behind: the age of a database's oldest transaction ID is above `report` of pgtenant_watchdog. Transactions."
    }
    xmin_age = {
      event       = "over"
      signal      = "xmin_age"
      description = "Dead rows pile up in every database: a session, a prepared transaction or a replication slot holds a snapshot older than `report` of pgtenant_watchdog allows. Transactions."
    }
    ended_by_watchdog = {
      event       = "ended"
      signal      = null
      description = "pgtenant_watchdog ended a session that was beyond its limits. Seconds."
    }
    watchdog_failed = {
      event       = "failed"
      signal      = null
      description = "pgtenant_watchdog could not end a session, or take back a setting; the table pgtenant_watchdog.actions has the SQLSTATE."
    }
  }

  conditions = merge(local.messages, {
    for name, line in local.watchdog : name => {
      all         = ["]:LOG:", join(" ", compact(["pgtenant_watchdog:", line.event, line.signal]))]
      none        = local.not_said
      description = line.description
    }
  })

  # Quotes and backslashes occur in no phrase, so the quoting is plain.
  patterns = {
    for name, condition in local.conditions :
    name => join(" ", concat([for phrase in condition.all : "\"${phrase}\""], [for phrase in condition.none : "-\"${phrase}\""]))
  }

  # Fields of a transformed line. The first three are as AWS documents them for ParsePostgres; no AWS account has confirmed them.
  field_role  = "userName"
  field_level = "logLevel"
  field_text  = "text"

  role_patterns = {
    for name, message in local.messages : name => format("{ (%s) && (%s) }",
      join(" || ", [for level in message.levels : "$.${local.field_level} = \"${level}\""]),
      join(") && (", [for text in message.text : "$.${local.field_text} = \"${text}\""]),
    ) if length(message.text) > 0
  }

  # The nine words of a line of the watchdog, the last of its fields in both lists. What a pattern calls a field may be a dimension.
  watchdog_patterns = {
    for name, line in local.watchdog : name => format(
      "[..., head = \"pgtenant_watchdog:\", event = \"%s\", %s, tenant, value, limit, role, database, pid]",
      line.event, line.signal == null ? "signal" : "signal = \"${line.signal}\"",
    )
  }
}
