output "scp_json" {
  description = "Service control policy: denies to everybody what only DBAs, only break-glass, or nobody may do."
  value       = data.aws_iam_policy_document.guard.minified_json

  precondition {
    condition     = length(data.aws_iam_policy_document.guard.minified_json) <= 5120
    error_message = "The service control policy has ${length(data.aws_iam_policy_document.guard.minified_json)} characters, and AWS takes 5120: name fewer roles or keys."
  }
}

output "boundary_json" {
  description = "The same as a permissions boundary, for accounts without an organisation."
  value       = data.aws_iam_policy_document.boundary.json

  # IAM does not count white space.
  precondition {
    condition     = length(data.aws_iam_policy_document.boundary.minified_json) <= 6144
    error_message = "The permissions boundary has ${length(data.aws_iam_policy_document.boundary.minified_json)} characters, and AWS takes 6144: name fewer roles or keys."
  }
}

output "key_policy_json" {
  description = "Policy for the key of the instance and its snapshots: `policy` of the module `rds-key`."
  value       = data.aws_iam_policy_document.key.json

  # KMS refuses it otherwise, in the middle of an apply.
  precondition {
    condition     = !var.check_key_administrator || local.caller_administers
    error_message = "Terraform runs as ${local.caller}, which is no administrator of the key: KMS refuses a key policy that locks out the caller. Add the role behind it to key_administrator_role_arns (an IAM user cannot be one: assume a role), or set check_key_administrator = false if another principal makes the key."
  }
}

output "dba_policy_json" {
  description = "Identity policy for DBAs: look, make, copy, restore, replicate, switch over, throw copies away."
  value       = data.aws_iam_policy_document.dba.json
}

output "break_glass_policy_json" {
  description = "Identity policy for break-glass: what DBAs may do, and delete and export snapshots, disable keys."
  value       = data.aws_iam_policy_document.break_glass.json
}

output "policy_arns" {
  description = "ARNs of the IAM policies, by `dba`, `break-glass` and `boundary`; none without `create_iam_policies`."
  value       = { for name, policy in aws_iam_policy.this : name => policy.arn }
}

output "event_rule_arns" {
  description = "ARNs of the EventBridge rules, by `snapshots`, `sharing`, `calls`, `downloads`, `keys`, and with `guard_backups` `backups`, `backup_sharing` and `backup_jobs`."
  value       = { for name, rule in aws_cloudwatch_event_rule.this : name => rule.arn }
}
