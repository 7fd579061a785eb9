//! The controls: names over kinds of facts, in one table for the tenant, the cluster's baseline, the watchdog and the audit: what
//! each looks at, what is expected, and which controls of NIST SP 800-53 Rev. 5 and rules of the PostgreSQL STIGs that supports.
//! What is right is said in `charter`, `baseline`, `limits` and `watchdog`; how it is repaired, in `repair`.

use std::collections::BTreeSet;
use std::fmt;

/// One control, by its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Control {
    Complete,
    Names,
    Registered,
    Role,
    RoleAttributes,
    Memberships,
    Authentication,
    Password,
    DatabaseOwner,
    DatabaseOpen,
    PublicPrivileges,
    OtherPrivileges,
    TenantPrivileges,
    Elsewhere,
    ServerPrivileges,
    Schema,
    SchemaPrivileges,
    PublicSchema,
    SystemPrivileges,
    OtherRoles,
    DefaultPrivileges,
    Objects,
    Extensions,
    SearchPath,
    Parameters,
    Governed,
    ConnectionLimit,
    TimeLimits,
    Overrides,
    ClusterConnectionBudget,
    ClusterCrossAccess,
    ClusterPublicPrivileges,
    ClusterPublicSchema,
    ClusterOtherDatabases,
    ClusterParameters,
    ClusterServerPrivileges,
    ClusterMarkers,
    ClusterTls,
    ClusterTlsVersion,
    ClusterPasswordEncryption,
    ClusterLogConnections,
    ClusterLogDisconnections,
    ClusterLogLinePrefix,
    WatchdogExtension,
    WatchdogOwner,
    WatchdogSchema,
    WatchdogActions,
    WatchdogSweep,
    WatchdogJob,
    WatchdogRuns,
}

/// What a control is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Each tenant, as `isolation` of its resource tells it.
    Tenant,
    /// Each tenant, as the audit alone tells it: it looks at what the resource's own attributes say.
    AuditedTenant,
    /// Each of the databases that every server has.
    Database,
    /// The server, as the baseline tells it.
    Cluster,
    /// The server, as the audit alone tells it, by these parameters or by what else was read.
    Server(&'static [&'static str]),
    /// The watchdog, as its resource tells it.
    Watchdog,
}

/// One row of the table.
pub struct Row {
    pub control: Control,
    pub area: &'static str,
    pub name: &'static str,
    pub title: &'static str,
    /// What is looked at.
    pub about: &'static str,
    pub expected: &'static str,
    pub of: Of,
    /// In order.
    pub nist: &'static [&'static str],
    pub stig: &'static [Stig],
}

impl Row {
    /// `tenant.database_owner`
    pub fn id(&self) -> String {
        format!("{}.{}", self.area, self.name)
    }
}

impl Control {
    pub fn row(self) -> &'static Row {
        &CONTROLS[self as usize]
    }

    /// What it is called in the map of its resource: `database_owner`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Those that the resources of one kind tell, in the order of the table.
    pub fn all(of: Of) -> impl Iterator<Item = Control> {
        CONTROLS.iter().filter(move |row| row.of == of).map(|row| row.control)
    }

    /// The control of a kind that has this name.
    pub fn named(of: Of, name: &str) -> Option<Control> {
        Self::all(of).find(|control| control.name() == name)
    }

    /// Whether only a session inside the database can tell all of it.
    pub fn is_inside(self) -> bool {
        matches!(
            self,
            Control::SchemaPrivileges
                | Control::PublicSchema
                | Control::SystemPrivileges
                | Control::OtherRoles
                | Control::DefaultPrivileges
                | Control::Objects
                | Control::Extensions
                | Control::ClusterPublicSchema
        )
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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
        "that a tenant's database, the boundary here, is closed to every role that has no CONNECT of its own",
    ),
    (
        "SC-8",
        "Transmission Confidentiality and Integrity",
        "that the server offers TLS, of a version that is not broken",
    ),
];

/// Every control, in the order in which they are told.
pub static CONTROLS: [Row; 50] = [
    Row {
        control: Control::Complete,
        area: "tenant",
        name: "complete",
        title: "Tenants are complete",
        about: "The markers on each tenant's database and role.",
        expected: "Both exist, and the last step of making the tenant was reached.",
        of: Of::AuditedTenant,
        nist: &["CM-2"],
        stig: &[],
    },
    Row {
        control: Control::Names,
        area: "tenant",
        name: "names",
        title: "Names are those on record",
        about: "The names of each tenant's database, role and schema, and those in its marker.",
        expected: "They are the same.",
        of: Of::AuditedTenant,
        nist: &["CM-2"],
        stig: &[],
    },
    Row {
        control: Control::Registered,
        area: "tenant",
        name: "registered",
        title: "Markers are in place",
        about: "The markers by which the provider recognises each tenant's database, role and schema.",
        expected: "All of them stand, and say the same.",
        of: Of::Tenant,
        nist: &["CM-2"],
        stig: &[],
    },
    Row {
        control: Control::Role,
        area: "tenant",
        name: "role",
        title: "Each tenant has a role of its own",
        about: "The role that each tenant logs in with.",
        expected: "It exists.",
        of: Of::Tenant,
        nist: &["AC-3"],
        stig: &[],
    },
    Row {
        control: Control::RoleAttributes,
        area: "tenant",
        name: "role_attributes",
        title: "No tenant's role has an attribute of an administrator",
        about: "The attributes of each tenant's role.",
        expected: "NOSUPERUSER, NOCREATEDB, NOCREATEROLE, NOREPLICATION, NOBYPASSRLS and NOINHERIT; VALID UNTIL as configured.",
        of: Of::Tenant,
        nist: &["AC-6", "SC-2"],
        stig: &[Stig {
            until_15: "CD12-00-008500 (V-233588)",
            since_16: "CD16-00-004600 (V-261898)",
            scope: "SUPERUSER, CREATEDB, CREATEROLE and BYPASSRLS of tenants' roles; not REPLICATION and INHERIT. The rule \
                    looks at every role that administers nothing.",
        }],
    },
    Row {
        control: Control::Memberships,
        area: "tenant",
        name: "memberships",
        title: "No tenant acts as another role",
        about: "What each tenant's role is a member of, and who is a member of it.",
        expected: "Nothing but the roles that tenants may be members of, and nobody but this admin, with the ADMIN option.",
        of: Of::Tenant,
        nist: &["AC-3", "AC-6"],
        stig: &[],
    },
    Row {
        control: Control::Authentication,
        area: "tenant",
        name: "authentication",
        title: "Logins are asked for what is meant",
        about: "What the server asks of a login that is begun as each tenant's role, from here, and not finished.",
        expected: "As `authentication` says: a proof of the password by SCRAM-SHA-256, a token of IAM within TLS, or the refusal of \
                   clients without a certificate.",
        of: Of::AuditedTenant,
        nist: &["IA-5"],
        stig: &[],
    },
    Row {
        control: Control::Password,
        area: "tenant",
        name: "password",
        title: "The password is the one on record",
        about: "The salt that the server shows to anybody who begins to log in as each tenant, and the one in its marker.",
        expected: "They are the same: as far as the salt tells, nobody set another password. When one is set, a login proves it.",
        of: Of::Tenant,
        nist: &["IA-5"],
        stig: &[],
    },
    Row {
        control: Control::DatabaseOwner,
        area: "tenant",
        name: "database_owner",
        title: "No tenant owns its database",
        about: "The owner of each tenant's database.",
        expected: "The admin: an owner may let others in and lift limits.",
        of: Of::Tenant,
        nist: &["AC-3", "AC-6", "SC-2"],
        stig: &[],
    },
    Row {
        control: Control::DatabaseOpen,
        area: "tenant",
        name: "database_open",
        title: "Each tenant's database serves it alone",
        about: "Whether each tenant's database accepts connections, and is a template.",
        expected: "It accepts connections, and is no template that others may copy.",
        of: Of::Tenant,
        nist: &["AC-4", "SC-4"],
        stig: &[],
    },
    Row {
        control: Control::PublicPrivileges,
        area: "tenant",
        name: "public_privileges",
        title: "PUBLIC is shut out of tenants' databases",
        about: "What PUBLIC, which is every role, holds on each tenant's database.",
        expected: "Nothing.",
        of: Of::Tenant,
        nist: &["AC-3", "AC-4", "SC-4", "SC-7"],
        stig: &[],
    },
    Row {
        control: Control::OtherPrivileges,
        area: "tenant",
        name: "other_privileges",
        title: "Other roles are shut out of tenants' databases",
        about: "What roles other than the owner and the tenant hold on each tenant's database.",
        expected: "Nothing.",
        of: Of::Tenant,
        nist: &["AC-3", "AC-4", "SC-7"],
        stig: &[],
    },
    Row {
        control: Control::TenantPrivileges,
        area: "tenant",
        name: "tenant_privileges",
        title: "Tenants hold no more than they need on their database",
        about: "What each tenant holds on its own database.",
        expected: "CONNECT, TEMPORARY where it is allowed, and nothing that it may grant on.",
        of: Of::Tenant,
        nist: &["AC-3", "AC-6"],
        stig: &[],
    },
    Row {
        control: Control::Elsewhere,
        area: "tenant",
        name: "elsewhere",
        title: "Tenants hold and own nothing elsewhere",
        about: "Grants to each tenant on other databases, and what it owns or was granted inside them.",
        expected: "Nothing.",
        of: Of::Tenant,
        nist: &["AC-4", "AC-6", "SC-4"],
        stig: &[],
    },
    Row {
        control: Control::ServerPrivileges,
        area: "tenant",
        name: "server_privileges",
        title: "Tenants may change nothing of the server",
        about: "Grants to each tenant, and to the groups that it reaches, on tablespaces and on parameters (PostgreSQL 15 and newer).",
        expected: "None.",
        of: Of::Tenant,
        nist: &["AC-3", "AC-6", "CM-6"],
        stig: &[],
    },
    Row {
        control: Control::Schema,
        area: "tenant",
        name: "schema",
        title: "Each tenant has its schemas",
        about: "The tenant's schemas in each tenant's database, as its role's marker has them.",
        expected: "They exist.",
        of: Of::Tenant,
        nist: &["CM-2"],
        stig: &[],
    },
    Row {
        control: Control::SchemaPrivileges,
        area: "tenant",
        name: "schema_privileges",
        title: "No tenant owns its schemas, and nobody shares them",
        about: "Owner and privileges of each tenant's schemas, and of those for extensions, seen from inside.",
        expected: "The admin owns them; the tenant holds USAGE and CREATE (on those for extensions: USAGE), and nobody else anything.",
        of: Of::Tenant,
        nist: &["AC-3", "AC-6"],
        stig: &[],
    },
    Row {
        control: Control::PublicSchema,
        area: "tenant",
        name: "public_schema",
        title: "The schema public is closed in tenants' databases",
        about: "Privileges on the schema public of each tenant's database, seen from inside.",
        expected: "Nobody but its owner holds any.",
        of: Of::Tenant,
        nist: &["AC-3", "AC-6"],
        stig: &[Stig {
            until_15: "CD12-00-009600 (V-233597)",
            since_16: "CD16-00-007800 (V-261924)",
            scope: "CREATE on the schema; not USAGE. The rule looks at every database and schema, and at superusers: the \
                    tenants' CREATE on their own schemas has to be documented.",
        }],
    },
    Row {
        control: Control::SystemPrivileges,
        area: "tenant",
        name: "system_privileges",
        title: "PostgreSQL's own objects are as it made them",
        about: "Privileges on system catalogs, functions and languages of each tenant's database, and on what its extensions made.",
        expected: "Nobody has more than initdb or the extension gave (pg_init_privs).",
        of: Of::Tenant,
        nist: &["AC-3", "AC-6", "SC-4"],
        stig: &[],
    },
    Row {
        control: Control::OtherRoles,
        area: "tenant",
        name: "other_roles",
        title: "Other roles hold and own nothing inside",
        about: "Objects in each tenant's database that other roles own, or were granted privileges on.",
        expected: "None.",
        of: Of::Tenant,
        nist: &["AC-3", "AC-4", "SC-4"],
        stig: &[],
    },
    Row {
        control: Control::DefaultPrivileges,
        area: "tenant",
        name: "default_privileges",
        title: "Objects to come are not shared",
        about: "Default privileges in each tenant's database, seen from inside.",
        expected: "They grant nothing to others, beyond PostgreSQL's own defaults.",
        of: Of::Tenant,
        nist: &["AC-3", "AC-4"],
        stig: &[],
    },
    Row {
        control: Control::Objects,
        area: "tenant",
        name: "objects",
        title: "Nothing acts in a tenant's database unseen",
        about: "What each tenant's database holds in addition to schemas, extensions and ordinary objects: other schemas, event triggers, publications, subscriptions, logical replication slots, foreign-data wrappers and servers, user mappings, languages, and routines that act as another role than the tenant's.",
        expected: "None of these, but for schemas and publications of a tenant that may create in its database, and publications and slots where `replication` is set.",
        of: Of::Tenant,
        nist: &["AC-4", "AC-6", "SC-4"],
        stig: &[],
    },
    Row {
        control: Control::Extensions,
        area: "tenant",
        name: "extensions",
        title: "Extensions are where the tenant cannot plant objects",
        about: "The schema and the version of each extension in the tenants' databases.",
        expected: "The schema is the one that the configuration names or the extension's control file fixes, else extensions; the version is the configured one; but for extensions of a tenant that may create in its database.",
        of: Of::Tenant,
        nist: &["AC-6", "CM-6"],
        stig: &[],
    },
    Row {
        control: Control::SearchPath,
        area: "tenant",
        name: "search_path",
        title: "Names are looked up where they belong",
        about: "The search_path that each tenant's role has in its database.",
        expected: "The tenant's schema, the one for extensions where there are any, and the schemas that other extensions are in.",
        of: Of::Tenant,
        nist: &["CM-6"],
        stig: &[],
    },
    Row {
        control: Control::Parameters,
        area: "tenant",
        name: "parameters",
        title: "No other parameter is set for a tenant",
        about: "What is set for each tenant's role and database (pg_db_role_setting) in addition to its limits and search_path.",
        expected: "Nothing but what a client may choose for itself, such as TimeZone and application_name.",
        of: Of::Tenant,
        nist: &["CM-6"],
        stig: &[],
    },
    Row {
        control: Control::Governed,
        area: "tenant",
        name: "governed",
        title: "Every tenant is governed",
        about: "That each tenant has a connection limit and three time limits on record, whatever they are.",
        expected: "All four are set.",
        of: Of::Tenant,
        nist: &["CM-6", "SC-5"],
        stig: &[],
    },
    Row {
        control: Control::ConnectionLimit,
        area: "guardrails",
        name: "connection_limit",
        title: "Connections are limited",
        about: "CONNECTION LIMIT of each tenant's role.",
        expected: "It is set.",
        of: Of::AuditedTenant,
        nist: &["AC-10", "SC-5"],
        stig: &[Stig {
            until_15: "CD12-00-001200 (V-233522)",
            since_16: "CD16-00-000100 (V-261857)",
            scope: "All of it. The rule looks at every role, administrators too, and wants the numbers documented.",
        }],
    },
    Row {
        control: Control::TimeLimits,
        area: "guardrails",
        name: "time_limits",
        title: "Statements, locks and transactions end",
        about: "statement_timeout, lock_timeout and idle_in_transaction_session_timeout on record for each tenant's database.",
        expected: "All three are set, and none to 0, which is no limit.",
        of: Of::AuditedTenant,
        nist: &["CM-6", "SC-5"],
        stig: &[],
    },
    Row {
        control: Control::Overrides,
        area: "guardrails",
        name: "overrides",
        title: "Nothing stands against the limits",
        about: "What is set for each tenant's role, in all databases or in one, and the connection limit of its database.",
        expected: "The limits on record.",
        of: Of::AuditedTenant,
        nist: &["CM-6", "SC-5"],
        stig: &[],
    },
    Row {
        control: Control::ClusterConnectionBudget,
        area: "cluster",
        name: "connection_budget",
        title: "The server has the connections that the limits promise",
        about: "The sum of all tenants' connection limits, against max_connections less what is kept back.",
        expected: "No more than there is: else all tenants within their limits lock each other out, and the admin perhaps.",
        of: Of::Server(&[]),
        nist: &["SC-5"],
        stig: &[],
    },
    Row {
        control: Control::ClusterCrossAccess,
        area: "cluster",
        name: "cross_access",
        title: "No tenant reaches another database",
        about: "Every tenant's role against every database that accepts connections but its own (and RDS's own rdsadmin): the \
                privileges in force, by a grant, a membership or PUBLIC.",
        expected: "No CONNECT, no CREATE, no TEMPORARY.",
        of: Of::AuditedTenant,
        nist: &["AC-3", "AC-4", "SC-4", "SC-7"],
        stig: &[],
    },
    Row {
        control: Control::ClusterPublicPrivileges,
        area: "cluster",
        name: "public_privileges",
        title: "PUBLIC is shut out of the maintenance databases",
        about: "What PUBLIC holds on postgres and template1.",
        expected: "Nothing.",
        of: Of::Database,
        nist: &["AC-3", "AC-4", "AC-6", "SC-7"],
        stig: &[],
    },
    Row {
        control: Control::ClusterPublicSchema,
        area: "cluster",
        name: "public_schema",
        title: "PUBLIC plants nothing in the maintenance databases",
        about: "What PUBLIC holds on the schema public of postgres and template1, seen from inside.",
        expected: "No CREATE.",
        of: Of::Database,
        nist: &["AC-3", "AC-6", "SC-4"],
        stig: &[Stig {
            until_15: "CD12-00-009600 (V-233597)",
            since_16: "CD16-00-007800 (V-261924)",
            scope: "All of it. The rule looks at every database and schema, and at superusers.",
        }],
    },
    Row {
        control: Control::ClusterOtherDatabases,
        area: "cluster",
        name: "other_databases",
        title: "No other database is open to everybody",
        about: "What PUBLIC has on databases that are neither a tenant's nor closed by the baseline.",
        expected: "Nothing, or the database accepts no connections.",
        of: Of::Cluster,
        nist: &["AC-3", "AC-4", "SC-7"],
        stig: &[],
    },
    Row {
        control: Control::ClusterParameters,
        area: "cluster",
        name: "parameters",
        title: "No parameter is set for all roles",
        about: "ALTER ROLE ALL SET, which every tenant's sessions begin with.",
        expected: "Nothing but what a client may choose for itself.",
        of: Of::Cluster,
        nist: &["CM-6"],
        stig: &[],
    },
    Row {
        control: Control::ClusterServerPrivileges,
        area: "cluster",
        name: "server_privileges",
        title: "Nobody may change the server as PUBLIC",
        about: "Grants to PUBLIC on tablespaces and on parameters (PostgreSQL 15 and newer).",
        expected: "None.",
        of: Of::Cluster,
        nist: &["AC-3", "AC-6", "CM-6"],
        stig: &[],
    },
    Row {
        control: Control::ClusterMarkers,
        area: "cluster",
        name: "markers",
        title: "Markers are the provider's own",
        about: "The markers on databases and roles, and who may write them.",
        expected: "Each is on an object that the admin owns or administers, and no two name one tenant's database.",
        of: Of::Cluster,
        nist: &["CM-2"],
        stig: &[],
    },
    Row {
        control: Control::ClusterTls,
        area: "cluster",
        name: "tls",
        title: "TLS is offered",
        about: "The parameters ssl and listen_addresses.",
        expected: "TLS is on, or the server does not listen on TCP. That clear text is refused is pg_hba.conf's to say (on RDS \
                   rds.force_ssl), and not looked at.",
        of: Of::Server(&["listen_addresses", "ssl"]),
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
    },
    Row {
        control: Control::ClusterTlsVersion,
        area: "cluster",
        name: "tls_version",
        title: "Old versions of TLS are refused",
        about: "The parameter ssl_min_protocol_version.",
        expected: "TLSv1.2 or newer.",
        of: Of::Server(&["listen_addresses", "ssl", "ssl_min_protocol_version"]),
        nist: &["CM-6", "SC-8"],
        stig: &[],
    },
    Row {
        control: Control::ClusterPasswordEncryption,
        area: "cluster",
        name: "password_encryption",
        title: "Passwords are stored as SCRAM verifiers",
        about: "The parameter password_encryption, as this admin's sessions have it.",
        expected: "scram-sha-256.",
        of: Of::Server(&["password_encryption"]),
        nist: &["IA-5"],
        stig: &[Stig {
            until_15: "CD12-00-009500 (V-233596)",
            since_16: "CD16-00-003800 (V-261891)",
            scope: "The parameter. The rule also reads every stored password, which takes a superuser.",
        }],
    },
    Row {
        control: Control::ClusterLogConnections,
        area: "cluster",
        name: "log_connections",
        title: "Connections are logged",
        about: "The parameter log_connections.",
        expected: "on or all; from PostgreSQL 18 on also a list with receipt, authentication and authorization, which is what on \
                   means there.",
        of: Of::Server(&["log_connections"]),
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
    },
    Row {
        control: Control::ClusterLogDisconnections,
        area: "cluster",
        name: "log_disconnections",
        title: "Disconnections are logged",
        about: "The parameter log_disconnections.",
        expected: "on.",
        of: Of::Server(&["log_disconnections"]),
        nist: &["AU-12", "AU-2"],
        stig: &[Stig {
            until_15: "CD12-00-006200 (V-233569)",
            since_16: "CD16-00-011700 (V-261961)",
            scope: "The parameter. The rule also wants log_connections, and %m, %u, %d and %c in log_line_prefix.",
        }],
    },
    Row {
        control: Control::ClusterLogLinePrefix,
        area: "cluster",
        name: "log_line_prefix",
        title: "The log says when, who and where",
        about: "The parameters log_line_prefix and log_destination.",
        expected: "The prefix holds a time (%m, %t or %n), the role (%u) and the database (%d); csvlog and jsonlog have them anyway, \
                   and syslog has the time.",
        of: Of::Server(&["log_destination", "log_line_prefix"]),
        nist: &["AU-3"],
        stig: &[],
    },
    Row {
        control: Control::WatchdogExtension,
        area: "watchdog",
        name: "extension",
        title: "pg_cron exists",
        about: "The extension pg_cron in the maintenance database.",
        expected: "It is installed and loaded, keeps its jobs there, and the provider may use it.",
        of: Of::Watchdog,
        nist: &["SC-5"],
        stig: &[],
    },
    Row {
        control: Control::WatchdogOwner,
        area: "watchdog",
        name: "owner",
        title: "The watchdog sees sessions and may end them",
        about: "The role that owns the watchdog's function, as which it acts.",
        expected: "It has the privileges of pg_read_all_stats and pg_signal_backend, by inheritance.",
        of: Of::Watchdog,
        nist: &["SC-5"],
        stig: &[],
    },
    Row {
        control: Control::WatchdogSchema,
        area: "watchdog",
        name: "schema",
        title: "The watchdog has a schema of its own",
        about: "The schema pgtenant_watchdog, who owns it and may use it, and what it holds.",
        expected: "The admin owns it, nobody else may use it, and it holds what the watchdog made and nothing else.",
        of: Of::Watchdog,
        nist: &["SC-5"],
        stig: &[],
    },
    Row {
        control: Control::WatchdogActions,
        area: "watchdog",
        name: "actions",
        title: "What the watchdog did is on record",
        about: "The table pgtenant_watchdog.actions: its shape, what acts on it, who owns it and may use it.",
        expected: "It is as this version makes it, without triggers, rules and policies; nobody but the admin may read or write it.",
        of: Of::Watchdog,
        nist: &["SC-5"],
        stig: &[],
    },
    Row {
        control: Control::WatchdogSweep,
        area: "watchdog",
        name: "sweep",
        title: "The watchdog does what this version says",
        about: "The function pgtenant_watchdog.sweep, others of that name, who owns it and may call it.",
        expected: "It is the one of this version of the provider in every clause; nobody but the admin may call it.",
        of: Of::Watchdog,
        nist: &["SC-5"],
        stig: &[],
    },
    Row {
        control: Control::WatchdogJob,
        area: "watchdog",
        name: "job",
        title: "The watchdog is scheduled",
        about: "The job of pg_cron.",
        expected: "It is scheduled as the configuration says, active, and runs in this database of this server.",
        of: Of::Watchdog,
        nist: &["SC-5"],
        stig: &[],
    },
    Row {
        control: Control::WatchdogRuns,
        area: "watchdog",
        name: "runs",
        title: "The watchdog runs",
        about: "The runs of the job that pg_cron has on record.",
        expected: "The last one succeeded, and is no longer ago than three intervals and a minute.",
        of: Of::Watchdog,
        nist: &["SC-5"],
        stig: &[],
    },
];

/// The names of all the parameters that are looked at.
pub fn parameters() -> Vec<&'static str> {
    let named = |row: &'static Row| match row.of {
        Of::Server(names) => names,
        _ => &[],
    };
    let names: BTreeSet<&str> = CONTROLS.iter().flat_map(named).copied().collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_is_in_its_place_once_and_says_what_it_is() {
        let ids: BTreeSet<_> = CONTROLS.iter().map(Row::id).collect();
        assert_eq!(ids.len(), CONTROLS.len());
        for (place, row) in CONTROLS.iter().enumerate() {
            assert_eq!(row.control as usize, place, "{}", row.id());
            assert_eq!(row.control.row().name, row.name);
            assert!(["tenant", "guardrails", "cluster", "watchdog"].contains(&row.area), "{}", row.id());
            assert!(row.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", row.id());
            for text in [row.about, row.expected] {
                assert!(text.ends_with('.'), "{}: {text}", row.id());
            }
            assert!(!row.title.ends_with('.') && !row.nist.is_empty(), "{}", row.id());
        }
    }

    #[test]
    fn controls_are_found_by_their_names() {
        assert_eq!(Control::named(Of::Tenant, "role"), Some(Control::Role));
        assert_eq!(Control::named(Of::Tenant, "markers"), None);
        assert_eq!(Control::named(Of::Cluster, "markers"), Some(Control::ClusterMarkers));
        assert_eq!(Control::Objects.to_string(), "objects");
        let inside: Vec<_> =
            Control::all(Of::Tenant).filter(|control| control.is_inside()).map(Control::name).collect();
        assert_eq!(inside.len(), 7, "{inside:?}");
    }

    #[test]
    fn what_is_supported_is_known_and_in_order() {
        let known: Vec<_> = NIST.iter().map(|(id, ..)| *id).collect();
        let mut used = BTreeSet::new();
        for row in &CONTROLS {
            assert!(row.nist.is_sorted() && row.nist.iter().all(|id| known.contains(id)), "{}", row.id());
            used.extend(row.nist);
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
        for stig in CONTROLS.iter().flat_map(|row| row.stig) {
            rule(stig.until_15, "CD12-00-");
            rule(stig.since_16, "CD16-00-");
            assert!(stig.scope.ends_with('.'));
            assert_eq!(stig.cited(13), stig.until_15);
            assert_eq!(stig.cited(16), stig.since_16);
            assert_eq!(stig.cited(18), format!("{}, by analogy", stig.since_16));
        }
    }
}
