# What the writer is, in numbers, so that thresholds follow from it. The writer can be any instance: they ought to be of one
# class, and thresholds are those of the smallest that may write.
locals {
  # GiB of memory for each vCPU, by the family's letter. Families with other ratios are not guessed.
  memory_per_vcpu = { r = 8, x2g = 16 }

  vcpus_by_size = {
    large      = 2, xlarge = 4, "2xlarge" = 8, "4xlarge" = 16, "8xlarge" = 32, "12xlarge" = 48, "16xlarge" = 64,
    "24xlarge" = 96, "32xlarge" = 128, "48xlarge" = 192
  }

  # Burstable classes are counted one by one.
  burstable = { medium = { vcpus = 2, memory = 4 }, large = { vcpus = 2, memory = 8 } }

  class         = var.instance_class
  is_serverless = var.instance_class == "db.serverless"
  parts         = try(regex("^db\\.(?P<family>t3|t4g|(?P<letter>r)[5-8][a-z]*|x2g)\\.(?P<size>[a-z0-9]+)$", var.instance_class), { family = "", letter = "", size = "" })
  is_burstable  = startswith(local.parts.family, "t")
  ratio         = lookup(local.memory_per_vcpu, coalesce(local.parts.letter, local.parts.family, "unknown"), null)

  # A capacity unit is 2 GiB, with as much CPU as a class of that memory has: a vCPU for each 8 GiB is the least that AWS
  # says. CPUUtilization and FreeableMemory of a serverless instance are relative to its max_capacity.
  known_memory = (
    local.is_serverless ? try(var.max_capacity * 2, null) :
    local.is_burstable ? try(local.burstable[local.parts.size].memory, null) :
    try(local.vcpus_by_size[local.parts.size] * local.ratio, null)
  )
  known_vcpus = (
    local.is_serverless ? try(max(1, var.max_capacity / 4), null) :
    local.is_burstable ? try(local.burstable[local.parts.size].vcpus, null) :
    lookup(local.vcpus_by_size, local.parts.size, null)
  )

  is_known   = (var.vcpus != null || local.known_vcpus != null) && (var.memory_gib != null || local.known_memory != null)
  vcpus      = try(coalesce(var.vcpus, local.known_vcpus), 1)
  memory_gib = try(coalesce(var.memory_gib, local.known_memory), 1)

  connections = floor(var.connections_for_tenants * var.thresholds.connections_percent / 100)

  # Connections in five minutes. Two such steps are below the threshold of connections, however few there are.
  connections_growth = max(0, min(
    floor(var.connections_for_tenants * var.thresholds.connections_growth_percent / 100),
    floor(local.connections / 2) - 1,
  ))
}
