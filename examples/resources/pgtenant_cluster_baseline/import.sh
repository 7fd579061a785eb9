# A server has one baseline.
terraform import pgtenant_cluster_baseline.this cluster
