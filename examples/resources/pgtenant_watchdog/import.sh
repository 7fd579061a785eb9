# A server has one watchdog.
terraform import pgtenant_watchdog.this cluster
