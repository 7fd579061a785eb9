variable "title" {
  description = "Title of the states of the alarms, which are on top: what is watched."
  type        = string
  nullable    = false
}

variable "alarm_names" {
  description = "Names of the alarms of this account and region whose states are on top."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.alarm_names) <= 100
    error_message = "alarm_names must name 100 alarms at most: CloudWatch shows no more in one widget."
  }
}

variable "rows" {
  description = "The rows: `risk`, their heading; `then`, what to do; `widgets`, each with `title`, `lines` (horizontal lines) and `metrics` as CloudWatch's dashboards have them. A widget without metrics is left out, and so is a row without widgets. Not typed, because a metric is a list of strings and objects."
  type        = any
  nullable    = false

  validation {
    condition     = can([for row in var.rows : [row.risk, row.then, [for widget in row.widgets : [widget.title, length(widget.lines), length(widget.metrics)]]]])
    error_message = "rows must be objects with risk, then and widgets; each of widgets must have title, lines and metrics."
  }
}
