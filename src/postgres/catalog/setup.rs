//! How the server is set up: parameters, and whether sessions with it are encrypted.

use std::collections::BTreeMap;

use serde::Deserialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_util::sync::CancellationToken;

use crate::postgres::Feature;
use crate::postgres::error::Error;
use crate::postgres::session::Session;

#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
pub struct Setup {
    /// Those of the parameters asked for that the server has and shows, in its spelling.
    pub parameters: BTreeMap<String, String>,
    /// Whether the session that asked is encrypted.
    pub encrypted: bool,
}

pub(in crate::postgres) async fn read(
    session: &Session,
    parameters: &[&str],
    cancel: &CancellationToken,
) -> Result<Setup, Error> {
    const SUMMARY: &str = "read how the server is set up";
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&parameters, Type::TEXT_ARRAY)];
    let rows = session.query(SUMMARY, include_str!("setup.sql"), &parameters, cancel).await?;
    super::decode(SUMMARY, &rows)
}

/// The statement that tries a parameter's value, for a major.
pub(in crate::postgres) fn try_parameter(major: u32) -> String {
    let may_set = match major >= Feature::ParameterAcl.since() {
        true => "pg_catalog.has_parameter_privilege($1, 'SET')",
        false => "false",
    };
    include_str!("try_parameter.sql").replace("{may_set}", may_set)
}
