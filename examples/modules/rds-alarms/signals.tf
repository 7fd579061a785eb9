# What is watched, as data: the alarms of main.tf and the dashboard are made of it.
locals {
  gt = "GreaterThanThreshold"
  lt = "LessThanThreshold"

  # Metrics of AWS/RDS. `why` says why data that is missing counts as it does.
  metrics = {
    connections = {
      metric    = "DatabaseConnections", statistic = "Average", comparison = local.gt, periods = 5
      threshold = floor(local.max_connections * var.thresholds.connections_percent / 100)
      says      = "Connections are near max_connections (${local.max_connections}): tenants will be refused."
      missing   = "breaching", why = "A running instance always reports it, so without data it is down."
    }
    cpu = {
      metric    = "CPUUtilization", statistic = "Average", comparison = local.gt, periods = 5
      threshold = var.thresholds.cpu_percent
      says      = "The CPUs are busy: all tenants wait for one another."
      missing   = "breaching", why = "A running instance always reports it, so without data it is down."
    }
    freeable_memory = {
      metric    = "FreeableMemory", statistic = "Average", comparison = local.lt, periods = 15
      threshold = floor(local.memory_bytes * var.thresholds.memory_percent / 100)
      says      = "Little of ${local.memory_gib} GiB of memory is free: next comes swapping, or the server is killed and restarts for everybody."
      missing   = "breaching", why = "A running instance always reports it, so without data it is down."
    }
    free_storage = {
      metric    = "FreeStorageSpace", statistic = "Minimum", comparison = local.lt, periods = 5
      threshold = floor(local.storage_bytes * var.thresholds.storage_percent / 100)
      says      = "Little of ${var.allocated_storage} GiB of storage is free: a full disk stops every tenant."
      missing   = "breaching", why = "An instance that has stopped over a full disk reports nothing."
    }
    read_latency = {
      metric    = "ReadLatency", statistic = "p90", comparison = local.gt, periods = 5
      threshold = var.thresholds.latency_seconds
      says      = "Reads from disk are slow."
      missing   = "missing", why = "Without reads there is no latency: neither good nor bad, and that the instance lives is watched elsewhere."
    }
    write_latency = {
      metric    = "WriteLatency", statistic = "p90", comparison = local.gt, periods = 5
      threshold = var.thresholds.latency_seconds
      says      = "Writes to disk are slow: commits of all tenants wait for them."
      missing   = "missing", why = "Without writes there is no latency: neither good nor bad, and that the instance lives is watched elsewhere."
    }
    disk_queue = {
      metric = "DiskQueueDepth", statistic = "Average", comparison = local.gt, periods = 5
      # Little's law: as many requests wait when all the IOPS take as long as a request may.
      threshold = ceil(local.iops * var.thresholds.latency_seconds)
      says      = "More requests wait for the disk than ${local.iops} IOPS can answer in ${var.thresholds.latency_seconds} s."
      missing   = "missing", why = "Says nothing of whether the instance lives, which others watch."
    }
    ebs_io_balance = {
      metric    = "EBSIOBalance%", statistic = "Average", comparison = local.lt, periods = 3
      threshold = var.thresholds.ebs_balance_percent
      says      = "The instance class's burst of I/O operations is nearly spent: throughput falls to its baseline."
      missing   = "missing", why = "Classes without burst never report it."
    }
    ebs_byte_balance = {
      metric    = "EBSByteBalance%", statistic = "Average", comparison = local.lt, periods = 3
      threshold = var.thresholds.ebs_balance_percent
      says      = "The instance class's burst of I/O bytes is nearly spent: throughput falls to its baseline."
      missing   = "missing", why = "Classes without burst never report it."
    }
    transaction_ids = {
      metric    = "MaximumUsedTransactionIDs", statistic = "Average", comparison = local.gt, periods = 1
      threshold = var.thresholds.transaction_ids
      says      = "Autovacuum is behind: transaction IDs are used up faster than tables are frozen. A long transaction or a slot of any tenant can hold it back."
      missing   = "missing", why = "Reported at intervals: a gap says nothing."
    }
    db_load = {
      metric    = "DBLoad", statistic = "Average", comparison = local.gt, periods = 15
      threshold = local.vcpus * var.thresholds.load_per_vcpu
      says      = "More sessions are active than ${local.vcpus} vCPUs can serve."
      missing   = "notBreaching", why = "Reported under load only: none is the best there is."
    }
    wal_usage = {
      metric    = "TransactionLogsDiskUsage", statistic = "Average", comparison = local.gt, periods = 15
      threshold = floor(local.storage_bytes * var.thresholds.wal_percent / 100)
      says      = "WAL takes much of the storage: it is written faster than archived, or something holds it."
      missing   = "missing", why = "Says nothing of whether the instance lives, which others watch."
    }
    replication_slot_lag = {
      metric    = "OldestReplicationSlotLag", statistic = "Maximum", comparison = local.gt, periods = 15
      threshold = floor(local.storage_bytes * var.thresholds.wal_percent / 100)
      says      = "A replication slot that nobody reads holds WAL back: it fills the disk of all."
      missing   = "notBreaching", why = "Reported only where there are slots."
    }
    checkpoint_lag = {
      metric    = "CheckpointLag", statistic = "Average", comparison = local.gt, periods = 5
      threshold = var.thresholds.checkpoint_lag_seconds
      says      = "The last checkpoint is long ago: the disk cannot follow, and a restart would take long."
      missing   = "missing", why = "Says nothing of whether the instance lives, which others watch."
    }
  }

  # Counters of Performance Insights, which CloudWatch reads by its resource ID.
  insights = {
    deadlocks = {
      counter   = "db.Concurrency.deadlocks.avg", periods = 1
      threshold = var.thresholds.deadlocks
      says      = "Transactions were ended to resolve deadlocks."
      missing   = "notBreaching", why = "Counters are reported while there is something to count."
    }
    blocked_transactions = {
      counter   = "db.Transactions.blocked_transactions.avg", periods = 5
      threshold = var.thresholds.blocked_transactions
      says      = "Transactions wait for locks of others: pgtenant_signals names who blocks whom."
      missing   = "notBreaching", why = "Counters are reported while there is something to count."
    }
    idle_in_transaction = {
      counter   = "db.state.idle_in_transaction_max_time.avg", periods = 5
      threshold = var.thresholds.idle_in_transaction_seconds
      says      = "A transaction is open and does nothing: it holds locks, and back VACUUM in all of its database."
      missing   = "notBreaching", why = "Counters are reported while there is something to count."
    }
  }

  iops_saturation = {
    threshold = var.thresholds.iops_percent
    periods   = 5
    says      = "Reads and writes are near the storage's ${local.iops} IOPS."
    missing   = "missing"
    why       = "Says nothing of whether the instance lives, which others watch."
  }

  replica_lag = {
    threshold = var.thresholds.replica_lag_seconds
    periods   = 10
    says      = "The replica is behind: who reads from it reads the past, and a failover to it loses writes."
    missing   = "breaching"
    why       = "A replica whose replication is broken may report nothing."
  }

  names = sort(concat(keys(local.metrics), keys(local.insights), ["iops_saturation", "replica_lag"]))
}
