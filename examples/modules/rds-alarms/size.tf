# What the instance is: its class and storage in numbers, so that thresholds follow from it.
locals {
  # GiB of memory for each vCPU, by the family's letter. Families with other ratios are not guessed.
  memory_per_vcpu = { m = 4, r = 8, x2g = 16, x2iedn = 32, x2idn = 16 }

  vcpus_by_size = {
    large      = 2, xlarge = 4, "2xlarge" = 8, "4xlarge" = 16, "8xlarge" = 32, "12xlarge" = 48, "16xlarge" = 64,
    "24xlarge" = 96, "32xlarge" = 128, "48xlarge" = 192
  }

  # Burstable classes are counted one by one.
  burstable = {
    micro = { vcpus = 2, memory = 1 }, small = { vcpus = 2, memory = 2 }, medium = { vcpus = 2, memory = 4 },
    large = { vcpus = 2, memory = 8 }, xlarge = { vcpus = 4, memory = 16 }, "2xlarge" = { vcpus = 8, memory = 32 }
  }

  class = try(
    regex("^db\\.(?P<family>t3|t4g|(?P<letter>m|r)[5-8][a-z]*|x2g|x2iedn|x2idn)\\.(?P<size>[a-z0-9]+)$", var.instance_class),
    { family = "", letter = "", size = "" },
  )
  is_burstable = startswith(local.class.family, "t")
  ratio        = lookup(local.memory_per_vcpu, coalesce(local.class.letter, local.class.family, "unknown"), null)

  known_vcpus = local.is_burstable ? try(local.burstable[local.class.size].vcpus, null) : (
    local.ratio == null ? null : lookup(local.vcpus_by_size, local.class.size, null)
  )
  known_memory = local.is_burstable ? try(local.burstable[local.class.size].memory, null) : (
    try(local.known_vcpus * local.ratio, null)
  )

  is_known   = (var.vcpus != null || local.known_vcpus != null) && (var.memory_gib != null || local.known_memory != null)
  vcpus      = try(coalesce(var.vcpus, local.known_vcpus), 1)
  memory_gib = try(coalesce(var.memory_gib, local.known_memory), 1)

  max_connections = var.max_connections != null ? var.max_connections : min(floor(local.memory_gib * 1073741824 / 9531392), 5000)

  baseline_iops = {
    gp3 = var.allocated_storage >= 400 ? 12000 : 3000
    gp2 = max(100, min(var.allocated_storage * 3, 64000))
  }
  has_iops = var.iops != null || contains(keys(local.baseline_iops), var.storage_type)
  iops     = try(coalesce(var.iops, lookup(local.baseline_iops, var.storage_type, null)), 100)

  memory_bytes  = local.memory_gib * 1073741824
  storage_bytes = var.allocated_storage * 1073741824
}
