resource "pgtenant_tenant" "acme" {
  name = "acme"
}

resource "pgtenant_tenant" "globex" {
  name = "globex"
}

# A role that somebody else made, and that reports on all tenants.
resource "pgtenant_access" "reporting" {
  for_each = toset([pgtenant_tenant.acme.name, pgtenant_tenant.globex.name])

  tenant = each.value
  role   = "reporting"
  access = "read"
}
