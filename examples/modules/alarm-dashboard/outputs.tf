output "body" {
  description = "The dashboard as JSON, for `dashboard_body` of `aws_cloudwatch_dashboard`."
  value       = jsonencode({ widgets = concat([local.status], local.widgets) })
}
