//! What the catalogs say: each query in an `.sql` file beside the code that reads its answer.

pub mod acl;
pub mod capacity;
pub mod cron;
mod hex;
pub mod inside;
pub mod lock;
pub mod login;
pub mod offer;
pub mod reach;
pub mod setup;
pub mod signals;
pub mod snapshot;
pub mod tables;

use serde::de::DeserializeOwned;
use tokio_postgres::Row;

use super::error::Error;

/// Reads the one JSON value that a catalog query answers with.
fn decode<T: DeserializeOwned>(summary: &str, rows: &[Row]) -> Result<T, Error> {
    let unreadable = |message: String| Error::Unreadable { summary: summary.to_owned(), message };
    let text: &str = match rows {
        [row] => row.try_get(0).map_err(|error| unreadable(error.to_string()))?,
        rows => return Err(unreadable(format!("{} rows instead of one", rows.len()))),
    };
    serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))
}
