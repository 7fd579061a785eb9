output "addresses" {
  description = "Host name of each cell's server."
  value       = { for cell, postgres in module.postgres : cell => postgres.address }
}

output "headroom" {
  description = "Connections that no tenant has been promised, by cell: where the next tenant goes."
  value       = { blue = module.tenants_blue.headroom, green = module.tenants_green.headroom }
}
