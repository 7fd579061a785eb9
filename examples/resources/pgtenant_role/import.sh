# The tenant's name and the role's. What the role has beyond its `access` is taken from it by the next apply.
terraform import pgtenant_role.reader acme/acme_reader
