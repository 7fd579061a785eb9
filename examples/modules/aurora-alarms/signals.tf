# What is watched, as data: the alarms of main.tf are made of it. `runbook` is the heading of the
# guide that says what to do. Where a metric has the dimension Role, the alarm follows
# a failover: WRITER is whichever instance writes, READER all the others together.
locals {
  gt = "GreaterThanThreshold"
  lt = "LessThanThreshold"

  writer  = { DBClusterIdentifier = var.cluster_identifier, Role = "WRITER" }
  readers = { DBClusterIdentifier = var.cluster_identifier, Role = "READER" }
  cluster = { DBClusterIdentifier = var.cluster_identifier }

  gib = 1073741824

  says_nothing = "Says nothing of whether the writer lives, which the alarm availability watches."

  # One page for a writer that is gone: all others count missing data as missing.
  of_writer = {
    availability = {
      metric = "EngineUptime", dimensions = local.writer, statistic = "SampleCount", comparison = local.lt, periods = 3
      # How often a writer reported.
      threshold = 1
      says      = "The cluster has no writer that reports: it is down, or fails over for minutes."
      runbook   = "runaway-queries"
      missing   = "breaching", why = "A running writer always reports."
    }
    connections = {
      metric    = "DatabaseConnections", dimensions = local.writer, statistic = "Maximum", comparison = local.gt, periods = 5
      threshold = local.connections
      says      = "Connections are near the ${var.connections_for_tenants} that the writer has for tenants: they will be refused."
      runbook   = "connections"
      missing   = "missing", why = local.says_nothing
    }
    # Above the threshold of connections it is 0: that alarm rings then, and one cause is one page. One period alone is a pool
    # that opens, or a restart after which all come back.
    connections_growth = {
      math       = { expression = "IF(connections > ${local.connections}, 0, 300 * RATE(connections))", metrics = { connections = "DatabaseConnections" } }
      dimensions = local.writer, statistic = "Maximum", comparison = local.gt, periods = 2, period = 300
      threshold  = local.connections_growth
      says       = "Connections have grown by more than ${local.connections_growth} in each of two periods of five minutes: a pool leaks, or an application opens one for each request. At this pace the writer is soon full."
      runbook    = "connections"
      missing    = "missing", why = local.says_nothing
    }
    cpu = {
      metric    = "CPUUtilization", dimensions = local.writer, statistic = "Average", comparison = local.gt, periods = 5
      threshold = var.thresholds.cpu_percent
      says      = "The CPUs of the writer are busy: all tenants wait for one another."
      runbook   = "runaway-queries"
      missing   = "missing", why = local.says_nothing
    }
    freeable_memory = {
      metric = "FreeableMemory", dimensions = local.writer, statistic = "Average", comparison = local.lt, periods = 15
      # Aurora gives some three quarters of the memory to shared_buffers, so that a quarter is never free.
      threshold = floor(local.memory_gib * local.gib * var.thresholds.memory_percent / 100)
      says      = "Little of ${local.memory_gib} GiB of memory is free on the writer: next the server is killed, and restarts for everybody."
      runbook   = "runaway-queries"
      missing   = "missing", why = local.says_nothing
    }
    commit_latency = {
      metric    = "CommitLatency", dimensions = local.writer, statistic = "Average", comparison = local.gt, periods = 5
      threshold = var.thresholds.commit_latency_ms
      says      = "Commits are slow: every tenant that writes waits for them."
      runbook   = "runaway-queries"
      missing   = "missing", why = "Without commits there is no latency."
    }
    read_latency = {
      metric    = "ReadLatency", dimensions = local.writer, statistic = "p90", comparison = local.gt, periods = 5
      threshold = var.thresholds.latency_seconds
      says      = "Reads from the volume are slow."
      runbook   = "runaway-queries"
      missing   = "missing", why = "Without reads there is no latency."
    }
    buffer_cache = {
      metric    = "BufferCacheHitRatio", dimensions = local.writer, statistic = "Average", comparison = local.lt, periods = 30
      threshold = var.thresholds.cache_hit_percent
      says      = "Much is read from the volume rather than from memory: slow, and billed by the I/O unless the storage is I/O-Optimized."
      runbook   = "runaway-queries"
      missing   = "missing", why = local.says_nothing
    }
    deadlocks = {
      metric = "Deadlocks", dimensions = local.writer, statistic = "Average", comparison = local.gt, periods = 5
      # The metric is a rate: deadlocks in a second.
      threshold = var.thresholds.deadlocks_per_minute / 60
      says      = "Transactions are ended to resolve deadlocks, minute after minute."
      runbook   = "locks-and-transactions"
      missing   = "notBreaching", why = "Reported while there is something to count."
    }
    transaction_ids = {
      metric    = "MaximumUsedTransactionIDs", dimensions = local.writer, statistic = "Maximum", comparison = local.gt, periods = 1
      threshold = var.thresholds.transaction_ids
      says      = "Autovacuum is behind: transaction IDs are used up faster than tables are frozen. A long transaction of any tenant, on a reader too, or a slot can hold it back."
      runbook   = "autovacuum-bloat-and-storage"
      missing   = "missing", why = "Reported at intervals: a gap says nothing."
    }
    db_load = {
      metric    = "DBLoad", dimensions = local.writer, statistic = "Average", comparison = local.gt, periods = 15
      threshold = local.vcpus * var.thresholds.load_per_vcpu
      says      = "More sessions are active than ${local.vcpus} vCPUs can serve."
      runbook   = "runaway-queries"
      missing   = "notBreaching", why = "Reported under load only: none is the best there is."
    }
    wal_usage = {
      metric    = "TransactionLogsDiskUsage", dimensions = local.writer, statistic = "Maximum", comparison = local.gt, periods = 15
      threshold = var.thresholds.wal_gib * local.gib
      says      = "A replication slot that nobody reads holds WAL back."
      runbook   = "autovacuum-bloat-and-storage"
      missing   = "notBreaching", why = "Reported with logical replication only."
    }
    volume = {
      metric    = "VolumeBytesUsed", dimensions = local.cluster, statistic = "Maximum", comparison = local.gt, periods = 1, period = 3600
      threshold = var.volume_budget_gib * local.gib
      says      = "The volume is larger than the ${var.volume_budget_gib} GiB that it was meant to be. It grows by itself, to 128 TiB, and is billed by the GiB."
      runbook   = "autovacuum-bloat-and-storage"
      missing   = "missing", why = "Reported at intervals: a gap says nothing."
    }
  }

  # Provisioned classes have a local disk for temporary files, of a size that no metric tells.
  of_local_disk = {
    local_storage = {
      metric    = "FreeLocalStorage", dimensions = local.writer, statistic = "Minimum", comparison = local.lt, periods = 5
      threshold = var.thresholds.local_storage_gib * local.gib
      says      = "Temporary files of tenants fill the writer's local disk: statements that sort or hash will fail for all. Lower temp_file_limit."
      runbook   = "runaway-queries"
      missing   = "missing", why = local.says_nothing
    }
  }

  of_serverless = {
    capacity = {
      metric    = "ACUUtilization", dimensions = local.writer, statistic = "Average", comparison = local.gt, periods = 15
      threshold = var.thresholds.capacity_percent
      says      = "The writer is near its max_capacity of ${coalesce(var.max_capacity, 0)} capacity units, and grows no more: raise max_capacity, or find who takes it."
      runbook   = "runaway-queries"
      missing   = "missing", why = local.says_nothing
    }
  }

  of_burstable = {
    cpu_credits = {
      metric    = "CPUCreditBalance", dimensions = local.writer, statistic = "Minimum", comparison = local.lt, periods = 5
      threshold = var.thresholds.cpu_credits
      says      = "The CPU credits of ${local.class} are nearly spent: next all tenants are slowed down, or the surplus is billed."
      runbook   = "runaway-queries"
      missing   = "missing", why = local.says_nothing
    }
  }

  of_readers = {
    replica_lag = {
      metric    = "AuroraReplicaLag", dimensions = local.readers, statistic = "Maximum", comparison = local.gt, periods = 10
      threshold = var.thresholds.replica_lag_ms
      says      = "A reader is behind: who reads from it reads the past. One that falls far behind restarts, and ends its sessions."
      runbook   = "runaway-queries"
      missing   = "breaching", why = "A reader always reports it, so without data no reader is left to fail over to."
    }
    reader_connections = {
      metric    = "DatabaseConnections", dimensions = local.readers, statistic = "Maximum", comparison = local.gt, periods = 5
      threshold = local.connections
      says      = "Connections are near the ${var.connections_for_tenants} that a reader has for tenants: they will be refused there."
      runbook   = "connections"
      missing   = "missing", why = "That readers live is watched by replica_lag."
    }
    reader_cpu = {
      metric    = "CPUUtilization", dimensions = local.readers, statistic = "Maximum", comparison = local.gt, periods = 15
      threshold = var.thresholds.cpu_percent
      says      = "The CPUs of a reader are busy."
      runbook   = "runaway-queries"
      missing   = "missing", why = "That readers live is watched by replica_lag."
    }
  }

  # Counters of Performance Insights, which CloudWatch reads by an instance's resource ID. Any instance may write one day.
  insights = {
    blocked_transactions = {
      counter   = "db.Transactions.blocked_transactions.avg"
      threshold = var.thresholds.blocked_transactions
      says      = "Transactions wait for locks of others: pgtenant_signals names who blocks whom."
      runbook   = "locks-and-transactions"
    }
    idle_in_transaction = {
      counter   = "db.state.idle_in_transaction_max_time.avg"
      threshold = var.thresholds.idle_in_transaction_seconds
      says      = "A transaction is open and does nothing: it holds locks, and back VACUUM in all of its database. The watchdog ends it on the writer, and not on a reader."
      runbook   = "locks-and-transactions"
    }
  }

  signals = merge(
    local.of_writer,
    { for name, signal in local.of_local_disk : name => signal if !local.is_serverless },
    { for name, signal in local.of_serverless : name => signal if local.is_serverless },
    { for name, signal in local.of_burstable : name => signal if local.is_burstable },
    { for name, signal in local.of_readers : name => signal if var.readers },
  )

  known_names = sort(keys(merge(local.of_writer, local.of_serverless, local.of_local_disk, local.of_burstable, local.of_readers, local.insights)))
}
