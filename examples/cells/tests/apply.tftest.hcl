# Applied with AWS's answers made up and made-up servers; real ones are in the project's own tests.

provider "aws" {
  region = "eu-west-1"
}

mock_provider "pgtenant" {
  alias = "blue"
  mock_data "pgtenant_capacity" {
    defaults = { headroom = 365, over_committed = false, committed = 20, available = 385 }
  }
}

mock_provider "pgtenant" {
  alias = "green"
  mock_data "pgtenant_capacity" {
    defaults = { headroom = 375, over_committed = false, committed = 10, available = 385 }
  }
}

# Terraform could not clear the key away again.
override_module {
  target = module.key["blue"]
  outputs = {
    arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-4333-8444-555555555555"
  }
}

override_module {
  target = module.key["green"]
  outputs = {
    arn = "arn:aws:kms:eu-west-1:123456789012:key/66666666-7777-4888-8999-000000000000"
  }
}

variables {
  cells = { blue = { deletion_protection = false }, green = { deletion_protection = false } }
  network = {
    vpc_id                     = "vpc-0123456789abcdef0"
    subnet_ids                 = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    allowed_security_group_ids = { pgbouncer = "sg-0123456789abcdef0" }
  }
  roles = {
    dba         = ["arn:aws:iam::123456789012:role/dba"]
    break_glass = ["arn:aws:iam::123456789012:role/break-glass"]
    terraform   = ["arn:aws:iam::123456789012:role/terraform"]
  }
  tenants   = { acme = { cell = "blue", connection_limit = 20 }, globex = { cell = "green" } }
  passwords = { acme = "0123456789abcdef", globex = "fedcba9876543210" }
}

run "each_tenant_in_its_cell" {
  assert {
    condition     = output.headroom_blue == 365 && output.headroom_green == 375
    error_message = "The tenants are not where they belong."
  }

  assert {
    condition     = output.addresses.blue == "tenants-blue.abc123.eu-west-1.rds.amazonaws.com" && output.addresses.green != output.addresses.blue
    error_message = "The cells are not two instances."
  }
}

run "one_guard_for_all_cells" {
  assert {
    condition     = anytrue([for statement in jsondecode(output.scp_json).Statement : statement.Sid == "AdministratorsChangeKeys" && length(flatten([statement.Resource])) == 2])
    error_message = "The guard does not hold for the keys of both cells."
  }
}

run "a_cell_that_is_not_there" {
  command = plan

  variables {
    tenants = { acme = { cell = "red" } }
  }

  expect_failures = [var.tenants]
}

run "a_cell_without_a_file" {
  command = plan

  variables {
    cells = { blue = {}, green = {}, red = {} }
  }

  expect_failures = [var.cells]
}

run "no_name_for_a_cell" {
  command = plan

  variables {
    cells = { blue = {}, green = {}, "../green" = {} }
  }

  expect_failures = [var.cells]
}
