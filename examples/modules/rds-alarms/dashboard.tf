# One row for each risk: a heading that says what it is and what to do, and its metrics to its right.
locals {
  instance = ["DBInstanceIdentifier", var.db_instance_identifier]

  # Metrics of the module rds-log-metrics, where it exists.
  log = { for name in [
    "role_connection_limit", "database_connection_limit", "slots_reserved", "too_many_clients", "statement_timeout",
    "transaction_timeout", "temp_file_limit", "slow_statement", "deadlock", "lock_timeout", "lock_wait",
    "idle_in_transaction_timeout", "wraparound_vacuum", "failed_login", "permission_denied", "login_not_permitted",
  ] : name => var.log_metrics_namespace == null ? [] : [[var.log_metrics_namespace, name, { stat = "Sum" }]] }

  # Counters of Performance Insights.
  insight = {
    for name, counter in {
      deadlocks            = "db.Concurrency.deadlocks.avg"
      blocked_transactions = "db.Transactions.blocked_transactions.avg"
      idle_in_transaction  = "db.state.idle_in_transaction_max_time.avg"
      storage              = "os.fileSys.total.avg"
      } : name => var.performance_insights ? [
      [{ expression = "DB_PERF_INSIGHTS('RDS', '${var.resource_id}', '${counter}')", label = counter, id = "q_${name}" }]
    ] : []
  }

  # Metrics in a list are strings and objects: typed by JSON, because Terraform's lists hold one type.
  rows = [
    {
      risk = "Connection exhaustion", then = "Lower a tenant's `connection_limit`, or pool with pgBouncer. `pgtenant_capacity` says who holds how many."
      widgets = [
        { title = "Connections", lines = [local.connections, local.signals.connections.threshold], metrics = [concat(["AWS/RDS", "DatabaseConnections"], local.instance)] },
        { title = "Refused", lines = [], metrics = concat(local.log.role_connection_limit, local.log.database_connection_limit, local.log.slots_reserved, local.log.too_many_clients) },
      ]
    },
    {
      risk = "Runaway queries", then = "Lower `statement_timeout` of the tenant that `pgtenant_signals` names, or suspend it."
      widgets = [
        { title = "CPU, per cent", lines = [local.signals.cpu.threshold], metrics = [concat(["AWS/RDS", "CPUUtilization"], local.instance)] },
        { title = "CPU credits", lines = [], metrics = local.burstable == null ? [] : [concat(["AWS/RDS", "CPUCreditBalance"], local.instance)] },
        { title = "Active sessions", lines = [local.signals.db_load.threshold], metrics = [concat(["AWS/RDS", "DBLoad"], local.instance), concat(["AWS/RDS", "DBLoadCPU"], local.instance)] },
        { title = "Ended or slow", lines = [], metrics = concat(local.log.statement_timeout, local.log.transaction_timeout, local.log.temp_file_limit, local.log.slow_statement) },
      ]
    },
    {
      risk = "Locks and long transactions", then = "`pgtenant_signals` names the blocking tenant and the oldest transaction; the watchdog ends what exceeds its limits."
      widgets = [
        { title = "Deadlocks and blocked transactions", lines = [], metrics = concat(local.insight.deadlocks, local.insight.blocked_transactions) },
        { title = "Longest idle in transaction, s", lines = [var.thresholds.idle_in_transaction_seconds], metrics = local.insight.idle_in_transaction },
        { title = "Said in the log", lines = [], metrics = concat(local.log.deadlock, local.log.lock_timeout, local.log.lock_wait, local.log.idle_in_transaction_timeout) },
      ]
    },
    {
      risk = "Memory", then = "Lower `work_mem` and connections of the tenants, or take a larger class."
      widgets = [
        { title = "Freeable memory, bytes", lines = [local.signals.freeable_memory.threshold], metrics = [concat(["AWS/RDS", "FreeableMemory"], local.instance)] },
        { title = "Swap, bytes", lines = [], metrics = [concat(["AWS/RDS", "SwapUsage"], local.instance)] },
      ]
    },
    {
      risk = "I/O saturation", then = "Raise IOPS or throughput, or find the tenant with the most reads in `pgtenant_signals`."
      widgets = [
        { title = "Latency p90, s", lines = [var.thresholds.latency_seconds], metrics = [concat(["AWS/RDS", "ReadLatency"], local.instance, [{ stat = "p90" }]), concat(["AWS/RDS", "WriteLatency"], local.instance, [{ stat = "p90" }])] },
        { title = "IOPS", lines = [local.iops], metrics = [concat(["AWS/RDS", "ReadIOPS"], local.instance), concat(["AWS/RDS", "WriteIOPS"], local.instance)] },
        { title = "Throughput, bytes/s", lines = [local.throughput_bytes], metrics = [concat(["AWS/RDS", "ReadThroughput"], local.instance), concat(["AWS/RDS", "WriteThroughput"], local.instance)] },
        { title = "Disk queue", lines = [local.signals.disk_queue.threshold], metrics = [concat(["AWS/RDS", "DiskQueueDepth"], local.instance)] },
        {
          title = "Burst left, per cent", lines = [var.thresholds.ebs_balance_percent]
          metrics = concat(
            local.class.burst ? [for metric in ["EBSIOBalance%", "EBSByteBalance%"] : concat(["AWS/RDS", metric], local.instance)] : [],
            var.storage_type == "gp2" ? [concat(["AWS/RDS", "BurstBalance"], local.instance)] : [],
          )
        },
      ]
    },
    {
      risk = "Storage growth", then = "Find the tenant that grows (`pgtenant_signals`, `size_bytes`), drop slots that nobody reads, grow the storage."
      widgets = [
        { title = "Free storage, bytes", lines = [local.signals.free_storage.threshold, local.signals.free_storage_critical.threshold], metrics = [concat(["AWS/RDS", "FreeStorageSpace"], local.instance)] },
        {
          title   = "Size of the storage, KiB", lines = var.max_allocated_storage > 0 ? [var.max_allocated_storage * 1048576] : []
          metrics = var.max_allocated_storage > 0 ? local.insight.storage : []
        },
        { title = "WAL and slots, bytes", lines = [local.signals.wal_usage.threshold], metrics = [concat(["AWS/RDS", "TransactionLogsDiskUsage"], local.instance), concat(["AWS/RDS", "OldestReplicationSlotLag"], local.instance)] },
      ]
    },
    {
      risk = "Autovacuum and bloat", then = "End old transactions first. Bloat is in no metric: `pgtenant_signals` with `deep = true` names the tables."
      widgets = [
        { title = "Used transaction IDs", lines = [local.signals.transaction_ids.threshold], metrics = [concat(["AWS/RDS", "MaximumUsedTransactionIDs"], local.instance)] },
        { title = "Seconds since checkpoint", lines = [local.signals.checkpoint_lag.threshold], metrics = [concat(["AWS/RDS", "CheckpointLag"], local.instance)] },
        { title = "Vacuums against wraparound", lines = [], metrics = local.log.wraparound_vacuum },
      ]
    },
    {
      risk = "Replication lag", then = "Look for long queries on the replica, and for WAL that comes faster than it replays."
      widgets = [
        { title = "Lag, s", lines = [var.thresholds.replica_lag_seconds], metrics = [for replica in var.replica_identifiers : ["AWS/RDS", "ReplicaLag", "DBInstanceIdentifier", replica, { stat = "Maximum" }]] },
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

  title       = var.db_instance_identifier
  alarm_names = values(local.alarm_names)
  rows        = local.rows
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.create_dashboard ? 1 : 0

  dashboard_name = "${local.prefix}risks"
  dashboard_body = module.dashboard.body
}
