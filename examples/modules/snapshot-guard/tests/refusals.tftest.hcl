variables {
  dba_role_arns         = ["arn:aws:iam::123456789012:role/dba"]
  break_glass_role_arns = ["arn:aws:iam::123456789012:role/break-glass"]
  topic_arn             = "arn:aws:sns:eu-west-1:123456789012:tenants-alarms"
}

run "name" {
  command = plan
  variables {
    name = "a b"
  }
  expect_failures = [var.name]
}

run "no_dba" {
  command = plan
  variables {
    dba_role_arns = []
  }
  expect_failures = [var.dba_role_arns]
}

run "no_break_glass" {
  command = plan
  variables {
    break_glass_role_arns = ["arn:aws:iam::123456789012:role/*"]
  }
  expect_failures = [var.break_glass_role_arns]
}

run "every_day_an_emergency" {
  command = plan
  variables {
    break_glass_role_arns = ["arn:aws:iam::123456789012:role/dba"]
  }
  expect_failures = [var.break_glass_role_arns]
}

run "key_administrator" {
  command = plan
  variables {
    key_administrator_role_arns = ["arn:aws:iam::123456789012:user/alice"]
  }
  expect_failures = [var.key_administrator_role_arns]
}

run "key_user" {
  command = plan
  variables {
    key_user_role_arns = ["deploy"]
  }
  expect_failures = [var.key_user_role_arns]
}

run "key_service" {
  command = plan
  variables {
    key_services = ["secretsmanager"]
  }
  expect_failures = [var.key_services]
}

run "log_group_prefix" {
  command = plan
  variables {
    log_group_prefix = "a b"
  }
  expect_failures = [var.log_group_prefix]
}

run "key_alias" {
  command = plan
  variables {
    kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:alias/tenants"]
  }
  expect_failures = [var.kms_key_arns]
}

run "organization_target" {
  command = plan
  variables {
    create_organization_policy = true
    organization_target_ids    = ["root"]
  }
  expect_failures = [var.organization_target_ids]
}

run "nothing_to_attach" {
  command = plan
  variables {
    organization_target_ids = ["123456789012"]
  }
  expect_failures = [var.organization_target_ids]
}

run "topic" {
  command = plan
  variables {
    topic_arn = "alarms"
  }
  expect_failures = [var.topic_arn]
}

run "longer_than_an_scp" {
  command = plan
  variables {
    dba_role_arns = [for number in range(100) : "arn:aws:iam::123456789012:role/dba-${number}"]
  }
  expect_failures = [output.scp_json, output.boundary_json]
}

# The guard itself is still short enough.
run "longer_than_a_boundary" {
  command = plan
  variables {
    key_administrator_role_arns = [for number in range(14) : "arn:aws:iam::123456789012:role/terraform-${number}"]
  }
  expect_failures = [output.boundary_json]
}
