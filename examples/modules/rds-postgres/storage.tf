# What the storage can do, and which combinations RDS takes.

locals {
  # gp3 of RDS for PostgreSQL has no other than the baseline below this size.
  gp3_provisionable_gib = 400

  gp3_large = var.storage_type == "gp3" && var.allocated_storage >= local.gp3_provisionable_gib

  # From 400 GiB on the baseline is stated. Left out, hashicorp/aws sends the IOPS that the storage had before it grew,
  # which RDS refuses for the new size; stated below 400 GiB, RDS refuses them.
  iops               = local.gp3_large ? coalesce(var.iops, 12000) : var.iops
  storage_throughput = local.gp3_large ? coalesce(var.storage_throughput, 500) : var.storage_throughput

  provisioned = contains(["io1", "io2"], var.storage_type)

  # The reasons why RDS refuses the storage. The ratios of gp3 and io2 are those of EBS, and were not seen refused by RDS.
  storage_refusals = [
    for why, holds in {
      "iops and storage_throughput of gp3 can be chosen from an allocated_storage of 400 GiB on" = (
        var.storage_type == "gp3" && !local.gp3_large && (var.iops != null || var.storage_throughput != null)
      )
      "iops of gp3 must be from 12000 to 64000"                     = local.gp3_large && !try(local.iops >= 12000 && local.iops <= 64000, false)
      "iops of gp3 must be 500 per GiB at most"                     = local.gp3_large && try(local.iops > var.allocated_storage * 500, false)
      "storage_throughput of gp3 must be a quarter of iops at most" = local.gp3_large && try(local.storage_throughput > local.iops / 4, false)
      "io1 and io2 need iops"                                       = local.provisioned && var.iops == null
      "iops of io1 must be 50 per GiB at most"                      = var.storage_type == "io1" && try(var.iops > var.allocated_storage * 50, false)
      "iops of io2 must be 1000 per GiB at most"                    = var.storage_type == "io2" && try(var.iops > var.allocated_storage * 1000, false)
      "io1 and io2 need an allocated_storage of 100 GiB at least"   = local.provisioned && var.allocated_storage < 100
      "storage_throughput is for gp3"                               = local.provisioned && var.storage_throughput != null
      "dedicated_log_volume needs io1 or io2"                       = var.dedicated_log_volume && !local.provisioned
    } : why if holds
  ]

  storage_refused = length(local.storage_refusals) == 0 ? null : join("; ", local.storage_refusals)
}
