# The body of a dashboard: the states of alarms on top, then one row for each risk. Its caller makes the dashboard.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  # Only what has something to show.
  shown_rows = [
    for row in var.rows : {
      risk    = row.risk
      then    = row.then
      widgets = [for widget in row.widgets : widget if length(widget.metrics) > 0]
    } if anytrue([for widget in row.widgets : length(widget.metrics) > 0])
  ]

  alarm_arn_prefix = "arn:${data.aws_partition.this.partition}:cloudwatch:${data.aws_region.this.region}:${data.aws_caller_identity.this.account_id}:alarm:"

  status = {
    type = "alarm", x = 0, y = 0, width = 24, height = 4
    properties = {
      title  = var.title
      alarms = [for name in sort(var.alarm_names) : "${local.alarm_arn_prefix}${name}"]
    }
  }

  widgets = flatten([
    for number, row in local.shown_rows : [
      {
        type       = "text", x = 0, y = 4 + number * 8, width = 24, height = 2
        properties = { markdown = "## ${row.risk}\n${row.then}" }
      },
      [
        for column, widget in row.widgets : {
          type = "metric", x = column * floor(24 / length(row.widgets)), y = 6 + number * 8, height = 6
          # The last one takes what division leaves.
          width = floor(24 / length(row.widgets)) + (column == length(row.widgets) - 1 ? 24 % length(row.widgets) : 0)
          properties = {
            title       = widget.title
            region      = data.aws_region.this.region
            view        = "timeSeries"
            stat        = "Average"
            period      = 60
            metrics     = widget.metrics
            annotations = { horizontal = [for line in widget.lines : { value = line }] }
          }
        }
      ],
    ]
  ])
}

