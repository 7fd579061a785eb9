//! Advisory locks: taken, held by whom, and let go of.

use serde::Deserialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_util::sync::CancellationToken;

use crate::postgres::error::Error;
use crate::postgres::session::Session;

/// The server's answer for one text.
#[derive(Deserialize)]
pub(in crate::postgres) struct Tried {
    pub name: String,
    pub taken: bool,
    /// Who has it, if that is an admin like this one.
    pub holder: Option<Holder>,
}

/// Who holds a lock, as far as this admin may see.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Holder {
    pub pid: i32,
    pub role: String,
    /// When its session began, in UTC.
    pub since: Option<String>,
    pub application: Option<String>,
    /// The address that it comes from; `None` if through a socket.
    pub client: Option<String>,
}

/// The lock for a text, among all that there are in a database: the same in every version of this provider.
const KEY: &str = "pg_catalog.hashtextextended(w.name, 8101110116)";

/// Tries to take the locks for these texts, once each.
pub(in crate::postgres) async fn take(
    session: &Session,
    names: &[&str],
    cancel: &CancellationToken,
) -> Result<Vec<Tried>, Error> {
    const SUMMARY: &str = "lock it for this process";
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&names, Type::TEXT_ARRAY)];
    let rows = session.query(SUMMARY, &include_str!("lock.sql").replace("{key}", KEY), &parameters, cancel).await?;
    super::decode(SUMMARY, &rows)
}

pub(in crate::postgres) async fn let_go(session: &Session, names: &[String]) -> Result<(), Error> {
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&names, Type::TEXT_ARRAY)];
    let sql = include_str!("unlock.sql").replace("{key}", KEY);
    session.query("unlock it", &sql, &parameters, &CancellationToken::new()).await?;
    Ok(())
}
