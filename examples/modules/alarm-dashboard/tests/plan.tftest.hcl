# What is shown, and what is refused.

provider "aws" {
  region = "eu-west-1"
}

variables {
  title       = "tenants"
  alarm_names = ["tenants-cpu", "tenants-connections"]
  rows = [
    {
      risk = "Connections", then = "Pool them."
      widgets = [
        { title = "Connections", lines = [90, 100], metrics = [["AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", "tenants", { stat = "Maximum" }]] },
        { title = "Refused", lines = [], metrics = [] },
      ]
    },
    {
      risk    = "Nothing to show", then = "-"
      widgets = [{ title = "None", lines = [], metrics = [] }]
    },
    {
      risk    = "CPU", then = "Look."
      widgets = [for metric in ["a", "b", "c", "d", "e"] : { title = metric, lines = [], metrics = [["AWS/RDS", metric]] }]
    },
  ]
}

run "rows" {
  command = plan

  assert {
    condition     = jsondecode(output.body).widgets[0].properties.alarms == ["arn:aws:cloudwatch:eu-west-1:123456789012:alarm:tenants-connections", "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:tenants-cpu"]
    error_message = "The states of all alarms are on top."
  }

  assert {
    condition = [for widget in jsondecode(output.body).widgets : "${widget.y} ${widget.properties.markdown}" if widget.type == "text"] == [
      "4 ## Connections\nPool them.", "12 ## CPU\nLook.",
    ]
    error_message = "A row without metrics is not shown, and leaves no gap."
  }

  assert {
    condition     = [for widget in jsondecode(output.body).widgets : [widget.x, widget.width] if widget.type == "metric"] == [[0, 24], [0, 4], [4, 4], [8, 4], [12, 4], [16, 8]]
    error_message = "The widgets of a row fill it."
  }

  assert {
    condition = [for widget in jsondecode(output.body).widgets : widget.properties if widget.type == "metric"][0] == {
      title       = "Connections", region = "eu-west-1", view = "timeSeries", stat = "Average", period = 60
      metrics     = [["AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", "tenants", { stat = "Maximum" }]]
      annotations = { horizontal = [{ value = 90 }, { value = 100 }] }
    }
    error_message = "A widget has its metrics and lines."
  }
}

run "too_many_alarms" {
  command = plan

  variables {
    alarm_names = [for number in range(101) : "tenants-${number}"]
  }

  expect_failures = [var.alarm_names]
}

run "rows_without_widgets" {
  command = plan

  variables {
    rows = [{ risk = "CPU", then = "Look." }]
  }

  expect_failures = [var.rows]
}
