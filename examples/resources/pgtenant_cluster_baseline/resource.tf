# Without it every tenant may connect to "postgres" and "template1", and create objects there if the server was made
# before PostgreSQL 15.
resource "pgtenant_cluster_baseline" "this" {}

# What is closed, and what this admin may not close because it does not own it.
output "baseline" {
  value = pgtenant_cluster_baseline.this.controls
}
