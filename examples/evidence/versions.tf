terraform {
  required_version = ">= 1.11"
  required_providers {
    pgtenant = {
      source  = "pgtenant/pgtenant"
      version = "~> 0.1"
    }
  }
}
