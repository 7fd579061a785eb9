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
that a person can hand to an assessor, made again for each request. It changes nothing. There are two ways to it:

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
and the host are outside of it: see [the platform's half](#the-platforms-half-on-aws), [the threat model](threat-model.md) and
[what roles cannot stop](limits-of-roles.md).

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

const PLATFORM: &str = "
## The platform's half, on AWS

The audit sees PostgreSQL. This table is about the account around it, and about what the example modules support there: each row names the
variable or output that decides, and the evidence that the account itself can show. The modules are checked against a stand-in for
AWS and were never applied to it, so the evidence is what AWS documents. A variable with another value than its default may
support nothing: judge by the evidence, not by the configuration.

| control | name | the part of it that is supported | module: variable or output | evidence |
|---|---|---|---|---|
";

/// A control, its name, the part that is supported, where (module and variable or output), the evidence.
type Platform =
    (&'static str, &'static str, &'static str, &'static [(&'static str, &'static [&'static str])], &'static str);

/// In the order of the catalogue.
const PLATFORM_ROWS: &[Platform] = &[
    (
        "AU-4",
        "Audit Log Storage Capacity",
        "the server's log leaves the instance for CloudWatch Logs, which has no size to run out of",
        &[("rds-postgres", &["cloudwatch_log_group_retention_in_days", "log_group_names"])],
        "`aws logs describe-log-groups`: `storedBytes`, `retentionInDays`",
    ),
    (
        "AU-6",
        "Audit Record Review, Analysis, and Reporting",
        "refused logins and privileges, limits and locks are counted, and alarm; saved queries read the log by tenant",
        &[("rds-log-metrics", &["alarms", "alarm_actions", "query_names"]), ("rds-alarms", &["subscriptions"])],
        "`aws cloudwatch describe-alarm-history`; `aws logs describe-query-definitions`; the tickets that followed",
    ),
    (
        "AU-9",
        "Protection of Audit Information",
        "the log is encrypted with a customer managed key; few roles may download log files from the instance",
        &[
            ("snapshot-guard", &["log_group_prefix", "scp_json"]),
            ("rds-postgres", &["cloudwatch_log_group_kms_key_id", "cloudwatch_log_group_skip_destroy"]),
        ],
        "`aws logs describe-log-groups`: `kmsKeyId`; `aws organizations list-policies-for-target`. IAM on `logs:*` is yours",
    ),
    (
        "AU-11",
        "Audit Record Retention",
        "the log is kept for a fixed number of days",
        &[("rds-postgres", &["cloudwatch_log_group_retention_in_days"])],
        "`aws logs describe-log-groups`: `retentionInDays`",
    ),
    (
        "CP-9",
        "System Backup",
        "automated backups with point-in-time recovery; few roles may make, copy and delete backups",
        &[
            ("rds-postgres", &["backup_retention_period", "deletion_protection"]),
            ("snapshot-guard", &["dba_role_arns", "break_glass_role_arns", "backup_role_arns", "guard_backups"]),
        ],
        "`aws rds describe-db-instance-automated-backups`; `aws rds describe-db-snapshots`; the policies as attached",
    ),
    (
        "CP-10",
        "System Recovery and Reconstitution",
        "DBAs may restore to a new instance, with the further permissions that AWS demands for that; a second zone takes over",
        &[("snapshot-guard", &["dba_policy_json", "monitoring_role_arns"]), ("rds-postgres", &["multi_az"])],
        "`aws rds describe-events` of a restore that was rehearsed, and how long it took. A rehearsal is yours",
    ),
    (
        "IR-4",
        "Incident Handling",
        "everybody who touches a snapshot, a vault or the key causes a notification; emergencies have roles of their own, with MFA",
        &[
            ("snapshot-guard", &["event_rule_arns", "break_glass_role_arns", "break_glass_mfa"]),
            ("rds-alarms", &["topic_arn"]),
        ],
        "`aws events list-rules`; CloudTrail's `AssumeRole` of the break-glass role. The guide on [operations](operations.md) has the steps",
    ),
    (
        "SC-12",
        "Cryptographic Key Establishment and Management",
        "a customer managed key, rotated by KMS; its administrators cannot decrypt with it; few roles may disable or delete it",
        &[
            ("snapshot-guard", &["key_policy_json", "key_administrator_role_arns", "kms_key_arns"]),
            ("rds-postgres", &["kms_key_arn"]),
        ],
        "`aws kms get-key-policy`; `aws kms get-key-rotation-status`; rule `keys`",
    ),
    (
        "SC-13",
        "Cryptographic Protection",
        "storage, snapshots and logs are encrypted by KMS, whose modules are FIPS-validated; connections by TLS. Whether the server's TLS library is validated, AWS says for each region",
        &[("rds-postgres", &["kms_key_arn"]), ("pgbouncer", &["client_tls_sslmode", "server_tls_sslmode"])],
        "`aws rds describe-db-instances`: `StorageEncrypted`, `KmsKeyId`, `CACertificateIdentifier`; `cluster.tls` of the audit",
    ),
    (
        "SC-28",
        "Protection of Information at Rest",
        "the same key for storage, automated backups, snapshots, Performance Insights and logs; without it another account can read none of them",
        &[
            ("rds-key", &["policy"]),
            ("rds-postgres", &["kms_key_arn"]),
            ("snapshot-guard", &["key_policy_json", "key_services"]),
        ],
        "`aws rds describe-db-instances` and `describe-db-snapshots`: `Encrypted`, `KmsKeyId`",
    ),
    (
        "SI-4",
        "System Monitoring",
        "alarms on saturation, locks and refusals; events of snapshots, backups, keys and of what was refused",
        &[
            ("rds-alarms", &["alarms", "subscriptions"]),
            ("rds-log-metrics", &["alarm_arns"]),
            ("snapshot-guard", &["event_rule_arns"]),
        ],
        "`aws cloudwatch describe-alarms`; `aws events list-rules`; CloudTrail's own `get-trail-status`",
    ),
];

const AROUND: &str = "
Who can copy tenants' data around PostgreSQL, by which call, and what stops it, is a table of the
[threat model](threat-model.md#around-postgresql-on-aws).
";

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
    page += PLATFORM;
    for (id, name, part, modules, evidence) in PLATFORM_ROWS {
        let named = |(module, names): &(&str, &[&str])| {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("[`{module}`](../../examples/modules/{module}/README.md): {}", names.join(", "))
        };
        let modules: Vec<_> = modules.iter().map(named).collect();
        writeln!(page, "| {id} | {name} | {part} | {} | {evidence} |", modules.join("; ")).unwrap();
    }
    page += AROUND;
    page += STIG;
    for row in &CONTROLS {
        for stig in row.stig {
            writeln!(page, "| `{}` | {} | {} | {} |", row.id(), stig.until_15, stig.since_16, stig.scope).unwrap();
        }
    }
    page
}

/// The modules change; what the page says of them must be there.
#[test]
fn the_platforms_half_names_what_the_modules_have() {
    let modules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/modules");
    let mut missing = Vec::new();
    for (id, _, _, rows, _) in PLATFORM_ROWS {
        for (module, names) in *rows {
            let text = ["variables.tf", "outputs.tf"].map(|file| {
                std::fs::read_to_string(modules.join(module).join(file))
                    .unwrap_or_else(|why| panic!("{module}/{file}: {why}"))
            });
            let text = text.concat();
            let there =
                |name: &str| ["variable", "output"].iter().any(|kind| text.contains(&format!("{kind} \"{name}\" {{")));
            missing.extend(names.iter().filter(|name| !there(name)).map(|name| format!("{id}: {module}.{name}")));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    let ids: Vec<_> = PLATFORM_ROWS.iter().map(|(id, ..)| *id).collect();
    assert!(
        ["AU-4", "AU-6", "AU-9", "AU-11", "CP-9", "CP-10", "IR-4", "SC-12", "SC-13", "SC-28", "SI-4"] == *ids,
        "{ids:?}"
    );
}
