terraform {
  required_version = ">= 1.11"
  required_providers {
    pgtenant = {
      source  = "pgtenant/pgtenant"
      version = "~> 0.1"
    }
  }
}

variable "admin_password" {
  type      = string
  sensitive = true
  ephemeral = true
}

# Whatever is left out comes from PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGSSLMODE and PGSSLROOTCERT.
provider "pgtenant" {
  host     = "db.example.com"
  username = "platform_admin"
  password = var.admin_password

  # RDS is signed by an authority that is in no public root store. verify-full is the default sslmode.
  sslrootcert = "global-bundle.pem"

  # Makes everything as this group, so that the admins in it can be rotated.
  assume_role = "pgtenant_admin"
}
