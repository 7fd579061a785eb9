variables {
  db_instance_identifier = "tenants"
}

run "identifier" {
  command = plan
  variables {
    db_instance_identifier = "Tenants!"
  }
  expect_failures = [var.db_instance_identifier]
}

run "log_group_name" {
  command = plan
  variables {
    log_group_name = "a log group"
  }
  expect_failures = [var.log_group_name]
}

run "namespace_of_amazon" {
  command = plan
  variables {
    namespace = "AWS/RDS"
  }
  expect_failures = [var.namespace]
}

run "namespace_characters" {
  command = plan
  variables {
    namespace = "p g"
  }
  expect_failures = [var.namespace]
}

run "log_line_prefix" {
  command = plan
  variables {
    log_line_prefix = "%t:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a"
  }
  expect_failures = [var.log_line_prefix]
}

run "tenant_condition" {
  command = plan
  variables {
    tenant_conditions = ["deadlocks"]
  }
  expect_failures = [var.tenant_conditions]
}

# Autovacuum's lines name no role.
run "tenant_condition_without_role" {
  command = plan
  variables {
    tenant_conditions = ["wraparound_vacuum"]
  }
  expect_failures = [var.tenant_conditions]
}

# Whoever has not logged in yet could make a metric for each name that it tries.
run "tenant_condition_before_the_login" {
  command = plan
  variables {
    tenant_conditions = ["failed_login"]
  }
  expect_failures = [var.tenant_conditions]
}

run "alarm_condition" {
  command = plan
  variables {
    alarms = { deadlocks = { threshold = 1 } }
  }
  expect_failures = [var.alarms]
}

run "alarm_threshold" {
  command = plan
  variables {
    alarms = { deadlock = { threshold = 0 } }
  }
  expect_failures = [var.alarms]
}

run "alarm_period" {
  command = plan
  variables {
    alarms = { deadlock = { threshold = 1, period = 120 } }
  }
  expect_failures = [var.alarms]
}

run "alarm_longer_than_a_day" {
  command = plan
  variables {
    alarms = { deadlock = { threshold = 1, period = 21600, periods = 5 } }
  }
  expect_failures = [var.alarms]
}

run "alarm_actions" {
  command = plan
  variables {
    alarm_actions = ["alarms"]
  }
  expect_failures = [var.alarm_actions]
}
