import {
  to = pgtenant_tenant.acme
  identity = {
    name = "acme"
  }
}
