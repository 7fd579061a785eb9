output "arn" {
  description = "ARN of the key, for `kms_key_arn` of the module `rds-postgres`."
  value       = aws_kms_key.this.arn
}

output "key_id" {
  description = "ID of the key."
  value       = aws_kms_key.this.key_id
}

output "alias" {
  description = "Name of the key's alias."
  value       = aws_kms_alias.this.name
}
