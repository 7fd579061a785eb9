//! The table of the audit's controls: what each looks at, what is expected, and which controls of NIST SP
//! 800-53 Rev. 5 and rules of the PostgreSQL STIGs that supports. Not how it is told: see `checks`.

use std::collections::BTreeSet;

use crate::tenant::{baseline, isolation};

use super::checks::{self, EachTenant, Server, Whole};

/// One fact that the audit tells.
pub struct Control {
    /// `tenant.database_owner`
    pub id: &'static str,
    pub title: &'static str,
    /// What is looked at.
    pub about: &'static str,
    pub expected: &'static str,
    /// In order.
    pub nist: &'static [&'static str],
    pub stig: &'static [Stig],
    pub(super) look: Look,
}

/// How a control is told.
pub(super) enum Look {
    /// Of every tenant, by the control of the same name that its resource has.
    Isolation(isolation::Control),
    /// Of every tenant.
    Tenants(EachTenant),
    /// Of every tenant's role and every database.
    Pairs(EachTenant),
    /// Of the databases that every server has.
    Databases(baseline::Control),
    /// Of the server, by these parameters.
    Parameters(&'static [&'static str], Server),
    /// Of the server, by what else was read.
    Server(Whole),
}

/// A rule whose own check turns up a finding where the control, or the part of it that is named, fails.
pub struct Stig {
    /// Of the Crunchy Data PostgreSQL STIG, which is for PostgreSQL 10 to 15.
    pub until_15: &'static str,
    /// Of the Crunchy Data Postgres 16 STIG. There is none for later majors.
    pub since_16: &'static str,
    /// Which part of the control it is about, and what the rule wants besides.
    pub scope: &'static str,
}

impl Stig {
    /// The rule as it is cited for a server of this major.
    pub fn cited(&self, major: u32) -> String {
        match major {
            ..=15 => self.until_15.to_owned(),
            16 => self.since_16.to_owned(),
            _ => format!("{}, by analogy", self.since_16),
        }
    }
}

/// A control of NIST SP 800-53 Rev. 5: its identifier, its name, and what of it the audit supports.
pub const NIST: [(&str, &str, &str); 15] = [
    (
        "AC-3",
        "Access Enforcement",
        "that the privileges in force in PostgreSQL are those that were approved: the tenant's own, and nobody else's",
    ),
    (
        "AC-4",
        "Information Flow Enforcement",
        "that nothing which PostgreSQL grants lets data flow from one tenant's database to another tenant",
    ),
    ("AC-6", "Least Privilege", "that a tenant's role has no privilege, attribute or membership beyond its own schema"),
    ("AC-10", "Concurrent Session Control", "that the number of sessions of each tenant's role is limited"),
    ("AU-2", "Event Logging", "that the server logs who connects and disconnects"),
    ("AU-3", "Content of Audit Records", "that each line of the log says when, who and in which database"),
    ("AU-12", "Audit Record Generation", "that the server is set to write those records"),
    ("CM-2", "Baseline Configuration", "that the tenants are what the provider's record of them says"),
    ("CM-6", "Configuration Settings", "that the settings which isolation and limits rest on are as they were decided"),
    ("IA-5", "Authenticator Management", "that passwords are proved by SCRAM-SHA-256, and stored as its verifiers"),
    (
        "SC-2",
        "Separation of System and User Functionality",
        "that no tenant's role manages roles, databases or the server",
    ),
    (
        "SC-4",
        "Information in Shared System Resources",
        "that tenants who share the server do not meet in a database, a schema or an object",
    ),
    ("SC-5", "Denial-of-Service Protection", "that what one tenant may take of connections and time is limited"),
    (
        "SC-7",
        "Boundary Protection",
        "that a tenant's database, the boundary here, is closed to all who are not let in by name",
    ),
    (
        "SC-8",
        "Transmission Confidentiality and Integrity",
        "that the server offers TLS, of a version that is not broken",
    ),
];

/// Every control, in the order in which they are told.
pub static CONTROLS: [Control; 33] = [
    Control {
        id: "tenant.complete",
        title: "Tenants are complete",
        about: "The markers on each tenant's database and role.",
        expected: "Both exist, and the last step of making the tenant was reached.",
        nist: &["CM-2"],
        stig: &[],
        look: Look::Tenants(checks::complete),
    },
    Control {
        id: "tenant.names",
        title: "Names are those on record",
        about: "The names of each tenant's database, role and schema, and those in its marker.",
        expected: "They are the same.",
        nist: &["CM-2"],
        stig: &[],
        look: Look::Tenants(checks::names),
    },
    Control {
        id: "tenant.registered",
        title: "Markers are in place",
        about: "The markers by which the provider recognises each tenant's database, role and schema.",
        expected: "All of them stand, and say the same.",
        nist: &["CM-2"],
        stig: &[],
        look: Look::Isolation(isolation::Control::Registered),
    },
    Control {
        id: "tenant.role",
        title: "Each tenant has a role of its own",
        about: "The role that each tenant logs in with.",
        expected: "It exists.",
        nist: &["AC-3"],
        stig: &[],
        look: Look::Isolation(isolation::Control::Role),
    },
    Control {
        id: "tenant.role_attributes",
        title: "No tenant's role has an attribute of an administrator",
        about: "The attributes of each tenant's role.",
        expected: "NOSUPERUSER, NOCREATEDB, NOCREATEROLE, NOREPLICATION, NOBYPASSRLS and NOINHERIT.",
        nist: &["AC-6", "SC-2"],
        stig: &[Stig {
            until_15: "CD12-00-008500 (V-233588)",
            since_16: "CD16-00-004600 (V-261898)",
            scope: "SUPERUSER, CREATEDB, CREATEROLE and BYPASSRLS of tenants' roles; not REPLICATION and INHERIT. The rule \
                    looks at every role that administers nothing.",
        }],
        look: Look::Isolation(isolation::Control::RoleAttributes),
    },
    Control {
        id: "tenant.memberships",
        title: "No tenant acts as another role",
        about: "What each tenant's role is a member of, and who is a member of it.",
        expected: "Nothing but the roles that tenants may be members of, and nobody but its creator with the ADMIN option.",
        nist: &["AC-3", "AC-6"],
        stig: &[],
        look: Look::Isolation(isolation::Control::Memberships),
    },
    Control {
        id: "tenant.authentication",
        title: "Logins are asked for SCRAM-SHA-256",
        about: "What the server asks of a login that is begun as each tenant's role, from here, and not finished.",
        expected: "A proof of the password by SCRAM-SHA-256.",
        nist: &["IA-5"],
        stig: &[],
        look: Look::Tenants(checks::authentication),
    },
    Control {
        id: "tenant.database_owner",
        title: "No tenant owns its database",
        about: "The owner of each tenant's database.",
        expected: "A role that the admin may act as, and not the tenant's: an owner may let others in and lift limits.",
        nist: &["AC-3", "AC-6", "SC-2"],
        stig: &[],
        look: Look::Isolation(isolation::Control::DatabaseOwner),
    },
    Control {
        id: "tenant.database_open",
        title: "Each tenant's database serves it alone",
        about: "Whether each tenant's database accepts connections, and is a template.",
        expected: "It accepts connections, and is no template that others may copy.",
        nist: &["AC-4", "SC-4"],
        stig: &[],
        look: Look::Isolation(isolation::Control::DatabaseOpen),
    },
    Control {
        id: "tenant.public_privileges",
        title: "PUBLIC is shut out of tenants' databases",
        about: "What PUBLIC, which is every role, holds on each tenant's database.",
        expected: "Nothing.",
        nist: &["AC-3", "AC-4", "SC-4", "SC-7"],
        stig: &[],
        look: Look::Isolation(isolation::Control::PublicPrivileges),
    },
    Control {
        id: "tenant.other_privileges",
        title: "Other roles are shut out of tenants' databases",
        about: "What roles other than the owner and the tenant hold on each tenant's database.",
        expected: "Nothing.",
        nist: &["AC-3", "AC-4", "SC-7"],
        stig: &[],
        look: Look::Isolation(isolation::Control::OtherPrivileges),
    },
    Control {
        id: "tenant.tenant_privileges",
        title: "Tenants hold no more than they need on their database",
        about: "What each tenant holds on its own database.",
        expected: "CONNECT, TEMPORARY where it is allowed, and nothing that it may grant on.",
        nist: &["AC-3", "AC-6"],
        stig: &[],
        look: Look::Isolation(isolation::Control::TenantPrivileges),
    },
    Control {
        id: "tenant.elsewhere",
        title: "Tenants hold and own nothing elsewhere",
        about: "Grants to each tenant on other databases, and what it owns or was granted inside them.",
        expected: "Nothing.",
        nist: &["AC-4", "AC-6", "SC-4"],
        stig: &[],
        look: Look::Isolation(isolation::Control::Elsewhere),
    },
    Control {
        id: "tenant.other_roles",
        title: "Other roles hold and own nothing inside",
        about: "Objects in each tenant's database that other roles own, or were granted privileges on.",
        expected: "None.",
        nist: &["AC-3", "AC-4", "SC-4"],
        stig: &[],
        look: Look::Isolation(isolation::Control::OtherRoles),
    },
    Control {
        id: "tenant.default_privileges",
        title: "Objects to come are not shared",
        about: "Default privileges in each tenant's database, seen from inside.",
        expected: "They grant nothing to others, beyond PostgreSQL's own defaults.",
        nist: &["AC-3", "AC-4"],
        stig: &[],
        look: Look::Isolation(isolation::Control::DefaultPrivileges),
    },
    Control {
        id: "tenant.schema",
        title: "Each tenant has a schema of its own",
        about: "The tenant's schema in each tenant's database.",
        expected: "It exists.",
        nist: &["CM-2"],
        stig: &[],
        look: Look::Isolation(isolation::Control::Schema),
    },
    Control {
        id: "tenant.schema_privileges",
        title: "No tenant owns its schema, and nobody shares it",
        about: "Owner and privileges of each tenant's schema, and of the one for extensions, seen from inside.",
        expected: "The admin owns it; the tenant holds USAGE and CREATE (on extensions: USAGE), and nobody else anything.",
        nist: &["AC-3", "AC-6"],
        stig: &[],
        look: Look::Isolation(isolation::Control::SchemaPrivileges),
    },
    Control {
        id: "tenant.public_schema",
        title: "The schema public is closed in tenants' databases",
        about: "Privileges on the schema public of each tenant's database, seen from inside.",
        expected: "Nobody but its owner holds any.",
        nist: &["AC-3", "AC-6"],
        stig: &[Stig {
            until_15: "CD12-00-009600 (V-233597)",
            since_16: "CD16-00-007800 (V-261924)",
            scope: "CREATE on the schema; not USAGE. The rule looks at every database and schema, and at superusers: the \
                    tenants' CREATE on their own schemas has to be documented.",
        }],
        look: Look::Isolation(isolation::Control::PublicSchema),
    },
    Control {
        id: "tenant.search_path",
        title: "Names are looked up where they belong",
        about: "The search_path that each tenant's role has in its database.",
        expected: "The tenant's schema, and the one for extensions where there are any.",
        nist: &["CM-6"],
        stig: &[],
        look: Look::Isolation(isolation::Control::SearchPath),
    },
    Control {
        id: "tenant.governed",
        title: "Every tenant is governed",
        about: "That each tenant has a connection limit and three time limits on record, whatever they are.",
        expected: "All four are set.",
        nist: &["CM-6", "SC-5"],
        stig: &[],
        look: Look::Isolation(isolation::Control::Governed),
    },
    Control {
        id: "guardrails.connection_limit",
        title: "Connections are limited",
        about: "CONNECTION LIMIT of each tenant's role.",
        expected: "It is set.",
        nist: &["AC-10", "SC-5"],
        stig: &[Stig {
            until_15: "CD12-00-001200 (V-233522)",
            since_16: "CD16-00-000100 (V-261857)",
            scope: "All of it. The rule looks at every role, administrators too, and wants the numbers documented.",
        }],
        look: Look::Tenants(checks::connection_limit),
    },
    Control {
        id: "guardrails.time_limits",
        title: "Statements, locks and transactions end",
        about: "statement_timeout, lock_timeout and idle_in_transaction_session_timeout on record for each tenant's database.",
        expected: "All three are set, and none to 0, which is no limit.",
        nist: &["CM-6", "SC-5"],
        stig: &[],
        look: Look::Tenants(checks::time_limits),
    },
    Control {
        id: "guardrails.overrides",
        title: "Nothing stands against the limits",
        about: "What is set for each tenant's role, in all databases or in one, and the connection limit of its database.",
        expected: "The limits on record.",
        nist: &["CM-6", "SC-5"],
        stig: &[],
        look: Look::Tenants(checks::overrides),
    },
    Control {
        id: "cluster.connection_budget",
        title: "The server has the connections that the limits promise",
        about: "The sum of all tenants' connection limits, against max_connections less what is kept back.",
        expected: "No more than there is: else all tenants within their limits lock each other out, and the admin perhaps.",
        nist: &["SC-5"],
        stig: &[],
        look: Look::Server(checks::connection_budget),
    },
    Control {
        id: "cluster.cross_access",
        title: "No tenant reaches another database",
        about: "Every tenant's role against every database that accepts connections but its own (and RDS's own rdsadmin): the \
                privileges in force, by a grant, a membership or PUBLIC.",
        expected: "No CONNECT, no CREATE, no TEMPORARY.",
        nist: &["AC-3", "AC-4", "SC-4", "SC-7"],
        stig: &[],
        look: Look::Pairs(checks::cross_access),
    },
    Control {
        id: "cluster.public_privileges",
        title: "PUBLIC is shut out of the maintenance databases",
        about: "What PUBLIC holds on postgres and template1.",
        expected: "Nothing.",
        nist: &["AC-3", "AC-4", "AC-6", "SC-7"],
        stig: &[],
        look: Look::Databases(baseline::Control::PublicPrivileges),
    },
    Control {
        id: "cluster.public_schema",
        title: "PUBLIC plants nothing in the maintenance databases",
        about: "What PUBLIC holds on the schema public of postgres and template1, seen from inside.",
        expected: "No CREATE.",
        nist: &["AC-3", "AC-6", "SC-4"],
        stig: &[Stig {
            until_15: "CD12-00-009600 (V-233597)",
            since_16: "CD16-00-007800 (V-261924)",
            scope: "All of it. The rule looks at every database and schema, and at superusers.",
        }],
        look: Look::Databases(baseline::Control::PublicSchema),
    },
    Control {
        id: "cluster.tls",
        title: "TLS is offered",
        about: "The parameters ssl and listen_addresses.",
        expected: "TLS is on, or the server does not listen on TCP. That clear text is refused is pg_hba.conf's to say (on RDS \
                   rds.force_ssl), and not looked at.",
        nist: &["SC-8"],
        stig: &[
            Stig {
                until_15: "CD12-00-011400 (V-233611)",
                since_16: "CD16-00-004900 (V-261900)",
                scope: "ssl = on, which is the whole rule. A server without TCP passes here, and not there.",
            },
            Stig {
                until_15: "CD12-00-007200 (V-233579)",
                since_16: "CD16-00-008800 (V-261932)",
                scope: "ssl = on. The rule holds where the owner of the data demands it, and wants a review of other measures.",
            },
            Stig {
                until_15: "CD12-00-003000 (V-233538)",
                since_16: "CD16-00-008900 (V-261933)",
                scope: "ssl = on. The same, for what is received.",
            },
        ],
        look: Look::Parameters(&["listen_addresses", "ssl"], checks::tls),
    },
    Control {
        id: "cluster.tls_version",
        title: "Old versions of TLS are refused",
        about: "The parameter ssl_min_protocol_version.",
        expected: "TLSv1.2 or newer.",
        nist: &["CM-6", "SC-8"],
        stig: &[],
        look: Look::Parameters(&["listen_addresses", "ssl", "ssl_min_protocol_version"], checks::tls_version),
    },
    Control {
        id: "cluster.password_encryption",
        title: "Passwords are stored as SCRAM verifiers",
        about: "The parameter password_encryption, as this admin's sessions have it.",
        expected: "scram-sha-256.",
        nist: &["IA-5"],
        stig: &[Stig {
            until_15: "CD12-00-009500 (V-233596)",
            since_16: "CD16-00-003800 (V-261891)",
            scope: "The parameter. The rule also reads every stored password, which takes a superuser.",
        }],
        look: Look::Parameters(&["password_encryption"], checks::password_encryption),
    },
    Control {
        id: "cluster.log_connections",
        title: "Connections are logged",
        about: "The parameter log_connections.",
        expected: "on or all; from PostgreSQL 18 on also a list with receipt, authentication and authorization, which is what on \
                   means there.",
        nist: &["AU-12", "AU-2"],
        stig: &[
            Stig {
                until_15: "CD12-00-005100 (V-233558)",
                since_16: "CD16-00-011200 (V-261956)",
                scope: "The parameter. The rule also looks into the log.",
            },
            Stig {
                until_15: "CD12-00-006200 (V-233569)",
                since_16: "CD16-00-011700 (V-261961)",
                scope: "The parameter. The rule also wants log_disconnections, and %m, %u, %d and %c in log_line_prefix.",
            },
        ],
        look: Look::Parameters(&["log_connections"], checks::log_connections),
    },
    Control {
        id: "cluster.log_disconnections",
        title: "Disconnections are logged",
        about: "The parameter log_disconnections.",
        expected: "on.",
        nist: &["AU-12", "AU-2"],
        stig: &[Stig {
            until_15: "CD12-00-006200 (V-233569)",
            since_16: "CD16-00-011700 (V-261961)",
            scope: "The parameter. The rule also wants log_connections, and %m, %u, %d and %c in log_line_prefix.",
        }],
        look: Look::Parameters(&["log_disconnections"], checks::log_disconnections),
    },
    Control {
        id: "cluster.log_line_prefix",
        title: "The log says when, who and where",
        about: "The parameters log_line_prefix and log_destination.",
        expected: "The prefix holds a time (%m, %t or %n), the role (%u) and the database (%d); csvlog and jsonlog have them anyway, \
                   and syslog has the time.",
        nist: &["AU-3"],
        stig: &[],
        look: Look::Parameters(&["log_destination", "log_line_prefix"], checks::log_line_prefix),
    },
];

/// The names of all the parameters that are looked at.
pub fn parameters() -> Vec<&'static str> {
    let named = |control: &'static Control| match control.look {
        Look::Parameters(names, _) => names,
        _ => &[],
    };
    let names: BTreeSet<&str> = CONTROLS.iter().flat_map(named).copied().collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_is_there_once_and_says_what_it_is() {
        let ids: BTreeSet<_> = CONTROLS.iter().map(|control| control.id).collect();
        assert_eq!(ids.len(), CONTROLS.len());
        for control in &CONTROLS {
            let (area, name) = control.id.split_once('.').unwrap();
            assert!(["tenant", "guardrails", "cluster"].contains(&area), "{}", control.id);
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", control.id);
            for text in [control.about, control.expected] {
                assert!(text.ends_with('.'), "{}: {text}", control.id);
            }
            assert!(!control.title.ends_with('.') && !control.nist.is_empty(), "{}", control.id);
        }
    }

    /// `password` needs what only the resource remembers.
    #[test]
    fn every_control_of_a_tenant_is_audited_under_its_own_name() {
        let audited: BTreeSet<_> = CONTROLS
            .iter()
            .filter_map(|control| match control.look {
                Look::Isolation(isolation) => {
                    assert_eq!(control.id, format!("tenant.{}", isolation.name()));
                    Some(isolation)
                }
                _ => None,
            })
            .collect();
        let mut all: BTreeSet<_> = isolation::Control::all().into_iter().map(|(control, ..)| control).collect();
        all.remove(&isolation::Control::Password);
        assert_eq!(audited, all);
        for (control, name, _) in baseline::Control::ALL {
            let id = format!("cluster.{name}");
            let audits = |row: &Control| row.id == id && matches!(row.look, Look::Databases(found) if found == control);
            assert!(CONTROLS.iter().any(audits), "{id}");
        }
    }

    #[test]
    fn what_is_supported_is_known_and_in_order() {
        let known: Vec<_> = NIST.iter().map(|(id, ..)| *id).collect();
        let mut used = BTreeSet::new();
        for control in &CONTROLS {
            assert!(control.nist.is_sorted() && control.nist.iter().all(|id| known.contains(id)), "{}", control.id);
            used.extend(control.nist);
        }
        assert_eq!(used, known.into_iter().collect());
        for asked in ["AC-3", "AC-4", "AC-6", "AU-2", "CM-2", "CM-6", "SC-2", "SC-4", "SC-5", "SC-7", "IA-5"] {
            assert!(used.contains(asked), "{asked}");
        }
    }

    #[test]
    fn rules_are_cited_for_the_major() {
        let rule = |text: &str, prefix: &str| {
            let (id, number) = text.strip_suffix(')').and_then(|text| text.split_once(" (V-")).unwrap();
            let digits = id.strip_prefix(prefix).unwrap();
            assert!(digits.len() == 6 && number.len() == 6, "{text}");
            assert!(digits.chars().chain(number.chars()).all(|c| c.is_ascii_digit()), "{text}");
        };
        for stig in CONTROLS.iter().flat_map(|control| control.stig) {
            rule(stig.until_15, "CD12-00-");
            rule(stig.since_16, "CD16-00-");
            assert!(stig.scope.ends_with('.'));
            assert_eq!(stig.cited(13), stig.until_15);
            assert_eq!(stig.cited(16), stig.since_16);
            assert_eq!(stig.cited(18), format!("{}, by analogy", stig.since_16));
        }
    }
}
