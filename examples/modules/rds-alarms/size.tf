# What the instance is: its class, its storage and its connections in numbers, so that thresholds follow from them.
locals {
  class = lookup(jsondecode(file("${path.module}/classes.json")).classes, var.instance_class, {
    vcpus = null, memory_gib = null, iops = null, throughput = null
    # Of a class that is not known: alarms that have no data do no harm.
    burst = true, local_storage = can(regex("^db\\.[a-z]+[0-9]+[a-z]*d[a-z]*\\.", var.instance_class))
  })

  is_known = (
    (var.vcpus != null || local.class.vcpus != null) && (var.memory_gib != null || local.class.memory_gib != null) &&
    (var.instance_iops != null || local.class.iops != null) &&
    (var.instance_throughput != null || local.class.throughput != null)
  )
  vcpus      = try(coalesce(var.vcpus, local.class.vcpus), 1)
  memory_gib = try(coalesce(var.memory_gib, local.class.memory_gib), 1)

  memory_bytes  = local.memory_gib * 1073741824
  storage_bytes = var.allocated_storage * 1073741824

  # Of RDS's default, PostgreSQL keeps 3 for superusers and RDS 2 for rds_superuser.
  connections = var.connections_for_tenants != null ? var.connections_for_tenants : (
    min(floor(local.memory_bytes / 9531392), 5000) - 5
  )

  # What the storage does, gp2 as long as it bursts: burst_balance watches for how long. From 400 GiB on RDS stripes.
  storage_iops_by_type = {
    gp3 = var.allocated_storage >= 400 ? 12000 : 3000
    gp2 = max(var.allocated_storage >= 400 ? 12000 : 3000, min(var.allocated_storage * 3, 64000))
  }
  # AWS says 0 of what it does not say.
  given_iops   = var.iops == 0 ? null : var.iops
  has_iops     = local.given_iops != null || contains(keys(local.storage_iops_by_type), var.storage_type)
  storage_iops = try(coalesce(local.given_iops, lookup(local.storage_iops_by_type, var.storage_type, null)), 100)

  storage_throughput_by_type = {
    gp3 = var.allocated_storage >= 400 ? 500 : 125
    gp2 = var.allocated_storage >= 400 ? 500 : var.allocated_storage > 170 ? 250 : 128
    io1 = min(local.storage_iops / 4, 4000)
    io2 = min(local.storage_iops / 4, 4000)
  }
  storage_throughput = coalesce(var.storage_throughput == 0 ? null : var.storage_throughput, local.storage_throughput_by_type[var.storage_type])

  # What is used up first: the storage (MiB/s), or what the class sustains between it and the storage (MB/s).
  iops             = min(local.storage_iops, try(coalesce(var.instance_iops, local.class.iops), 100))
  throughput_bytes = min(local.storage_throughput * 1048576, try(coalesce(var.instance_throughput, local.class.throughput), 1) * 1000000)

  # RDS grows the storage by a tenth at least: closer to the ceiling it does not grow any more.
  autoscales = var.max_allocated_storage >= var.allocated_storage * 1.1

  # CPU credits that a class can hold, and the percentage of CPU at which it earns as many as it spends: t3 and t4g.
  burstable = lookup({
    micro = { credits = 288, cpu = 10 }, small = { credits = 576, cpu = 20 }, medium = { credits = 576, cpu = 20 }
    large = { credits = 864, cpu = 30 }, xlarge = { credits = 2304, cpu = 40 }, "2xlarge" = { credits = 4608, cpu = 40 }
  }, try(regex("^db\\.t(?:3|4g)\\.([a-z0-9]+)$", var.instance_class)[0], ""), null)
}
