# The tenant's name and the role's.
terraform import pgtenant_access.reporting acme/reporting
