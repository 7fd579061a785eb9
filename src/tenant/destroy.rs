//! How a tenant ends: dropped, or closed, renamed and kept. Each step is safe to stop after: what is left is found by its
//! markers and names, and the next run goes on from there.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::catalog::snapshot::{Connected, Dependency, Prepared};
use crate::postgres::fact::Kind;
use crate::postgres::name::MAX_BYTES;
use crate::postgres::{DatabaseName, RoleName};

use super::change::Change;
use super::charter::{Desired, Goal};
use super::marker::{Marker, Stage};
use super::names::Names;
use super::observed::{Companion, Observed};
use super::repair::shut_out;

/// What keeps a tenant from ending. Looked for before anything is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Its database is in use.
    Connected(Vec<Connected>),
    /// Nobody but who ends these lets its database be dropped or renamed.
    Prepared(Vec<Prepared>),
    /// Subscriptions in its database: PostgreSQL does not drop a database that has one.
    Subscribed(Vec<String>),
    /// Objects that its role owns outside its own database, by database: data that somebody put there, and not ours to drop
    /// unasked.
    OwnsElsewhere(BTreeMap<String, u64>),
    /// It was granted something in databases that this admin cannot enter to take it back.
    GrantedElsewhere(BTreeSet<String>),
}

/// The first thing that stands in the way of a goal, if any does.
pub fn obstacle(desired: &Desired, observed: &Observed) -> Option<Obstacle> {
    let connected: Vec<Connected> = observed.in_database().cloned().collect();
    if !connected.is_empty() && !desired.force {
        return Some(Obstacle::Connected(connected));
    }
    if !observed.prepared.is_empty() {
        return Some(Obstacle::Prepared(observed.prepared.clone()));
    }
    if desired.goal == Goal::Archived {
        return None;
    }
    let subscriptions = observed.attached.iter().filter(|(kind, _)| *kind == Kind::Subscription);
    let subscriptions: Vec<String> = subscriptions.map(|(_, placed)| placed.name.clone()).collect();
    if !subscriptions.is_empty() {
        return Some(Obstacle::Subscribed(subscriptions));
    }
    let owned = owned_elsewhere(observed);
    if !owned.is_empty() {
        return Some(Obstacle::OwnsElsewhere(owned));
    }
    let own = observed.database.as_ref().map(|database| database.name.as_str());
    let closed = all(observed).filter(|dependency| dependency.enterable == Some(false));
    let closed: BTreeSet<String> =
        closed.filter_map(|closed| closed.database.clone()).filter(|place| Some(place.as_str()) != own).collect();
    (!closed.is_empty()).then_some(Obstacle::GrantedElsewhere(closed))
}

/// What depends on the tenant's role, and on its further ones.
fn all(observed: &Observed) -> impl Iterator<Item = &Dependency> {
    observed.dependencies.iter().chain(&observed.of_companions)
}

/// Objects that the role owns outside its own database, by database.
pub fn owned_elsewhere(observed: &Observed) -> BTreeMap<String, u64> {
    let own = observed.database.as_ref().map(|database| database.name.as_str());
    let mut owned = BTreeMap::new();
    for dependency in all(observed).filter(|dependency| dependency.kind == "o") {
        let place = dependency.database.as_deref();
        if place != own || own.is_none() {
            *owned.entry(place.unwrap_or("(shared objects)").to_owned()).or_default() += dependency.count;
        }
    }
    owned
}

/// The other databases in which something was granted to a role of the tenant.
fn granted_elsewhere(observed: &Observed) -> BTreeSet<(DatabaseName, RoleName)> {
    let own = observed.database_name();
    let place =
        |dependency: &Dependency| Some((dependency.database.as_ref()?.parse().ok()?, dependency.role.parse().ok()?));
    all(observed).filter_map(place).filter(|(place, _)| Some(place) != own.as_ref()).collect()
}

/// The changes that drop what is there of a tenant. What it was granted elsewhere is taken back before its data is dropped:
/// its role can be dropped for sure then.
pub(super) fn remove(desired: &Desired, observed: &Observed) -> Vec<Change> {
    if desired.goal == Goal::Emptied {
        let database = observed.database_name();
        return database.map(|database| Change::DropDatabase { database, force: true }).into_iter().collect();
    }
    let mut changes = Vec::new();
    if observed.database.as_ref().is_some_and(|database| !database.is_invalid()) {
        changes.extend(shut(desired, observed));
    }
    let disown = |(place, role)| Change::Disown { database: Some(place), role };
    changes.extend(granted_elsewhere(observed).into_iter().map(disown));
    if let Some(database) = observed.database_name() {
        changes.push(Change::DropDatabase { database, force: desired.force });
    }
    // The tenant's own last: by that the others are found.
    let companions = observed.companions.iter().filter_map(Companion::name);
    for role in companions.chain(observed.role_name()) {
        if all(observed).any(|dependency| dependency.database.is_none() && dependency.role == role.as_str()) {
            changes.push(Change::Disown { database: None, role: role.clone() });
        }
        changes.push(Change::DropRole { role });
    }
    changes
}

/// Keeps everybody out: first by what the tenant cannot lock.
fn shut(desired: &Desired, observed: &Observed) -> Vec<Change> {
    let open = observed.database.as_ref().is_some_and(|database| database.allow_connections);
    let mut changes = Vec::new();
    let database = observed.database_name();
    changes.extend(database.clone().filter(|_| open).map(|database| Change::Close { database }));
    if let Some(role) = observed.role_name() {
        let logs_in = observed.role.as_ref().is_some_and(|role| role.login);
        if desired.force {
            changes.extend(shut_out(&role));
        } else if logs_in {
            changes.push(Change::NoLogin { role });
        }
    }
    for companion in observed.companions.iter().filter(|companion| companion.role.login || desired.force) {
        let role = companion.name().into_iter();
        if desired.force {
            changes.extend(role.flat_map(|role| shut_out(&role)));
        } else {
            changes.extend(role.map(|role| Change::NoLogin { role }));
        }
    }
    changes
}

/// Closes a tenant and gives its database and role names that say when, so that the old ones are free. The new names are on
/// record before the first rename.
pub(super) fn archive(desired: &Desired, observed: &Observed) -> Vec<Change> {
    let begun = [observed.database_marker(), observed.role_marker()].into_iter().flatten();
    let begun = begun.filter(|marker| marker.stage == Stage::Archived).find_map(|marker| marker.names());
    let archived = begun.unwrap_or_else(|| archived(&desired.names, observed));
    let is_archived = |marker: Option<Marker>| marker.is_some_and(|marker| marker.stage == Stage::Archived);
    let marker = Marker::new(&archived, Stage::Archived, None);
    let mut changes = shut(desired, observed);
    if desired.force
        && let Some(database) = observed.database_name()
        && observed.in_database().next().is_some()
    {
        changes.push(Change::EndDatabaseSessions { database });
    }
    let role = observed.role_name().filter(|_| !is_archived(observed.role_marker()));
    changes.extend(role.map(|role| Change::MarkRole { role, marker: marker.clone() }));
    let database = observed.database_name().filter(|_| !is_archived(observed.database_marker()));
    changes.extend(database.map(|database| Change::MarkDatabase { database, marker: marker.clone() }));
    if let Some(from) = observed.database_name() {
        changes.push(Change::RenameDatabase { from, to: archived.database });
    }
    // After what can fail: until then they are found as they were.
    for (role, companion) in observed.companions.iter().filter_map(|one| Some((one.name()?, one))) {
        let suffix = format!("_archived_{}", observed.server.now);
        let to: RoleName = with_suffix(role.as_str(), &suffix).parse().expect("a name and a suffix");
        let access = Some(companion.access);
        let marker = Marker { access, role: to.to_string(), ..marker.clone() };
        changes.push(Change::MarkRole { role: role.clone(), marker });
        changes.push(Change::RenameRole { from: role, to });
    }
    if let Some(from) = observed.role_name() {
        changes.push(Change::RenameRole { from, to: archived.role });
    }
    changes
}

/// The names that what is there gets.
fn archived(names: &Names, observed: &Observed) -> Names {
    let suffix = format!("_archived_{}", observed.server.now);
    let mut archived = names.clone();
    if let Some(name) = observed.database_name() {
        archived.database = with_suffix(name.as_str(), &suffix).parse().expect("a name and a suffix");
    }
    if let Some(name) = observed.role_name() {
        archived.role = with_suffix(name.as_str(), &suffix).parse().expect("a name and a suffix");
    }
    archived
}

/// Notes that Terraform has the tenant, under the name that it has.
pub fn settle(observed: &Observed) -> Vec<Change> {
    let settled = |marker: Option<Marker>| {
        let marker = marker.filter(Marker::is_unsettled)?;
        Some(Marker { stage: Stage::Ready, was: None, ..marker })
    };
    let role = observed.role_name().zip(settled(observed.role_marker()));
    let database = observed.database_name().zip(settled(observed.database_marker()));
    let role = role.map(|(role, marker)| Change::MarkRole { role, marker });
    let companions = observed.companions.iter().filter_map(|companion| {
        Some(Change::MarkRole { role: companion.name()?, marker: settled(Some(companion.marker.clone()))? })
    });
    let database = database.map(|(database, marker)| Change::MarkDatabase { database, marker });
    role.into_iter().chain(database).chain(companions).collect()
}

/// Leaves a tenant that did not end as it was found: as open, and marked as before. Nothing for one that is no longer whole.
pub fn undo(before: &Observed, after: &Observed) -> Vec<Change> {
    let name = |observed: &Observed| (observed.database_name(), observed.role_name());
    let valid = after.database.as_ref().is_some_and(|database| !database.is_invalid());
    let (Some(was), Some(is), Some(role), true) = (&before.database, &after.database, &after.role, valid) else {
        return Vec::new();
    };
    if name(before) != name(after) {
        return Vec::new();
    }
    let (Some(database), Some(role_name)) = (after.database_name(), after.role_name()) else { return Vec::new() };
    let mut changes = Vec::new();
    let lost = |before: Option<Marker>, after: Option<Marker>| before.filter(|before| Some(before) != after.as_ref());
    if let Some(marker) = lost(before.role_marker(), after.role_marker()) {
        changes.push(Change::MarkRole { role: role_name.clone(), marker });
    }
    if let Some(marker) = lost(before.database_marker(), after.database_marker()) {
        changes.push(Change::MarkDatabase { database: database.clone(), marker });
    }
    if was.allow_connections && !is.allow_connections {
        changes.push(Change::Open { database });
    }
    if before.role.as_ref().is_some_and(|before| before.login) && !role.login {
        changes.push(Change::Login { role: role_name });
    }
    for companion in before.companions.iter().filter(|companion| companion.role.login) {
        let is_shut = |after: &&Companion| after.role.name == companion.role.name && !after.role.login;
        let shut = after.companions.iter().find(is_shut).and_then(Companion::name);
        changes.extend(shut.map(|role| Change::Login { role }));
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
    use crate::postgres::catalog::snapshot::{Dependency, Placed};
    use crate::tenant::fixture::{self, texts};
    use crate::tenant::render;

    fn dependency(database: Option<&str>, kind: &str) -> Dependency {
        fixture::dependency("acme", database, "pg_class", kind, 2)
    }

    fn desired(goal: Goal) -> Desired {
        Desired { goal, ..fixture::desired() }
    }

    const CLOSE: &str = "ALTER DATABASE \"acme\" ALLOW_CONNECTIONS false IS_TEMPLATE false";
    const OPEN: &str = "ALTER DATABASE \"acme\" ALLOW_CONNECTIONS true IS_TEMPLATE false";
    const WAIT: &str = "SET LOCAL lock_timeout = 2000";

    #[test]
    fn a_tenant_is_shut_disowned_and_dropped_in_this_order() {
        let mut observed = fixture::observed();
        let places = [Some("reports"), None, Some("acme"), Some("reports")];
        observed.dependencies = places.map(|place| dependency(place, "a")).into();
        let join = "GRANT \"acme\" TO CURRENT_USER";
        let leave = "REVOKE \"acme\" FROM CURRENT_USER";
        let owned = "DROP OWNED BY \"acme\"";
        let shut = [CLOSE, WAIT, "ALTER ROLE \"acme\" NOLOGIN"];
        let drop = ["DROP DATABASE \"acme\"", join, owned, leave, "DROP ROLE \"acme\""];
        let gone = desired(Goal::Gone);
        assert_eq!(texts(&remove(&gone, &observed)), [&shut[..], &[join, owned, leave], &drop].concat());
        let places: Vec<_> = render(&remove(&gone, &observed)).0.into_iter().map(|step| step.database).collect();
        assert_eq!(places, [None, Some("reports".parse().unwrap()), None, None]);
        // The sessions end after their database is closed, and before the role is altered, which they could lock.
        let forced = texts(&remove(&Desired { force: true, ..gone.clone() }, &observed));
        assert!(forced[0] == CLOSE && forced[1].contains("pg_terminate_backend"), "{forced:?}");
        assert!(forced.contains(&"DROP DATABASE \"acme\" WITH (FORCE)".to_owned()), "{forced:?}");
        // Nothing but DROP DATABASE works on one that is invalid.
        observed.database.as_mut().unwrap().connection_limit = -2;
        observed.dependencies.clear();
        assert_eq!(texts(&remove(&gone, &observed)), ["DROP DATABASE \"acme\"", "DROP ROLE \"acme\""]);
        observed.database = None;
        assert_eq!(texts(&remove(&gone, &observed)), ["DROP ROLE \"acme\""]);
        observed.role = None;
        assert_eq!(remove(&gone, &observed), []);
    }

    #[test]
    fn of_a_half_made_tenant_that_is_replaced_the_role_stays() {
        let mut observed = fixture::observed();
        let emptied = desired(Goal::Emptied);
        assert_eq!(texts(&remove(&emptied, &observed)), ["DROP DATABASE \"acme\" WITH (FORCE)"]);
        observed.database = None;
        assert_eq!(remove(&emptied, &observed), []);
    }

    #[test]
    fn what_stands_in_the_way_is_seen_before_anything_is_changed() {
        let check = |goal: Goal, force: bool, observed: &Observed, expected: Option<Obstacle>| {
            assert_eq!(obstacle(&Desired { force, ..desired(goal) }, observed), expected);
        };
        let mut observed = fixture::observed();
        check(Goal::Gone, false, &observed, None);
        let others = [fixture::connected("globex", Some("acme")), fixture::connected("acme", Some("postgres"))];
        observed.connected = others.to_vec();
        check(Goal::Gone, false, &observed, Some(Obstacle::Connected(others[..1].to_vec())));
        check(Goal::Archived, false, &observed, Some(Obstacle::Connected(others[..1].to_vec())));
        check(Goal::Gone, true, &observed, None);
        let prepared = Prepared {
            id: "tx".to_owned(),
            owner: "acme".to_owned(),
            database: "acme".to_owned(),
            since: "2026-01-31 12:00:00".to_owned(),
        };
        observed.prepared = vec![prepared.clone()];
        check(Goal::Gone, true, &observed, Some(Obstacle::Prepared(vec![prepared.clone()])));
        check(Goal::Archived, true, &observed, Some(Obstacle::Prepared(vec![prepared])));
        observed.prepared.clear();
        let placed = |name: &str| Placed { name: name.to_owned(), database: "acme".to_owned() };
        observed.attached = vec![(Kind::ReplicationSlot, placed("slot"))];
        check(Goal::Gone, true, &observed, None);
        observed.attached.push((Kind::Subscription, placed("sub")));
        check(Goal::Gone, true, &observed, Some(Obstacle::Subscribed(vec!["sub".to_owned()])));
        check(Goal::Archived, true, &observed, None);
        observed.attached.clear();
        // The database is dropped with what is in it; elsewhere somebody put it there.
        observed.dependencies = [Some("acme"), Some("postgres"), None].map(|place| dependency(place, "o")).into();
        let owned = [("(shared objects)".to_owned(), 2), ("postgres".to_owned(), 2)].into();
        check(Goal::Gone, true, &observed, Some(Obstacle::OwnsElsewhere(owned)));
        check(Goal::Archived, true, &observed, None);
        let closed = |place: &str| Dependency { enterable: Some(false), ..dependency(Some(place), "a") };
        observed.dependencies = vec![dependency(Some("reports"), "a"), closed("beta")];
        check(Goal::Gone, true, &observed, Some(Obstacle::GrantedElsewhere(["beta".to_owned()].into())));
        observed.dependencies = vec![closed("acme")];
        check(Goal::Gone, true, &observed, None);
    }

    #[test]
    fn a_tenant_that_did_not_end_is_left_as_it_was() {
        let before = fixture::observed();
        let mut after = fixture::observed();
        assert_eq!(undo(&before, &after), []);
        after.database.as_mut().unwrap().allow_connections = false;
        after.role.as_mut().unwrap().login = false;
        assert_eq!(texts(&undo(&before, &after)), [OPEN, "ALTER ROLE \"acme\" LOGIN"]);
        assert_eq!(undo(&after, &after), [], "as shut as it was");
        let archived = Some(fixture::marker(&fixture::names(), Stage::Archived).text());
        after.role.as_mut().unwrap().comment.clone_from(&archived);
        after.database.as_mut().unwrap().comment = archived;
        let back = texts(&undo(&before, &after));
        let ready = "COMMENT ON ROLE \"acme\" IS '{\"pgtenant\":\"acme\",\"stage\":\"ready\"";
        assert!(back[0].starts_with(ready), "{back:?}");
        assert!(back[1].starts_with("COMMENT ON DATABASE") && back.len() == 4, "{back:?}");
        // What has another name, or is invalid, or is no more, goes on ending.
        for change in [
            (|after| after.database.as_mut().unwrap().name = "acme_archived".to_owned()) as fn(&mut Observed),
            |after| after.database.as_mut().unwrap().connection_limit = -2,
            |after| after.database = None,
            |after| after.role = None,
        ] {
            let mut after = after.clone();
            change(&mut after);
            assert_eq!(undo(&before, &after), []);
        }
    }

    #[test]
    fn an_archive_that_was_interrupted_goes_on_with_the_same_names() {
        let suffix = "_archived_20260131T120000.123Z";
        let archive = |observed: &Observed| texts(&archive(&desired(Goal::Archived), observed));
        let rename = |what: &str| format!("ALTER {what} \"acme\" RENAME TO \"acme{suffix}\"");
        let mut observed = fixture::observed();
        let changes = archive(&observed);
        assert_eq!(changes[..3], [CLOSE, WAIT, "ALTER ROLE \"acme\" NOLOGIN"]);
        assert!(changes[3].contains("\"stage\":\"archived\"") && changes[4].contains(suffix), "{changes:?}");
        assert_eq!(changes[5..], [rename("DATABASE"), rename("ROLE")]);
        // Another moment, and what was on record then.
        let mut names = fixture::names();
        names.database = format!("acme{suffix}").parse().unwrap();
        names.role = format!("acme{suffix}").parse().unwrap();
        let marker = Some(Marker::new(&names, Stage::Archived, None).text());
        observed.server.now = "20270101T000000.000Z".to_owned();
        observed.database.as_mut().unwrap().comment.clone_from(&marker);
        observed.database.as_mut().unwrap().allow_connections = false;
        observed.role.as_mut().unwrap().comment = marker;
        observed.role.as_mut().unwrap().login = false;
        assert_eq!(archive(&observed), [rename("DATABASE"), rename("ROLE")]);
        // The database has its name already, and is the tenant's no more.
        observed.database = None;
        assert_eq!(archive(&observed), [rename("ROLE")]);
    }

    #[test]
    fn archived_names_fit() {
        assert_eq!(with_suffix(&"ü".repeat(31), "_archived_20260131T120000.123Z").len(), 62);
        assert_eq!(with_suffix("a", "_b"), "a_b");
        assert_eq!(with_suffix(&"x".repeat(63), "_b"), format!("{}_b", "x".repeat(61)));
    }

    #[test]
    fn what_terraform_has_heard_of_is_noted_once() {
        let mut observed = fixture::observed();
        assert_eq!(settle(&observed), []);
        let marker = fixture::marker(&fixture::names(), Stage::Ready);
        let made = Marker { stage: Stage::Made, guardrails: true, ..marker.clone() };
        observed.role.as_mut().unwrap().comment = Some(made.text());
        let role = || "acme".parse().unwrap();
        let ready = Marker { guardrails: true, ..marker.clone() };
        assert_eq!(settle(&observed), [Change::MarkRole { role: role(), marker: ready }]);
        let renamed = Marker { was: Some("acme_old".to_owned()), ..marker.clone() };
        observed.role.as_mut().unwrap().comment = Some(renamed.text());
        observed.database.as_mut().unwrap().comment = Some(renamed.text());
        let database = "acme".parse().unwrap();
        let noted =
            [Change::MarkRole { role: role(), marker: marker.clone() }, Change::MarkDatabase { database, marker }];
        assert_eq!(settle(&observed), noted);
    }
}
