output "isolation" {
  description = "For each tenant, the controls that keep it apart and whether each is in force."
  value       = { for name, tenant in pgtenant_tenant.this : name => tenant.isolation }
}

output "overrides" {
  description = "For each tenant, the limits that its role has tried to change for itself."
  value       = { for name, guardrails in pgtenant_guardrails.this : name => guardrails.overrides }
}
