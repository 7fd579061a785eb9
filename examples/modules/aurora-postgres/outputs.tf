output "identifier" {
  description = "Name of the cluster: the dimension DBClusterIdentifier of its metrics. Null without `create`, as the other outputs are."
  value       = one(aws_rds_cluster.this[*].cluster_identifier)
}

output "resource_id" {
  description = "Resource ID of the cluster, `cluster-...`: its name in policies for IAM login."
  value       = one(aws_rds_cluster.this[*].cluster_resource_id)
}

output "arn" {
  description = "ARN of the cluster."
  value       = one(aws_rds_cluster.this[*].arn)
}

output "address" {
  description = "Host name of the writer, for the provider's `host`: it follows a failover. Known after apply."
  value       = one(aws_rds_cluster.this[*].endpoint)
}

output "reader_address" {
  description = "Host name that leads to one of the readers, or to the writer if there is no reader."
  value       = one(aws_rds_cluster.this[*].reader_endpoint)
}

output "port" {
  description = "TCP port of the server."
  value       = one(aws_rds_cluster.this[*].port)
}

output "username" {
  description = "Name of the master role."
  value       = one(aws_rds_cluster.this[*].master_username)
}

output "master_secret_arn" {
  description = "ARN of the secret that holds the master role's password, which AWS makes and rotates. Known after apply."
  value       = one([for cluster in aws_rds_cluster.this : cluster.master_user_secret[0].secret_arn])
}

output "engine_version" {
  description = "PostgreSQL version that runs."
  value       = one(aws_rds_cluster.this[*].engine_version_actual)
}

output "instances" {
  description = "The instances by their keys: `identifier`, `instance_class`, and `resource_id`, `db-...`, their name in Performance Insights. Readers of autoscaling are not among them."
  value = {
    for name, instance in aws_rds_cluster_instance.this : name => {
      identifier     = instance.identifier
      instance_class = instance.instance_class
      resource_id    = instance.dbi_resource_id
    }
  }
}

output "max_capacity" {
  description = "Aurora capacity units to which a serverless instance grows; null if no instance is `db.serverless`."
  value       = local.is_serverless ? var.serverlessv2_scaling_configuration.max_capacity : null
}

output "max_connections" {
  description = "Connections that each instance takes."
  value       = var.max_connections
}

output "connections_for_tenants" {
  description = "Connections left on each instance when those for superusers and `reserved_connections` (Aurora's two if it is not set) are taken off: what all tenants' limits together should not exceed."
  value       = var.max_connections - local.kept_connections
}

output "cluster_parameter_group_name" {
  description = "Name of the cluster's parameter group."
  value       = var.create ? local.db_cluster_parameter_group_name : null
}

output "parameter_group_name" {
  description = "Name of the instances' parameter group."
  value       = var.create ? local.db_parameter_group_name : null
}

output "security_group_id" {
  description = "Security group that this module made; null without."
  value       = one(aws_security_group.this[*].id)
}

output "kms_key_arn" {
  description = "Key with which storage, snapshots, insights, the master secret and the logs are encrypted."
  value       = var.kms_key_arn
}

output "log_group_names" {
  description = "CloudWatch log groups, by what is exported: `postgresql` and `iam-db-auth-error`."
  value       = { for export in local.log_exports : export => try(aws_cloudwatch_log_group.this[export].name, "/aws/rds/cluster/${var.identifier}/${export}") }
}

output "final_snapshot_identifier" {
  description = "Name of the snapshot that a destroy leaves."
  value       = one(aws_rds_cluster.this[*].final_snapshot_identifier)
}
