# Sessions beyond the limits on record are ended, whatever the tenant has set for itself.
resource "pgtenant_watchdog" "this" {
  interval            = "1min"
  transaction_timeout = "10min" # for tenants without one of their own

  # From here on a line in the server's log says so at each run.
  report = {
    statement = "5min"
    xmin_age  = 1000000
  }
}
