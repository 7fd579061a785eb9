# PGHOST, PGPORT, PGUSER, PGPASSWORD and similar variables say where the server is and who the admin is.
provider "pgtenant" {}

variable "member_of" {
  description = "The roles that tenants may be members of, in addition to rds_iam for those that log in with IAM."
  type        = set(string)
  default     = []
  nullable    = false
}

data "pgtenant_isolation_audit" "this" {
  member_of = var.member_of
}

locals {
  audit           = data.pgtenant_isolation_audit.this
  not_as_expected = [for control in local.audit.controls : control if control.status != "pass"]
}

# A check warns, in every plan and every apply, and stops neither.
check "isolation" {
  assert {
    condition = local.audit.passed
    error_message = join("\n", [
      for control in local.not_as_expected : "${control.id}: ${control.status}: ${control.found}"
    ])
  }
}

output "passed" {
  description = "Whether every control could be looked at, and was as expected."
  value       = local.audit.passed
}

# Nothing secret: sensitive keeps the two from filling the terminal.
output "json" {
  description = "What was found of each control: terraform output -raw json > evidence.json"
  sensitive   = true
  value = jsonencode({
    passed         = local.audit.passed
    server_version = local.audit.server_version
    tenants        = local.audit.tenants
    controls       = local.audit.controls
  })
}

output "html" {
  description = "The same as a page for people: terraform output -raw html > evidence.html"
  sensitive   = true
  value       = local.audit.html
}
