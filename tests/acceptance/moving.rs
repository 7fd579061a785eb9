//! A tenant moves from one server to another while clients write, by the blocks of the guide "Moving a tenant": its
//! configuration is applied and its commands are run as they stand, but for the addresses of the servers.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::fixture::{PROVIDER, outcome, value};
use crate::support::pgbouncer::{Rendered, find_pgbouncer};
use crate::support::postgres::{ADMIN, Options, SUPERUSER, Server, Session, SqlError, free_port};
use crate::support::terraform::{Installation, Workspace};
use crate::support::{examples, on_path, random_hex, scratch, skip};

const GUIDE: &str = include_str!("../../docs/guides/moving-a-tenant.md");

/// What a tenant may have that a move can forget.
const DATA: &str = "
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, client text NOT NULL, n int NOT NULL);
    CREATE TABLE totals (client text PRIMARY KEY, orders bigint NOT NULL);
    CREATE TABLE log (line text);
    CREATE UNLOGGED TABLE cache (line text);
    CREATE TABLE events (at int NOT NULL, line text, PRIMARY KEY (at)) PARTITION BY RANGE (at);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (1000);
    CREATE TABLE history AS SELECT g AS id, md5(g::text) AS line FROM generate_series(1, 50000) g;
    ALTER TABLE history ADD PRIMARY KEY (id);
    CREATE SEQUENCE invoices START 7; SELECT nextval('invoices');
    CREATE VIEW large AS SELECT * FROM totals WHERE orders > 10;
    CREATE FUNCTION ordered() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM app.orders';
    INSERT INTO totals VALUES ('pooled', 0), ('direct', 0), ('neighbour', 0);
    INSERT INTO events SELECT g, 'event' FROM generate_series(0, 999) g;
    INSERT INTO log VALUES ('first')";

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Replication,
    Dump,
}

#[test]
fn with_logical_replication_nothing_is_lost() {
    moved("moving::with_logical_replication_nothing_is_lost", Way::Replication, 15, 15);
}

/// A major upgrade of one tenant.
#[test]
fn with_logical_replication_to_a_newer_major_nothing_is_lost() {
    moved("moving::with_logical_replication_to_a_newer_major_nothing_is_lost", Way::Replication, 15, 17);
}

#[test]
fn with_pg_dump_nothing_is_lost() {
    moved("moving::with_pg_dump_nothing_is_lost", Way::Dump, 15, 17);
}

fn moved(name: &str, way: Way, from: u32, to: u32) {
    let programs = ["bash", "psql", "pg_dump", "pg_restore", "diff"];
    if let Some(missing) = programs.into_iter().find(|program| on_path(program).is_none()) {
        return skip(name, &format!("there is no {missing} on PATH (Debian: apt install postgresql-client)"));
    }
    if let Err(reason) = find_pgbouncer() {
        return skip(name, &reason);
    }
    let start = |major| {
        let extra_conf = "wal_level = logical\nmax_wal_senders = 10\n";
        Server::start(Options { major: Some(major), extra_conf, ..Options::default() })
    };
    match (start(from), start(to)) {
        (Ok(old), Ok(new)) => Move::new(way, old, new).go(),
        (Err(reason), _) | (_, Err(reason)) => skip(name, &reason),
    }
}

/// The guide's blocks of one language, in their order.
fn blocks<const N: usize>(language: &str) -> [&'static str; N] {
    let fence = format!("```{language}\n");
    let blocks = GUIDE.split(&*fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    blocks.collect::<Vec<_>>().try_into().unwrap_or_else(|found: Vec<_>| panic!("{} blocks of {language}", found.len()))
}

/// A configuration's own parts: `variable`, `provider`, `resource`, `module`, `output` or `moved`.
fn parts(block: &str) -> impl Iterator<Item = &str> {
    block.split_inclusive("\n}\n").map(str::trim_start)
}

/// What a part declares, which a later part with the same takes the place of.
fn declares(part: &str) -> String {
    let alias = part.lines().find(|line| line.starts_with("  alias") || line.starts_with("  from")).unwrap_or_default();
    format!("{}{alias}", part.lines().next().unwrap_or_default())
}

/// One client: the numbers that it wrote and got an answer for, what it was refused, and when.
struct Written {
    name: &'static str,
    acknowledged: BTreeSet<i64>,
    refused: Vec<String>,
    /// The longest time between two answers.
    pause: Duration,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, written, refused) = (self.name, self.acknowledged.len(), self.refused.len());
        write!(f, "{name}: {written} written, {refused} refused, {:.1} s without a write", self.pause.as_secs_f64())
    }
}

/// Writes again and again, in the connection that it has as long as that lasts.
fn write(name: &'static str, stop: &AtomicBool, connect: impl Fn() -> Result<Session, SqlError>) -> Written {
    let mut written = Written { name, acknowledged: BTreeSet::new(), refused: Vec::new(), pause: Duration::default() };
    let (mut session, mut last) = (None, Instant::now());
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let sql = format!(
            "BEGIN; INSERT INTO app.orders (client, n) VALUES ('{name}', {n});
             UPDATE app.totals SET orders = orders + 1 WHERE client = '{name}'; COMMIT"
        );
        let open = session.take().map_or_else(&connect, Ok);
        match open.and_then(|open| open.sql(&sql).map(|_| open)) {
            Ok(open) => {
                session = Some(open);
                written.acknowledged.insert(n);
                written.pause = written.pause.max(last.elapsed());
                last = Instant::now();
            }
            Err(error) => written.refused.push(error.to_string()),
        }
        thread::sleep(Duration::from_millis(20));
    }
    written
}

/// Lets the clients end when the move does, also by a panic: their scope waits for them.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Move {
    way: Way,
    old: Server,
    new: Server,
    workspace: Workspace,
    /// Where pgBouncer's files are, the commands run, and libpq finds its services.
    dir: PathBuf,
    port: u16,
    password: String,
}

impl Move {
    fn new(way: Way, old: Server, new: Server) -> Move {
        let mut workspace = Workspace::with(Path::new(PROVIDER), Installation::Mirror).unwrap();
        workspace.copy_beside(&examples::root(), "modules/pgbouncer").unwrap();
        workspace.envs(old.env());
        let (dir, port, password) = (scratch::directory("moving").unwrap(), free_port().unwrap(), random_hex(12));
        let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
        workspace.env("TF_VAR_verifiers", &json!({ "acme": verifier, "operator": verifier }).to_string());
        let here = format!(
            "provider \"pgtenant\" {{\n  alias = \"new\"\n  password = {:?}\n}}\n\
             module \"pgbouncer\" {{\n  source = \"../modules/pgbouncer\"\n  listen_port = {port}\n  directory = {dir:?}\n  \
             client_tls_sslmode = \"disable\"\n  server_tls_sslmode = \"disable\"\n}}\n",
            new.admin_password
        );
        workspace.write("here.txt", &here);
        let outputs = ["pg_hba_conf", "userlist"]
            .map(|name| format!("output {name:?} {{\n  value = module.pgbouncer.{name}\n  sensitive = true\n}}\n"));
        workspace.write("outputs.tf", &outputs.concat());
        // Who is to notice nothing.
        let neighbour = "resource \"pgtenant_tenant\" \"globex\" {\n  name = \"globex\"\n}\n";
        workspace.write("neighbour.tf", neighbour);

        // Up to 15 a superuser subscribes, whom the socket lets in.
        let (host, user) =
            if new.major < 16 { (new.dir.display().to_string(), SUPERUSER) } else { (new.host.to_owned(), ADMIN) };
        let service = |name: &str, host: &str, port: u16, user: &str, database: &str| {
            format!("[{name}]\nhost={host}\nport={port}\nuser={user}\ndbname={database}\nsslmode=disable\n")
        };
        let services = [
            service("old", old.host, old.port, ADMIN, "postgres"),
            service("new", &host, new.port, user, "postgres"),
            service("pgbouncer", "127.0.0.1", port, "operator", "pgbouncer"),
        ];
        fs::write(dir.join("services"), services.concat()).unwrap();
        let admins = [&old, &new].map(|server| format!("*:{}:*:{ADMIN}:{}\n", server.port, server.admin_password));
        fs::write(dir.join("passwords"), format!("{}*:*:*:*:{password}\n", admins.concat())).unwrap();
        fs::set_permissions(dir.join("passwords"), Permissions::from_mode(0o600)).unwrap();
        Move { way, old, new, workspace, dir, port, password }
    }

    /// The guide's configuration with these servers' addresses, and without what the way does without.
    fn write_configuration(&self, parts: &[&str]) {
        let at = |server: &Server| format!("\"127.0.0.1\"\n  port = {}", server.port);
        let mut text = parts.concat().replace("\"db1.example.com\"", &at(&self.old));
        text = text.replace("\"db2.example.com\"", &at(&self.new));
        if self.way == Way::Dump {
            let of_replication = |line: &&str| {
                ["replication ", "allow_create_schema ", "accept "].iter().any(|word| line.trim().starts_with(word))
            };
            text = text.lines().filter(|line| !of_replication(line)).map(|line| format!("{line}\n")).collect();
        }
        self.workspace.write("main.tf", &text);
        // An override must name what is there.
        let here = fs::read_to_string(self.workspace.dir.join("here.txt")).unwrap();
        let named =
            crate::moving::parts(&here).filter(|part| parts.iter().any(|other| declares(other) == declares(part)));
        self.workspace.write("here_override.tf", &named.collect::<String>());
    }

    /// Runs commands of the guide, and gives back what they said.
    fn run(&self, commands: &str) -> String {
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", commands]).current_dir(&self.dir).env_clear();
        bash.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C");
        bash.env("PGSERVICEFILE", self.dir.join("services")).env("PGPASSFILE", self.dir.join("passwords"));
        let (port, password) = (self.old.port, &self.password);
        let subscribe =
            format!("host=127.0.0.1 port={port} dbname=acme user=mover password={password} sslmode=disable");
        let output = bash.env("subscribe", subscribe).output().unwrap();
        let [said, complained] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        assert!(output.status.success(), "{commands}\n{said}{complained}\n{}", self.tails());
        said.into_owned()
    }

    /// The ends of both servers' logs, without the clients' statements.
    fn tails(&self) -> String {
        let tail = |server: &Server| {
            let log = server.log();
            let told: Vec<_> =
                log.lines().filter(|line| !line.contains("statement: ") && !line.contains("connection")).collect();
            told[told.len().saturating_sub(20)..].join("\n")
        };
        format!("old:\n{}\nnew:\n{}", tail(&self.old), tail(&self.new))
    }

    /// As the reader's own pipeline does: into the files that pgBouncer reads.
    fn render(&self) {
        for (output, file) in
            [("pgbouncer_ini", "pgbouncer.ini"), ("pg_hba_conf", "pg_hba.conf"), ("userlist", "userlist.txt")]
        {
            let text = self.workspace.run(&["output", "-raw", output]).ok().unwrap().stdout;
            fs::write(self.dir.join(file), text).unwrap();
        }
    }

    fn apply(&self) {
        self.workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    }

    fn go(&self) {
        let [start, both, cut_over, renamed] = blocks("terraform");
        let [role] = blocks("sql");
        let [identity, publish, subscribe, copied, pause, disable, admit, replicated, dumped, compare, resume] =
            blocks("sh");
        let replicates = self.way == Way::Replication;

        self.write_configuration(&parts(start).collect::<Vec<_>>());
        self.workspace.run(&["init"]).ok().unwrap();
        self.workspace.apply();
        self.render();
        let bouncer = Rendered::start(self.dir.clone(), self.port).unwrap();
        for tenant in ["acme", "globex"] {
            self.old.sql(tenant, tenant, DATA).unwrap();
        }
        self.old.superuser(&role.replace("'...'", &format!("'{}'", self.password)));
        if self.new.major >= 16 {
            self.new.superuser(&format!("GRANT pg_create_subscription TO {ADMIN}"));
        }

        let (stop, at) = (AtomicBool::new(false), AtomicU16::new(self.old.port));
        let through = || Session::over_tcp(self.port, "acme", "acme", &self.password);
        let around = || Session::over_tcp(at.load(Ordering::Relaxed), "acme", "acme", &self.password);
        let beside = || self.old.session("globex", "globex");
        let [neighbour, written @ ..] = thread::scope(|scope| {
            let clients = [
                scope.spawn(|| write("neighbour", &stop, beside)),
                scope.spawn(|| write("pooled", &stop, through)),
                scope.spawn(|| write("direct", &stop, around)),
            ];
            let end = Stop(&stop);
            self.write_configuration(&merged(&[start, both]));
            self.workspace.apply();
            if replicates {
                assert!(self.run(identity).contains(" log\n(1 row)"), "the table without a key is named");
                self.old.sql("acme", "acme", "ALTER TABLE log REPLICA IDENTITY FULL").unwrap();
                assert!(self.run(identity).contains("(0 rows)"));
                self.run(publish);
                if self.new.major >= 16 {
                    let grant = format!("GRANT acme TO {ADMIN} WITH INHERIT FALSE, SET TRUE");
                    self.new.sql("postgres", ADMIN, &grant).unwrap();
                }
                self.run(subscribe);
                self.run(copied);
                self.old.sql("acme", "acme", "UPDATE log SET line = 'second'").unwrap();
                // Meant on both, and so no drift.
                self.workspace.assert_empty_plan();
            }

            let begun = Instant::now();
            self.run(pause);
            if replicates {
                self.run(disable);
            }
            self.write_configuration(&merged(&[start, both, cut_over]));
            self.apply();
            assert_eq!(outcome(&self.old, "acme", "acme", "SELECT 1"), "28000");
            self.run(admit);
            self.run(if replicates { replicated } else { dumped });
            self.run(compare);
            self.render();
            self.run(resume);
            at.store(self.new.port, Ordering::Relaxed);
            println!("the cut-over took {:.1} s", begun.elapsed().as_secs_f64());
            thread::sleep(Duration::from_secs(2));
            drop(end);
            clients.map(|client| client.join().unwrap())
        });
        let (way, from, to) = (if replicates { "replication" } else { "pg_dump" }, self.old.major, self.new.major);
        for client in &written {
            println!("{way} from {from} to {to}, {client}");
            self.assert_kept(client);
        }
        println!("{neighbour}");
        assert_eq!(neighbour.refused, Vec::<String>::new(), "other tenants are not touched");
        assert_eq!(written[0].refused, Vec::<String>::new(), "pgBouncer lets clients wait\n{}", bouncer.log());
        self.assert_whole();

        // What is left: an archive on the old server.
        let gone = |part: &&&str| !["\"acme\" {", "\"mover\" {"].iter().any(|name| declares(part).ends_with(name));
        let all = merged(&[start, both, cut_over]);
        let accepts = |line: &&str| line.starts_with("  accept ");
        let without = |part: &&str| part.split_inclusive('\n').filter(|line| !accepts(line)).collect::<String>();
        let left: Vec<String> = all.iter().filter(gone).map(without).collect();
        self.write_configuration(&left.iter().map(String::as_str).collect::<Vec<_>>());
        self.workspace.apply();
        let archived = "SELECT count(*) FROM pg_database WHERE datname LIKE 'acme\\_%'";
        assert_eq!(value(&self.old, "postgres", archived), "1");
        assert_eq!(
            value(
                &self.old,
                "postgres",
                "SELECT count(*) FROM pg_roles WHERE rolname = 'acme' OR rolname LIKE 'acme\\_%' AND rolcanlogin"
            ),
            "0"
        );
        assert_eq!(value(&self.old, "postgres", "SELECT count(*) FROM pg_replication_slots"), "0");
        self.old.superuser("DROP ROLE mover");

        let is_renamed = |part: &&str| !declares(part).ends_with("\"acme_new\" {");
        let old_names: Vec<&str> = left.iter().map(String::as_str).filter(is_renamed).collect();
        self.write_configuration(&[old_names, parts(renamed).collect()].concat());
        self.workspace.apply();
        for (control, found) in self.workspace.resource("pgtenant_tenant.acme")["isolation"].as_object().unwrap() {
            assert_eq!(found, "enforced", "{control}");
        }
    }

    /// Nothing that the client got an answer for is lost, and nothing else is there but what it got no answer for.
    fn assert_kept(&self, client: &Written) {
        let of_client = format!("WHERE client = '{}'", client.name);
        let rows = self.new.sql("acme", "acme", &format!("SELECT n FROM orders {of_client}")).unwrap();
        let there: Vec<i64> = rows.into_iter().flatten().flatten().map(|n| n.parse().unwrap()).collect();
        let distinct: BTreeSet<i64> = there.iter().copied().collect();
        assert_eq!(there.len(), distinct.len(), "a row came twice");
        let lost: Vec<_> = client.acknowledged.difference(&distinct).collect();
        println!("{}: {} rows lost", client.name, lost.len());
        assert_eq!(lost, Vec::<&i64>::new());
        assert!(distinct.difference(&client.acknowledged).count() <= client.refused.len());
        let total = value(&self.new, "acme", &format!("SELECT orders FROM app.totals {of_client}"));
        assert_eq!(total, there.len().to_string());
        let moved = format!("SELECT count(*) FROM app.orders {of_client}");
        let before: usize = value(&self.old, "acme", &moved).parse().unwrap();
        assert!(before > 20 && there.len() > before + 20, "{before} before and {} in all", there.len());
    }

    /// Everything that the tenant had is its own on the new server.
    fn assert_whole(&self) {
        let new = |sql: &str| value(&self.new, "acme", sql);
        for (sql, expected) in [
            ("SELECT count(*) || ' ' || md5(string_agg(line, '' ORDER BY id)) FROM app.history", None),
            ("SELECT count(*) FROM app.events", Some("1000")),
            ("SELECT line FROM app.log", None),
            ("SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace", None),
            (
                "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'app'::regnamespace",
                Some("acme"),
            ),
            ("SELECT count(*) FROM pg_subscription", Some("0")),
        ] {
            assert_eq!(new(sql), expected.map_or_else(|| value(&self.old, "acme", sql), str::to_owned), "{sql}");
        }
        assert_eq!(outcome(&self.new, "acme", "acme", "SELECT nextval('invoices')"), "8");
        assert_eq!(outcome(&self.new, "acme", "acme", "SELECT ordered() > 0"), "t");
    }
}

/// The parts of all blocks: what a later one declares takes the place of an earlier one's.
fn merged<'a>(blocks: &[&'a str]) -> Vec<&'a str> {
    let mut all: Vec<&str> = Vec::new();
    for part in blocks.iter().flat_map(|block| parts(block)) {
        match all.iter_mut().find(|other| declares(other) == declares(part)) {
            Some(other) => *other = part,
            None => all.push(part),
        }
    }
    all
}
