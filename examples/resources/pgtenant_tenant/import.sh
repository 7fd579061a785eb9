# A tenant that the provider made is known by its name.
terraform import pgtenant_tenant.acme acme

# Objects that it did not make: name/database/role/schema. One of database and role may be missing: the apply makes it.
terraform import pgtenant_tenant.globex globex/globex_production/globex_app/main
