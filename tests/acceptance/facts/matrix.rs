//! Facts x majors. In each round every tenant of one workspace gets one fact; then one plan, one plan without
//! `deep_verify`, one audit, one apply and one more plan judge all of them. What was found is written to
//! `target/facts/matrix.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::sync::Mutex;

use serde_json::Value;

use super::table::{At, By, Fact, Kind, VERIFIER, facts};
use crate::fixture::{PROVIDER, workspace};
use crate::support::postgres::{ADMIN, Options, Rows, SUPERUSER, Server, SqlError};
use crate::support::terraform::{Change, Plan, Run, Workspace};

/// The tenants of each kind: as many rounds as the most crowded kind needs.
const PLAIN: usize = 64;
const BARE: usize = 4;
const GROUPED: usize = 4;
const NEIGHBOURS: usize = 5;

/// What a control's value begins with when it is not enforced.
const HEADS: [&str; 4] = ["found: ", "not permitted: ", "not inspected: ", "accepted: "];

/// Objects of the server that two facts must not change at one time.
const SHARED: &[&str] = &[
    "DATABASE postgres ",
    "DATABASE template1 ",
    "DATABASE elsewhere OWNER",
    "COMMENT ON DATABASE elsewhere",
    "COMMENT ON DATABASE spare_database",
    "COMMENT ON ROLE bystander",
    "TABLESPACE spare OWNER",
    "template0",
];

/// Where something shows: `T`, `G` or `B`, whose it is, and the key.
type Place = (char, String, String);

/// A fact with the tenants that it is tried on.
struct Try {
    fact: Fact,
    tenant: String,
    neighbour: String,
    /// What it says there, under the deep plan and under the shallow one.
    plan: Outcome,
    shallow: Outcome,
    audit: Outcome,
    apply: Outcome,
    /// Where it shows after the apply.
    left: Vec<Place>,
}

#[derive(Clone, Debug, Default, PartialEq)]
enum Outcome {
    #[default]
    Untried,
    Named,
    Silent(String),
    Repaired,
    Left,
    Failed,
    /// The tenant's own affair, or one of the configuration.
    Nothing,
}

impl Outcome {
    fn word(&self) -> &str {
        match self {
            Outcome::Untried => "not tried",
            Outcome::Named => "named",
            Outcome::Silent(_) => "silent",
            Outcome::Repaired => "repaired",
            Outcome::Left => "left, warned",
            Outcome::Failed => "fails",
            Outcome::Nothing => "-",
        }
    }
}

impl Try {
    fn text(&self, sql: &str) -> String {
        let group = format!("team_{}", self.tenant);
        sql.replace("{t}", &self.tenant).replace("{n}", &self.neighbour).replace("{g}", &group)
    }

    /// The same whoever it is tried on.
    fn name(&self) -> String {
        let who = match self.fact.by {
            By::Root => "",
            By::Admin => "admin: ",
            By::Tenant => "tenant: ",
        };
        let at = match self.fact.at {
            At::Maintenance => "",
            At::Template => " [in template1]",
            At::Own => " [inside]",
            At::Neighbour => " [in globex]",
            At::Elsewhere => " [elsewhere]",
        };
        let kind = match self.fact.kind {
            Kind::Bare => " [no guardrails]",
            _ => "",
        };
        let sql = self.fact.sql.replace("{t}", "acme").replace("{n}", "globex").replace("{g}", "team");
        let words: String = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{who}{words}{at}{kind}")
    }

    fn place(&self, text: &str) -> Place {
        let (letter, key) = text.split_once(' ').expect("a letter and a key");
        match letter {
            "N" => ('T', self.neighbour.clone(), key.to_owned()),
            "B" => ('B', String::new(), key.to_owned()),
            letter => (letter.chars().next().expect("a letter"), self.tenant.clone(), key.to_owned()),
        }
    }

    /// Groups of places, of each of which one or more must show.
    fn places(&self) -> Vec<Vec<Place>> {
        self.fact.named.iter().map(|group| group.split(" | ").map(|text| self.place(text)).collect()).collect()
    }

    fn explains(&self, place: &Place) -> bool {
        self.places().iter().flatten().any(|own| own == place)
            || self.fact.loosely && place.0 != 'B' && (place.1 == self.tenant || place.1 == self.neighbour)
    }

    /// Whether a line that is new in the shared catalogs is of what an apply leaves, or of what it makes anew.
    fn accounts_for(&self, line: &str) -> bool {
        let group = format!("team_{}", self.tenant);
        let of_ours =
            |word: &str| !word.is_empty() && [&self.tenant, &self.neighbour, &group].contains(&&word.to_owned());
        // A schema that is gone, the owner that `public` had and the note of another password are not what was there before.
        let made_anew = ["DROP SCHEMA", "SCHEMA public OWNER"].iter().any(|word| self.fact.sql.contains(word))
            || line.starts_with("comment ") && self.fact.named.iter().any(|place| place == "T password")
            // What people wrote stays beside the marker.
            || line.starts_with("comment ") && self.fact.sql.contains(" IS 'the database of ");
        let left = self.apply != Outcome::Repaired || made_anew;
        let words = || line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        left && match self.fact.kind {
            Kind::Server => !words().any(is_tenant),
            _ => words().any(of_ours),
        }
    }

    /// What must not be used twice in a round.
    fn claims(fact: &Fact) -> Vec<String> {
        let mut claims: Vec<String> =
            SHARED.iter().filter(|word| fact.sql.contains(**word)).map(|&word| word.to_owned()).collect();
        claims.extend(
            fact.named
                .iter()
                .flat_map(|group| group.split(" | "))
                .filter(|place| place.starts_with("B "))
                .map(str::to_owned),
        );
        claims
    }
}

fn uses_neighbour(fact: &Fact) -> bool {
    fact.sql.contains("{n}") || fact.at == At::Neighbour
}

fn names(prefix: char, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number:02}")).collect()
}

/// Whether a word is the name of one of the tenants.
fn is_tenant(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(|first| "pbgn".contains(first)) && word.len() == 3 && letters.all(|c| c.is_ascii_digit())
}

/// Each fact in the first round that has room for it.
fn rounds(facts: Vec<Fact>) -> Vec<Vec<Try>> {
    #[derive(Default)]
    struct Room {
        tries: Vec<Try>,
        used: BTreeMap<Kind, usize>,
        neighbours: usize,
        claims: BTreeSet<String>,
    }
    let (plain, bare, grouped, neighbours) =
        (names('p', PLAIN), names('b', BARE), names('g', GROUPED), names('n', NEIGHBOURS));
    let mut rooms: Vec<Room> = Vec::new();
    for fact in facts {
        let of_kind: &[String] = match fact.kind {
            Kind::Plain => &plain,
            Kind::Bare => &bare,
            Kind::Grouped => &grouped,
            Kind::Server => &[],
        };
        let claims = Try::claims(&fact);
        let fits = |room: &Room| {
            let used = room.used.get(&fact.kind).copied().unwrap_or_default();
            (fact.kind == Kind::Server || used < of_kind.len())
                && (!uses_neighbour(&fact) || room.neighbours < neighbours.len())
                && claims.iter().all(|claim| !room.claims.contains(claim))
        };
        let at = rooms.iter().position(fits).unwrap_or_else(|| {
            rooms.push(Room::default());
            rooms.len() - 1
        });
        let room = &mut rooms[at];
        let used = room.used.entry(fact.kind).or_default();
        let tenant = of_kind.get(*used).cloned().unwrap_or_default();
        *used += 1;
        let neighbour = if uses_neighbour(&fact) { neighbours[room.neighbours].clone() } else { String::new() };
        room.neighbours += usize::from(uses_neighbour(&fact));
        room.claims.extend(claims);
        let untried = Outcome::Untried;
        room.tries.push(Try {
            fact,
            tenant,
            neighbour,
            plan: untried.clone(),
            shallow: untried.clone(),
            audit: untried.clone(),
            apply: untried,
            left: Vec::new(),
        });
    }
    rooms.into_iter().map(|room| room.tries).collect()
}

const CONFIG: &str = r#"
variable "deep" {
  default = true
}

variable "tenants" {
  type = set(string)
}

variable "verifier" {
  type = string
}

provider "pgtenant" {
  deep_verify = var.deep
}

resource "pgtenant_cluster_baseline" "this" {}

resource "pgtenant_tenant" "this" {
  for_each            = var.tenants
  name                = each.key
  password_wo         = var.verifier
  password_wo_version = 1
  deletion_protection = false
  extensions          = startswith(each.key, "p") ? ["pgcrypto"] : []
  member_of           = startswith(each.key, "g") ? ["team_${each.key}"] : []
}
"#;

/// What every tenant, and the database that is nobody's, has in it.
const FURNITURE: &str = "
    CREATE TABLE {s}.things (a int, b int);
    CREATE SEQUENCE {s}.numbers;
    CREATE FUNCTION {s}.act() RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE TYPE {s}.kind AS ENUM ('one', 'two');
    SELECT lo_create(4242);
    CREATE VIEW {s}.seen AS SELECT a FROM {s}.things;
    CREATE MATERIALIZED VIEW {s}.kept AS SELECT a FROM {s}.things;
    CREATE TABLE {s}.parted (a int) PARTITION BY RANGE (a);
    CREATE PROCEDURE {s}.work(a int) LANGUAGE sql AS 'SELECT 1';
    CREATE AGGREGATE {s}.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
    CREATE DOMAIN {s}.short AS text CHECK (length(VALUE) < 9);";

struct Ground {
    server: Server,
    workspace: Workspace,
    configuration: String,
    groups: Vec<String>,
}

impl Ground {
    fn prepare(major: u32) -> Ground {
        let server = Server::start(Options {
            major: Some(major),
            admin_owns_maintenance: true,
            extra_conf: "wal_level = logical\nmax_replication_slots = 20\nmax_connections = 500\n",
            ..Options::default()
        })
        .unwrap_or_else(|error| panic!("{error}"));
        let groups: Vec<String> = names('g', GROUPED).iter().map(|name| format!("team_{name}")).collect();
        server.superuser("CREATE ROLE bystander LOGIN");
        for group in &groups {
            server.sql("postgres", ADMIN, &format!("CREATE ROLE {group}")).unwrap();
        }
        server.superuser("CREATE DATABASE elsewhere");
        server.sql("postgres", ADMIN, "CREATE DATABASE spare_database").unwrap();
        server.superuser("REVOKE ALL ON DATABASE elsewhere, spare_database FROM PUBLIC");
        // Nobody's directory is needed for one of these.
        let session = server.session("postgres", SUPERUSER).unwrap();
        session.sql("SET allow_in_place_tablespaces = on").unwrap();
        session.sql("CREATE TABLESPACE spare LOCATION ''").unwrap();
        let far = "CREATE FOREIGN DATA WRAPPER wrap; CREATE SERVER far FOREIGN DATA WRAPPER wrap";
        server.sql("elsewhere", SUPERUSER, &format!("{}{far}", FURNITURE.replace("{s}", "public"))).unwrap();

        let mut workspace = workspace(&server);
        let all = [names('p', PLAIN), names('b', BARE), names('g', GROUPED), names('n', NEIGHBOURS)].concat();
        workspace.env("TF_VAR_tenants", &serde_json::to_string(&all).unwrap()).env("TF_VAR_verifier", VERIFIER);
        let newer = [(14, "idle_session_timeout = \"1h\""), (17, "transaction_timeout = \"10min\"")];
        let newer: Vec<&str> = newer.iter().filter(|(since, _)| *since <= major).map(|(_, text)| *text).collect();
        let guardrails = format!(
            "resource \"pgtenant_guardrails\" \"this\" {{
              for_each = {{ for name, tenant in pgtenant_tenant.this : name => tenant if !startswith(name, \"b\") }}
              tenant            = each.value.name
              connection_limit  = 3
              statement_timeout = \"30s\"
              parameters        = {{ work_mem = \"8MB\" }}
              {}
            }}\n",
            newer.join("\n")
        );
        let configuration = format!("{CONFIG}{guardrails}");
        workspace.write("main.tf", &configuration);
        let ground = Ground { server, workspace, configuration, groups };
        ground.workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
        for tenant in all {
            ground.sql(&tenant, &tenant, &FURNITURE.replace("{s}", "app")).unwrap();
        }
        ground
    }

    /// Whatever is set for all roles, the superuser stays itself.
    fn sql(&self, database: &str, role: &str, sql: &str) -> Result<Rows, SqlError> {
        let options = if role == SUPERUSER { "-c role=none -c session_replication_role=origin" } else { "" };
        self.server.session_with_options(database, role, options)?.sql(sql)
    }

    fn change(&self, one: &Try) -> Result<Rows, SqlError> {
        let database = one.database();
        let sql = one.text(&one.fact.sql);
        match one.fact.by {
            By::Root => self.sql(database, SUPERUSER, &sql),
            By::Admin => self.sql(database, ADMIN, &sql),
            By::Tenant => self.sql(&one.tenant, &one.tenant, &sql),
        }
    }

    fn undo(&self, one: &Try) -> Result<Rows, SqlError> {
        self.sql(one.database(), SUPERUSER, &one.text(&one.fact.undo))
    }

    fn plan(&self, deep: bool) -> Result<Planned, String> {
        let (name, deep) = (if deep { "deep" } else { "shallow" }, format!("-var=deep={deep}"));
        self.workspace.try_run(&["plan", &format!("-out={name}"), "-parallelism=30", &deep])?.ok()?;
        let shown = self.workspace.try_run(&["show", "-json", name])?.ok()?;
        let plan = Plan { json: serde_json::from_str(&shown.stdout).map_err(|error| error.to_string())? };
        let changes = plan.addresses().into_iter().flat_map(|address| {
            plan.diff(&address)
                .into_iter()
                .map(move |change| (place(&address, &change.path), change))
                .collect::<Vec<_>>()
        });
        Ok(Planned { changes: changes.collect(), json: plan.json })
    }

    /// What the deep plan says, which is not made again.
    fn apply_planned(&self) -> Result<Run, String> {
        self.workspace.try_run(&["apply", "-json", "-parallelism=30", "deep"])
    }

    fn apply(&self) -> Result<Run, String> {
        self.workspace.try_run(&["apply", "-auto-approve", "-json", "-parallelism=30"])
    }

    /// Accepts what this admin may not repair: the plan has nothing to say of it then, and the state gives the reason.
    fn accept(&self, round: &[Try]) -> Vec<String> {
        const REASON: &str = "the owner of the server knows";
        let of_ours = |place: &Place| "TB".contains(place.0) && !place.2.starts_with('.');
        let left: BTreeSet<Place> =
            round.iter().flat_map(|one| one.left.iter().filter(|place| of_ours(place)).cloned()).collect();
        let mut accept: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
        for (_, name, control) in &left {
            accept.entry(name).or_default().insert(control, REASON);
        }
        let text = self
            .configuration
            .replace(
                "deletion_protection = false",
                "deletion_protection = false\n  accept = lookup(var.accept, each.key, null)",
            )
            .replace(
                "\"pgtenant_cluster_baseline\" \"this\" {}",
                "\"pgtenant_cluster_baseline\" \"this\" {\n  accept = lookup(var.accept, \"\", null)\n}",
            );
        self.workspace.write("main.tf", &format!("variable \"accept\" {{\n  type = map(map(string))\n}}\n{text}"));
        self.workspace.write("accept.auto.tfvars.json", &serde_json::json!({ "accept": accept }).to_string());
        let applied = self.apply().and_then(Run::ok).and_then(|_| self.plan(true));
        let mut problems = Vec::new();
        match applied {
            Err(error) => problems.push(format!("what is left cannot be accepted: {error}")),
            Ok(plan) => {
                for place in &left {
                    let said = unseen(&plan.json, std::slice::from_ref(place));
                    if plan.changes.contains_key(place) || !said.starts_with("accepted: ") || !said.contains(REASON) {
                        problems.push(format!("accepted: {} {}: {said}", address(place), place.2));
                    }
                }
            }
        }
        self.workspace.write("main.tf", &self.configuration);
        fs::remove_file(self.workspace.dir.join("accept.auto.tfvars.json")).unwrap();
        problems
    }

    /// What the server itself says, whatever the provider does.
    fn shared(&self) -> BTreeSet<String> {
        let rows = self.sql("postgres", SUPERUSER, include_str!("shared.sql")).unwrap();
        rows.into_iter().flatten().flatten().collect()
    }

    /// Every finding: control, subject, what was found.
    fn audit(&self) -> Result<BTreeSet<(String, String, String)>, String> {
        let mut command = Command::new(PROVIDER);
        command.env_clear().envs(self.server.env()).args(["audit", "--format", "json"]);
        for group in &self.groups {
            command.args(["--member-of", group]);
        }
        let output = command.output().map_err(|error| error.to_string())?;
        let report: Value = serde_json::from_slice(&output.stdout).map_err(|error| {
            format!("the audit says no JSON ({error}): {}", String::from_utf8_lossy(&output.stderr))
        })?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut found = BTreeSet::new();
        for control in report["controls"].as_array().into_iter().flatten().filter(|control| control["status"] == "fail")
        {
            for finding in control["findings"].as_array().into_iter().flatten() {
                found.insert((text(&control["id"]), text(&finding["subject"]), text(&finding["found"])));
            }
        }
        Ok(found)
    }
}

/// What a plan changes, and all of it.
#[derive(Default)]
struct Planned {
    changes: BTreeMap<Place, Change>,
    json: Value,
}

impl Try {
    fn database(&self) -> &str {
        match self.fact.at {
            At::Maintenance => "postgres",
            At::Template => "template1",
            At::Own => &self.tenant,
            At::Neighbour => &self.neighbour,
            At::Elsewhere => "elsewhere",
        }
    }
}

/// The address and path of a change, as a place.
fn place(address: &str, path: &str) -> Place {
    let name = address.split('"').nth(1).unwrap_or_default().to_owned();
    let (letter, map) = match address.split('.').next().unwrap_or_default() {
        "pgtenant_tenant" => ('T', "isolation."),
        "pgtenant_cluster_baseline" => ('B', "controls."),
        _ => ('G', ""),
    };
    let key = path.strip_prefix(map).map_or_else(|| format!(".{path}"), str::to_owned);
    (letter, name, key)
}

fn address((letter, name, _): &Place) -> String {
    match letter {
        'T' => format!("pgtenant_tenant.this[{name:?}]"),
        'G' => format!("pgtenant_guardrails.this[{name:?}]"),
        _ => "pgtenant_cluster_baseline.this".to_owned(),
    }
}

/// Whether a warning of the apply names the control, or the attribute, at that place.
fn warns(diagnostics: &[Value], place: &Place) -> bool {
    let key = place.2.strip_prefix("overrides.").unwrap_or(&place.2);
    let warnings = diagnostics.iter().filter(|diagnostic| diagnostic["severity"] == "warning");
    let mut own = warnings.filter(|diagnostic| diagnostic["address"] == address(place));
    own.any(|diagnostic| match key.strip_prefix('.') {
        Some(attribute) => {
            let name = attribute.split(['.', '[']).next().unwrap_or_default();
            format!("{} {}", diagnostic["summary"], diagnostic["detail"]).contains(name.trim_end_matches('s'))
        }
        None => diagnostic["summary"] == format!("Control {key:?} is not enforced"),
    })
}

/// Which controls name a place in the audit.
fn controls(place: &Place) -> Vec<String> {
    match place.0 {
        'T' => vec![format!("tenant.{}", place.2)],
        'B' => vec![format!("cluster.{}", place.2.split('.').next_back().unwrap_or_default())],
        _ if place.2.starts_with("overrides.") => vec!["guardrails.overrides".to_owned()],
        // Where it is set for the database alone the role's is missing, and the other way round the role's is one too many.
        _ if place.2.starts_with("parameters.") => {
            ["guardrails.overrides", "tenant.parameters"].map(str::to_owned).into()
        }
        _ if place.2 == "connection_limit" => vec!["guardrails.connection_limit".to_owned()],
        _ => vec!["guardrails.time_limits".to_owned()],
    }
}

/// One major, from the first round to the last. The problems are all that is wrong, one a line.
fn check(major: u32) -> Vec<String> {
    let ground = Ground::prepare(major);
    let mut problems = Vec::new();
    match ground.plan(true) {
        Ok(plan) if plan.changes.is_empty() => {}
        Ok(plan) => problems.push(format!("the plan of the clean server is not empty: {:?}", plan.changes.keys())),
        Err(error) => return vec![error],
    }
    let clean = ground.audit().unwrap_or_else(|error| panic!("{error}"));
    let mut residue: BTreeSet<Place> = BTreeSet::new();
    let mut accepted = false;
    let mut all = rounds(facts(major));
    for (number, round) in all.iter_mut().enumerate() {
        let (before, started) = (problems.len(), std::time::Instant::now());
        let found = judge(&ground, round, &clean, &residue);
        problems.extend(found.into_iter().map(|problem| format!("round {number}: {problem}")));
        let accepts = !accepted && round.iter().any(|one| one.apply == Outcome::Left);
        if accepts {
            accepted = true;
            problems.extend(ground.accept(round));
        }
        for one in round.iter() {
            let still_there = one.fact.named.is_empty() || one.apply != Outcome::Repaired;
            if still_there
                && !one.fact.undo.is_empty()
                && let Err(error) = ground.undo(one)
            {
                problems.push(format!("round {number}: cannot undo {:?}: {error}", one.text(&one.fact.sql)));
            }
        }
        println!("{major}, round {number}: {} facts in {:.0} s", round.len(), started.elapsed().as_secs_f32());
        if accepts && let Err(error) = ground.apply().and_then(Run::ok) {
            problems.push(format!("round {number}: what was accepted cannot be taken back: {error}"));
        }
        if problems.len() > before {
            // What went wrong is not to be told again of the next round.
            let _ = ground.apply();
            residue = ground.plan(true).map(|plan| plan.changes.into_keys().collect()).unwrap_or_default();
        }
    }
    publish(major, all.into_iter().flatten().collect());
    problems
}

fn judge(
    ground: &Ground,
    round: &mut Vec<Try>,
    clean: &BTreeSet<(String, String, String)>,
    residue: &BTreeSet<Place>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let before = ground.shared();
    round.retain(|one| {
        let done = ground.change(one);
        if let Err(error) = &done {
            problems.push(format!("cannot do {:?}: {error}", one.text(&one.fact.sql)));
        }
        done.is_ok()
    });
    let plans = [ground.plan(true), ground.plan(false)].map(|plan| {
        plan.unwrap_or_else(|error| {
            problems.push(format!("the plan fails: {error}"));
            Planned::default()
        })
    });
    let [Planned { changes: deep, .. }, shallow] = &plans;
    for (place, change) in deep {
        if !residue.contains(place) && !round.iter().any(|one| one.explains(place)) {
            problems.push(format!(
                "{} {}: nobody changed it: {} -> {:?}",
                address(place),
                place.2,
                change.before,
                change.after
            ));
        }
        let of_ours = place.0 != 'G' && !place.2.starts_with('.') || place.2.starts_with("overrides.");
        let said = change.before.as_str().unwrap_or_default();
        if of_ours && !HEADS.iter().any(|head| said.starts_with(head)) {
            problems.push(format!("{} {}: no status before {said:?}", address(place), place.2));
        }
    }
    for one in round.iter_mut() {
        let places = one.places();
        let silent = |plan: &BTreeMap<Place, Change>| {
            places.iter().find(|group| !group.iter().any(|place| plan.contains_key(place)))
        };
        one.plan = silent(deep).map_or(Outcome::Named, |group| Outcome::Silent(format!("{group:?}")));
        one.shallow =
            silent(&shallow.changes).map_or(Outcome::Named, |group| Outcome::Silent(unseen(&shallow.json, group)));
        if one.fact.named.is_empty() {
            (one.plan, one.shallow) = (Outcome::Nothing, Outcome::Nothing);
        }
        if let Outcome::Silent(places) = &one.plan {
            let there: Vec<_> = deep.keys().filter(|place| one.explains(place) || place.1 == one.tenant).collect();
            problems.push(format!("the plan is silent: {}: not {places} but {there:?}", one.name()));
        }
    }

    let audit = ground.audit().unwrap_or_else(|error| {
        problems.push(error);
        BTreeSet::new()
    });
    let news: Vec<_> = audit.difference(clean).collect();
    for one in round.iter_mut() {
        let names = |place: &Place| {
            news.iter().any(|(id, subject, _)| controls(place).contains(id) && (place.0 == 'B' || *subject == place.1))
        };
        // Which tenants have guardrails an audit knows by that note alone.
        let is_the_note = |group: &Vec<Place>| group.iter().any(|place| place.2 == "overrides.role.marker");
        let named = one.places().iter().all(|group| is_the_note(group) || group.iter().any(names));
        one.audit = match (one.fact.named.is_empty() || one.fact.configured.is_some(), named) {
            (true, _) => Outcome::Nothing,
            (_, true) => Outcome::Named,
            _ => {
                let there: Vec<_> = news.iter().filter(|(_, subject, _)| *subject == one.tenant).collect();
                problems.push(format!("the audit is silent: {}: {there:?}", one.name()));
                Outcome::Silent(String::new())
            }
        };
    }
    for (id, subject, found) in news {
        let touched = round.iter().any(|one| {
            [&one.tenant, &one.neighbour].contains(&subject)
                || one.fact.kind == Kind::Server
                || id.starts_with("cluster.")
        });
        if !touched && !residue.iter().any(|place| place.1 == *subject) {
            problems.push(format!("the audit names what nobody changed: {id} {subject}: {found}"));
        }
    }

    let applied = ground.apply_planned();
    let diagnostics = applied.as_ref().map(Run::diagnostics).unwrap_or_default();
    for error in diagnostics.iter().filter(|diagnostic| diagnostic["severity"] == "error") {
        problems.push(format!("the apply fails: {} {} {}", error["address"], error["summary"], error["detail"]));
    }
    let Planned { changes: after, .. } = ground.plan(true).unwrap_or_else(|error| {
        problems.push(format!("the plan after the apply fails: {error}"));
        Planned::default()
    });
    for one in round.iter_mut().filter(|one| !one.fact.named.is_empty()) {
        let left: Vec<Place> = one.places().into_iter().flatten().filter(|place| after.contains_key(place)).collect();
        one.apply = match left.first() {
            None if one.plan == Outcome::Named => Outcome::Repaired,
            None => Outcome::Failed,
            Some(_) => Outcome::Left,
        };
        for place in &left {
            if !warns(&diagnostics, place) {
                problems.push(format!("left without a warning: {}: {place:?}", one.name()));
                one.apply = Outcome::Failed;
            }
            if let Some(planned) = &after[place].after {
                problems.push(format!("left, and planned as if it were not: {}: {place:?}: {planned}", one.name()));
            }
        }
        one.left = left;
    }
    for line in ground.shared().difference(&before) {
        if !round.iter().any(|one| one.accounts_for(line)) {
            problems.push(format!("called repaired, but the server says: {line}"));
        }
    }
    for place in after.keys() {
        if !residue.contains(place) && !round.iter().any(|one| one.explains(place)) {
            problems.push(format!("after the apply: {} {}: nobody changed it", address(place), place.2));
        }
    }
    problems
}

/// Why a plan without `deep_verify` says nothing of those places.
fn unseen(plan: &Value, places: &[Place]) -> String {
    let resources = plan["prior_state"]["values"]["root_module"]["resources"].as_array();
    let of = |place: &Place| {
        let resource = resources.into_iter().flatten().find(|resource| resource["address"] == address(place))?;
        let map = if place.0 == 'B' { "controls" } else { "isolation" };
        resource["values"][map][&place.2].as_str().map(str::to_owned)
    };
    places.iter().find_map(of).unwrap_or_else(|| "an attribute that is read inside the database".to_owned())
}

/// The table, with what all majors have found so far.
fn publish(major: u32, tries: Vec<Try>) {
    static FOUND: Mutex<BTreeMap<u32, Vec<Try>>> = Mutex::new(BTreeMap::new());
    let mut found = FOUND.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.insert(major, tries);
    let text = render(&found);
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/facts");
    fs::create_dir_all(&dir).and_then(|()| fs::write(dir.join("matrix.md"), &text)).unwrap();
    println!("{}", text.lines().filter(|line| line.contains("silent in plan:")).collect::<Vec<_>>().join("\n"));
}

fn render(found: &BTreeMap<u32, Vec<Try>>) -> String {
    let majors: Vec<String> = found.keys().map(u32::to_string).collect();
    let mut rows: BTreeMap<String, BTreeMap<u32, &Try>> = BTreeMap::new();
    for (major, tries) in found {
        for one in tries {
            rows.entry(one.name()).or_default().insert(*major, one);
        }
    }
    let facts: Vec<_> = rows.iter().filter(|(_, row)| row.values().any(|one| !one.fact.named.is_empty())).collect();
    let mut text = format!(
        "# Facts x majors {}\n\nWhat is changed (by the superuser unless said), then on each major: plan, audit, apply.\n\n",
        majors.join(", ")
    );
    let _ = writeln!(text, "| fact | place | {} |\n|---|---|{}", majors.join(" | "), "---|".repeat(majors.len()));
    let escape = |text: &str| text.replace('|', "\\|");
    for (name, row) in &facts {
        let place = row.values().next().map(|one| one.fact.named.join("; ")).unwrap_or_default();
        let _ = write!(text, "| `{}` | {} |", escape(name), escape(&place));
        for major in found.keys() {
            let words = row.get(major).map_or("".to_owned(), |one| {
                let audit = if one.fact.configured.is_some() { "configuration" } else { one.audit.word() };
                format!("{}, {audit}, {}", one.plan.word(), one.apply.word())
            });
            let _ = write!(text, " {words} |");
        }
        text.push('\n');
    }
    text += "\n\"configuration\": an audit knows no configuration, and what is changed there is the configuration's to choose.\n";
    text += "\n## What `deep_verify = false` does not see\n\n| fact | majors | why |\n|---|---|---|\n";
    let mut unseen = 0;
    for (name, row) in &facts {
        let silent: Vec<_> = row.iter().filter(|(_, one)| matches!(one.shallow, Outcome::Silent(_))).collect();
        if let Some((_, Try { shallow: Outcome::Silent(why), .. })) = silent.first() {
            unseen += 1;
            let majors: Vec<String> = silent.iter().map(|(major, _)| major.to_string()).collect();
            let _ = writeln!(text, "| `{}` | {} | {} |", escape(name), majors.join(", "), escape(why));
        }
    }
    let _ = writeln!(text, "\n{unseen} of {} facts.\n", facts.len());
    let silent = |of: fn(&Try) -> &Outcome| {
        facts.iter().flat_map(|(_, row)| row.values()).filter(|one| matches!(of(one), Outcome::Silent(_))).count()
    };
    let (plan, audit) = (silent(|one| &one.plan), silent(|one| &one.audit));
    let _ = writeln!(text, "{} facts, silent in plan: {plan}, silent in audit: {audit}", facts.len());
    text
}

fn on(major: u32) -> Vec<String> {
    if !crate::majors::is_there("facts::matrix", major) {
        return Vec::new();
    }
    let facts = facts(major);
    let tried = facts.iter().filter(|fact| !fact.named.is_empty()).count();
    assert!(tried >= 150, "{tried} facts");
    check(major).into_iter().map(|problem| format!("{major}: {problem}")).collect()
}

/// On PostgreSQL 16, or on the majors that `PGTENANT_TEST_FACTS_MAJORS` lists (`13,15,16,18`): each takes some minutes.
#[test]
fn every_fact_is_named() {
    let majors = std::env::var("PGTENANT_TEST_FACTS_MAJORS").unwrap_or_else(|_| "16".to_owned());
    let majors = majors.split(',').map(|major| major.trim().parse().expect("PGTENANT_TEST_FACTS_MAJORS lists majors"));
    let problems: Vec<String> = majors.flat_map(on).collect();
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}
