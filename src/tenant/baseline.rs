//! The baseline: what every tenant can reach beside its own database because everybody can. PUBLIC's privileges on the
//! maintenance databases, its CREATE in their schema `public`, and what holds for all roles of the server.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::postgres::catalog::acl::Grant;
use crate::postgres::catalog::inside::{Inside, Schema};
use crate::postgres::catalog::login::Login;
use crate::postgres::catalog::snapshot::{Database, Server, Snapshot};
use crate::postgres::fact::{Fact, Kind, Level, Objects};
use crate::postgres::{DatabaseName, SchemaName};

use super::charter::{HARMLESS, PUBLIC_SCHEMA_IS_THEIRS};
use super::diff::{Charter, Deviation, Repair, diff, status};
use super::marker::{Marker, Stage};
use super::observed::{Seen, any_marker, database_marker, role_marker};
use super::{Change, Control, Finding, Grantee, Of, Scope, Status};

/// The databases that every server has and no tenant needs.
pub const DATABASES: [&str; 2] = ["postgres", "template1"];

/// RDS's own: it accepts connections, but pg_hba.conf there refuses everybody.
const CLOSED_OTHERWISE: &str = "rdsadmin";

const PUBLIC: &str = "public";

/// What is taken from PUBLIC on a database, and on a schema.
const ON_DATABASE: [&str; 3] = ["CONNECT", "CREATE", "TEMPORARY"];
const ON_SCHEMA: [&str; 1] = ["CREATE"];

/// The databases that are to be closed, as they are, and what holds for all roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub server: Server,
    /// `None` is one that does not exist.
    pub databases: BTreeMap<DatabaseName, Option<Place>>,
    /// What touches every tenant, or is told of the server as a whole.
    pub cluster: Vec<Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub database: Database,
    /// What is in it, or why it was not read.
    pub inside: Result<Inside, String>,
}

/// What of the baseline is accepted, by the keys of [`assess`].
pub type Accept = BTreeMap<String, String>;

impl Observed {
    /// Without what only a session inside sees.
    pub fn locate(snapshot: &Snapshot, databases: &BTreeSet<DatabaseName>) -> Self {
        let place = |name: &DatabaseName| {
            let database = snapshot.databases.iter().find(|database| database.name == name.as_str())?;
            Some(Place { database: database.clone(), inside: Err("it was not entered".to_owned()) })
        };
        Observed {
            server: snapshot.server.clone(),
            databases: databases.iter().map(|name| (name.clone(), place(name))).collect(),
            cluster: cluster(snapshot, databases),
        }
    }

    pub fn missing(&self) -> Vec<&DatabaseName> {
        self.databases.iter().filter(|(_, place)| place.is_none()).map(|(name, _)| name).collect()
    }

    /// Databases that the role which logs in could not connect to any more, once they are closed.
    pub fn locks_out(&self, login: &Login, accept: &Accept) -> Vec<&DatabaseName> {
        let stays_open = |name: &DatabaseName| accept.contains_key(&key_of(name, Control::ClusterPublicPrivileges));
        let relies_on_public = |name: &DatabaseName, place: &Place| {
            let open = held(Control::ClusterPublicPrivileges, place).iter().any(|grant| grant.privilege == "CONNECT");
            open && !stays_open(name) && place.database.owner_usable && !login.admitted.contains(name.as_str())
        };
        let places = self.databases.iter().filter_map(|(name, place)| Some((name, place.as_ref()?)));
        places.filter(|(name, place)| relies_on_public(name, place)).map(|(name, _)| name).collect()
    }
}

/// The facts that hold for all roles: parameters and privileges of PUBLIC, other databases that it can enter, and markers that
/// are not this admin's.
fn cluster(snapshot: &Snapshot, listed: &BTreeSet<DatabaseName>) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut push = |fact: Fact, ours: bool| seen.push(Seen { fact, ours });
    let public = |objects: Objects, privilege: &str, grantable: bool| Fact::Grant {
        objects,
        grantee: None,
        privilege: privilege.to_owned(),
        grantable,
    };
    for setting in snapshot.settings.iter().filter(|setting| setting.role.is_none() && setting.database.is_none()) {
        let (name, value) = (setting.name.clone(), setting.text());
        push(Fact::Parameter { level: Level::Everything, name, value }, snapshot.server.superuser);
    }
    for grant in snapshot.server_grants.iter().filter(|grant| grant.grantee.is_none()) {
        let kind = if grant.class == "tablespace" { Kind::Tablespace } else { Kind::Parameter };
        push(public(Objects::one(kind, &grant.name), &grant.privilege, grant.grantable), grant.owner_usable);
    }
    for database in &snapshot.databases {
        let is_listed = listed.iter().any(|name| name.as_str() == database.name);
        let is_tenants = database_marker(database).is_some();
        let is_rds = database.name == CLOSED_OTHERWISE && !database.owner_usable;
        if is_listed || is_tenants || is_rds || !database.allow_connections {
            continue;
        }
        for grant in database.acl.iter().filter(|grant| grant.grantee.is_none()) {
            // It may be meant to be open: it is told, and left.
            push(public(Objects::one(Kind::Database, &database.name), &grant.privilege, grant.grantable), false);
        }
    }
    let mut marked: BTreeMap<String, u32> = BTreeMap::new();
    for database in &snapshot.databases {
        let Some(Marker { tenant, .. }) = live(database.comment.as_deref()) else { continue };
        let count = marked.entry(tenant.clone()).or_default();
        if database.owner_usable {
            *count += 1;
        }
        // A tenant's own, if its role's marker says so; whose it is, the tenant's own control tells.
        let is_named = || {
            let mut markers = snapshot.roles.iter().filter_map(role_marker);
            markers.any(|of| of.tenant == tenant && of.database == database.name)
        };
        if !database.owner_usable && !is_named() || *count > 1 {
            push(Fact::Marker { objects: Objects::one(Kind::Database, &database.name), text: String::new() }, false);
        }
    }
    for role in snapshot.roles.iter().filter(|role| any_marker(role).is_none()) {
        if live(role.comment.as_deref()).is_some() {
            push(Fact::Marker { objects: Objects::one(Kind::Role, &role.name), text: String::new() }, false);
        }
    }
    seen
}

fn live(comment: Option<&str>) -> Option<Marker> {
    Marker::parse(comment).filter(|marker| marker.stage != Stage::Archived)
}

/// What is right for one of the databases, or for the cluster.
struct BaselineCharter<'a> {
    server: &'a Server,
    /// `None`: the cluster.
    database: Option<(&'a DatabaseName, Option<&'a Place>)>,
    accept: &'a Accept,
}

impl BaselineCharter<'_> {
    fn key(&self, control: Control) -> String {
        match self.database {
            Some((name, _)) => key_of(name, control),
            None => control.to_string(),
        }
    }
}

/// How a control of one database is called: `postgres.public_schema`.
fn key_of(database: &DatabaseName, control: Control) -> String {
    format!("{database}.{control}")
}

impl Charter for BaselineCharter<'_> {
    fn required(&self) -> Vec<(Control, Fact)> {
        let Some((name, _)) = self.database else { return Vec::new() };
        let present = Fact::Present(Objects::one(Kind::Database, name.as_str()));
        vec![(Control::ClusterPublicPrivileges, present.clone()), (Control::ClusterPublicSchema, present)]
    }

    fn allows(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Parameter { name, .. } => HARMLESS.iter().any(|harmless| harmless.eq_ignore_ascii_case(name)),
            _ => false,
        }
    }

    fn control(&self, fact: &Fact) -> Control {
        match fact {
            Fact::Parameter { .. } => Control::ClusterParameters,
            Fact::Marker { .. } => Control::ClusterMarkers,
            Fact::Grant { objects, .. } => match objects.kind {
                Kind::Schema => Control::ClusterPublicSchema,
                Kind::Database if self.database.is_some() => Control::ClusterPublicPrivileges,
                Kind::Database => Control::ClusterOtherDatabases,
                _ => Control::ClusterServerPrivileges,
            },
            _ => Control::ClusterServerPrivileges,
        }
    }

    fn accepted(&self, control: Control, drift: &[Deviation]) -> Option<String> {
        if let Some(reason) = self.accept.get(&self.key(control)) {
            return Some(reason.clone());
        }
        let theirs = !self.server.governs_public();
        let not_ours = !drift.iter().any(Deviation::is_ours);
        (control == Control::ClusterPublicSchema && theirs && not_ours).then(|| PUBLIC_SCHEMA_IS_THEIRS.to_owned())
    }

    fn unseen(&self, control: Control) -> Option<String> {
        let (_, place) = self.database?;
        let place = place?;
        match &place.inside {
            // What admits nobody is closed, whoever might create in it.
            Err(why) if control == Control::ClusterPublicSchema && place.database.allow_connections => {
                Some(why.clone())
            }
            _ => None,
        }
    }
}

/// What each control was found to be, as `postgres.public_schema` and `parameters`.
pub fn assess(observed: &Observed, accept: &Accept) -> BTreeMap<String, Finding> {
    let mut findings = BTreeMap::new();
    let mut tell = |charter: &BaselineCharter, of: Of, seen: &[Seen]| {
        let mut drift = diff(charter, seen);
        for control in Control::all(of) {
            let facts = drift.remove(&control).unwrap_or_default();
            let status = status(charter, control, &facts);
            let mut repair = Repair::default();
            if status.is_drift() {
                let (ours, theirs): (Vec<Deviation>, Vec<Deviation>) =
                    facts.iter().cloned().partition(Deviation::is_ours);
                // The server's own parameters and objects are tried: whoever set them may do so at any time.
                repair.extend(repairs(charter, &ours), repairs(charter, &theirs), |_| of == Of::Cluster);
            }
            findings.insert(charter.key(control), Finding { control, status, facts, repair });
        }
    };
    let server = &observed.server;
    for (name, place) in &observed.databases {
        let charter = BaselineCharter { server, database: Some((name, place.as_ref())), accept };
        tell(&charter, Of::Database, &facts(name, place.as_ref()));
    }
    tell(&BaselineCharter { server, database: None, accept }, Of::Cluster, &observed.cluster);
    findings
}

fn facts(name: &DatabaseName, place: Option<&Place>) -> Vec<Seen> {
    let Some(place) = place else { return Vec::new() };
    let database = || Objects::one(Kind::Database, name.as_str());
    let mut seen = vec![Seen { fact: Fact::Present(database()), ours: true }];
    let mut push = |objects: &dyn Fn() -> Objects, grants: Vec<&Grant>, ours: bool| {
        seen.extend(grants.into_iter().map(|grant| Seen {
            fact: Fact::Grant {
                objects: objects(),
                grantee: None,
                privilege: grant.privilege.clone(),
                grantable: grant.grantable,
            },
            ours,
        }));
    };
    push(&database, held(Control::ClusterPublicPrivileges, place), place.database.owner_usable);
    let ours = schema(place).is_some_and(|schema| schema.owner_usable);
    push(&|| Objects::one(Kind::Schema, PUBLIC), held(Control::ClusterPublicSchema, place), ours);
    seen
}

fn repairs(charter: &BaselineCharter, drift: &[Deviation]) -> Vec<Change> {
    let mut changes = Vec::new();
    for deviation in drift {
        let Deviation::Unexpected(seen) = deviation else { continue };
        let change = match (&seen.fact, charter.database) {
            (Fact::Grant { .. }, Some((name, place))) => {
                place.map(|place| take(name, place, charter.control(&seen.fact)))
            }
            (Fact::Grant { objects, privilege, .. }, None) if objects.kind != Kind::Database => {
                objects.name().map(|object| Change::RevokeServer {
                    is_parameter: objects.kind == Kind::Parameter,
                    name: object.to_owned(),
                    privilege: privilege.clone(),
                    grantee: Grantee::Public,
                })
            }
            (Fact::Parameter { name, .. }, _) => {
                name.parse().ok().map(|name| Change::Reset { scope: Scope::Everything, name })
            }
            _ => None,
        };
        changes.extend(change.filter(|change| !changes.contains(change)).into_iter().collect::<Vec<_>>());
    }
    changes
}

/// What is to be run for the databases to be closed, the doors first: what this admin may, and what it can but try.
pub fn repair(observed: &Observed, accept: &Accept) -> Repair {
    let mut repair = Repair::default();
    let findings = assess(observed, accept);
    for (name, place) in &observed.databases {
        let Some(place) = place else { continue };
        for control in Control::all(Of::Database) {
            // That there was nothing to take is noted too: whoever opens it later is undone for good.
            let closed = findings.get(&key_of(name, control)).is_some_and(|finding| finding.status == Status::Enforced);
            if closed && note(name, place, control).is_some() {
                repair.needed.push(take(name, place, control));
            }
        }
    }
    for finding in findings.into_values() {
        repair.needed.extend(finding.repair.needed);
        repair.tried.extend(finding.repair.tried);
    }
    repair.needed.sort_by_key(|change| matches!(change, Change::TakeFromPublic { schema: Some(_), .. }));
    repair
}

/// Takes from PUBLIC what a control is about.
fn take(name: &DatabaseName, place: &Place, control: Control) -> Change {
    let schema = (control == Control::ClusterPublicSchema).then(public);
    Change::TakeFromPublic { database: name.clone(), schema, note: note(name, place, control) }
}

/// What PUBLIC holds of what the control is about.
fn held(control: Control, place: &Place) -> Vec<&Grant> {
    let acl = match control {
        Control::ClusterPublicPrivileges => place.database.acl.as_slice(),
        _ => schema(place).map(|schema| schema.acl.as_slice()).unwrap_or_default(),
    };
    // To read in `public` is nobody's loss.
    let matters = |grant: &&Grant| control == Control::ClusterPublicPrivileges || grant.privilege == "CREATE";
    acl.iter().filter(|grant| grant.grantee.is_none()).filter(matters).collect()
}

fn schema(place: &Place) -> Option<&Schema> {
    place.inside.as_ref().ok()?.schemas.iter().find(|schema| schema.name == PUBLIC)
}

fn public() -> SchemaName {
    PUBLIC.parse().expect("a name")
}

/// What was taken from PUBLIC when a database, or its schema `public`, was first closed: a line of JSON before whatever else
/// that object's comment says. It is written in the transaction that takes it, by the owner, and only an owner can write it. What
/// somebody opens later is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// A schema's comment is copied with its database.
    #[serde(rename = "pgtenant_baseline")]
    database: String,
    taken: BTreeSet<String>,
}

impl Note {
    /// How a note begins, as a regular expression of PostgreSQL's.
    pub(super) const PATTERN: &str = r#"\{"pgtenant_baseline":"#;

    pub(super) fn new(database: &DatabaseName, taken: BTreeSet<String>) -> Self {
        Note { database: database.as_str().to_owned(), taken }
    }

    /// The note in a comment, if it is about this database.
    fn of(comment: Option<&str>, database: &DatabaseName) -> Option<Self> {
        let note: Note = serde_json::from_str(comment?.lines().next()?).ok()?;
        (note.database == database.as_str()).then_some(note)
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("names serialise")
    }
}

/// The comment that a note on what a control is about stands in, and whether this admin may write it. `None`: it was not read, or
/// there is no such object.
fn comment(place: &Place, control: Control) -> Option<(Option<&str>, bool)> {
    match control {
        Control::ClusterPublicPrivileges => Some((place.database.comment.as_deref(), place.database.owner_usable)),
        _ => schema(place).map(|schema| (schema.comment.as_deref(), schema.owner_usable)),
    }
}

/// The note that is to be written, if there is none yet. What is a tenant's is its tenant's to keep closed.
fn note(name: &DatabaseName, place: &Place, control: Control) -> Option<Note> {
    let (comment, ours) = comment(place, control)?;
    let is_noted = Note::of(comment, name).is_some() || Marker::parse(comment).is_some();
    let taken = || held(control, place).iter().map(|grant| grant.privilege.clone()).collect();
    (ours && !is_noted).then(|| Note::new(name, taken()))
}

/// The databases on which a note says what was taken of them.
pub fn noted(snapshot: &Snapshot) -> BTreeSet<DatabaseName> {
    let is_noted = |database: &&Database| {
        let name = database.name.parse().ok();
        let note = name.and_then(|name| Note::of(database.comment.as_deref(), &name));
        database.owner_usable && note.is_some()
    };
    snapshot.databases.iter().filter(is_noted).filter_map(|database| database.name.parse().ok()).collect()
}

/// Gives back what was taken of these databases, as far as the notes on them say.
pub fn give_back(observed: &Observed) -> Vec<Change> {
    let mut changes = Vec::new();
    for (name, place) in &observed.databases {
        let Some(place) = place else { continue };
        for control in Control::all(Of::Database) {
            let Some((comment, true)) = comment(place, control) else { continue };
            let Some(note) = Note::of(comment, name) else { continue };
            let schema = (control == Control::ClusterPublicSchema).then(public);
            let possible: &[&str] = if schema.is_some() { &ON_SCHEMA } else { &ON_DATABASE };
            let privileges = possible.iter().copied().filter(|privilege| note.taken.contains(*privilege)).collect();
            changes.push(Change::GiveToPublic { database: name.clone(), schema, privileges });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::catalog::snapshot::{ServerGrant, Setting};
    use crate::tenant::fixture::{self, grant};
    use crate::tenant::render;

    fn place(name: &str, privileges: &[&str], on_public: &[&str]) -> Place {
        let mut acl: Vec<Grant> = privileges.iter().map(|privilege| grant(None, privilege)).collect();
        acl.push(grant(Some("monitoring"), "CONNECT"));
        let mut inside = fixture::observed().inside.unwrap();
        inside.schemas.retain(|schema| schema.name == PUBLIC);
        inside.schemas[0].acl = on_public.iter().map(|privilege| grant(None, privilege)).collect();
        Place { database: Database { acl, ..fixture::database(name, None) }, inside: Ok(inside) }
    }

    /// As `initdb` of PostgreSQL 14 leaves it, with an admin who owns all of it.
    fn stock() -> Observed {
        let places = [
            place("postgres", &["CONNECT", "TEMPORARY"], &["CREATE", "USAGE"]),
            place("template1", &["CONNECT"], &["CREATE", "USAGE"]),
        ];
        Observed {
            server: Server { superuser: true, version_num: 140_018, ..fixture::snapshot().server },
            databases: places.map(|place| (place.database.name.parse().unwrap(), Some(place))).into_iter().collect(),
            cluster: Vec::new(),
        }
    }

    fn name(text: &str) -> DatabaseName {
        text.parse().unwrap()
    }

    fn postgres(observed: &mut Observed) -> &mut Place {
        observed.databases.get_mut(&name("postgres")).unwrap().as_mut().unwrap()
    }

    /// Without the statements that write notes.
    fn text(changes: &[Change]) -> Vec<String> {
        let step = |step: &crate::postgres::Step| {
            let place = step.database.as_ref().map_or("-", DatabaseName::as_str);
            let statements = step.statements.iter().map(|statement| statement.text.as_str());
            let text = statements.filter(|text| !text.starts_with("DO ")).collect::<Vec<_>>().join("; ");
            format!("[{place}] {text}")
        };
        render(changes).0.iter().map(step).collect()
    }

    /// Changes one fact of the stock server; what the controls of its databases then say, and what is needed and tried.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Observed), expected: [&str; 4], needed: &[&str], tried: &[&str]) -> Observed {
        let mut observed = stock();
        change(&mut observed);
        let found: Vec<_> = assess(&observed, &Accept::new())
            .into_iter()
            .filter(|(_, finding)| finding.control.row().of == Of::Database)
            .map(|(key, finding)| format!("{key}: {}", finding.describe()))
            .collect();
        let keys = [
            "postgres.public_privileges",
            "postgres.public_schema",
            "template1.public_privileges",
            "template1.public_schema",
        ];
        let expected: Vec<_> = keys.iter().zip(expected).map(|(key, found)| format!("{key}: {found}")).collect();
        assert_eq!(found, expected);
        let repair = repair(&observed, &Accept::new());
        assert_eq!((text(&repair.needed), text(&repair.tried)), (owned(needed), owned(tried)));
        observed
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    const CLOSE_TEMPLATE1: &str = "REVOKE ALL ON DATABASE \"template1\" FROM PUBLIC CASCADE";

    const CLOSE_SCHEMA: &str = "REVOKE CREATE ON SCHEMA \"public\" FROM PUBLIC CASCADE";
    const OPEN: [&str; 4] = [
        "found: PUBLIC has CONNECT, TEMPORARY on database postgres",
        "found: PUBLIC has CREATE on schema public",
        "found: PUBLIC has CONNECT on database template1",
        "found: PUBLIC has CREATE on schema public",
    ];

    #[test]
    fn a_stock_server_is_closed_door_first() {
        check(
            |_| {},
            OPEN,
            &[
                &format!("[-] REVOKE ALL ON DATABASE \"postgres\" FROM PUBLIC CASCADE; {CLOSE_TEMPLATE1}"),
                &format!("[postgres] {CLOSE_SCHEMA}"),
                &format!("[template1] {CLOSE_SCHEMA}"),
            ],
            &[],
        );
    }

    #[test]
    fn what_is_closed_needs_nothing() {
        let closed = |observed: &mut Observed| {
            observed.databases =
                DATABASES.map(|database| (name(database), Some(place(database, &[], &["USAGE"])))).into();
            let notes = repair(observed, &Accept::new()).needed;
            assert_eq!(notes.len(), 4);
            noted(observed, &notes);
        };
        check(closed, ["enforced"; 4], &[], &[]);
        // One that admits nobody, and one without a schema `public`.
        let bare = |observed: &mut Observed| {
            closed(observed);
            postgres(observed).database.allow_connections = false;
            postgres(observed).inside = Err("closed".to_owned());
            let template1 = observed.databases.get_mut(&name("template1")).unwrap().as_mut().unwrap();
            template1.inside.as_mut().unwrap().schemas.clear();
        };
        check(bare, ["enforced"; 4], &[], &[]);
    }

    #[test]
    fn what_is_not_this_admins_is_told_and_tried() {
        let close_template1 = &format!("[-] {CLOSE_TEMPLATE1}");
        let rest = &format!("[template1] {CLOSE_SCHEMA}");
        check(
            |observed| {
                observed.server.version_num = 150_000;
                postgres(observed).database.owner_usable = false;
                postgres(observed).inside.as_mut().unwrap().schemas[0].owner_usable = false;
            },
            [
                "not permitted: PUBLIC has CONNECT, TEMPORARY on database postgres",
                "not permitted: PUBLIC has CREATE on schema public",
                OPEN[2],
                OPEN[3],
            ],
            &[close_template1, rest],
            &["[-] REVOKE ALL ON DATABASE \"postgres\" FROM PUBLIC CASCADE", &format!("[postgres] {CLOSE_SCHEMA}")],
        );
        check(
            |observed| {
                postgres(observed).database.acl.clear();
                postgres(observed).database.comment = Some(Note::new(&name("postgres"), BTreeSet::new()).text());
                postgres(observed).inside = Err("no CONNECT".to_owned());
            },
            ["enforced", "not inspected: no CONNECT", OPEN[2], OPEN[3]],
            &[close_template1, rest],
            &[],
        );
    }

    #[test]
    fn what_a_major_cannot_do_and_what_is_meant_is_accepted() {
        let why = format!("accepted: PUBLIC has CREATE on schema public ({PUBLIC_SCHEMA_IS_THEIRS})");
        check(
            |observed| {
                observed.server.superuser = false;
                postgres(observed).inside.as_mut().unwrap().schemas[0].owner_usable = false;
                *observed.databases.get_mut(&name("template1")).unwrap() = None;
            },
            [OPEN[0], &why, "found: database template1 is missing", "found: database template1 is missing"],
            &["[-] REVOKE ALL ON DATABASE \"postgres\" FROM PUBLIC CASCADE"],
            &[],
        );
        let accept = [("postgres.public_privileges".to_owned(), "jobs".to_owned())].into();
        let findings = assess(&stock(), &accept);
        assert_eq!(
            findings["postgres.public_privileges"].describe(),
            "accepted: PUBLIC has CONNECT, TEMPORARY on database postgres (jobs)"
        );
        assert_eq!(findings["template1.public_privileges"].status, Status::Found);
        assert_eq!(text(&repair(&stock(), &accept).needed)[0], format!("[-] {CLOSE_TEMPLATE1}"));
    }

    /// What touches every tenant of a server with these changes: what is said, and what is tried.
    #[track_caller]
    fn check_cluster(change: impl FnOnce(&mut Snapshot), expected: &[&str], tried: &[&str]) {
        let mut snapshot = fixture::snapshot();
        change(&mut snapshot);
        let observed = Observed::locate(&snapshot, &[name("postgres")].into());
        let said: Vec<_> = assess(&observed, &Accept::new())
            .into_iter()
            .filter(|(_, finding)| finding.control.row().of == Of::Cluster && finding.status != Status::Enforced)
            .map(|(key, finding)| format!("{key}: {}", finding.describe()))
            .collect();
        assert_eq!(said, expected);
        assert_eq!(text(&repair(&observed, &Accept::new()).tried), tried);
    }

    #[test]
    fn what_holds_for_all_roles_is_told() {
        check_cluster(|_| {}, &[], &[]);
        let set = |name: &str, value: &str| fixture::setting(None, None, name, value);
        check_cluster(
            |snapshot| snapshot.settings.extend([set("search_path", "public"), set("TimeZone", "UTC")]),
            &["parameters: not permitted: search_path = \"public\" for all roles"],
            &["[-] ALTER ROLE ALL RESET \"search_path\""],
        );
        check_cluster(
            |snapshot| {
                snapshot.server.superuser = true;
                let long = Setting { digest: Some("00".repeat(32)), ..set("role", "x") };
                snapshot.settings.push(long);
            },
            &["parameters: found: role = \"x\" (cut) for all roles"],
            &["[-] ALTER ROLE ALL RESET \"role\""],
        );
        let grant_of = |class: &str, name: &str, grantee: Option<&str>| ServerGrant {
            class: class.to_owned(),
            name: name.to_owned(),
            owner_usable: class == "tablespace",
            grantee: grantee.map(str::to_owned),
            privilege: if class == "tablespace" { "CREATE" } else { "SET" }.to_owned(),
            grantable: false,
        };
        check_cluster(
            |snapshot| {
                snapshot.server_grants = vec![
                    grant_of("tablespace", "fast", None),
                    grant_of("parameter", "log_statement", None),
                    grant_of("parameter", "log_duration", Some("acme")),
                ];
            },
            &[
                "server_privileges: not permitted: PUBLIC has SET on parameter log_statement; PUBLIC has CREATE on tablespace fast",
            ],
            &[
                "[-] REVOKE CREATE ON TABLESPACE \"fast\" FROM PUBLIC CASCADE; REVOKE SET ON PARAMETER \"log_statement\" \
                 FROM PUBLIC CASCADE",
            ],
        );
    }

    #[test]
    fn databases_that_everybody_can_enter_are_told_and_left() {
        let open = |name: &str| Database { acl: vec![grant(None, "CONNECT")], ..fixture::database(name, None) };
        check_cluster(
            |snapshot| snapshot.databases.push(open("reports")),
            &["other_databases: not permitted: PUBLIC has CONNECT on database reports"],
            &[],
        );
        // One that is listed, one that admits nobody, RDS's own, and a tenant's.
        check_cluster(
            |snapshot| {
                snapshot.databases.push(open("postgres"));
                snapshot.databases.push(Database { allow_connections: false, ..open("reports") });
                snapshot.databases.push(Database { owner_usable: false, ..open("rdsadmin") });
                snapshot.databases[0].acl.push(grant(None, "CONNECT"));
            },
            &[],
            &[],
        );
        check_cluster(
            |snapshot| snapshot.databases.push(open("rdsadmin")),
            &["other_databases: not permitted: PUBLIC has CONNECT on database rdsadmin"],
            &[],
        );
        check_cluster(
            |snapshot| snapshot.databases.push(Database { owner_usable: false, ..open("reports") }),
            &["other_databases: not permitted: PUBLIC has CONNECT on database reports"],
            &[],
        );
    }

    #[test]
    fn markers_that_are_not_this_admins_or_stand_twice_are_told() {
        let comment = || fixture::snapshot().databases[0].comment.clone();
        let archived = || Some(fixture::marker(&fixture::names(), Stage::Archived).text());
        check_cluster(
            |snapshot| {
                let forged = |name: &str| Database { owner_usable: false, ..fixture::database(name, comment()) };
                snapshot.databases.insert(0, forged("forged"));
                snapshot.databases.push(fixture::database("twin", comment()));
                snapshot.databases.push(fixture::database("old", archived()));
            },
            &[
                "markers: not permitted: database forged carries a tenant's marker; database twin carries a tenant's marker",
            ],
            &[],
        );
        check_cluster(
            |snapshot| {
                let forged =
                    crate::postgres::catalog::snapshot::Role { manageable: false, ..fixture::role("x", comment()) };
                snapshot.roles.push(forged);
                let old =
                    crate::postgres::catalog::snapshot::Role { manageable: false, ..fixture::role("y", archived()) };
                snapshot.roles.push(old);
            },
            &["markers: not permitted: role x carries a tenant's marker"],
            &[],
        );
    }

    #[test]
    fn a_database_that_does_not_exist_is_told() {
        let (one, two) = ("found: database postgres is missing", "found: database template1 is missing");
        let observed = check(
            |observed| observed.databases.values_mut().for_each(|place| *place = None),
            [one, one, two, two],
            &[],
            &[],
        );
        assert_eq!(observed.missing(), [&name("postgres"), &name("template1")]);
        assert!(stock().missing().is_empty());
    }

    #[test]
    fn who_logs_in_must_be_admitted_without_public() {
        let locked_out_but = |accept: &Accept, admitted: &[&str], change: fn(&mut Observed)| {
            let mut observed = stock();
            change(&mut observed);
            let admitted = admitted.iter().map(|name| (*name).to_owned()).collect();
            let login = Login { role: "operator".to_owned(), admitted };
            observed.locks_out(&login, accept).into_iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        let locked_out = |admitted: &[&str], change| locked_out_but(&Accept::new(), admitted, change);
        assert_eq!(locked_out(&["postgres", "template1"], |_| {}), "");
        assert_eq!(locked_out(&["template1"], |_| {}), "postgres");
        assert_eq!(locked_out(&[], |_| {}), "postgres template1");
        // What is not closed by this admin, or was closed before, keeps nobody out.
        assert_eq!(locked_out(&["template1"], |observed| postgres(observed).database.owner_usable = false), "");
        assert_eq!(locked_out(&["template1"], |observed| postgres(observed).database.acl.clear()), "");
        // Nor what stays open, for that is accepted.
        let accept = [("postgres.public_privileges".to_owned(), "why".to_owned())].into();
        assert_eq!(locked_out_but(&accept, &[], |_| {}), "template1");
    }

    /// What the server holds after these changes, as far as notes go.
    fn noted(observed: &mut Observed, changes: &[Change]) {
        for change in changes {
            let Change::TakeFromPublic { database, schema, note } = change else { continue };
            let place = observed.databases.get_mut(database).unwrap().as_mut().unwrap();
            let (comment, acl) = match schema {
                None => (&mut place.database.comment, &mut place.database.acl),
                Some(_) => {
                    let public = &mut place.inside.as_mut().unwrap().schemas[0];
                    (&mut public.comment, &mut public.acl)
                }
            };
            acl.retain(|grant| grant.grantee.is_some());
            if let Some(note) = note {
                *comment = Some(format!("{}\n{}", note.text(), comment.as_deref().unwrap_or_default()));
            }
        }
    }

    /// What is given back, without the statements that strike the notes.
    fn given(observed: &Observed) -> Vec<String> {
        let mut changes = give_back(observed);
        changes.retain(|change| matches!(change, Change::GiveToPublic { privileges, .. } if !privileges.is_empty()));
        let step = |change: &Change| render(std::slice::from_ref(change)).0[0].statements[0].text.clone();
        changes.iter().map(step).collect()
    }

    #[test]
    fn what_was_taken_is_given_back_and_nothing_else() {
        let mut observed = stock();
        postgres(&mut observed).inside.as_mut().unwrap().schemas[0].acl.clear();
        postgres(&mut observed).database.comment = Some("default administrative\nconnection database".to_owned());
        assert!(give_back(&observed).is_empty());
        let taking = repair(&observed, &Accept::new()).needed;
        noted(&mut observed, &taking);
        assert_eq!(
            postgres(&mut observed).database.comment.as_deref(),
            Some(
                "{\"pgtenant_baseline\":\"postgres\",\"taken\":[\"CONNECT\",\"TEMPORARY\"]}\ndefault \
                 administrative\nconnection database"
            )
        );
        assert!(repair(&observed, &Accept::new()).is_empty(), "what is noted once is left alone");
        // Later, somebody opens more: that is undone, and stays so.
        postgres(&mut observed).database.acl.push(grant(None, "CREATE"));
        postgres(&mut observed).inside.as_mut().unwrap().schemas[0].acl.push(grant(None, "CREATE"));
        let again = repair(&observed, &Accept::new()).needed;
        assert_eq!(again.len(), 2);
        assert!(again.iter().all(|change| matches!(change, Change::TakeFromPublic { note: None, .. })), "{again:?}");
        noted(&mut observed, &again);
        assert_eq!(
            given(&observed),
            [
                "GRANT CONNECT, TEMPORARY ON DATABASE \"postgres\" TO PUBLIC",
                "GRANT CONNECT ON DATABASE \"template1\" TO PUBLIC",
                "GRANT CREATE ON SCHEMA \"public\" TO PUBLIC",
            ]
        );
        // The note goes even where nothing was taken.
        assert_eq!(give_back(&observed).len(), 4);
    }

    #[test]
    fn what_may_not_be_taken_is_noted_once_it_may() {
        let mut observed = stock();
        postgres(&mut observed).database.owner_usable = false;
        let taking = repair(&observed, &Accept::new());
        assert!(matches!(&taking.tried[..], [Change::TakeFromPublic { note: None, schema: None, .. }]), "{taking:?}");
        noted(&mut observed, &taking.needed);
        assert!(!given(&observed).concat().contains("DATABASE \"postgres\""));
        postgres(&mut observed).database.owner_usable = true;
        let taking = repair(&observed, &Accept::new()).needed;
        noted(&mut observed, &taking);
        assert!(given(&observed).concat().contains("DATABASE \"postgres\""));
        // Whoever owns it now may have written the note.
        postgres(&mut observed).database.owner_usable = false;
        assert!(!given(&observed).concat().contains("DATABASE \"postgres\""));
    }

    #[test]
    fn what_is_accepted_or_not_seen_is_not_noted_and_what_is_closed_is_noted_as_closed() {
        let accept = [("postgres.public_privileges".to_owned(), "jobs".to_owned())].into();
        let needed = repair(&stock(), &accept).needed;
        assert!(!text(&needed).concat().contains("DATABASE \"postgres\""));
        let mut closed = stock();
        postgres(&mut closed).database.acl.clear();
        postgres(&mut closed).inside = Err("not let in".to_owned());
        let notes: Vec<_> = repair(&closed, &Accept::new())
            .needed
            .into_iter()
            .filter_map(|change| match change {
                Change::TakeFromPublic { database, note, .. } if database == name("postgres") => Some(note?.text()),
                _ => None,
            })
            .collect();
        assert_eq!(notes, ["{\"pgtenant_baseline\":\"postgres\",\"taken\":[]}"]);
    }

    #[test]
    fn a_note_counts_for_its_database_and_with_what_public_can_hold() {
        let with = |comment: &str| {
            let mut observed = stock();
            observed.databases.remove(&name("template1"));
            postgres(&mut observed).database.comment = Some(comment.to_owned());
            given(&observed).concat()
        };
        let given = "GRANT CONNECT ON DATABASE \"postgres\" TO PUBLIC";
        assert_eq!(with("{\"pgtenant_baseline\":\"postgres\",\"taken\":[\"CONNECT\",\"USAGE\",\"X\"]}"), given);
        assert_eq!(with("{\"pgtenant_baseline\":\"template1\",\"taken\":[\"CONNECT\"]}"), "");
        assert_eq!(with("see {\"pgtenant_baseline\":\"postgres\",\"taken\":[\"CONNECT\"]}"), "");
        assert_eq!(with(""), "");
        // A tenant's own database is its tenant's to keep closed: its marker stays what it is.
        let mut observed = stock();
        let marker = fixture::marker(&fixture::names(), Stage::Ready).text();
        postgres(&mut observed).database.comment = Some(marker);
        let needed = repair(&observed, &Accept::new()).needed;
        assert!(matches!(&needed[0], Change::TakeFromPublic { note: None, .. }), "{needed:?}");
    }

    #[test]
    fn databases_with_a_note_are_found() {
        let mut snapshot = fixture::snapshot();
        let note = |of: &str| Some(Note::new(&name(of), BTreeSet::new()).text());
        let theirs = Database { owner_usable: false, ..fixture::database("theirs", note("theirs")) };
        snapshot.databases.extend([fixture::database("ours", note("ours")), theirs, fixture::database("x", None)]);
        assert_eq!(super::noted(&snapshot), [name("ours")].into());
    }
}
