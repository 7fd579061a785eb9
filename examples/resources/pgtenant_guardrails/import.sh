# Guardrails are known by the name of their tenant.
terraform import pgtenant_guardrails.acme acme
