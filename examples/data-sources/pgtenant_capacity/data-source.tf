data "pgtenant_capacity" "now" {}

# Every plan and apply reports it, no matter who changed a limit, and where.
check "tenants_fit" {
  assert {
    condition     = data.pgtenant_capacity.now.headroom >= 10
    error_message = "The tenants may open ${data.pgtenant_capacity.now.committed} of ${data.pgtenant_capacity.now.available} connections; 10 are to be left for monitoring and for the provider."
  }
}

output "headroom" {
  value = data.pgtenant_capacity.now.headroom
}
