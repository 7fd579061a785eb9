# Saved queries of Logs Insights, over the lines as PostgreSQL wrote them.
locals {
  # `<time>:<client>:<role>@<database>:[<pid>]:<level>:  <text>`; a client's IPv6 address has colons of its own.
  parse = "parse @message /:(?<role>[^:@]*)@(?<database>[^:@]*):\\[(?<pid>[0-9]+)\\]:(?<level>[A-Z0-9]+): +(?<text>.*)/"

  limits = join("|", [
    "canceling statement due to",
    "terminating connection due to",
    "too many connections for",
    "remaining connection slots are reserved",
    "too many clients already",
    "deadlock detected",
    "temporary file size exceeds",
  ])

  queries = {
    "errors by tenant"   = "filter level in [\"ERROR\", \"FATAL\", \"PANIC\"]\n| stats count(*) as lines by database, role, level, text\n| sort lines desc\n| limit 100"
    "limits by tenant"   = "filter level in [\"ERROR\", \"FATAL\"] and text like /${local.limits}/\n| stats count(*) as lines by database, role, text\n| sort lines desc\n| limit 100"
    "refused by tenant"  = "filter level in [\"ERROR\", \"FATAL\"] and text like /permission denied|authentication failed for user|not permitted to log in|no pg_hba.conf entry/\n| stats count(*) as lines by database, role, text\n| sort lines desc\n| limit 100"
    "slow by tenant"     = "filter level = \"LOG\" and text like /^duration: /\n| parse text /^duration: (?<ms>[0-9.]+) ms/\n| stats count(*) as statements, max(ms) as longest_ms, sum(ms) as total_ms by database, role\n| sort total_ms desc\n| limit 100"
    "locks by tenant"    = "filter level = \"LOG\" and text like /still waiting for|acquired .* after/\n| stats count(*) as lines by database, role\n| sort lines desc\n| limit 100"
    "audit by tenant"    = "filter level = \"LOG\" and text like /^AUDIT: /\n| parse text /^AUDIT: (?<kind>SESSION|OBJECT),[0-9]+,[0-9]+,(?<class>[A-Z]+),(?<command>[^,]*),/\n| stats count(*) as statements by database, role, class, command\n| sort statements desc\n| limit 100"
    "watchdog by tenant" = "filter level = \"LOG\" and text like /^pgtenant_watchdog: /\n| parse text /^pgtenant_watchdog: (?<event>\\S+) (?<signal>\\S+) (?<tenant>\\S+) (?<value>\\S+) (?<threshold>\\S+) role=(?<of_role>\\S+) database=(?<of_database>\\S+) pid=(?<of_pid>\\S+)/\n| stats count(*) as lines, max(value) as highest by event, signal, tenant, of_role\n| sort lines desc\n| limit 100"
    # To be edited in the console: the name of the tenant's role or database.
    "lines of one tenant" = "filter role = \"acme\" or database = \"acme\"\n| display @timestamp, pid, level, text\n| sort @timestamp desc\n| limit 200"
    "vacuum by tenant"    = "filter level = \"LOG\" and text like /^automatic .*(vacuum|analyze)/\n| parse text /table \"(?<in_database>[^.]*)[.](?<in_schema>[^.]*)[.](?<in_table>[^\"]*)\"/\n| stats count(*) as runs by in_database, in_schema, in_table\n| sort runs desc\n| limit 100"
  }
}

resource "aws_cloudwatch_query_definition" "this" {
  for_each = local.queries

  name            = "${var.namespace}/${var.db_instance_identifier}/${each.key}"
  log_group_names = [local.log_group_name]
  query_string    = "fields @timestamp, @message\n| ${local.parse}\n| ${each.value}"
}
