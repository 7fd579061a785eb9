# The whole of it, applied with AWS's answers made up and a made-up server; a real one is in the
# project's own tests.

provider "aws" {
  region = "eu-west-1"
}

mock_provider "pgtenant" {
  mock_resource "pgtenant_tenant" {
    defaults = { database = "acme", role = "acme", isolation = { other_privileges = "enforced" } }
  }
  mock_data "pgtenant_capacity" {
    defaults = { headroom = 375, over_committed = false, committed = 20, available = 395 }
  }
}

variables {
  roles = {
    dba         = ["arn:aws:iam::123456789012:role/dba"]
    break_glass = ["arn:aws:iam::123456789012:role/break-glass"]
    terraform   = ["arn:aws:iam::123456789012:role/terraform"]
  }
  vpc_id                     = "vpc-0123456789abcdef0"
  subnet_ids                 = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  allowed_security_group_ids = { applications = "sg-0123456789abcdef0" }
  kms_key_arn                = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  cluster                    = { deletion_protection = false }
  tenants                    = { acme = { connection_limit = 20, statement_timeout = "30s" } }
  passwords                  = { acme = "0123456789abcdef" }
}

run "all_of_it" {
  assert {
    condition     = output.headroom == 375
    error_message = "The connections of the cluster do not arrive at the tenants."
  }

  assert {
    condition     = output.address == "tenants.abc123.eu-west-1.rds.amazonaws.com" && output.address != output.reader_address && startswith(output.topic_arn, "arn:aws:sns:eu-west-1:")
    error_message = "The addresses, or the alarms' topic, are not told."
  }

  assert {
    condition     = strcontains(output.key_policy_json, "/aws/rds/cluster/tenants/")
    error_message = "The key's policy does not admit the cluster's logs."
  }
}

run "serverless_and_alone" {
  variables {
    cluster = {
      engine_version                     = "18"
      instance_class                     = "db.serverless"
      instances                          = { one = {} }
      serverlessv2_scaling_configuration = { min_capacity = 2, max_capacity = 32 }
      deletion_protection                = false
    }
  }

  assert {
    condition     = startswith(output.final_snapshot_identifier, "final-tenants-")
    error_message = "A destroy leaves nothing."
  }
}
