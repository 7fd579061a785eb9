# What is watched, as data: the alarms of main.tf and the dashboard are made of it.
#
# A signal has one of: a `metric` of AWS/RDS; a `counter` of Performance Insights; a `math` expression over several
# metrics. It fires when `periods` periods of `period` seconds in a row are past the threshold. `why` says why missing data
# counts as it does. `most` is the highest value that the signal can have, where there is one: a threshold that is not below
# it is refused, because the alarm could not fire. `runbook` is the heading of the guide that says what to do.
locals {
  gt = "GreaterThanThreshold"
  lt = "LessThanThreshold"

  down_is_availability = "The alarm availability rings when the instance is down."

  signals = merge({
    availability = {
      metric    = "DatabaseConnections", statistic = "SampleCount", comparison = local.lt, periods = 5
      threshold = 1
      says      = "The instance reports nothing: it is stopped, or it has failed."
      missing   = "breaching", why = "A running instance always reports its connections."
      runbook   = "from-the-alarm-to-the-runbook"
    }
    connections = {
      metric    = "DatabaseConnections", statistic = "Average", comparison = local.gt, periods = 5
      threshold = floor(local.connections * var.thresholds.connections_percent / 100), most = local.connections
      says      = "Tenants hold nearly all of the ${local.connections} connections that there are for them: the next ones are refused."
      missing   = "missing", why = local.down_is_availability
      runbook   = "connections"
    }
    # Above the threshold of connections it is 0: that alarm rings then, and one cause is one page. One period alone is a pool
    # that opens, or a restart after which all come back.
    connections_growth = {
      math = {
        expression = "IF(connections > ${floor(local.connections * var.thresholds.connections_percent / 100)}, 0, 300 * RATE(connections))"
        metrics    = { connections = "DatabaseConnections" }, statistic = "Maximum"
      }
      comparison = local.gt, periods = 2, period = 300
      threshold  = local.connections_growth
      says       = "Connections have grown by more than ${local.connections_growth} in each of two periods of five minutes: a pool leaks, or an application opens one for each request. At this pace the server is soon full."
      missing    = "missing", why = local.down_is_availability
      runbook    = "connections"
    }
    cpu = {
      metric    = "CPUUtilization", statistic = "Average", comparison = local.gt, periods = 5
      threshold = var.thresholds.cpu_percent, most = 100
      says      = "The CPUs are busy: all tenants wait for one another."
      missing   = "missing", why = local.down_is_availability
      runbook   = "runaway-queries"
    }
    db_load = {
      metric    = "DBLoad", statistic = "Average", comparison = local.gt, periods = 15
      threshold = min(local.vcpus * var.thresholds.load_per_vcpu, floor(local.connections * var.thresholds.connections_percent / 100))
      most      = local.connections
      says      = "More sessions are active than ${local.vcpus} vCPUs can serve."
      missing   = "notBreaching", why = "DBLoad is reported under load only."
      runbook   = "runaway-queries"
    }
    freeable_memory = {
      metric    = "FreeableMemory", statistic = "Average", comparison = local.lt, periods = 15
      threshold = floor(local.memory_bytes * local.memory_percent / 100)
      says      = "Less than ${local.memory_percent} % of ${local.memory_gib} GiB of memory is free: next the server swaps, or is killed and restarts for everybody."
      missing   = "missing", why = local.down_is_availability
      runbook   = "runaway-queries"
    }
    free_storage = {
      metric    = "FreeStorageSpace", statistic = "Minimum", comparison = local.lt
      periods   = local.autoscales ? 30 : 5
      threshold = floor(local.storage_bytes * var.thresholds.storage_percent / 100)
      says = local.autoscales ? (
        "Less than ${var.thresholds.storage_percent} % of the storage has been free for half an hour, and RDS has not grown it: it cannot while it optimizes the last growth, for six hours or more."
      ) : "Less than ${var.thresholds.storage_percent} % of ${var.allocated_storage} GiB of storage is free, and RDS does not grow it."
      missing = "missing", why = local.down_is_availability
      runbook = "autovacuum-bloat-and-storage"
    }
    free_storage_critical = {
      metric    = "FreeStorageSpace", statistic = "Minimum", comparison = local.lt, periods = 5
      threshold = floor(local.storage_bytes * var.thresholds.storage_critical_percent / 100)
      says      = "Less than ${var.thresholds.storage_critical_percent} % of the storage is free: a full disk stops every tenant."
      missing   = "missing", why = local.down_is_availability
      runbook   = "autovacuum-bloat-and-storage"
    }
    read_latency = {
      metric    = "ReadLatency", statistic = "p90", comparison = local.gt, periods = 5
      threshold = var.thresholds.latency_seconds
      says      = "Reads from disk are slow."
      missing   = "missing", why = "Without reads there is no latency, neither good nor bad."
      runbook   = "runaway-queries"
    }
    write_latency = {
      metric    = "WriteLatency", statistic = "p90", comparison = local.gt, periods = 5
      threshold = var.thresholds.latency_seconds
      says      = "Writes to disk are slow: commits of all tenants wait for them."
      missing   = "missing", why = "Without writes there is no latency, neither good nor bad."
      runbook   = "runaway-queries"
    }
    # CloudWatch has no metric of IOPS or throughput in per cent.
    iops_saturation = {
      math = {
        expression = "100 * (reads + writes) / ${local.iops}"
        metrics    = { reads = "ReadIOPS", writes = "WriteIOPS" }
      }
      comparison = local.gt, periods = 15
      threshold  = var.thresholds.iops_percent, most = 100
      says       = "Reads and writes are near ${local.iops} IOPS, the most that ${local.iops < local.storage_iops ? "the instance class sustains" : "the storage does"}."
      missing    = "missing", why = local.down_is_availability
      runbook    = "runaway-queries"
    }
    throughput_saturation = {
      math = {
        expression = "100 * (reads + writes) / ${local.throughput_bytes}"
        metrics    = { reads = "ReadThroughput", writes = "WriteThroughput" }
      }
      comparison = local.gt, periods = 15
      threshold  = var.thresholds.throughput_percent, most = 100
      says       = "Reads and writes are near ${local.throughput_bytes} bytes a second, the most that ${local.throughput_bytes < local.storage_throughput * 1048576 ? "the instance class sustains" : "the storage does"}."
      missing    = "missing", why = local.down_is_availability
      runbook    = "runaway-queries"
    }
    disk_queue = {
      metric = "DiskQueueDepth", statistic = "Average", comparison = local.gt, periods = 5
      # Little's law: as many requests wait when all the IOPS take as long as a request may.
      threshold = ceil(local.iops * var.thresholds.latency_seconds)
      says      = "More requests wait for the disk than ${local.iops} IOPS can answer in ${var.thresholds.latency_seconds} s."
      missing   = "missing", why = local.down_is_availability
      runbook   = "runaway-queries"
    }
    transaction_ids = {
      metric    = "MaximumUsedTransactionIDs", statistic = "Average", comparison = local.gt, periods = 5
      threshold = var.thresholds.transaction_ids, most = 2000000000
      says      = "Autovacuum is behind: transaction IDs are used up faster than tables are frozen. A long transaction or a slot of any tenant can hold it back."
      missing   = "missing", why = local.down_is_availability
      runbook   = "autovacuum-bloat-and-storage"
    }
    wal_usage = {
      metric    = "TransactionLogsDiskUsage", statistic = "Average", comparison = local.gt, periods = 15
      threshold = floor(local.storage_bytes * var.thresholds.wal_percent / 100), most = local.storage_bytes
      says      = "WAL takes much of the storage: it is written faster than archived, or something holds it."
      missing   = "missing", why = local.down_is_availability
      runbook   = "autovacuum-bloat-and-storage"
    }
    replication_slot_lag = {
      metric    = "OldestReplicationSlotLag", statistic = "Maximum", comparison = local.gt, periods = 15
      threshold = floor(local.storage_bytes * var.thresholds.wal_percent / 100), most = local.storage_bytes
      says      = "A replication slot that nobody reads holds WAL back: it fills the disk of all."
      missing   = "notBreaching", why = "Reported only where there are slots."
      runbook   = "autovacuum-bloat-and-storage"
    }
    checkpoint_lag = {
      metric    = "CheckpointLag", statistic = "Average", comparison = local.gt, periods = 5
      threshold = var.thresholds.checkpoint_lag_seconds
      says      = "The last checkpoint is long ago: the disk cannot follow, and a restart would take long."
      missing   = "missing", why = local.down_is_availability
      runbook   = "runaway-queries"
    }
    }, {
    for name, signal in {
      ebs_io_balance = {
        made      = local.class.burst, metric = "EBSIOBalance%", statistic = "Average", comparison = local.lt, periods = 3
        threshold = var.thresholds.ebs_balance_percent
        says      = "The instance class's burst of I/O operations is nearly spent: IOPS fall to what the class sustains."
        missing   = "missing", why = "Classes without burst never report it."
        runbook   = "runaway-queries"
      }
      ebs_byte_balance = {
        made      = local.class.burst, metric = "EBSByteBalance%", statistic = "Average", comparison = local.lt, periods = 3
        threshold = var.thresholds.ebs_balance_percent
        says      = "The instance class's burst of I/O bytes is nearly spent: throughput falls to what the class sustains."
        missing   = "missing", why = "Classes without burst never report it."
        runbook   = "runaway-queries"
      }
      burst_balance = {
        made      = var.storage_type == "gp2", metric = "BurstBalance", statistic = "Average", comparison = local.lt, period = 300, periods = 3
        threshold = var.thresholds.burst_balance_percent
        says      = "The burst of the gp2 storage is nearly spent: IOPS fall to 3 for each GiB."
        missing   = "missing", why = local.down_is_availability
        runbook   = "runaway-queries"
      }
      cpu_credits = {
        made = local.burstable != null
        # Credits are few after each start too: they matter while more are spent than earned.
        math = {
          expression = "IF(cpu > ${try(local.burstable.cpu, 0)}, credits, ${try(local.burstable.credits, 0)})"
          metrics    = { cpu = "CPUUtilization", credits = "CPUCreditBalance" }
        }
        comparison = local.lt, period = 300, periods = 3
        threshold  = try(local.burstable.credits, 0) * var.thresholds.cpu_credits_percent / 100
        says       = "The CPU credits of the burstable class are nearly spent, and more are spent than earned: the CPUs slow down for all tenants, or cost extra."
        missing    = "missing", why = local.down_is_availability
        runbook    = "runaway-queries"
      }
      free_local_storage = {
        made      = local.class.local_storage, metric = "FreeLocalStoragePercent", statistic = "Minimum", comparison = local.lt, periods = 5
        threshold = var.thresholds.local_storage_percent
        says      = "The local disk of the class is nearly full of temporary files: statements that need more of them fail, of every tenant."
        missing   = "missing", why = local.down_is_availability
        runbook   = "runaway-queries"
      }
      # Kilobytes of all volumes, of which the file system takes some. RDS sends an event at 80 %, see events.tf.
      storage_ceiling = {
        made      = var.performance_insights && var.max_allocated_storage > 0, counter = "os.fileSys.total.avg", comparison = local.gt, period = 300, periods = 1
        threshold = floor(var.max_allocated_storage * 1048576 * var.thresholds.storage_ceiling_percent / 100), most = var.max_allocated_storage * 1048576 * 0.97
        says      = "The storage has grown to more than ${var.thresholds.storage_ceiling_percent} % of max_allocated_storage (${var.max_allocated_storage} GiB): soon RDS grows it no further."
        missing   = "notBreaching", why = "Reported only while Enhanced Monitoring measures it."
        runbook   = "autovacuum-bloat-and-storage"
      }
      # Where the module rds-log-metrics counts deadlocks, it has the alarm on them.
      deadlocks = {
        made      = var.performance_insights && var.log_metrics_namespace == null, counter = "db.Concurrency.deadlocks.avg", comparison = "GreaterThanOrEqualToThreshold", period = 300, periods = 1
        threshold = var.thresholds.deadlocks / 5
        says      = "Transactions were ended to resolve deadlocks, ${var.thresholds.deadlocks} or more in five minutes."
        missing   = "notBreaching", why = "Counters are reported while there is something to count."
        runbook   = "locks-and-transactions"
      }
      blocked_transactions = {
        made      = var.performance_insights, counter = "db.Transactions.blocked_transactions.avg", comparison = local.gt, periods = 5
        threshold = min(var.thresholds.blocked_transactions, floor(local.connections * var.thresholds.connections_percent / 100))
        most      = local.connections
        says      = "Transactions wait for locks of others: pgtenant_signals names who blocks whom."
        missing   = "notBreaching", why = "Counters are reported while there is something to count."
        runbook   = "locks-and-transactions"
      }
      idle_in_transaction = {
        made      = var.performance_insights, counter = "db.state.idle_in_transaction_max_time.avg", comparison = local.gt, periods = 5
        threshold = var.thresholds.idle_in_transaction_seconds
        says      = "A transaction is open and does nothing: it holds locks, and keeps VACUUM from cleaning up in all of its database."
        missing   = "notBreaching", why = "Counters are reported while there is something to count."
        runbook   = "locks-and-transactions"
      }
    } : name => signal if signal.made
    }, {
    for replica in var.replica_identifiers : "replica_lag/${replica}" => {
      metric    = "ReplicaLag", statistic = "Maximum", comparison = local.gt, periods = 10, instance = replica
      threshold = var.thresholds.replica_lag_seconds
      says      = "The replica ${replica} is behind or does not replicate: whoever reads from it reads the past, and a failover to it loses writes."
      missing   = "breaching", why = "A replica that is down or whose replication is broken may report nothing."
      runbook   = "from-the-alarm-to-the-runbook"
    }
  })

  # Connections in five minutes. Two such steps are below the threshold of connections, but for a handful of connections.
  connections_growth = max(0, min(
    floor(local.connections * var.thresholds.connections_growth_percent / 100),
    floor(local.connections * var.thresholds.connections_percent / 200) - 1,
  ))

  # On a small server the system and shared_buffers leave less than that free when nobody does anything.
  memory_percent = var.thresholds.memory_percent != null ? var.thresholds.memory_percent : local.memory_gib < 4 ? 10 : 25

  alarms = { for name, signal in local.signals : name => signal if !contains(var.disabled, split("/", name)[0]) }

  # Those too that are made for other instances only.
  names = [
    "availability", "blocked_transactions", "burst_balance", "checkpoint_lag", "connections", "connections_growth", "cpu", "cpu_credits",
    "db_load", "deadlocks", "disk_queue", "ebs_byte_balance", "ebs_io_balance", "free_local_storage", "free_storage",
    "free_storage_critical", "freeable_memory", "idle_in_transaction", "iops_saturation", "read_latency", "replica_lag",
    "replication_slot_lag", "storage_ceiling", "throughput_saturation", "transaction_ids", "wal_usage", "write_latency",
  ]
}
