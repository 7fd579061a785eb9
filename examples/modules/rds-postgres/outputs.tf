output "identifier" {
  description = "Name of the instance: the dimension DBInstanceIdentifier of its metrics."
  value       = one(aws_db_instance.this[*].identifier)
}

output "resource_id" {
  description = "Resource ID of the instance, `db-...`: its name in Performance Insights, and in policies for IAM login."
  value       = one(aws_db_instance.this[*].resource_id)
}

output "arn" {
  description = "ARN of the instance."
  value       = one(aws_db_instance.this[*].arn)
}

output "address" {
  description = "Host name of the server, for the provider's `host`. Known after apply."
  value       = one(aws_db_instance.this[*].address)
}

output "port" {
  description = "TCP port of the server."
  value       = one(aws_db_instance.this[*].port)
}

output "username" {
  description = "Name of the master role."
  value       = one(aws_db_instance.this[*].username)
}

output "master_secret_arn" {
  description = "ARN of the secret that holds the master role's password, which AWS makes and rotates. Known after apply."
  value       = one([for instance in aws_db_instance.this : instance.master_user_secret[0].secret_arn])
}

output "engine_version" {
  description = "PostgreSQL version that runs."
  value       = one(aws_db_instance.this[*].engine_version_actual)
}

output "instance_class" {
  description = "Instance class."
  value       = one(aws_db_instance.this[*].instance_class)
}

output "allocated_storage" {
  description = "Storage in GiB that the instance has, which autoscaling may have made more than `allocated_storage`."
  value       = one(aws_db_instance.this[*].allocated_storage)
}

output "max_allocated_storage" {
  description = "Up to how many GiB the storage grows by itself; 0 if it does not."
  value       = var.create ? var.max_allocated_storage : null
}

output "storage_type" {
  description = "Type of the storage."
  value       = one(aws_db_instance.this[*].storage_type)
}

output "iops" {
  description = "IOPS that the storage has, as AWS says: of gp3 the baseline rises when autoscaling passes 400 GiB. The instance class has a limit of its own."
  value       = one(aws_db_instance.this[*].iops)
}

output "storage_throughput" {
  description = "Throughput in MiB/s that the storage has, as AWS says; for io1 and io2 AWS says none."
  value       = one(aws_db_instance.this[*].storage_throughput)
}

output "replica_identifiers" {
  description = "Identifiers of the read replicas, by their names in `replicas`."
  value       = { for name, replica in aws_db_instance.replica : name => replica.identifier }
}

output "replica_addresses" {
  description = "Host names of the read replicas, by their names in `replicas`. Known after apply."
  value       = { for name, replica in aws_db_instance.replica : name => replica.address }
}

output "multi_az" {
  description = "Whether a standby takes over when the instance fails."
  value       = one(aws_db_instance.this[*].multi_az)
}

output "max_connections" {
  description = "Connections that the server takes."
  value       = var.create ? var.max_connections : null
}

output "connections_for_tenants" {
  description = "Connections left when those for superusers and `reserved_connections` (without it RDS's two for `rds_superuser`) are taken off: what all tenants' limits together should not exceed."
  value       = var.create ? var.max_connections - local.kept_connections : null
}

output "parameter_group_name" {
  description = "Name of the parameter group. A restored copy needs it too."
  value       = local.parameter_group_name
}

output "db_subnet_group_name" {
  description = "Name of the subnet group. A restored copy needs it too."
  value       = local.db_subnet_group_name
}

output "security_group_id" {
  description = "Security group that was made; null if none was."
  value       = one(aws_security_group.this[*].id)
}

output "security_group_ids" {
  description = "All security groups of the instance."
  value       = local.security_group_ids
}

output "kms_key_arn" {
  description = "Key with which storage and snapshots are encrypted."
  value       = var.kms_key_arn
}

output "final_snapshot_identifier" {
  description = "Name of the snapshot that AWS takes when the instance is deleted. Known after apply."
  value       = one(aws_db_instance.this[*].final_snapshot_identifier)
}

output "log_group_names" {
  description = "CloudWatch log groups, by what is exported: `postgresql`, `upgrade`, `iam-db-auth-error`."
  value = var.create ? {
    for export in local.log_exports : export => var.create_cloudwatch_log_group ? aws_cloudwatch_log_group.this[export].name : "/aws/rds/instance/${var.identifier}/${export}"
  } : {}
}
