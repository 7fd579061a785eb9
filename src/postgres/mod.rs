//! PostgreSQL as this provider uses it: names, parameters, secrets, SQL as data, sessions, and what
//! the catalogs say.
//!
//! Knows roles, databases, ACLs, settings, SCRAM and SQLSTATE. Has never heard of Terraform or of
//! tenants. `session` is the only place that sends SQL; everything that decides is elsewhere and pure.

pub mod auth;
pub mod catalog;
pub mod cluster;
pub mod connect;
mod connector;
pub mod encoding;
pub mod error;
pub mod expiry;
pub mod fact;
mod guc;
mod iam;
pub mod major;
pub mod name;
mod outage;
pub mod parameter;
pub mod passfile;
pub mod scram;
pub mod secret;
pub mod service;
pub mod session;
mod socket;
pub mod statement;
pub mod text;
mod tls;

pub use auth::{AuthMethod, RequireAuth};
pub use catalog::{inside::Inside, lock::Holder, snapshot::Snapshot};
pub use cluster::Cluster;
pub use cluster::lock::Lock;
pub use connect::{
    ChannelBinding, ClientCertificate, ConnectOptions, Host, Password, SslMode, SslRootCert, TargetSession, Tls,
    TlsVersion,
};
pub use encoding::Encoding;
pub use error::{ConnectError, Distrust, Error, Slots};
pub use expiry::Expiry;
pub use fact::Fact;
pub use iam::IamAuth;
pub use major::Feature;
pub use name::{DatabaseName, ExtensionName, ExtensionVersion, RoleName, SchemaName};
pub use parameter::{Duration, ParameterName};
pub use passfile::Passfile;
pub use scram::{Authentication, Challenge, Proof};
pub use secret::{Secret, Verifier};
pub use statement::{Script, Statement, Step, Whole};
