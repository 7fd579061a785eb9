# A tenant that the provider made is known by its name.
terraform import pgtenant_tenant.acme acme

# Objects that it did not make: name/database/role/schema.
terraform import pgtenant_tenant.globex globex/globex_production/globex_app/main
