variable "password" {
  type      = string
  ephemeral = true
}

# What PostgreSQL stores instead of the password, for tools that take a verifier:
# "SCRAM-SHA-256$4096:<salt>$<stored key>:<server key>". The same arguments give the same verifier.
locals {
  verifier = provider::pgtenant::scram_verifier(var.password, "acme")
}
