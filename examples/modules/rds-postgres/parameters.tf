# The parameter group. parameters.json says what RDS takes: which parameters a family has, with which values, and which
# are static. What is static, or not known to be dynamic, has the apply method pending-reboot: AWS refuses immediate
# there, and pending-reboot nowhere. A value that is the family's default already is left out: AWS does not keep it, so
# Terraform would plan it again for ever.

locals {
  major  = tonumber(split(".", var.engine_version)[0])
  family = "postgres${local.major}"

  table = jsondecode(file("${path.module}/parameters.json")).parameters

  # The rows of this family, by name.
  known = { for row in local.table : row.name => row if try(row.from, 13) <= local.major && local.major <= try(row.to, 18) }

  # A formula of AWS, as {DBInstanceClassMemory/32768}, is not looked into.
  taken = {
    for name, value in var.parameters : name => anytrue([
      strcontains(value, "{"),
      value == try(local.known[name].default, null),
      local.known[name].type == "string",
      try(alltrue([for item in(local.known[name].type == "list" ? split(",", value) : [value]) : contains(local.known[name].values, item)]), false),
      try(alltrue([
        tonumber(value) >= local.known[name].min,
        tonumber(value) <= try(local.known[name].max, tonumber(value)),
        local.known[name].type == "real" || floor(tonumber(value)) == tonumber(value),
      ]), false),
    ]) if contains(keys(local.known), name)
  }

  # Of var.parameters, what RDS refuses, and why.
  refused_parameters = merge(
    {
      for name in keys(var.parameters) : name => "${local.family} does not have it"
      if contains(local.table[*].name, name) && !contains(keys(local.known), name)
    },
    {
      for name, taken in local.taken : name => "it takes ${try(
        join(", ", local.known[name].values),
        "${local.known[name].type == "integer" ? "whole numbers" : "numbers"} from ${local.known[name].min} to ${local.known[name].max}",
        "numbers from ${local.known[name].min}",
      )}" if !taken
    },
  )

  libraries = sort(distinct(concat(
    ["pg_stat_statements", "pgaudit"],
    var.cron ? ["pg_cron"] : [],
    tolist(var.preload_libraries),
  )))

  wanted_parameters = merge(
    {
      max_connections          = tostring(var.max_connections)
      shared_preload_libraries = join(",", local.libraries)
      "pgaudit.log"            = length(var.pgaudit_log) == 0 ? "none" : join(",", sort(var.pgaudit_log))
      "pgaudit.role"           = "rds_pgaudit"
      # Who came and went, from where. Until 17 it is 0 or 1, from 18 on the steps of a login.
      log_connections    = local.major >= 18 ? "all" : "1"
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
    local.major >= 16 && var.reserved_connections != null ? { reserved_connections = tostring(var.reserved_connections) } : {},
    var.cron ? {
      "cron.database_name" = var.cron_database
      # A job then needs no connection, and no password in a file; but a free background worker, which tenants' parallel
      # queries can hold. The watchdog's refresh tells when it did not run.
      "cron.use_background_workers" = "1"
    } : {},
    var.parameters,
  )

  parameters = {
    for name, value in local.wanted_parameters : name => {
      value        = value
      apply_method = try(local.known[name].apply, "static") == "dynamic" ? "immediate" : "pending-reboot"
    } if value != try(local.known[name].default, null)
  }

  parameter_group_name = var.create_db_parameter_group ? one(aws_db_parameter_group.this[*].name) : var.parameter_group_name
}

resource "aws_db_parameter_group" "this" {
  count = var.create && var.create_db_parameter_group ? 1 : 0

  name        = var.parameter_group_use_name_prefix ? null : "${var.identifier}-${local.family}"
  name_prefix = var.parameter_group_use_name_prefix ? "${var.identifier}-${local.family}-" : null
  family      = local.family
  description = "Tenants of ${var.identifier}"
  tags        = merge(var.tags, var.db_parameter_group_tags)

  # TLS for everybody. The default from PostgreSQL 15 on; stated, so that it can be seen to be so.
  parameter {
    name         = "rds.force_ssl"
    value        = "1"
    apply_method = "pending-reboot"
  }

  dynamic "parameter" {
    for_each = local.parameters
    content {
      name         = parameter.key
      value        = parameter.value.value
      apply_method = parameter.value.apply_method
    }
  }

  lifecycle {
    # A group in use cannot be deleted: the new one first.
    create_before_destroy = true

    precondition {
      condition     = length(local.refused_parameters) == 0
      error_message = "RDS refuses these parameters: ${join("; ", [for name, why in local.refused_parameters : "${name} = ${var.parameters[name]}, ${why}"])}."
    }
  }
}
