# After cookielab/terraform-postgresql-database: for each database a migrator that makes the tables, a role that writes
# and one that reads; and people, who were in the groups of several databases.

locals {
  stages = toset(["ported_dev", "ported_live"])

  people = {
    ported_anna = { ported_dev = "write", ported_live = "read" }
    ported_ben  = { ported_dev = "write" }
  }

  visits = merge([
    for person, databases in local.people : {
      for database, access in databases : "${person}_${database}" => { person = person, database = database, access = access }
    }
  ]...)
}

# The extensions were in `public`, which was in the search_path. They are in `extensions`, which is so too.
resource "pgtenant_tenant" "stage" {
  for_each = local.stages

  name                = each.key
  schema              = "public"
  encoding            = "UTF8"
  lc_collate          = "C"
  lc_ctype            = "C"
  extensions          = ["pg_trgm", "uuid-ossp"]
  deletion_protection = false
}

resource "pgtenant_role" "stage" {
  for_each = {
    for pair in setproduct(local.stages, ["migrator", "rw", "ro"]) : "${pair[0]}_${pair[1]}" => {
      tenant = pair[0], access = { migrator = "owner", rw = "write", ro = "read" }[pair[1]]
    }
  }

  tenant = pgtenant_tenant.stage[each.value.tenant].name
  name   = each.key
  access = each.value.access
}

# A person is nobody's role: whoever looks after people makes it. Each database lets it in by itself, in place of a
# membership in a group of that database.
resource "pgtenant_access" "person" {
  for_each = local.visits

  tenant = pgtenant_tenant.stage[each.value.database].name
  role   = each.value.person
  access = each.value.access
}
