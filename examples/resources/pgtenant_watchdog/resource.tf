# Sessions beyond the limits on record are ended, whatever the tenant has set for itself.
resource "pgtenant_watchdog" "this" {
  interval            = "1min"
  transaction_timeout = "10min" # for tenants without one of their own
}
