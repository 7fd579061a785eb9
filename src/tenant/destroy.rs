//! How a tenant ends: dropped, or closed, renamed and kept.

use std::collections::BTreeMap;

use crate::postgres::name::MAX_BYTES;
use crate::postgres::{DatabaseName, RoleName};

use super::marker::{Marker, Stage};
use super::names::Names;
use super::repair::shut_out;
use super::{Change, Observed};

/// Keeps everybody out, the tenant first.
pub fn close(observed: &Observed) -> Vec<Change> {
    let role = observed.role_name().map(|role| Change::NoLogin { role });
    let database = observed.database_name().map(|database| Change::Close { database });
    role.into_iter().chain(database).collect()
}

/// The same, and ends the role's sessions.
pub fn close_by_force(observed: &Observed) -> Vec<Change> {
    let role = observed.role_name().map(|role| shut_out(&role)).into_iter().flatten();
    let database = observed.database_name().map(|database| Change::Close { database });
    role.chain(database).collect()
}

/// Undoes [`close`], as far as it was open before.
pub fn reopen(before: &Observed) -> Vec<Change> {
    let was_open = before.database.as_ref().is_some_and(|database| database.allow_connections);
    let could_log_in = before.role.as_ref().is_some_and(|role| role.login);
    let database = before.database_name().filter(|_| was_open).map(|database| Change::Open { database });
    let role = before.role_name().filter(|_| could_log_in).map(|role| Change::Login { role });
    database.into_iter().chain(role).collect()
}

/// Objects that the role owns outside its own database, by database: data that somebody put there,
/// and not ours to drop unasked.
pub fn owned_elsewhere(observed: &Observed) -> BTreeMap<String, u64> {
    let own = observed.database.as_ref().map(|database| database.name.as_str());
    let mut owned = BTreeMap::new();
    for dependency in observed.dependencies.iter().filter(|dependency| dependency.kind == "o") {
        let place = dependency.database.as_deref();
        if place != own || own.is_none() {
            *owned.entry(place.unwrap_or("(shared objects)").to_owned()).or_default() += dependency.count;
        }
    }
    owned
}

/// Takes back what the role was granted outside its own database, once that is gone, and drops it.
/// Only for a role that owns nothing.
pub fn drop_role(observed: &Observed) -> Vec<Change> {
    let Some(role) = observed.role_name() else { return Vec::new() };
    let own = observed.database.as_ref().map(|database| database.name.as_str());
    let granted = |place: &Option<String>| place.is_none() || place.as_deref() != own;
    let mut places: Vec<Option<DatabaseName>> = observed
        .dependencies
        .iter()
        .filter(|dependency| granted(&dependency.database))
        .map(|dependency| dependency.database.as_ref().and_then(|name| name.parse().ok()))
        .collect();
    places.sort();
    places.dedup();
    let disown = places.into_iter().map(|database| Change::Disown { database, role: role.clone() });
    disown.chain([Change::DropRole { role: role.clone() }]).collect()
}

/// Closes a tenant and gives its database and role names that say when, so that the old ones are free.
pub fn archive(names: &Names, observed: &Observed) -> Vec<Change> {
    let suffix = format!("_archived_{}", observed.server.now);
    let mut changes = close_by_force(observed);
    let role = observed.role_name();
    let mut archived = names.clone();
    if let Some(from) = observed.database_name() {
        let to: DatabaseName = with_suffix(from.as_str(), &suffix).parse().expect("a name and a suffix");
        archived.database = to.clone();
        changes.push(Change::RenameDatabase { from, to });
    }
    if let Some(from) = role {
        let to: RoleName = with_suffix(from.as_str(), &suffix).parse().expect("a name and a suffix");
        archived.role = to.clone();
        changes.push(Change::RenameRole { from, to });
    }
    let marker = Marker::new(&archived, Stage::Archived, None);
    if observed.role.is_some() {
        changes.push(Change::MarkRole { role: archived.role, marker: marker.clone() });
    }
    if observed.database.is_some() {
        changes.push(Change::MarkDatabase { database: archived.database, marker });
    }
    changes
}

/// A name with a suffix, the name cut where the two would be too long.
fn with_suffix(name: &str, suffix: &str) -> String {
    let mut end = name.len().min(MAX_BYTES - suffix.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::catalog::snapshot::Dependency;
    use crate::tenant::fixture::{self, texts};
    use crate::tenant::render;

    fn dependency(database: Option<&str>, kind: &str) -> Dependency {
        fixture::dependency("acme", database, "pg_class", kind, 2)
    }

    #[test]
    fn closing_can_be_undone_as_far_as_it_was_open() {
        let mut observed = fixture::observed();
        assert_eq!(texts(&close(&observed)).len(), 2);
        assert_eq!(
            texts(&reopen(&observed)),
            ["ALTER DATABASE \"acme\" ALLOW_CONNECTIONS true IS_TEMPLATE false", "ALTER ROLE \"acme\" LOGIN"]
        );
        // The sessions first: an open transaction among them could keep NOLOGIN waiting.
        let forced = texts(&close_by_force(&observed));
        assert!(forced[0].contains("pg_terminate_backend") && forced[1].ends_with("NOLOGIN"), "{forced:?}");
        assert!(forced.last().unwrap().contains("ALLOW_CONNECTIONS false"), "{forced:?}");
        observed.role.as_mut().unwrap().login = false;
        assert_eq!(texts(&reopen(&observed)), ["ALTER DATABASE \"acme\" ALLOW_CONNECTIONS true IS_TEMPLATE false"]);
    }

    #[test]
    fn objects_in_other_databases_are_found() {
        let mut observed = fixture::observed();
        observed.dependencies.extend([dependency(Some("acme"), "o"), dependency(Some("postgres"), "o")]);
        assert_eq!(owned_elsewhere(&observed), [("postgres".to_owned(), 2)].into());
    }

    #[test]
    fn grants_elsewhere_are_taken_back_where_they_are() {
        let mut observed = fixture::observed();
        observed.dependencies.extend([dependency(Some("reports"), "a"), dependency(Some("acme"), "a")]);
        assert_eq!(
            texts(&drop_role(&observed)),
            [
                "GRANT \"acme\" TO CURRENT_USER",
                "DROP OWNED BY \"acme\"",
                "REVOKE \"acme\" FROM CURRENT_USER",
                "DROP ROLE \"acme\""
            ]
        );
    }

    #[test]
    fn archived_names_say_when_and_fit() {
        let texts = texts(&archive(&fixture::names(), &fixture::observed()));
        assert!(texts.contains(&"ALTER DATABASE \"acme\" RENAME TO \"acme_archived_20260131T120000.123Z\"".to_owned()));
        assert!(texts.last().unwrap().contains("\"stage\":\"archived\""));
        assert_eq!(with_suffix(&"ü".repeat(31), "_archived_20260131T120000.123Z").len(), 62);
    }

    #[test]
    fn whatever_is_owned_where_there_is_no_database_is_elsewhere() {
        let mut observed = fixture::observed();
        observed.dependencies.extend([
            dependency(Some("acme"), "o"),
            dependency(Some("postgres"), "o"),
            dependency(Some("postgres"), "o"),
            dependency(Some("postgres"), "a"),
            dependency(None, "o"),
        ]);
        let shared = || ("(shared objects)".to_owned(), 2);
        assert_eq!(owned_elsewhere(&observed), [shared(), ("postgres".to_owned(), 4)].into());
        observed.database = None;
        assert_eq!(owned_elsewhere(&observed), [shared(), ("acme".to_owned(), 2), ("postgres".to_owned(), 4)].into());
    }

    #[test]
    fn a_role_is_disowned_once_in_each_place_and_not_at_home() {
        let mut observed = fixture::observed();
        let places = [Some("b"), None, Some("a"), Some("b"), Some("acme")];
        observed.dependencies = places.map(|place| dependency(place, "a")).into();
        let disowned = |observed: &Observed| -> Vec<String> {
            let places = render(&drop_role(observed)).0.into_iter().filter(|step| step.text().contains("DROP OWNED"));
            places.map(|step| step.database.map_or("-".to_owned(), |name| name.to_string())).collect()
        };
        assert_eq!(disowned(&observed), ["-", "a", "b"]);
        observed.database = None;
        assert_eq!(disowned(&observed), ["-", "a", "acme", "b"]);
        observed.role = None;
        assert_eq!(drop_role(&observed), []);
    }

    #[test]
    fn half_a_tenant_is_closed_and_archived_as_far_as_it_is_there() {
        let mut observed = fixture::observed();
        observed.database.as_mut().unwrap().allow_connections = false;
        assert_eq!(texts(&reopen(&observed)), ["ALTER ROLE \"acme\" LOGIN"]);
        observed.database = None;
        assert_eq!(texts(&close(&observed)), ["ALTER ROLE \"acme\" NOLOGIN"]);
        assert_eq!(texts(&reopen(&observed)), ["ALTER ROLE \"acme\" LOGIN"]);
        let archived = texts(&archive(&fixture::names(), &observed));
        assert!(archived.iter().all(|text| !text.contains("DATABASE")), "{archived:?}");
        assert!(archived.last().unwrap().starts_with("COMMENT ON ROLE \"acme_archived_"), "{archived:?}");
        let observed = Observed { role: None, ..fixture::observed() };
        let archived = texts(&archive(&fixture::names(), &observed));
        assert!(archived.iter().all(|text| !text.contains("ROLE")), "{archived:?}");
        assert_eq!(archived.len(), 3);
        assert_eq!(with_suffix("a", "_b"), "a_b");
        assert_eq!(with_suffix(&"x".repeat(63), "_b"), format!("{}_b", "x".repeat(61)));
    }
}
