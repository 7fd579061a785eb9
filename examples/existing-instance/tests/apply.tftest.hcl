# Applied with AWS's answers made up and a made-up server; a real one is in the project's own tests.

provider "aws" {
  region = "eu-west-1"
}

mock_provider "pgtenant" {
  mock_resource "pgtenant_tenant" {
    defaults = { database = "acme", role = "acme", isolation = { other_privileges = "enforced" } }
  }
  mock_data "pgtenant_capacity" {
    defaults = { headroom = 155, over_committed = false, committed = 20, available = 175 }
  }
}

variables {
  roles = {
    dba         = ["arn:aws:iam::123456789012:role/dba"]
    break_glass = ["arn:aws:iam::123456789012:role/break-glass"]
    terraform   = ["arn:aws:iam::123456789012:role/terraform"]
  }
  instance = {
    identifier        = "legacy"
    resource_id       = "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    instance_class    = "db.r7g.large"
    allocated_storage = 200
    kms_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    address           = "legacy.abc123.eu-west-1.rds.amazonaws.com"
    max_connections   = 200
  }
  admin_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:legacy-AbCdEf"
  tenants          = { acme = { connection_limit = 20, statement_timeout = "30s" } }
  passwords        = { acme = "0123456789abcdef" }
}

run "tenants_on_what_is_there" {
  assert {
    condition     = output.headroom == 155 && startswith(output.topic_arn, "arn:aws:sns:eu-west-1:")
    error_message = "The tenants or the alarms are not made."
  }
}

run "identifier_for_resource_id" {
  command = plan

  variables {
    instance = {
      identifier        = "legacy"
      resource_id       = "legacy"
      instance_class    = "db.r7g.large"
      allocated_storage = 200
      kms_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
      address           = "legacy.abc123.eu-west-1.rds.amazonaws.com"
      max_connections   = 200
    }
  }

  expect_failures = [var.instance]
}
