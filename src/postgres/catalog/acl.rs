//! Access control lists, as `aclexplode` gives them.

use serde::Deserialize;

/// One privilege that somebody holds on an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Grant {
    /// `None` is PUBLIC.
    pub grantee: Option<String>,
    /// `CONNECT`, `CREATE`, `TEMPORARY`, `USAGE`.
    pub privilege: String,
    /// WITH GRANT OPTION.
    pub grantable: bool,
}
