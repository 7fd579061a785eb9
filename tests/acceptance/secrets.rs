//! Passwords: in no plan, no state, no log of Terraform, the provider or the server, in whatever way they
//! are given, and good for logging in with. And what changes them.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::fixture::{PROVIDER, workspace};
use crate::support::postgres::Server;
use crate::support::random_hex;
use crate::support::terraform::{Run, Workspace};

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
  password_wo         = provider::pgtenant::scram_verifier(var.hashed, "secrets_hashed")
  password_wo_version = 1
}

resource "pgtenant_guardrails" "given" {
  tenant = pgtenant_tenant.given.name
}
"#;

#[test]
fn passwords_are_written_nowhere_and_work() {
    let server = Server::shared();
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
    for (text, content) in texts.iter().filter(|(text, _)| text != "the server's log") {
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

#[test]
fn a_password_changes_with_its_version_only() {
    let server = Server::shared();
    let mut workspace = workspace(server);
    let config = |version: u32| {
        format!(
            "variable \"password\" {{ ephemeral = true }}
            resource \"pgtenant_tenant\" \"this\" {{
              name                = \"secrets_changed\"
              password_wo         = var.password
              password_wo_version = {version}
            }}"
        )
    };
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
        }",
    );
    let run = workspace.run(&["plan", "-json"]);
    let diagnostics = run.diagnostics();
    let [error] = &diagnostics[..] else { panic!("one diagnostic: {diagnostics:#?}") };
    assert_eq!((error["severity"].as_str(), error["summary"].as_str()), (Some("error"), Some("Not a SCRAM verifier")));
    assert_eq!(error["snippet"]["code"].as_str().map(str::trim), Some("password_wo = var.password"));
    assert!(!run.stdout.contains(&secret) && !run.stderr.contains(&secret), "{}{}", run.stdout, run.stderr);
}
