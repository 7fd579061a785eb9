# The parameter groups. The cluster's holds what every instance must have alike; the instances' holds max_connections and
# temp_file_limit, which depend on memory and local disk, and stands above the cluster's where both set a parameter.
# What counts from a restart only has the apply method pending-reboot: AWS refuses immediate there. So immediate is for
# what is known to be dynamic, and only where it differs from the family's default: AWS does not keep a value that is the
# default already, so Terraform would plan it again for ever.

locals {
  major  = tonumber(split(".", var.engine_version)[0])
  family = "aurora-postgresql${local.major}"

  db_cluster_parameter_group_name = (
    var.create_db_cluster_parameter_group ? one(aws_rds_cluster_parameter_group.this[*].name) : var.db_cluster_parameter_group_name
  )
  db_parameter_group_name = var.create_db_parameter_group ? one(aws_db_parameter_group.this[*].name) : var.db_parameter_group_name

  libraries = sort(distinct(concat(
    ["pg_stat_statements", "pgaudit"],
    var.cron ? ["pg_cron"] : [],
    tolist(var.preload_libraries),
  )))

  # None of these needs a restart in any version that has it.
  dynamic_names = concat(tolist(setsubtract(keys(local.family_defaults), ["temp_file_limit"])), [
    "autovacuum_analyze_scale_factor", "autovacuum_naptime", "autovacuum_vacuum_cost_delay", "autovacuum_vacuum_cost_limit",
    "autovacuum_vacuum_insert_scale_factor", "autovacuum_vacuum_scale_factor", "autovacuum_vacuum_threshold",
    "default_statistics_target", "idle_in_transaction_session_timeout", "idle_session_timeout", "jit", "lock_timeout",
    "log_error_verbosity", "log_min_error_statement", "log_min_messages", "logical_decoding_work_mem", "maintenance_work_mem",
    "max_parallel_workers_per_gather", "pg_stat_statements.track", "pg_stat_statements.track_utility", "pgaudit.log",
    "pgaudit.log_catalog", "pgaudit.log_level", "pgaudit.log_parameter", "pgaudit.log_relation", "pgaudit.role",
    "random_page_cost", "synchronous_commit", "track_functions", "track_io_timing", "transaction_timeout", "work_mem",
  ])

  # PostgreSQL 18 made an enumeration of what was a switch, and RDS takes the words of the enumeration only.
  log_connections = local.major >= 18 ? "all" : "1"

  # Of what is set below or likely to be asked for, the families' own defaults. temp_file_limit is static on RDS.
  family_defaults = {
    autovacuum                  = "1"
    deadlock_timeout            = "1000"
    log_autovacuum_min_duration = "10000"
    log_connections             = local.major >= 18 ? "" : "0"
    log_disconnections          = "0"
    log_lock_waits              = "0"
    log_min_duration_statement  = "-1"
    log_statement               = "none"
    log_temp_files              = "-1"
    statement_timeout           = "0"
    temp_file_limit             = "-1"
  }

  cluster_parameters = merge(
    {
      shared_preload_libraries = join(",", local.libraries)
      "pgaudit.log"            = length(var.pgaudit_log) == 0 ? "none" : join(",", sort(var.pgaudit_log))
      "pgaudit.role"           = "rds_pgaudit"
      # Who came and went, from where.
      log_connections    = local.log_connections
      log_disconnections = "1"
      # Who waits for whom.
      log_lock_waits              = "1"
      log_min_duration_statement  = tostring(var.log_min_duration_ms)
      log_autovacuum_min_duration = "1000"
      # In kilobytes: sorts and hashes that did not fit into memory.
      log_temp_files  = "10240"
      track_io_timing = "1"
    },
    var.logical_replication ? { "rds.logical_replication" = "1" } : {},
    var.cron ? {
      "cron.database_name" = var.cron_database
      # A job then needs no connection, and no password in a file; but a free background worker, which tenants' parallel
      # queries can hold. The watchdog's refresh tells when it did not run.
      "cron.use_background_workers" = "1"
    } : {},
    var.parameters,
  )

  instance_parameters = merge(
    {
      max_connections = tostring(var.max_connections)
      temp_file_limit = tostring(var.temp_file_limit_mb == -1 ? -1 : var.temp_file_limit_mb * 1024)
    },
    var.reserved_connections == null ? {} : { reserved_connections = tostring(var.reserved_connections) },
    var.instance_parameters,
  )

  apply_methods = { for name in local.dynamic_names : name => "immediate" }
}

resource "aws_rds_cluster_parameter_group" "this" {
  count = var.create && var.create_db_cluster_parameter_group ? 1 : 0

  name_prefix = "${var.identifier}-${local.family}-"
  family      = local.family
  description = "Tenants of ${var.identifier}"
  tags        = var.tags

  # TLS for everybody. Not every family has it on by default.
  parameter {
    name         = "rds.force_ssl"
    value        = "1"
    apply_method = "pending-reboot"
  }

  dynamic "parameter" {
    for_each = { for name, value in local.cluster_parameters : name => value if lookup(local.family_defaults, name, null) != value }
    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = lookup(local.apply_methods, parameter.key, "pending-reboot")
    }
  }

  lifecycle {
    # A group in use cannot be deleted: the new one first.
    create_before_destroy = true

    precondition {
      condition     = local.major < 18 || contains(["all", "authentication", "authorization", "receipt", "setup_durations"], local.cluster_parameters.log_connections)
      error_message = "From PostgreSQL 18 on RDS takes receipt, authentication, authorization, setup_durations or all for log_connections."
    }
  }
}

resource "aws_db_parameter_group" "this" {
  count = var.create && var.create_db_parameter_group ? 1 : 0

  name_prefix = "${var.identifier}-${local.family}-"
  family      = local.family
  description = "Instances of ${var.identifier}"
  tags        = var.tags

  dynamic "parameter" {
    for_each = { for name, value in local.instance_parameters : name => value if lookup(local.family_defaults, name, null) != value }
    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = lookup(local.apply_methods, parameter.key, "pending-reboot")
    }
  }

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = local.kept_connections - 3 <= var.max_connections / 4
      error_message = "reserved_connections must be a quarter of max_connections at most: the rest is for tenants."
    }
  }
}
