# The parameter group. What counts from a restart only has the apply method pending-reboot: AWS refuses immediate
# there, and pending-reboot nowhere. So immediate is for what is known to be dynamic, and only where it differs from
# the family's default: AWS does not keep a value that is the default already, so Terraform would plan it again for ever.

locals {
  major  = tonumber(split(".", var.engine_version)[0])
  family = "postgres${local.major}"

  libraries = sort(distinct(concat(
    ["pg_stat_statements", "pgaudit"],
    var.cron ? ["pg_cron"] : [],
    tolist(var.preload_libraries),
  )))

  # None of these needs a restart in any version that has it.
  dynamic_names = concat(keys(local.family_defaults), [
    "auto_explain.log_analyze", "auto_explain.log_buffers", "auto_explain.log_min_duration", "autovacuum_analyze_scale_factor",
    "autovacuum_analyze_threshold", "autovacuum_naptime", "autovacuum_vacuum_cost_delay", "autovacuum_vacuum_cost_limit",
    "autovacuum_vacuum_insert_scale_factor", "autovacuum_vacuum_insert_threshold", "autovacuum_vacuum_scale_factor",
    "autovacuum_vacuum_threshold", "autovacuum_work_mem", "checkpoint_completion_target", "checkpoint_timeout",
    "default_statistics_target", "effective_cache_size", "effective_io_concurrency", "hash_mem_multiplier",
    "hot_standby_feedback", "idle_in_transaction_session_timeout", "idle_session_timeout", "jit", "lock_timeout",
    "log_error_verbosity", "log_min_error_statement", "log_min_messages", "logical_decoding_work_mem", "maintenance_work_mem",
    "max_parallel_maintenance_workers", "max_parallel_workers", "max_parallel_workers_per_gather", "max_slot_wal_keep_size",
    "max_standby_archive_delay", "max_standby_streaming_delay", "max_wal_size", "min_wal_size", "pg_stat_statements.track",
    "pg_stat_statements.track_utility", "pgaudit.log_catalog", "pgaudit.log_level", "pgaudit.log_parameter",
    "pgaudit.log_relation", "pgaudit.log_statement_once", "random_page_cost", "seq_page_cost", "synchronous_commit",
    "tcp_keepalives_count", "tcp_keepalives_idle", "tcp_keepalives_interval", "track_functions", "track_io_timing",
    "transaction_timeout", "vacuum_cost_delay", "vacuum_cost_limit", "wal_compression", "wal_sender_timeout", "work_mem",
  ])

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
    { for name, value in var.parameters : name => value if !contains(local.dynamic_names, name) },
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
      { for name, value in var.parameters : name => value if contains(local.dynamic_names, name) },
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
