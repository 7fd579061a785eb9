//! Passwords: in no plan, no state, no log of Terraform, the provider or the server, in whatever way they
//! are given, and good for logging in with. What changes them, and what a stranger learns of them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::BytesMut;
use postgres_protocol::authentication::sasl;
use postgres_protocol::message::{backend::Message, frontend};

use crate::fixture::{PROVIDER, workspace};
use crate::support::postgres::{Options, SUPERUSER, Server};
use crate::support::terraform::{Installation, Run, Workspace};
use crate::support::{examples, random_hex};

/// What a text is searched for: a secret as it is, and the parts of it that Base64 shows wherever the
/// secret begins within a longer text.
fn spellings(secret: &str) -> Vec<Vec<u8>> {
    let mut spellings = vec![secret.as_bytes().to_vec()];
    for offset in 0..3 {
        let encoded = BASE64.encode([&vec![0; offset], secret.as_bytes()].concat());
        // A character at either end depends on the neighbours too.
        let (first, last) = ((offset * 8).div_ceil(6), (offset + secret.len()) * 8 / 6);
        spellings.push(encoded.as_bytes()[first..last].to_vec());
    }
    spellings
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[test]
fn the_search_finds_a_secret_in_base64() {
    for before in ["", "a", "ab", "abc"] {
        let encoded = BASE64.encode(format!("{before}the secret{before}"));
        assert!(spellings("the secret").iter().any(|part| holds(encoded.as_bytes(), part)), "{encoded}");
        assert!(!spellings("the sacred").iter().any(|part| holds(encoded.as_bytes(), part)), "{encoded}");
    }
}

/// A zip archive and the content of each of its files.
///
/// <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, 4.3: the central directory says where
/// each file begins and how long it is.
fn unzipped(archive: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let number =
        |at: usize, bytes: usize| archive[at..at + bytes].iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte));
    let mut files = Vec::new();
    let entries = archive.windows(4).enumerate().filter(|(_, window)| window == b"PK\x01\x02");
    for (entry, _) in entries {
        let (method, length, name_length, header) =
            (number(entry + 10, 2), number(entry + 20, 4), number(entry + 28, 2), number(entry + 42, 4));
        let name = String::from_utf8_lossy(&archive[entry + 46..entry + 46 + name_length]).into_owned();
        let data = header + 30 + number(header + 26, 2) + number(header + 28, 2);
        let data = &archive[data..data + length];
        let content = match method {
            0 => data.to_vec(),
            _ => miniz_oxide::inflate::decompress_to_vec(data).unwrap(),
        };
        files.push((format!("{name} in the plan file"), content));
    }
    files.push(("the plan file".to_owned(), archive));
    files
}

/// The generated password leaves Terraform by a provisioner, which may use what is ephemeral: into a file
/// that takes the place of a secret store.
const CONFIG: &str = r#"
variable "admin_password" {
  type      = string
  sensitive = true
  ephemeral = true
}

variable "password" {
  type      = string
  ephemeral = true
}

variable "hashed" {
  type      = string
  ephemeral = true
}

provider "pgtenant" {
  password = var.admin_password
}

ephemeral "pgtenant_password" "generated" {}

resource "pgtenant_tenant" "generated" {
  name                = "secrets_generated"
  password_wo         = ephemeral.pgtenant_password.generated.result
  password_wo_version = 1
}

resource "terraform_data" "store" {
  provisioner "local-exec" {
    command     = "printf %s \"$PASSWORD\" > ../stored"
    environment = { PASSWORD = ephemeral.pgtenant_password.generated.result }
  }
}

resource "pgtenant_tenant" "given" {
  name                = "secrets_given"
  password_wo         = var.password
  password_wo_version = 1
}

resource "pgtenant_tenant" "hashed" {
  name                = "secrets_hashed"
  password_wo         = provider::pgtenant::scram_verifier(var.hashed, "secrets_hashed", "0123456789abcdef")
  password_wo_version = 1
}

resource "pgtenant_guardrails" "given" {
  tenant = pgtenant_tenant.given.name
}
"#;

/// What the server keeps of statements, beside its log.
const STATISTICS: &str = "SELECT query FROM pg_stat_statements UNION ALL SELECT query FROM pg_stat_activity";

#[test]
fn passwords_are_written_nowhere_and_work() {
    let keeps_statements = "shared_preload_libraries = 'pg_stat_statements'\n";
    let server = Server::start(Options { extra_conf: keeps_statements, ..Options::default() }).unwrap();
    server.superuser("CREATE EXTENSION pg_stat_statements");
    let (given, hashed) = (random_hex(12), random_hex(12));
    let mut workspace = Workspace::new(PROVIDER);
    let mut env = server.env();
    let admin_password = env.remove("PGPASSWORD").unwrap();
    let root = workspace.dir.parent().unwrap().to_owned();
    let trace = root.join("trace.log");
    workspace.envs(env);
    workspace.env("TF_VAR_admin_password", &admin_password);
    workspace.env("TF_VAR_password", &given).env("TF_VAR_hashed", &hashed);
    workspace.env("TF_LOG", "trace").env("TF_LOG_PATH", &trace.display().to_string());
    workspace.write("main.tf", CONFIG);

    let mark = server.log_mark();
    let planned = workspace.run(&["plan", "-out=planned"]).ok().unwrap();
    let applied = workspace.run(&["apply", "planned"]).ok().unwrap();
    let shown = workspace.run(&["show", "-json", "planned"]).ok().unwrap();
    let again = workspace.run(&["plan", "-detailed-exitcode"]).ok().unwrap();

    let said = |what: &str, run: &Run| (what.to_owned(), [run.stdout.as_bytes(), run.stderr.as_bytes()].concat());
    let mut texts = unzipped(fs::read(workspace.dir.join("planned")).unwrap());
    texts.extend([
        ("the state".to_owned(), workspace.state_file().into_bytes()),
        ("the trace".to_owned(), fs::read(&trace).unwrap()),
        ("the server's log".to_owned(), server.log_since(mark).into_bytes()),
        ("statistics".to_owned(), format!("{:?}", server.superuser(STATISTICS)).into_bytes()),
        said("plan", &planned),
        said("apply", &applied),
        said("the plan as JSON", &shown),
        said("the plan after apply", &again),
    ]);
    // What is searched is what it is taken for.
    for (text, expected) in [
        ("the plan file", "tfplan"),
        ("tfplan in the plan file", "secrets_hashed"),
        ("tfstate in the plan file", "\"lineage\""),
        ("tfconfig/m-/main.tf in the plan file", "password_wo_version"),
        ("the state", "secrets_generated"),
        ("the trace", "create role \"secrets_given\""),
        ("the trace", "provider.terraform-provider-pgtenant"),
        ("the server's log", "PASSWORD 'SCRAM-SHA-256$4096:"),
        ("the server's log", "CREATE ROLE \"secrets_hashed\""),
        ("statistics", "PASSWORD 'SCRAM-SHA-256$4096:"),
        ("apply", "Apply complete!"),
        ("the plan as JSON", "secrets_given"),
    ] {
        let found = texts.iter().find(|(name, _)| name == text);
        let (_, content) =
            found.unwrap_or_else(|| panic!("no {text} in {:?}", texts.iter().map(|t| &t.0).collect::<Vec<_>>()));
        assert!(holds(content, expected.as_bytes()), "{expected:?} in {text}");
    }

    let generated = fs::read_to_string(root.join("stored")).unwrap();
    assert_eq!(generated.len(), 32);
    let secrets = [("generated", &generated), ("given", &given), ("hashed", &hashed), ("admin", &admin_password)];
    for (of, secret) in secrets {
        for (text, content) in &texts {
            let found = spellings(secret).iter().any(|part| holds(content, part));
            assert!(!found, "the password {of:?} is in {text}");
        }
    }
    // Verifiers are no passwords, but weak ones can be guessed from them: only the server has them.
    for (text, content) in texts.iter().filter(|(text, _)| !["the server's log", "statistics"].contains(&text.as_str()))
    {
        assert!(!holds(content, b"SCRAM-SHA-256$4096:"), "a verifier is in {text}");
    }

    for (tenant, password) in
        [("secrets_generated", &generated), ("secrets_given", &given), ("secrets_hashed", &hashed)]
    {
        server.session_with_password(tenant, tenant, password).unwrap_or_else(|error| panic!("{tenant}: {error}"));
        let error = server.session_with_password(tenant, tenant, "another").err().expect("a wrong password is refused");
        assert_eq!(error.sqlstate, "28P01");
    }
    let stored = "SELECT count(*) FROM pg_authid WHERE rolpassword LIKE 'SCRAM-SHA-256$%'
                  AND rolname IN ('secrets_generated', 'secrets_given', 'secrets_hashed')";
    assert_eq!(server.superuser(stored), [[Some("3".to_owned())]]);
}

/// A tenant with the password of the variable.
fn with_password(name: &str, version: u32) -> String {
    format!(
        "variable \"password\" {{ ephemeral = true }}
        resource \"pgtenant_tenant\" \"this\" {{
          name                = {name:?}
          password_wo         = var.password
          password_wo_version = {version}
          deletion_protection = false
        }}"
    )
}

#[test]
fn a_password_changes_with_its_version_only() {
    let server = Server::shared();
    let mut workspace = workspace(server);
    let config = |version: u32| with_password("secrets_changed", version);
    let outcome = |password: &str| {
        let session = server.session_with_password("secrets_changed", "secrets_changed", password);
        session.map(drop).map_err(|error| error.sqlstate)
    };
    let refused = Err("28P01".to_owned());
    workspace.env("TF_VAR_password", "first").write("main.tf", &config(1));
    workspace.apply();
    assert_eq!((outcome("first"), outcome("second")), (Ok(()), refused.clone()));

    workspace.env("TF_VAR_password", "second");
    let verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = 'secrets_changed'";
    let before = server.superuser(verifier);
    workspace.apply();
    assert_eq!(server.superuser(verifier), before, "without a new version nothing is written");
    assert_eq!((outcome("first"), outcome("second")), (Ok(()), refused.clone()));

    workspace.write("main.tf", &config(2));
    workspace.apply();
    assert_eq!((outcome("first"), outcome("second")), (refused, Ok(())));
}

/// What the server shows of it is the same: only a login tells.
fn a_password_that_is_replaced_with_its_salt_while_it_is_set_is_told(server: &Server) {
    let mut workspace = workspace(server);
    let config = |version: u32| with_password("secrets_replaced", version);
    workspace.env("TF_VAR_password", "mine").write("main.tf", &config(1));
    let replacing = AtomicBool::new(true);
    let mark = server.log_mark();
    let run = std::thread::scope(|scope| {
        scope.spawn(|| {
            let session = server.session("postgres", SUPERUSER).unwrap();
            let stored = "SELECT rolpassword FROM pg_authid WHERE rolname = 'secrets_replaced'";
            while replacing.load(Ordering::SeqCst) {
                let stored = session.sql(stored).unwrap().first().and_then(|row| row[0].clone());
                if let Some((salt, _)) = stored.as_deref().and_then(|stored| stored.rsplit_once('$')) {
                    let key = BASE64.encode([7; 32]);
                    let replace = format!("ALTER ROLE secrets_replaced PASSWORD '{salt}${key}:{key}'");
                    // Both may write the same row at once: then it is tried again.
                    if session.sql(&replace).is_ok() {
                        break;
                    }
                }
            }
        });
        let run = workspace.run(&["apply", "-auto-approve", "-json"]);
        replacing.store(false, Ordering::SeqCst);
        run
    });
    let told = "the password of secrets_replaced was changed by somebody else";
    let password = |workspace: &Workspace| {
        let isolation = workspace.resource("pgtenant_tenant.this")["isolation"].clone();
        isolation["password"].as_str().unwrap().to_owned()
    };
    assert!(run.status.success(), "{run:?}");
    assert!(password(&workspace).contains(told), "{}", password(&workspace));
    assert!(run.diagnostics().iter().any(|one| one["detail"].as_str().unwrap().contains(told)), "{run:?}");
    assert!(server.log_since(mark).contains("password authentication failed"));

    // A new version sets it again, and the proof of it is no session.
    let mark = server.log_mark();
    workspace.write("main.tf", &config(2));
    workspace.apply();
    assert_eq!(password(&workspace), "enforced");
    let log = server.log_since(mark);
    assert!(log.contains("secrets_replaced@secrets_replaced"), "{log}");
    assert!(!log.contains("password authentication failed"), "{log}");
    workspace.assert_empty_plan();
    workspace.destroy();
}

on_every_major! { a_password_that_is_replaced_with_its_salt_while_it_is_set_is_told }

/// PostgreSQL would take it for a password in clear text, and a wrong one at that.
#[test]
fn a_malformed_verifier_is_refused_when_planning() {
    let mut workspace = workspace(Server::shared());
    let secret = random_hex(8);
    workspace.env("TF_VAR_password", &format!("SCRAM-SHA-256$4096:{secret}"));
    workspace.write(
        "main.tf",
        "variable \"password\" { ephemeral = true }
        resource \"pgtenant_tenant\" \"this\" {
          name        = \"secrets_malformed\"
          password_wo = var.password
          password_wo_version = 1
        }",
    );
    let run = workspace.run(&["plan", "-json"]);
    let diagnostics = run.diagnostics();
    let [error] = &diagnostics[..] else { panic!("one diagnostic: {diagnostics:#?}") };
    assert_eq!((error["severity"].as_str(), error["summary"].as_str()), (Some("error"), Some("Not a SCRAM verifier")));
    assert_eq!(error["snippet"]["code"].as_str().map(str::trim), Some("password_wo = var.password"));
    assert!(!run.stdout.contains(&secret) && !run.stderr.contains(&secret), "{}{}", run.stdout, run.stderr);
}

/// What the server shows to whoever begins a login: nobody has proved anything, and a database of that name
/// need not exist.
fn salt_shown(server: &Server, role: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let (mut out, mut buffer) = (BytesMut::new(), BytesMut::new());
    frontend::startup_message([("user", role), ("database", "nowhere")], &mut out).unwrap();
    loop {
        stream.write_all(&out).unwrap();
        out.clear();
        let message = loop {
            if let Some(message) = Message::parse(&mut buffer).unwrap() {
                break message;
            }
            let mut chunk = [0; 1024];
            let read = stream.read(&mut chunk).unwrap();
            assert!(read > 0, "the server hung up");
            buffer.extend_from_slice(&chunk[..read]);
        };
        match message {
            Message::AuthenticationSasl(_) => {
                frontend::sasl_initial_response(sasl::SCRAM_SHA_256, b"n,,n=,r=stranger", &mut out).unwrap();
            }
            Message::AuthenticationSaslContinue(body) => {
                let text = std::str::from_utf8(body.data()).unwrap();
                let salt = text.split(',').find_map(|part| part.strip_prefix("s=")).unwrap();
                return BASE64.decode(salt).unwrap();
            }
            _ => panic!("the server does not ask for SCRAM"),
        }
    }
}

/// How the salt was made of the password once.
fn salt_of_the_password(password: &str, role: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, password.as_bytes());
    hmac::sign(&key, format!("pgtenant scram salt\0{role}").as_bytes()).as_ref()[..16].to_vec()
}

/// A salt that a stranger was shown, and what else he may know.
struct Shown<'a> {
    role: &'a str,
    salt: Vec<u8>,
    /// The texts that salts are made of in the configuration or the state.
    texts: &'a [String],
}

/// The word that the salt is a fast hash of, by one of many formulas over word, role and texts.
fn guessed<'a>(shown: &Shown, words: &'a [String]) -> Option<&'a String> {
    let mut texts = vec![String::new(), shown.role.to_owned(), "pgtenant scram salt".to_owned()];
    for text in shown.texts {
        texts.extend([text.clone(), format!("{}\0{text}", shown.role), format!("{text}\0{}", shown.role)]);
    }
    texts.extend(texts.clone().iter().skip(1).map(|text| format!("pgtenant scram salt\0{text}")));
    let is_salt = |hash: &[u8]| hash.windows(shown.salt.len()).any(|part| part == shown.salt);
    words.iter().find(|word| {
        let signed = |algorithm, key: &str, text: &str| {
            is_salt(hmac::sign(&hmac::Key::new(algorithm, key.as_bytes()), text.as_bytes()).as_ref())
        };
        let macs = [hmac::HMAC_SHA256, hmac::HMAC_SHA512, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY];
        let hashes = [&digest::SHA256, &digest::SHA512, &digest::SHA1_FOR_LEGACY_USE_ONLY];
        texts.iter().any(|text| {
            let joined = ["", "\0", ":"].map(|by| [format!("{word}{by}{text}"), format!("{text}{by}{word}")]);
            macs.iter().any(|mac| signed(*mac, word, text) || signed(*mac, text, word))
                || joined.iter().flatten().any(|text| {
                    is_salt(text.as_bytes())
                        || hashes.iter().any(|hash| is_salt(digest::digest(hash, text.as_bytes()).as_ref()))
                })
        })
    })
}

/// Every way to a verifier: the function with one salt for two roles, a password in clear text, a generated
/// one, and the module `tenants`.
const VERIFIERS: &str = r#"
variable "password" { ephemeral = true }
variable "passwords" { type = map(string) }
variable "generation" {}

provider "pgtenant" {}

resource "pgtenant_tenant" "function" {
  for_each            = toset(["stranger_one", "stranger_two"])
  name                = each.key
  password_wo         = provider::pgtenant::scram_verifier(var.password, each.key, "0123456789abcdef")
  password_wo_version = var.generation
}

resource "pgtenant_tenant" "clear" {
  name                = "stranger_clear"
  password_wo         = var.password
  password_wo_version = var.generation
}

ephemeral "pgtenant_password" "generated" {}

resource "pgtenant_tenant" "generated" {
  name                = "stranger_generated"
  password_wo         = ephemeral.pgtenant_password.generated.result
  password_wo_version = var.generation
}

resource "terraform_data" "store" {
  triggers_replace = var.generation
  provisioner "local-exec" {
    command     = "printf %s \"$PASSWORD\" > ../stored"
    environment = { PASSWORD = ephemeral.pgtenant_password.generated.result }
  }
}

module "tenants" {
  source                = "../modules/tenants"
  tenants               = { stranger_module = {} }
  passwords             = var.passwords
  passwords_version     = var.generation
  available_connections = 10
  baseline              = false
  watchdog              = false
}
"#;

/// PostgreSQL shows a role's salt before it knows who asks, and writes nothing of it into its log.
#[test]
fn a_stranger_learns_nothing_of_a_password_from_its_salt() {
    let server = Server::shared();
    let mut workspace = Workspace::with(Path::new(PROVIDER), Installation::Mirror).unwrap();
    workspace.copy_beside(&examples::root(), "modules/tenants").unwrap();
    workspace.envs(server.env());
    workspace.write("main.tf", VERIFIERS);
    workspace.run(&["init"]).ok().unwrap();

    let mut words: Vec<String> = (2000..2030)
        .flat_map(|year| {
            ["Spring", "Summer", "Autumn", "Winter"].map(|season| format!("{season}{year}! for the tenants"))
        })
        .collect();
    let roles = ["stranger_one", "stranger_two", "stranger_clear", "stranger_generated", "stranger_module"];
    let mut salts: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
    // The third generation has the password of the second.
    for (generation, word) in [words[17].clone(), words[104].clone(), words[104].clone()].iter().enumerate() {
        workspace.env("TF_VAR_generation", &(generation + 1).to_string()).env("TF_VAR_password", word);
        workspace.env("TF_VAR_passwords", &serde_json::json!({ "stranger_module": word }).to_string());
        workspace.apply();
        words.push(fs::read_to_string(workspace.dir.parent().unwrap().join("stored")).unwrap());
        for role in roles.into_iter().filter(|role| *role != "stranger_generated") {
            server.session_with_password(role, role, word).unwrap_or_else(|error| panic!("{role}: {error}"));
        }
        let mark = server.log_mark();
        for role in roles {
            salts.entry(role).or_default().push(salt_shown(server, role));
        }
        assert!(!server.log_since(mark).contains("FATAL"), "the log has the stranger");
    }

    // One salt, whatever the password; another one for each role, and none twice where it is random or rotated.
    let different = |salts: &[Vec<u8>]| salts.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!((different(&salts["stranger_one"]), different(&salts["stranger_two"])), (1, 1));
    assert_ne!(salts["stranger_one"], salts["stranger_two"]);
    for role in ["stranger_clear", "stranger_generated", "stranger_module"] {
        assert_eq!(different(&salts[role]), 3, "{role}");
    }

    let state = workspace.state();
    let module = &state["values"]["root_module"]["child_modules"][0]["resources"];
    let kept =
        module.as_array().unwrap().iter().find(|it| it["address"] == "module.tenants.terraform_data.salt").unwrap();
    let kept = kept["values"]["output"].as_str().unwrap();
    let texts = ["0123456789abcdef".to_owned(), kept.to_owned(), format!("{kept}/1"), format!("{kept}/2")];
    let shown = salts
        .iter()
        .flat_map(|(role, salts)| salts.iter().map(|salt| Shown { role, salt: salt.clone(), texts: &texts }));
    let found: Vec<_> = shown.map(|shown| guessed(&shown, &words)).collect();
    let (broken, all) = (found.iter().flatten().count(), found.len());
    println!("a stranger's search: the salts of {broken} of {all} verifiers depend on the password");
    assert_eq!((broken, all), (0, 15));

    // The search finds what there is to find.
    let salt = BASE64.encode(salt_of_the_password(&words[104], "stranger_old"));
    let key = BASE64.encode([0; 32]);
    server.superuser(&format!("CREATE ROLE stranger_old LOGIN PASSWORD 'SCRAM-SHA-256$4096:{salt}${key}:{key}'"));
    let shown = Shown { role: "stranger_old", salt: salt_shown(server, "stranger_old"), texts: &texts };
    assert_eq!(guessed(&shown, &words), Some(&words[104]));
}
