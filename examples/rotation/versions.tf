terraform {
  # Write-only attributes, which keep passwords out of the state, came with 1.11.
  required_version = ">= 1.11"
  required_providers {
    pgtenant = {
      source  = "pgtenant/pgtenant"
      version = "~> 0.1"
    }
  }
}
