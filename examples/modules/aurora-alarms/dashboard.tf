# One row for each risk: a heading that says what it is and what to do, and its metrics to its right.
locals {
  of_the_writer  = ["DBClusterIdentifier", var.cluster_identifier, "Role", "WRITER"]
  of_the_readers = ["DBClusterIdentifier", var.cluster_identifier, "Role", "READER"]

  # The writer's, and with readers theirs: typed by JSON below, because Terraform's lists hold one type.
  by_role = { for metric in ["CPUUtilization", "DatabaseConnections", "DBLoad"] : metric => concat(
    [concat(["AWS/RDS", metric], local.of_the_writer)],
    var.readers ? [concat(["AWS/RDS", metric], local.of_the_readers)] : [],
  ) }

  # Metrics of the module rds-log-metrics, where it exists.
  log = { for name in [
    "role_connection_limit", "database_connection_limit", "slots_reserved", "too_many_clients", "statement_timeout",
    "transaction_timeout", "temp_file_limit", "slow_statement", "deadlock", "lock_timeout", "lock_wait",
    "idle_in_transaction_timeout", "wraparound_vacuum", "failed_login", "permission_denied", "login_not_permitted",
  ] : name => var.log_metrics_namespace == null ? [] : [[var.log_metrics_namespace, name, { stat = "Sum" }]] }

  # Counters of Performance Insights, of each instance.
  insight = { for name, insight in local.insights : name => [
    for instance, resource_id in var.instance_resource_ids :
    [{ expression = "DB_PERF_INSIGHTS('RDS', '${resource_id}', '${insight.counter}')", label = instance, id = "q_${name}_${index(keys(var.instance_resource_ids), instance)}" }]
  ] }

  rows = [
    {
      risk = "Connection exhaustion", then = "Lower a tenant's `connection_limit`, or pool with pgBouncer. `pgtenant_capacity` says who holds how many."
      widgets = [
        { title = "Connections", lines = [var.connections_for_tenants, local.connections], metrics = local.by_role.DatabaseConnections },
        { title = "Refused", lines = [], metrics = concat(local.log.role_connection_limit, local.log.database_connection_limit, local.log.slots_reserved, local.log.too_many_clients) },
      ]
    },
    {
      risk = "Runaway queries", then = "Lower `statement_timeout` of the tenant that `pgtenant_signals` names, or suspend it."
      widgets = [
        { title = "CPU, per cent", lines = [var.thresholds.cpu_percent], metrics = local.by_role.CPUUtilization },
        { title = "Capacity, per cent", lines = [var.thresholds.capacity_percent], metrics = local.is_serverless ? [concat(["AWS/RDS", "ACUUtilization"], local.of_the_writer)] : [] },
        { title = "CPU credits", lines = [var.thresholds.cpu_credits], metrics = local.is_burstable ? [concat(["AWS/RDS", "CPUCreditBalance"], local.of_the_writer)] : [] },
        { title = "Active sessions", lines = [local.of_writer.db_load.threshold], metrics = local.by_role.DBLoad },
        { title = "Ended or slow", lines = [], metrics = concat(local.log.statement_timeout, local.log.transaction_timeout, local.log.temp_file_limit, local.log.slow_statement) },
      ]
    },
    {
      risk = "Locks and long transactions", then = "`pgtenant_signals` names the blocking tenant and the oldest transaction; the watchdog ends what exceeds its limits."
      widgets = [
        { title = "Deadlocks per second", lines = [local.of_writer.deadlocks.threshold], metrics = [concat(["AWS/RDS", "Deadlocks"], local.of_the_writer)] },
        { title = "Blocked transactions", lines = [var.thresholds.blocked_transactions], metrics = local.insight.blocked_transactions },
        { title = "Longest idle in transaction, s", lines = [var.thresholds.idle_in_transaction_seconds], metrics = local.insight.idle_in_transaction },
        { title = "Said in the log", lines = [], metrics = concat(local.log.deadlock, local.log.lock_timeout, local.log.lock_wait, local.log.idle_in_transaction_timeout) },
      ]
    },
    {
      risk = "Memory", then = "Lower `work_mem` and connections of the tenants, or take a larger class."
      widgets = [
        { title = "Freeable memory, bytes", lines = [local.of_writer.freeable_memory.threshold], metrics = [concat(["AWS/RDS", "FreeableMemory"], local.of_the_writer)] },
        { title = "Read from memory, per cent", lines = [var.thresholds.cache_hit_percent], metrics = [concat(["AWS/RDS", "BufferCacheHitRatio"], local.of_the_writer)] },
      ]
    },
    {
      risk = "I/O", then = "Find the tenant with the most reads in `pgtenant_signals`. The volume has no limit of IOPS, and AWS bills each I/O unless the storage is I/O-Optimized."
      widgets = [
        { title = "Reads p90, s", lines = [var.thresholds.latency_seconds], metrics = [concat(["AWS/RDS", "ReadLatency"], local.of_the_writer, [{ stat = "p90" }])] },
        { title = "Commits, ms", lines = [var.thresholds.commit_latency_ms], metrics = [concat(["AWS/RDS", "CommitLatency"], local.of_the_writer)] },
      ]
    },
    {
      risk = "Storage growth", then = "Find the tenant that grows (`pgtenant_signals`, `size_bytes`), and drop slots that nobody reads."
      widgets = [
        { title = "Volume, bytes", lines = [local.of_writer.volume.threshold], metrics = [["AWS/RDS", "VolumeBytesUsed", "DBClusterIdentifier", var.cluster_identifier, { period = 3600 }]] },
        { title = "Free local storage, bytes", lines = [local.of_local_disk.local_storage.threshold], metrics = local.is_serverless ? [] : [concat(["AWS/RDS", "FreeLocalStorage"], local.of_the_writer)] },
        { title = "WAL, bytes", lines = [local.of_writer.wal_usage.threshold], metrics = [concat(["AWS/RDS", "TransactionLogsDiskUsage"], local.of_the_writer)] },
      ]
    },
    {
      risk = "Autovacuum and bloat", then = "End old transactions first, on readers too. Bloat is in no metric: `pgtenant_signals` with `deep = true` names the tables."
      widgets = [
        { title = "Used transaction IDs", lines = [var.thresholds.transaction_ids], metrics = [concat(["AWS/RDS", "MaximumUsedTransactionIDs"], local.of_the_writer)] },
        { title = "Vacuums against wraparound", lines = [], metrics = local.log.wraparound_vacuum },
      ]
    },
    {
      risk = "Replication lag", then = "Look for long queries on the reader."
      widgets = [
        { title = "Lag, ms", lines = [var.thresholds.replica_lag_ms], metrics = var.readers ? [concat(["AWS/RDS", "AuroraReplicaLag"], local.of_the_readers, [{ stat = "Maximum" }])] : [] },
      ]
    },
    {
      risk = "Access", then = "The saved query `refused by tenant` names roles and objects."
      widgets = [
        { title = "Refused", lines = [], metrics = concat(local.log.failed_login, local.log.permission_denied, local.log.login_not_permitted) },
      ]
    },
  ]
}

module "dashboard" {
  source = "../alarm-dashboard"

  title       = var.cluster_identifier
  alarm_names = values(local.alarm_names)
  rows        = local.rows
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.create_dashboard ? 1 : 0

  dashboard_name = "${local.prefix}risks"
  dashboard_body = module.dashboard.body
}
