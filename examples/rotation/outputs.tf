output "active" {
  description = "The role that applications log in as."
  value       = pgtenant_role.login[var.active].name
}

output "isolation" {
  description = "For each login, its controls and whether each is in force."
  value       = { for name, role in pgtenant_role.login : name => role.isolation }
}
