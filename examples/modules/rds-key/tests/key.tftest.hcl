# Plans only: nothing that Terraform makes of this could be cleared away again.

provider "aws" {
  region = "eu-west-1"
}

variables {
  identifier = "tenants"
}

run "defaults" {
  command = plan

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30 && aws_kms_alias.this.name == "alias/tenants"
    error_message = "The key is not as documented."
  }

  assert {
    condition     = jsondecode(aws_kms_key.this.policy).Statement[1].Principal.Service == "logs.eu-west-1.amazonaws.com"
    error_message = "CloudWatch Logs may not use the key."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_kms_key.this.policy).Statement : jsonencode([
        sort(statement.Action),
        sort(statement.Condition.StringEquals["kms:ViaService"]),
        statement.Condition.StringEquals["kms:CallerAccount"],
        statement.Condition.ArnLike["aws:PrincipalArn"],
      ]) if statement.Sid == "AlarmsOnPerformanceInsights"
      ] == [jsonencode([
        ["kms:Decrypt", "kms:GenerateDataKey"],
        ["pi.eu-west-1.amazonaws.com", "rds.eu-west-1.amazonaws.com"],
        "123456789012",
        "arn:aws:iam::123456789012:role/aws-service-role/pi-db.metrics.cloudwatch.amazonaws.com/*",
    ])]
    error_message = "Only CloudWatch's service-linked role reads Performance Insights with the key: ${aws_kms_key.this.policy}"
  }
}

run "a_policy_of_ones_own" {
  command = plan

  variables {
    policy = jsonencode({ Version = "2012-10-17", Statement = [] })
  }

  assert {
    condition     = aws_kms_key.this.policy == var.policy
    error_message = "The policy that was given is not used."
  }
}

run "identifier" {
  command = plan

  variables {
    identifier = "Tenants"
  }

  expect_failures = [var.identifier]
}

run "policy_not_json" {
  command = plan

  variables {
    policy = "everybody"
  }

  expect_failures = [var.policy]
}
