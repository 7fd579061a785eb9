//! The matrix: what touches PostgreSQL runs on every major, as the admin that a managed service gives
//! out, and once as a superuser.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};

use crate::support::binaries::Binaries;
use crate::support::postgres::{Admin, Options, Server};
use crate::support::skip;

/// Makes a test of each function for each column of the matrix. The functions take the server, which all
/// tests of a column share: roles are cluster-wide, so each needs names of its own.
macro_rules! on_every_major {
    ($($test:ident),+ $(,)?) => {
        on_every_major! { @column pg13, 13, RdsLike: $($test),+ }
        on_every_major! { @column pg14, 14, RdsLike: $($test),+ }
        on_every_major! { @column pg15, 15, RdsLike: $($test),+ }
        on_every_major! { @column pg16, 16, RdsLike: $($test),+ }
        on_every_major! { @column pg17, 17, RdsLike: $($test),+ }
        on_every_major! { @column pg18, 18, RdsLike: $($test),+ }
        on_every_major! { @column pg16_superuser, 16, Superuser: $($test),+ }
    };
    (@column $column:ident, $major:literal, $admin:ident: $($test:ident),+) => {
        mod $column {
            $(
                #[test]
                fn $test() {
                    let name = concat!(module_path!(), "::", stringify!($test));
                    crate::majors::run(name, $major, crate::support::postgres::Admin::$admin, super::$test);
                }
            )+
        }
    };
}

/// The same for two of them, where the major makes no difference that is expected.
macro_rules! on_two_majors {
    ($($test:ident),+ $(,)?) => {
        on_every_major! { @column pg15, 15, RdsLike: $($test),+ }
        on_every_major! { @column pg17, 17, RdsLike: $($test),+ }
    };
}

type Column = OnceLock<Result<Server, String>>;

/// Runs a test on the shared server of its column; where there is none, skips it by name.
pub fn run(name: &str, major: u32, admin: Admin, test: fn(&Server)) {
    static COLUMNS: Mutex<BTreeMap<(u32, bool), &'static Column>> = Mutex::new(BTreeMap::new());
    let key = (major, admin == Admin::Superuser);
    let column = *COLUMNS.lock().unwrap().entry(key).or_insert_with(|| Box::leak(Box::default()));
    let options = Options { major: Some(major), admin, ..Options::default() };
    match column.get_or_init(|| Server::start(options)) {
        Ok(server) => test(server),
        Err(reason) => skip(name, reason),
    }
}

/// Whether there is a server of that major to be had; where not, the test is skipped by name.
pub fn is_there(name: &str, major: u32) -> bool {
    Binaries::find(Some(major)).inspect_err(|reason| skip(name, reason)).is_ok()
}
