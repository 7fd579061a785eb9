# The parameter group. What counts from a restart only has the apply method pending-reboot: AWS refuses
# immediate there. The others have immediate, and only where they differ from the family's default: AWS does
# not keep a value that is the default already, so Terraform would plan it again for ever.

locals {
  major  = tonumber(split(".", var.engine_version)[0])
  family = "postgres${local.major}"

  libraries = sort(distinct(concat(
    ["pg_stat_statements", "pgaudit"],
    var.cron ? ["pg_cron"] : [],
    tolist(var.preload_libraries),
  )))

  static_names = [
    "autovacuum_freeze_max_age", "autovacuum_max_workers", "autovacuum_multixact_freeze_max_age", "huge_pages",
    "max_files_per_process", "max_locks_per_transaction", "max_logical_replication_workers", "max_pred_locks_per_transaction",
    "max_prepared_transactions", "max_replication_slots", "max_wal_senders", "max_worker_processes",
    "rds.logical_replication", "rds.restrict_password_commands", "shared_buffers", "superuser_reserved_connections",
    "track_activity_query_size", "track_commit_timestamp", "wal_buffers",
  ]

  # Of the dynamic parameters that are set below or likely to be asked for, RDS's own defaults.
  family_defaults = {
    autovacuum                  = "1"
    deadlock_timeout            = "1000"
    log_autovacuum_min_duration = "10000"
    log_checkpoints             = "1"
    log_connections             = "0"
    log_disconnections          = "0"
    log_lock_waits              = "0"
    log_min_duration_statement  = "-1"
    log_statement               = "none"
    log_temp_files              = "-1"
    statement_timeout           = "0"
    temp_file_limit             = "-1"
  }

  static = merge(
    {
      max_connections          = tostring(var.max_connections)
      shared_preload_libraries = join(",", local.libraries)
    },
    local.major >= 16 ? { reserved_connections = tostring(var.reserved_connections) } : {},
    var.cron ? {
      "cron.database_name" = var.cron_database
      # A job then needs no connection, and no password in a file; but a free background worker, which tenants' parallel
      # queries can hold. The watchdog's refresh tells when it did not run.
      "cron.use_background_workers" = "1"
    } : {},
    { for name, value in var.parameters : name => value if contains(local.static_names, name) },
  )

  dynamic = {
    for name, value in merge(
      {
        "pgaudit.log"  = length(var.pgaudit_log) == 0 ? "none" : join(",", sort(var.pgaudit_log))
        "pgaudit.role" = "rds_pgaudit"
        # Who came and went, from where.
        log_connections    = "1"
        log_disconnections = "1"
        # Who waits for whom.
        log_lock_waits              = "1"
        log_min_duration_statement  = tostring(var.log_min_duration_ms)
        log_autovacuum_min_duration = "1000"
        # In kilobytes: sorts and hashes that did not fit into memory.
        log_temp_files  = "10240"
        temp_file_limit = tostring(var.temp_file_limit_mb == -1 ? -1 : var.temp_file_limit_mb * 1024)
        track_io_timing = "1"
      },
      { for name, value in var.parameters : name => value if !contains(local.static_names, name) },
    ) : name => value if lookup(local.family_defaults, name, null) != value
  }
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.identifier}-${local.family}-"
  family      = local.family
  description = "Tenants of ${var.identifier}"
  tags        = var.tags

  # TLS for everybody. The default from PostgreSQL 15 on; stated, so that it can be seen to be so.
  parameter {
    name         = "rds.force_ssl"
    value        = "1"
    apply_method = "pending-reboot"
  }

  dynamic "parameter" {
    for_each = local.static
    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "pending-reboot"
    }
  }

  dynamic "parameter" {
    for_each = local.dynamic
    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "immediate"
    }
  }

  lifecycle {
    # A group in use cannot be deleted: the new one first.
    create_before_destroy = true

    precondition {
      condition     = var.reserved_connections <= var.max_connections / 4
      error_message = "reserved_connections must be a quarter of max_connections at most: the rest is for tenants."
    }
  }
}
