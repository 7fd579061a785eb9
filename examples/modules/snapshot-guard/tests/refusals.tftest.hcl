variables {
  db_instance_identifiers     = ["tenants"]
  dba_role_arns               = ["arn:aws:iam::123456789012:role/dba"]
  break_glass_role_arns       = ["arn:aws:iam::123456789012:role/break-glass"]
  key_administrator_role_arns = ["arn:aws:iam::123456789012:role/terraform"]
  topic_arn                   = "arn:aws:sns:eu-west-1:123456789012:tenants-alarms"
}

run "no_instance" {
  command = plan
  variables {
    db_instance_identifiers = []
  }
  expect_failures = [var.db_instance_identifiers]
}

run "final_snapshot_role" {
  command = plan
  variables {
    final_snapshot_role_arns = ["terraform"]
  }
  expect_failures = [var.final_snapshot_role_arns]
}

run "backup_role" {
  command = plan
  variables {
    backup_role_arns = ["arn:aws:iam::123456789012:role/*"]
  }
  expect_failures = [var.backup_role_arns]
}

run "backup_copy_vault" {
  command = plan
  variables {
    backup_copy_vault_arns = ["arn:aws:backup:*:210987654321:backup-vault:*"]
  }
  expect_failures = [var.backup_copy_vault_arns]
}

run "export_role" {
  command = plan
  variables {
    export_role_arns = ["arn:aws:iam::123456789012:role/*"]
  }
  expect_failures = [var.export_role_arns]
}

run "monitoring_role" {
  command = plan
  variables {
    monitoring_role_arns = ["monitoring"]
  }
  expect_failures = [var.monitoring_role_arns]
}

run "snapshot_name_prefix" {
  command = plan
  variables {
    snapshot_name_prefixes = ["tenants_*"]
  }
  expect_failures = [var.snapshot_name_prefixes]
}

# The stand-in's caller is a session of the role terraform.
run "locked_out" {
  command = plan
  variables {
    key_administrator_role_arns = ["arn:aws:iam::123456789012:role/platform"]
  }
  expect_failures = [output.key_policy_json]
}

run "locked_out_in_another_account" {
  command = plan
  variables {
    key_administrator_role_arns = ["arn:aws:iam::210987654321:role/terraform"]
  }
  expect_failures = [output.key_policy_json]
}

# A part of a name is not the name.
run "locked_out_by_a_namesake" {
  command = plan
  variables {
    key_administrator_role_arns = ["arn:aws:iam::123456789012:role/terraform/reader", "arn:aws:iam::123456789012:role/terraform-2"]
  }
  expect_failures = [output.key_policy_json]
}

run "users_administer_no_key" {
  command = plan

  override_data {
    target = data.aws_caller_identity.this
    values = { account_id = "123456789012", arn = "arn:aws:iam::123456789012:user/terraform" }
  }

  expect_failures = [output.key_policy_json]
}

run "longer_than_a_rule" {
  command = plan
  variables {
    snapshot_name_prefixes = [for number in range(50) : "tenants-${number}-"]
  }
  expect_failures = [aws_cloudwatch_event_rule.this]
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
    key_administrator_role_arns = concat(["arn:aws:iam::123456789012:role/terraform"], [for number in range(12) : "arn:aws:iam::123456789012:role/terraform-${number}"])
  }
  expect_failures = [output.boundary_json]
}
