variable "password" {
  type      = string
  ephemeral = true
}

# A salt is no secret: PostgreSQL shows it to everybody who begins a login. It must be unique, and must not follow from
# the password. This one is random, and the state keeps it.
resource "terraform_data" "salt" {
  input = uuid()

  lifecycle {
    ignore_changes = [input]
  }
}

# What PostgreSQL stores instead of the password, for tools that take a verifier:
# "SCRAM-SHA-256$4096:<salt>$<stored key>:<server key>". The same arguments give the same verifier; "1" is the version of
# the password, so that the next password gets another salt.
locals {
  verifier = provider::pgtenant::scram_verifier(var.password, "acme", "${terraform_data.salt.output}/1")
}
