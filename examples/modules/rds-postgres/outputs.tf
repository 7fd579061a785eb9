output "identifier" {
  description = "Name of the instance: the dimension DBInstanceIdentifier of its metrics."
  value       = aws_db_instance.this.identifier
}

output "resource_id" {
  description = "Resource ID of the instance, `db-...`: its name in Performance Insights, and in policies for IAM login."
  value       = aws_db_instance.this.resource_id
}

output "arn" {
  description = "ARN of the instance."
  value       = aws_db_instance.this.arn
}

output "address" {
  description = "Host name of the server, for the provider's `host`. Known after apply."
  value       = aws_db_instance.this.address
}

output "port" {
  description = "TCP port of the server."
  value       = aws_db_instance.this.port
}

output "username" {
  description = "Name of the master role."
  value       = aws_db_instance.this.username
}

output "master_secret_arn" {
  description = "ARN of the secret that holds the master role's password, which AWS makes and rotates. Known after apply."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}

output "engine_version" {
  description = "PostgreSQL version that runs."
  value       = aws_db_instance.this.engine_version_actual
}

output "instance_class" {
  description = "Instance class."
  value       = aws_db_instance.this.instance_class
}

output "allocated_storage" {
  description = "Storage in GiB."
  value       = aws_db_instance.this.allocated_storage
}

output "iops" {
  description = "IOPS that the storage can do: as provisioned, or gp3's baseline."
  value       = var.iops != null ? var.iops : local.baseline_iops
}

output "max_connections" {
  description = "Connections that the server takes."
  value       = var.max_connections
}

output "connections_for_tenants" {
  description = "Connections left when those for superusers and `reserved_connections` (before PostgreSQL 16 RDS's two for `rds_superuser`) are taken off: what all tenants' limits together should not exceed."
  value       = var.max_connections - local.kept_connections
}

output "parameter_group_name" {
  description = "Name of the parameter group."
  value       = aws_db_parameter_group.this.name
}

output "security_group_id" {
  description = "Security group of the instance."
  value       = aws_security_group.this.id
}

output "kms_key_arn" {
  description = "Key with which storage, snapshots, insights, the master secret and the logs are encrypted."
  value       = local.kms_key_arn
}

output "log_group_names" {
  description = "CloudWatch log groups, by what is exported: `postgresql`, `upgrade`, `iam-db-auth-error`."
  value       = { for export, group in aws_cloudwatch_log_group.this : export => group.name }
}
