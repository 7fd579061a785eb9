data "pgtenant_isolation_audit" "all" {
  # Not on the server: the roles that tenants may be members of.
  member_of = ["reporting"]
}

output "not_as_expected" {
  value = {
    for control in data.pgtenant_isolation_audit.all.controls : control.id => control.found
    if control.status != "pass"
  }
}
