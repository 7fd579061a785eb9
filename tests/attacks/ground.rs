//! Where the attacks happen: a server, tenants that `terraform apply` made on it, and ways to act as
//! one of them, as the admin, or as nobody in particular.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::attack::{By, PlanPath, Seen};
use crate::support::postgres::{ADMIN, Admin, Options, Rows, Server, Session, SqlError};
use crate::support::terraform::Workspace;

const PROVIDER: &str = env!("CARGO_BIN_EXE_terraform-provider-pgtenant");

/// Each tenant's and each further role's password is its name with this before it.
pub const PASSWORD: &str = "the password of ";

/// The limit of the tenant `hasty`, which the limits are tried on.
pub const CONNECTION_LIMIT: usize = 5;

/// A tenant of the ground: what stands in its blocks, and what of its guardrails not every major has.
struct Made {
    name: &'static str,
    tenant: &'static str,
    guardrails: &'static str,
    newer: &'static [(u32, &'static str)],
}

const TENANTS: &[Made] = &[
    // As much as a tenant can be given.
    Made {
        name: "attacker",
        tenant: "allow_temporary_tables = true\n  extensions = [\"pgcrypto\"]",
        guardrails: "connection_limit = 20\n  statement_timeout = \"30s\"",
        newer: &[(14, "idle_session_timeout = \"10min\""), (17, "transaction_timeout = \"5min\"")],
    },
    Made {
        name: "hasty",
        tenant: "",
        guardrails: "connection_limit = 5
  statement_timeout = \"300ms\"
  lock_timeout = \"100ms\"
  idle_in_transaction_session_timeout = \"300ms\"",
        newer: &[(17, "transaction_timeout = \"1s\"")],
    },
    Made { name: "vandal", tenant: "", guardrails: "", newer: &[] },
    Made { name: "victim", tenant: "", guardrails: "", newer: &[] },
];

pub struct Ground {
    pub server: Server,
    pub workspace: Workspace,
    notes: Mutex<Vec<String>>,
}

impl Ground {
    pub fn prepare(major: u32, admin: Admin) -> Ground {
        let options = Options {
            major: Some(major),
            admin,
            admin_owns_maintenance: true,
            // Without any, a replication connection is refused before it is asked for its privileges.
            extra_conf: "max_wal_senders = 2",
            ..Options::default()
        };
        let server = Server::start(options).unwrap_or_else(|error| panic!("{error}"));
        let workspace = workspace(&server);
        let ground = Ground { server, workspace, notes: Mutex::default() };
        ground.configure("", |text| text);
        ground.workspace.apply();
        ground
    }

    /// Writes the configuration: what stands in the provider's block, and what is changed in the text
    /// of all the tenants.
    pub fn configure(&self, provider: &str, change: impl Fn(String) -> String) {
        let mut text = String::new();
        for made in TENANTS {
            let Made { name, tenant, guardrails, newer } = made;
            let newer: Vec<&str> =
                newer.iter().filter(|(since, _)| *since <= self.server.major).map(|(_, text)| *text).collect();
            text.push_str(&format!(
                "resource \"pgtenant_tenant\" \"{name}\" {{
  name = \"{name}\"
  password_wo = \"{PASSWORD}{name}\"
  password_wo_version = 1
  deletion_protection = false
  {tenant}
}}
resource \"pgtenant_guardrails\" \"{name}\" {{
  tenant = pgtenant_tenant.{name}.name
  {guardrails}
  {}
}}
",
                newer.join("\n  ")
            ));
        }
        let text = change(text);
        let baseline = "resource \"pgtenant_cluster_baseline\" \"this\" {}\n";
        self.workspace.write("main.tf", &format!("provider \"pgtenant\" {{\n  {provider}\n}}\n{baseline}{text}"));
    }

    /// One `terraform apply`, without the two plans behind it.
    pub fn apply_once(&self) -> Result<(), String> {
        self.workspace.try_run(&["apply", "-auto-approve"])?.ok().map(drop)
    }

    /// A tenant in its own database, with its password.
    pub fn tenant(&self, name: &str) -> Result<Session, String> {
        self.log_in(name, name, &password(name)).map_err(|error| format!("{name} cannot log in: {error}"))
    }

    /// Who acts in whose name is said again: what a login begins with is its own to change. A tenant
    /// comes with its password; its further roles, which come often, over the socket, where nobody asks for one.
    pub fn enter(&self, by: By) -> Result<Session, String> {
        let session = if by.login == by.tenant {
            self.log_in(by.tenant, by.login, &password(by.login))
        } else {
            self.server.session(by.tenant, by.login)
        };
        let session = session.map_err(|error| format!("{} cannot log in: {error}", by.login))?;
        let acts_as = if by.acts_as == by.login { "NONE" } else { by.acts_as };
        must(&session, &[&format!("SET ROLE {acts_as}")])?;
        Ok(session)
    }

    pub fn log_in(&self, database: &str, role: &str, password: &str) -> Result<Session, SqlError> {
        self.server.session_with_password(database, role, password)
    }

    /// What the admin is answered, which must be an answer.
    pub fn admin(&self, database: &str, text: &str) -> Result<Rows, String> {
        self.server.sql(database, ADMIN, text).map_err(|error| format!("the admin: {error}: {text}"))
    }

    /// The one value that the admin is answered.
    pub fn ask(&self, text: &str) -> Result<String, String> {
        Ok(first(&self.admin("postgres", text)?))
    }

    pub fn note(&self, text: String) {
        self.notes.lock().expect("no panic while held").push(text);
    }

    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().expect("no panic while held").clone()
    }

    pub fn try_each(&self, by: &str, statements: &[&str]) -> Result<Seen, String> {
        let session = self.tenant(by)?;
        let mut seen: Option<(Seen, &str)> = None;
        for statement in statements {
            let now = attempt(&session, statement);
            if let Some((before, first)) = &seen
                && format!("{before:?}") != format!("{now:?}")
            {
                return Err(format!("{before:?} for {first}, {now:?} for {statement}"));
            }
            seen = Some((now, statement));
        }
        seen.map(|(seen, _)| seen).ok_or_else(|| "nothing was tried".to_owned())
    }

    /// What was changed is named by one plan, each at its place and nothing else; an apply takes it
    /// back, and the passwords that the tenants were given are theirs again.
    pub fn detect_and_repair(&self, expected: &[PlanPath]) -> Result<Vec<(String, String)>, String> {
        self.configure("deep_verify = true", |text| text);
        let plan = self.workspace.try_plan()?;
        let changes = |address: String| plan.changes(&address).into_iter().map(move |path| (address.clone(), path));
        let found: Vec<(String, String)> = plan.addresses().into_iter().flat_map(changes).collect();
        let more = found.iter().find(|found| !expected.iter().any(|path| is_at(path, found)));
        ensure(more.is_none(), format!("the plan names what nobody changed: {more:?}"))?;
        // What one tenant was granted by another is taken back where the other is: only a refresh sees it gone.
        // A password is written again for another version only.
        let raised = |text: String| text.replace("password_wo_version = 1", "password_wo_version = 2");
        self.configure("deep_verify = true", raised);
        let applied = self.workspace.try_run(&["apply", "-auto-approve"])?.ok();
        applied
            .and_then(|_| self.workspace.try_run(&["plan", "-detailed-exitcode"])?.ok())
            .map_err(|error| format!("not repaired: {error}"))?;
        TENANTS.iter().try_for_each(|made| self.tenant(made.name).map(drop))?;
        Ok(found)
    }

    /// A session that says what the protocol lets a client say, without one of the usual clients.
    pub fn raw(&self, parameters: &[(&str, &str)]) -> Result<Raw, String> {
        let path = self.server.dir.join(format!(".s.PGSQL.{}", self.server.port));
        Raw::start(UnixStream::connect(path).map_err(|error| error.to_string())?, parameters)
    }
}

/// Whether a plan that changes what was found names all these places.
pub fn named(paths: &[PlanPath], found: &[(String, String)]) -> Result<(), String> {
    let missing = paths.iter().find(|path| !found.iter().any(|found| is_at(path, found)));
    ensure(missing.is_none(), format!("the plan does not name {missing:?}: {found:?}"))
}

fn is_at(path: &PlanPath, found: &(String, String)) -> bool {
    (path.0, path.1) == (found.0.as_str(), found.1.as_str())
}

/// A workspace whose provider block is empty: the environment says where the server is.
pub fn workspace(server: &Server) -> Workspace {
    let mut workspace = Workspace::new(PROVIDER);
    workspace.envs(server.env());
    workspace
}

pub fn password(tenant: &str) -> String {
    format!("{PASSWORD}{tenant}")
}

pub fn attempt(session: &Session, statement: &str) -> Seen {
    match session.sql(statement) {
        Ok(_) => Seen::Worked,
        Err(error) => Seen::Stopped(error.sqlstate),
    }
}

/// What came of a login.
pub fn entered(session: Result<Session, SqlError>) -> Seen {
    session.map_or_else(|error| Seen::Stopped(error.sqlstate), |_| Seen::Worked)
}

pub fn first(rows: &Rows) -> String {
    rows.first().and_then(|row| row.first()).cloned().flatten().unwrap_or_default()
}

/// The value that a session is answered, which must be an answer.
pub fn value(session: &Session, text: &str) -> Result<String, String> {
    Ok(first(&session.sql(text).map_err(|error| format!("{error}: {text}"))?))
}

/// Statements that must work for the attack to be one.
pub fn must(session: &Session, statements: &[&str]) -> Result<(), String> {
    for statement in statements {
        session.sql(statement).map_err(|error| format!("{error}: {statement}"))?;
    }
    Ok(())
}

pub fn ensure(holds: bool, otherwise: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

/// Asks again until it is so, for a minute at most.
pub fn until(what: &str, condition: impl Fn() -> Result<bool, String>) -> Result<(), String> {
    let started = Instant::now();
    while !condition()? {
        ensure(started.elapsed() < Duration::from_secs(60), format!("waited in vain until {what}"))?;
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A client of the wire protocol that reads when it wants to.
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html>
pub struct Raw {
    stream: UnixStream,
    /// `None` once it may send queries, else with which SQLSTATE it was turned away.
    pub refused: Option<String>,
}

impl Raw {
    fn start(mut stream: UnixStream, parameters: &[(&str, &str)]) -> Result<Raw, String> {
        let text = |error: std::io::Error| error.to_string();
        stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(text)?;
        let mut body = 0x0003_0000_u32.to_be_bytes().to_vec();
        for (name, value) in parameters {
            body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
        }
        body.push(0);
        stream.write_all(&with_length(&body)).map_err(text)?;
        let mut raw = Raw { stream, refused: None };
        loop {
            match raw.message().map_err(text)? {
                (b'Z', _) => return Ok(raw),
                (b'E', body) => {
                    let mut fields = body.split(|byte| *byte == 0);
                    let state = fields.find_map(|field| field.strip_prefix(b"C")).unwrap_or_default();
                    raw.refused = Some(String::from_utf8_lossy(state).into_owned());
                    return Ok(raw);
                }
                _ => {}
            }
        }
    }

    /// Asks, and leaves the answer where it is.
    pub fn ask_and_not_listen(&mut self, query: &str) -> Result<(), String> {
        let message = [b"Q".as_slice(), &with_length(&[query.as_bytes(), b"\0"].concat())].concat();
        self.stream.write_all(&message).map_err(|error| error.to_string())
    }

    fn message(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length.saturating_sub(4)];
        self.stream.read_exact(&mut body)?;
        Ok((head[0], body))
    }
}

/// A message's length counts itself.
fn with_length(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 4).to_be_bytes(), body].concat()
}
