//! The guide on compliance, rendered from the table that the audit uses.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pgtenant::tenant::control::{CONTROLS, NIST};

const HEAD: &str = r#"---
page_title: "Compliance - pgtenant"
subcategory: "Security"
description: |-
  Which controls the isolation audit tells, and what of NIST SP 800-53 Rev. 5 and the PostgreSQL STIGs each supports
---

# Compliance

The isolation audit reads a server and tells, control by control, what was looked at, what is expected and what was found: evidence
that a person can hand to an assessor, made anew whenever it is asked for. It changes nothing. There are two ways to it:

- the data source [`pgtenant_isolation_audit`](../data-sources/isolation_audit.md), for a `check` block, an output or a file:
  see [`examples/evidence`](../../examples/evidence/main.tf);
- `terraform-provider-pgtenant audit`, without Terraform, with the provider's environment variables (`PGHOST`, `PGUSER`,
  `PGPASSWORD` and so on):

```shell
terraform-provider-pgtenant audit                            # for a terminal
terraform-provider-pgtenant audit --format json > audit.json
terraform-provider-pgtenant audit --format html > audit.html # one page that needs nothing else
terraform-provider-pgtenant audit --tenant acme --member-of reporting
terraform-provider-pgtenant audit --accept acme.memberships="the reporting role, ticket 4711"
```

Its exit code is 0 when everything is as expected or accepted, 1 when something is not, and 2 when something could not be looked at or the audit
could not be made.

## What it is, and what it is not

A control supports a requirement with evidence of one fact; it satisfies none by itself, and this is no assessment. What the mapping
says is ours, but for the STIG rules below: which part of a requirement a fact bears on. Policies, people, backups, keys, the network
and the host are outside of it: see [the threat model](threat-model.md) and [what roles cannot stop](limits-of-roles.md).

- The audit holds the same facts against the same rules as `terraform plan` with `deep_verify`: what one of them tells, the other tells. A
  fact that no rule knows is a finding.
- *fail* is a fact that is not as expected. *accepted* is one that somebody accepted, with the reason. *not checked* is one that could not be looked at, with the reason; nothing is claimed of it,
  and the audit does not pass.
- The facts are those of the moment. What a tenant did and undid in between is the log's to say.
- Tenants are those whose database or role carries the provider's marker. Archived ones, and databases that never were a tenant's, are
  looked at only as places that no tenant may reach.
- What is a choice is taken as it was found: whether a tenant is suspended, may make temporary tables, and which extensions it has.
  Which schemas it has, and whether it may make more (`allow_create_schema`), is on record in its role's marker, which no tenant can
  write. The roles that tenants may be members of have to be said (`member_of`), and so has what is accepted (`accept`).
- A password is compared by the salt that the server shows, and when it is set it is proved by a login as well. One that was set later
  with the very same salt is not told from it.
- What a login is asked depends on where it comes from: the audit sees the lines of `pg_hba.conf` that hold for its own address. A role
  whose password is stored in another way is not told from one without a password: a login with it fails.
- A tenant with `authentication = "rds_iam"` is expected to be asked for a token in clear text, over TLS, and one with
  `"certificate"` to be refused without one; which line of `pg_hba.conf` refused it does not show. Any other that is asked for
  clear text, an MD5 password or nothing is a finding.
- A tenant that is being made, renamed or destroyed at the time may be found half-made.

## The report as data

`--format json` writes one object: `format` (1; raised if something changes its meaning), `passed`, `server` (`address`, `version`,
`database`, `role`), `time` (the server's, UTC, as `20260131T235959Z`), `counts` (`pass`, `accepted`, `fail`, `not_checked`), `tenants`, and `controls`
in the order of the tables below. Each control has `id`, `title`, `expected`, `checked` (how many of what), `found`, `status`, `nist`,
`stig` and `findings`: a list of `subject` (a tenant, a database, or `server`), `status` and `found`, those that fail first and otherwise in
the order of their names. The data source has the same, without `format`, `server`, `time` and `counts`.
"#;

const STIG: &str = "
## PostgreSQL STIGs

The rules whose own check finds something where the control, or the named part of it, fails. They are those of the Crunchy Data
PostgreSQL STIG (version 3, release 1; for PostgreSQL 13 to 15) and the Crunchy Data Postgres 16 STIG (version 1, release 1). There is
none for PostgreSQL 17 and 18: there the latter is cited by analogy. A rule may want more than the control shows; that is said, too.
No rule is cited for what is this provider's own: that one tenant's role may not connect to another's database, for instance, no rule
asks for.

| control | PostgreSQL 13 to 15 | PostgreSQL 16 | what of the control it is about, and what it wants besides |
|---|---|---|---|
";

pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for (area, title) in [
        ("tenant", "Tenants"),
        ("guardrails", "Guardrails"),
        ("cluster", "The cluster"),
        ("watchdog", "The watchdog, where there is one"),
    ] {
        write!(page, "\n## {title}\n\n| control | what is looked at | what is expected | NIST |\n|---|---|---|---|\n")
            .unwrap();
        for row in CONTROLS.iter().filter(|row| row.area == area) {
            let (about, expected) = (row.about, row.expected);
            writeln!(page, "| `{}` | {about} | {expected} | {} |", row.id(), row.nist.join(", ")).unwrap();
        }
    }
    page +=
        "\n## NIST SP 800-53 Rev. 5\n\n| control | name | the part of it that is supported | by |\n|---|---|---|---|\n";
    let mut by: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in &CONTROLS {
        for id in row.nist {
            by.entry(id).or_default().push(format!("`{}`", row.id()));
        }
    }
    for (id, name, part) in NIST {
        writeln!(page, "| {id} | {name} | {part} | {} |", by[id].join(", ")).unwrap();
    }
    page += STIG;
    for row in &CONTROLS {
        for stig in row.stig {
            writeln!(page, "| `{}` | {} | {} | {} |", row.id(), stig.until_15, stig.since_16, stig.scope).unwrap();
        }
    }
    page
}
