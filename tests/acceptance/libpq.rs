//! What libpq makes of a way to a server, and what the provider makes of it: the same environment, once for psql with the newest libpq
//! and once for the provider. `target/libpq/table.md` has all of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};

use crate::fixture::PROVIDER;
use crate::support::binaries::Binaries;
use crate::support::postgres::{ADMIN, Options, Server, free_port, pem, server_account};
use crate::support::{on_path, scratch, skip};

const LIBPQ: u32 = 18;

/// A server, whoever asks for it, and what came of that.
struct Lab {
    server: Server,
    psql: PathBuf,
    libraries: PathBuf,
    files: PathBuf,
    home: PathBuf,
    authority: Authority,
    env: BTreeMap<&'static str, String>,
    rows: Vec<Row>,
}

struct Row {
    group: &'static str,
    what: String,
    expected: Expected,
    /// With what was said.
    libpq: (bool, String),
    ours: (bool, String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Accepted,
    Refused,
    /// By us alone, and why.
    Stricter(&'static str),
}

use Expected::{Accepted, Refused, Stricter};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let (key, params) = (KeyPair::generate().unwrap(), Self::params(name));
        Authority { pem: pem("CERTIFICATE", params.self_signed(&key).unwrap().der()), issuer: Issuer::new(params, key) }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    /// One that this one vouches for.
    fn intermediate(&self, name: &str) -> Authority {
        let (key, params) = (KeyPair::generate().unwrap(), Self::params(name));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Authority { pem: pem("CERTIFICATE", certificate.der()), issuer: Issuer::new(params, key) }
    }

    /// A certificate and its key.
    fn certify(&self, params: &CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (pem("CERTIFICATE", certificate.der()), pem("PRIVATE KEY", &key.serialize_der()))
    }
}

fn named(names: &[&str], common: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(common) = common {
        params.distinguished_name.push(DnType::CommonName, common);
    }
    params
}

impl Lab {
    fn new() -> Result<Lab, String> {
        if !cfg!(target_os = "linux") {
            return Err("psql is given another libpq by the loader's LD_LIBRARY_PATH, which Linux has".to_owned());
        }
        let libraries = Binaries::find(Some(LIBPQ))?.dir.parent().unwrap().join("lib");
        if !libraries.join("libpq.so.5").exists() {
            return Err(format!("there is no libpq in {}", libraries.display()));
        }
        // Debian's `psql` on PATH is a script that chooses one.
        let debians = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let psql = debians.map(|entry| entry.path().join("bin/psql")).find(|path| path.is_file());
        let psql = psql.or_else(|| on_path("psql")).ok_or("psql is not on PATH: install PostgreSQL's client")?;
        let server = Server::start(Options { major: Some(LIBPQ), tls_names: &["localhost"], ..Options::default() })?;
        let files = scratch::directory("libpq")?;
        let home = files.join("home");
        fs::create_dir(&home).map_err(|error| error.to_string())?;
        let mut env = server.env();
        env.insert("PGCONNECT_TIMEOUT", "10".to_owned());
        Ok(Lab { server, psql, libraries, home, files, authority: Authority::new("root"), env, rows: Vec::new() })
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.files.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The server shows this certificate from now on.
    fn show(&mut self, (certificate, key): (String, String)) {
        for (parameter, name, text) in [("ssl_cert_file", "shown.pem", certificate), ("ssl_key_file", "shown.key", key)]
        {
            let path = self.server.dir.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            if let Some((uid, gid)) = server_account().unwrap() {
                chown(&path, Some(uid), Some(gid)).unwrap();
            }
            self.server.superuser(&format!("ALTER SYSTEM SET {parameter} = '{}'", path.display()));
        }
        self.server.reload();
    }

    /// What both make of the environment, with these variables set to something else; to nothing, they are left out.
    fn case(&mut self, group: &'static str, what: &str, changes: &[(&'static str, &str)], expected: Expected) {
        let mut env = self.env.clone();
        for (name, value) in changes {
            match *value {
                "" => drop(env.remove(name)),
                value => drop(env.insert(name, value.to_owned())),
            }
        }
        let command = |program: &Path| {
            let mut command = Command::new(program);
            command.env_clear().env("HOME", &self.home).env("PATH", "/usr/bin:/bin").envs(&env);
            command
        };
        // Whoever refuses says why.
        let said = |output: Output| {
            let (accepted, said) = (!output.stdout.is_empty(), String::from_utf8_lossy(&output.stderr).into_owned());
            let refused = !output.status.success() && !said.is_empty() && !said.contains("panicked");
            assert!(accepted || refused, "{group}: {what}: {} {said}", output.status);
            (accepted, said)
        };
        let mut psql = command(&self.psql);
        psql.env("LD_LIBRARY_PATH", &self.libraries).args(["-X", "-w", "-A", "-t", "-c", "SELECT 1"]);
        let libpq = said(psql.output().unwrap());
        let mut ours = command(Path::new(PROVIDER));
        let ours = said(ours.args(["audit", "--format", "json"]).output().unwrap());
        self.rows.push(Row { group, what: what.to_owned(), expected, libpq, ours });
    }

    /// What the provider said last has the remedy in it that helps.
    #[track_caller]
    fn told(&self, remedy: &str) {
        let said = &self.rows.last().unwrap().ours.1;
        assert!(said.split_whitespace().collect::<Vec<_>>().join(" ").contains(remedy), "{said}");
    }

    fn table(&self) -> String {
        let mut table = format!(
            "# The provider and libpq {LIBPQ}\n\n{} cases.\n\n| case | libpq | provider | difference |\n|---|---|---|---|\n",
            self.rows.len()
        );
        let verdict = |(accepted, said): &(bool, String)| {
            let line = said.lines().find(|line| !line.is_empty()).unwrap_or_default().replace('|', "\\|");
            if *accepted { "accepted".to_owned() } else { format!("refused: {line}") }
        };
        for row in &self.rows {
            let difference = if let Stricter(why) = row.expected { why } else { "" };
            let (libpq, ours) = (verdict(&row.libpq), verdict(&row.ours));
            writeln!(table, "| {}: {} | {libpq} | {ours} | {difference} |", row.group, row.what).unwrap();
        }
        table
    }
}

#[test]
fn what_libpq_refuses_is_refused() {
    let mut lab = match Lab::new() {
        Ok(lab) => lab,
        Err(why) => return skip("libpq::what_libpq_refuses_is_refused", &why),
    };
    modes(&mut lab);
    versions(&mut lab);
    logins(&mut lab);
    passwords(&mut lab);
    client_certificates(&mut lab);
    hosts(&mut lab);
    files(&mut lab);
    certificates(&mut lab);

    let table = lab.table();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/libpq");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("table.md"), &table).unwrap();
    let wrong = lab.rows.iter().filter(|row| {
        let expected = match row.expected {
            Accepted => (true, true),
            Refused => (false, false),
            Stricter(_) => (true, false),
        };
        (row.libpq.0, row.ours.0) != expected
    });
    let wrong: Vec<String> = wrong
        .map(|row| {
            format!(
                "{}: {}\n  libpq: {} {}\n  ours: {} {}",
                row.group, row.what, row.libpq.0, row.libpq.1, row.ours.0, row.ours.1
            )
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lab.rows.len() >= 80, "{}", lab.rows.len());
}

const FALLS_BACK: Expected = Stricter("`allow` and `prefer` fall back to clear text unasked");
const NO_FILE: Expected = Stricter("a file that is named is wanted");
const UNVERIFIED: Expected =
    Stricter("a server that is not verified gets a proof by SCRAM only, or `require_auth` says otherwise");

fn modes(lab: &mut Lab) {
    let group = "sslmode";
    let (ca, wrong) = (lab.server.ca().display().to_string(), lab.server.wrong_ca().display().to_string());
    let both = lab.file("both.pem", &(lab.authority.pem.clone() + &fs::read_to_string(&ca).unwrap()));
    let garbage = lab.file("garbage.pem", "no certificate\n");
    for (mode, root, expected) in [
        ("verify-full", ca.as_str(), Accepted),
        ("verify-full", &wrong, Refused),
        ("verify-full", "", Refused),
        ("verify-full", "system", Refused),
        ("verify-full", &both, Accepted),
        ("verify-full", &garbage, Refused),
        ("verify-full", "/nowhere/ca.pem", Refused),
        ("verify-ca", &ca, Accepted),
        ("verify-ca", &wrong, Refused),
        ("verify-ca", "", Refused),
        ("verify-ca", "system", Refused),
        ("require", "", Accepted),
        ("require", &ca, Accepted),
        ("require", &wrong, Refused),
        ("require", "system", Refused),
        ("require", "/nowhere/ca.pem", NO_FILE),
        ("prefer", "", FALLS_BACK),
        ("allow", "", FALLS_BACK),
        ("disable", "", Accepted),
        ("disable", &wrong, Accepted),
        ("verify_full", &ca, Refused),
        ("Verify-Full", &ca, Refused),
        (" require", "", Refused),
    ] {
        let file = Path::new(root).file_name().map_or("no root", |name| name.to_str().unwrap());
        lab.case(group, &format!("{mode:?} with {file}"), &[("PGSSLMODE", mode), ("PGSSLROOTCERT", root)], expected);
    }
    let address = ("PGHOSTADDR", "127.0.0.1");
    for (what, changes, expected) in [
        ("another name by its address", vec![("PGHOST", "other.example"), address], Refused),
        ("the name with its address", vec![address], Accepted),
        ("the name in capitals", vec![("PGHOST", "LOCALHOST")], Accepted),
        ("an address that the certificate has not", vec![("PGHOST", "127.0.0.1")], Refused),
        ("the same with verify-ca", vec![("PGHOST", "127.0.0.1"), ("PGSSLMODE", "verify-ca")], Accepted),
        ("an address without a name", vec![("PGHOST", ""), address], Refused),
        (
            "the same with require",
            vec![("PGHOST", ""), address, ("PGSSLMODE", "require"), ("PGSSLROOTCERT", "")],
            Accepted,
        ),
    ] {
        lab.case("name", what, &changes, expected);
    }
}

/// For what is tried until then.
const BRIEFLY: (&str, &str) = ("PGCONNECT_TIMEOUT", "2");

fn versions(lab: &mut Lab) {
    let group = "TLS";
    for (version, expected) in [
        ("TLSv1", Accepted),
        ("TLSv1.2", Accepted),
        ("TLSv1.3", Accepted),
        ("tlsv1.3", Accepted),
        ("TLSv1.4", Refused),
        ("1.3", Refused),
    ] {
        lab.case(group, &format!("at least {version:?}"), &[("PGSSLMINPROTOCOLVERSION", version)], expected);
    }
    let plain = [("PGSSLROOTCERT", "")];
    for (mode, expected) in [("verify-full", Accepted), ("disable", Refused)] {
        lab.case(
            group,
            &format!("direct with {mode}"),
            &[("PGSSLNEGOTIATION", "direct"), ("PGSSLMODE", mode)],
            expected,
        );
    }
    let require = [plain[0], ("PGSSLNEGOTIATION", "direct"), ("PGSSLMODE", "require")];
    lab.case(group, "direct with require", &require, Accepted);
    lab.case(group, "negotiated in an unknown way", &[("PGSSLNEGOTIATION", "requiredirect")], Refused);
    lab.server.superuser("ALTER SYSTEM SET ssl_max_protocol_version = 'TLSv1.2'");
    lab.server.reload();
    lab.case(group, "1.3 of a server that has 1.2", &[("PGSSLMINPROTOCOLVERSION", "TLSv1.3")], Refused);
    lab.server.superuser("ALTER SYSTEM RESET ssl_max_protocol_version");
    lab.server.superuser("ALTER SYSTEM SET ssl = off");
    lab.server.reload();
    lab.case(group, "of a server that has none", &[], Refused);
    lab.case(group, "direct of a server that has none", &[BRIEFLY, ("PGSSLNEGOTIATION", "direct")], Refused);
    lab.server.superuser("ALTER SYSTEM RESET ssl");
    lab.server.superuser("ALTER SYSTEM SET ssl = on");
    lab.server.reload();
}

fn logins(lab: &mut Lab) {
    let clear = [("PGSSLMODE", "disable"), ("PGSSLROOTCERT", "")];
    let unverified = [("PGSSLMODE", "require"), ("PGSSLROOTCERT", "")];
    let with = |more: &[(&'static str, &'static str)], base: &[(&'static str, &'static str)]| [base, more].concat();
    lab.server.hba("host all all all scram-sha-256");
    for (require, expected) in [
        ("scram-sha-256", Accepted),
        ("md5", Refused),
        ("password,none", Refused),
        ("!scram-sha-256", Refused),
        ("!md5,!password", Accepted),
        ("scram-sha-256,none", Accepted),
        ("scram-sha-256, none", Refused),
        ("md5,!none", Refused),
        ("scram-sha-256,scram-sha-256", Refused),
        ("scram-sha-256,", Refused),
        ("SCRAM-SHA-256", Refused),
        ("kerberos", Refused),
    ] {
        lab.case("scram", &format!("require_auth {require:?}"), &[("PGREQUIREAUTH", require)], expected);
    }
    for (binding, base, expected) in [
        ("require", &[][..], Accepted),
        ("require", &unverified, Accepted),
        ("require", &clear, Refused),
        ("disable", &[], Accepted),
        ("on", &[], Refused),
    ] {
        let what = format!("channel_binding {binding} with {}", base.first().map_or("verify-full", |mode| mode.1));
        lab.case("scram", &what, &with(&[("PGCHANNELBINDING", binding)], base), expected);
    }
    lab.case("scram", "in clear text", &clear, Accepted);
    lab.case("scram", "a wrong password", &[("PGPASSWORD", "wrong")], Refused);
    lab.case("scram", "no password", &[("PGPASSWORD", "")], Refused);
    lab.case("scram", "an unknown role", &[("PGUSER", "nobody")], Refused);
    lab.case("scram", "an unknown database", &[("PGDATABASE", "nowhere")], Refused);

    for (method, named) in [("password", "password"), ("trust", "none"), ("md5", "md5")] {
        lab.server.hba(&format!("host all all all {method}"));
        if method == "md5" {
            let password = &lab.server.admin_password;
            lab.server.superuser(&format!("SET password_encryption = md5; ALTER ROLE {ADMIN} PASSWORD '{password}'"));
        }
        let allowed = [("PGREQUIREAUTH", named)];
        lab.case(method, "verified", &[], Accepted);
        lab.case(method, "verified, only SCRAM allowed", &[("PGREQUIREAUTH", "scram-sha-256")], Refused);
        lab.case(
            method,
            "verified, all but this",
            &[("PGREQUIREAUTH", if named == "none" { "!none" } else { "!password,!md5" })],
            Refused,
        );
        lab.case(method, "verified, channel binding required", &[("PGCHANNELBINDING", "require")], Refused);
        lab.case(method, "not verified", &unverified, UNVERIFIED);
        lab.case(method, "in clear text", &clear, UNVERIFIED);
        lab.case(method, "not verified, allowed", &with(&allowed, &unverified), Accepted);
        lab.case(method, "in clear text, allowed", &with(&allowed, &clear), Accepted);
    }
    let password = &lab.server.admin_password;
    lab.server
        .superuser(&format!("SET password_encryption = 'scram-sha-256'; ALTER ROLE {ADMIN} PASSWORD '{password}'"));
    lab.server.hba("host all all all reject");
    lab.case("reject", "verified", &[], Refused);
    lab.server.hba("hostnossl all all all scram-sha-256");
    lab.case("pg_hba.conf", "TLS where it has a line for none", &[], Refused);
    lab.server.hba("hostssl all all all scram-sha-256");
    lab.case("pg_hba.conf", "clear text where it has a line for TLS", &clear, Refused);
}

fn passwords(lab: &mut Lab) {
    lab.server.hba("host all all all scram-sha-256");
    let long = "x".repeat(900);
    for (what, password) in [
        ("quotes", "it's a \"test\""),
        ("blanks at both ends", "  two words  "),
        ("percents and slashes", "50%2F/%%\\x"),
        ("letters beyond ASCII", "gr\u{fc}n\u{2003}\u{1f600}"),
        ("what SASLprep maps", "a\u{ad}b\u{aa}c"),
        ("900 characters", &long),
    ] {
        let literal = postgres_protocol::escape::escape_literal(password);
        lab.server.superuser(&format!("ALTER ROLE {ADMIN} PASSWORD {literal}"));
        lab.case("password of", what, &[("PGPASSWORD", password)], Accepted);
    }
    let password = &lab.server.admin_password;
    lab.server.superuser(&format!("ALTER ROLE {ADMIN} PASSWORD '{password}'"));
}

fn client_certificates(lab: &mut Lab) {
    let group = "client certificate";
    let trusted = lab.server.dir.join("clients.pem");
    fs::write(&trusted, &lab.authority.pem).unwrap();
    lab.server.superuser(&format!("ALTER SYSTEM SET ssl_ca_file = '{}'", trusted.display()));
    lab.server.hba("hostssl all all all cert");
    let (own, other) =
        (lab.authority.certify(&named(&[], Some(ADMIN))), lab.authority.certify(&named(&[], Some("other"))));
    let stranger = Authority::new("stranger").certify(&named(&[], Some(ADMIN)));
    let pair = |lab: &Lab, name: &str, (certificate, key): &(String, String)| {
        (lab.file(&format!("{name}.crt"), certificate), lab.file(&format!("{name}.key"), key))
    };
    let (own_file, own_key) = pair(lab, "own", &own);
    let (other_file, other_key) = pair(lab, "other", &other);
    let (strange_file, strange_key) = pair(lab, "strange", &stranger);
    let open_key = lab.file("open.key", &own.1);
    fs::set_permissions(&open_key, fs::Permissions::from_mode(0o644)).unwrap();
    let garbage = lab.file("garbage.key", "no key\n");
    for (what, certificate, key, expected) in [
        ("none", "", "", Refused),
        ("its own", own_file.as_str(), own_key.as_str(), Accepted),
        ("another role's", &other_file, &other_key, Refused),
        ("of an authority that the server does not trust", &strange_file, &strange_key, Refused),
        ("without its key", &own_file, "", Refused),
        ("with another key", &own_file, &other_key, Refused),
        ("with a key that others may read", &own_file, &open_key, Refused),
        ("with a key that is none", &own_file, &garbage, Refused),
        ("with a key that is not there", &own_file, "/nowhere.key", Refused),
        ("that is not there", "/nowhere.crt", &own_key, Refused),
        ("that is none", &garbage, &own_key, Refused),
    ] {
        lab.case(group, what, &[("PGSSLCERT", certificate), ("PGSSLKEY", key)], expected);
    }
    lab.file("home/.postgresql/postgresql.crt", &own.0);
    lab.file("home/.postgresql/postgresql.key", &own.1);
    lab.case(group, "at home", &[], Accepted);
    fs::remove_dir_all(lab.home.join(".postgresql")).unwrap();
    lab.server.hba("host all all all scram-sha-256");
    lab.case(group, "that is not there, where none is asked for", &[("PGSSLCERT", "/nowhere.crt")], NO_FILE);
}

fn hosts(lab: &mut Lab) {
    let group = "hosts";
    let (port, nobody) = (lab.server.port.to_string(), free_port().unwrap().to_string());
    let socket = lab.server.dir.display().to_string();
    let (two, one_each, three) =
        ("localhost,localhost", format!("{nobody},{port}"), format!("{nobody},{nobody},{port}"));
    for (what, changes, expected) in [
        ("the second answers", vec![("PGHOST", two), ("PGPORT", one_each.as_str())], Accepted),
        ("none answers", vec![("PGHOST", two), ("PGPORT", &nobody), BRIEFLY], Refused),
        ("more ports than hosts", vec![("PGHOST", two), ("PGPORT", &three)], Refused),
        ("more addresses than hosts", vec![("PGHOSTADDR", "127.0.0.1,127.0.0.1")], Refused),
        ("an address that is a name", vec![("PGHOSTADDR", "localhost")], Refused),
        ("a name that nobody knows", vec![("PGHOST", "nobody.invalid"), BRIEFLY], Refused),
        ("the first is not known", vec![("PGHOST", "nobody.invalid,localhost"), ("PGPORT", &port)], Accepted),
        ("in random order", vec![("PGHOST", two), ("PGPORT", &one_each), ("PGLOADBALANCEHOSTS", "random")], Accepted),
        ("in an unknown order", vec![("PGLOADBALANCEHOSTS", "yes")], Refused),
        ("port 0", vec![("PGPORT", "0")], Refused),
        ("port 65536", vec![("PGPORT", "65536")], Refused),
        ("a port in letters", vec![("PGPORT", "postgres")], Refused),
        ("a unix socket", vec![("PGHOST", &socket), ("PGSSLMODE", "")], Accepted),
        ("a directory without a socket", vec![("PGHOST", "/nowhere"), BRIEFLY], Refused),
        ("a time-out in letters", vec![("PGCONNECT_TIMEOUT", "soon")], Refused),
        ("a time-out of five seconds", vec![("PGCONNECT_TIMEOUT", "5")], Accepted),
    ] {
        lab.case(group, what, &changes, expected);
    }
    for (wanted, expected) in [
        ("any", Accepted),
        ("read-write", Accepted),
        ("primary", Accepted),
        ("prefer-standby", Accepted),
        ("read-only", Refused),
        ("standby", Refused),
        ("master", Refused),
    ] {
        lab.case("target_session_attrs", wanted, &[("PGTARGETSESSIONATTRS", wanted), BRIEFLY], expected);
    }
}

fn files(lab: &mut Lab) {
    let (port, password) = (lab.server.port, lab.server.admin_password.clone());
    let without = ("PGPASSWORD", "");
    for (what, text, expected) in [
        ("all that there is", format!("localhost:{port}:postgres:{ADMIN}:{password}\n"), Accepted),
        ("wildcards", format!("*:*:*:*:{password}\n"), Accepted),
        ("a comment and the second line", format!("# passwords\nother:*:*:*:no\n*:*:*:*:{password}\n"), Accepted),
        ("the first that fits", format!("*:*:*:*:wrong\nlocalhost:*:*:*:{password}\n"), Refused),
        ("another host", format!("other:*:*:*:{password}\n"), Refused),
        ("another database", format!("*:*:tenants:*:{password}\n"), Refused),
        ("nothing", String::new(), Refused),
    ] {
        let file = lab.file("passfile", &text);
        lab.case("password file", what, &[without, ("PGPASSFILE", &file)], expected);
    }
    let right = format!("*:*:*:*:{password}\n");
    let wrong = lab.file("wrong", "*:*:*:*:wrong\n");
    lab.case("password file", "behind PGPASSWORD", &[("PGPASSFILE", &wrong)], Accepted);
    lab.case("password file", "that is not there", &[without, ("PGPASSFILE", "/nowhere")], Refused);
    let open = lab.file("open", &right);
    fs::set_permissions(&open, fs::Permissions::from_mode(0o640)).unwrap();
    lab.case("password file", "that others may read", &[without, ("PGPASSFILE", &open)], Refused);
    lab.file("home/.pgpass", &right);
    lab.case("password file", "at home", &[without], Accepted);
    fs::remove_file(lab.home.join(".pgpass")).unwrap();

    let service = |more: &str| {
        format!("[lab]\nhost=localhost\nport={port}\nuser={ADMIN}\npassword={password}\ndbname=postgres\n{more}")
    };
    let none: Vec<(&'static str, &str)> =
        ["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"].map(|name| (name, "")).into();
    let services = lab.file("services", &service(""));
    let by = |name: &'static str, file: &str, env: &[(&'static str, &str)]| {
        let mut changes: Vec<(&'static str, String)> =
            env.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        changes.extend([("PGSERVICE", name.to_owned()), ("PGSERVICEFILE", file.to_owned())]);
        changes
    };
    let strange = lab.file("strange", &service("no_such_word=1\n"));
    let broken = lab.file("broken", "[lab]\nhost localhost\n");
    let nested = lab.file("nested", &service("service=other\n"));
    for (what, changes, expected) in [
        ("all that there is", by("lab", &services, &none), Accepted),
        ("before the environment", by("lab", &services, &[("PGPORT", "1"), ("PGUSER", "nobody")]), Accepted),
        ("that is not in the file", by("labs", &services, &none), Refused),
        ("in a file that is not there", by("lab", "/nowhere", &none), Refused),
        ("with an unknown word", by("lab", &strange, &none), Refused),
        ("without an equals sign", by("lab", &broken, &none), Refused),
        ("that leads to another", by("lab", &nested, &none), Refused),
    ] {
        let changes: Vec<(&'static str, &str)> = changes.iter().map(|(name, value)| (*name, value.as_str())).collect();
        lab.case("service", what, &changes, expected);
    }
    lab.file("home/.pg_service.conf", &service(""));
    lab.case("service", "at home", &[none, vec![("PGSERVICE", "lab")]].concat(), Accepted);
    fs::remove_file(lab.home.join(".pg_service.conf")).unwrap();

    let ca = fs::read_to_string(lab.server.ca()).unwrap();
    lab.file("home/.postgresql/root.crt", &ca);
    lab.case("sslrootcert", "at home", &[("PGSSLROOTCERT", "")], Accepted);
    lab.file("home/.postgresql/root.crt", &fs::read_to_string(lab.server.wrong_ca()).unwrap());
    lab.case("sslrootcert", "another's at home", &[("PGSSLROOTCERT", "")], Refused);
    lab.case(
        "sslrootcert",
        "another's at home, with require",
        &[("PGSSLROOTCERT", ""), ("PGSSLMODE", "require")],
        Refused,
    );
    fs::remove_dir_all(lab.home.join(".postgresql")).unwrap();
}

/// Kinds of certificates that a server shows.
fn certificates(lab: &mut Lab) {
    const NO_SAN: Expected = Stricter("a name counts where RFC 6125 has it: as a subjectAltName");
    const OWN_ROOT: Expected = Stricter("an authority's certificate is none for a server (RFC 5280)");
    let group = "certificate";
    let root = lab.file("root.pem", &lab.authority.pem);
    let other_name = [("PGHOST", "db.example.test"), ("PGHOSTADDR", "127.0.0.1"), ("PGSSLROOTCERT", root.as_str())];
    let here = [("PGSSLROOTCERT", root.as_str())];
    let issue = |lab: &mut Lab, params: &CertificateParams| {
        let shown = lab.authority.certify(params);
        lab.show(shown);
    };
    issue(lab, &named(&["localhost"], None));
    lab.case(group, "with the name", &here, Accepted);
    issue(lab, &named(&[], Some("localhost")));
    lab.case(group, "with a common name only", &here, NO_SAN);
    lab.told("has a common name only must be issued again");
    issue(lab, &named(&["other.example"], Some("localhost")));
    lab.case(group, "with a common name and another name", &here, Refused);
    issue(lab, &named(&["*.example.test"], None));
    lab.case(group, "with a wildcard", &other_name, Accepted);
    lab.case(
        group,
        "with a wildcard for two labels",
        &[other_name[1], here[0], ("PGHOST", "a.db.example.test")],
        Refused,
    );
    lab.case(group, "with a wildcard for none", &[other_name[1], here[0], ("PGHOST", "example.test")], Refused);
    issue(lab, &named(&["127.0.0.1"], None));
    lab.case(group, "with the address", &[("PGHOST", "127.0.0.1"), here[0]], Accepted);
    lab.case(group, "with the address alone, for a name", &here, Refused);
    let mut expired = named(&["localhost"], None);
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    issue(lab, &expired);
    lab.case(group, "that has expired", &here, Refused);
    lab.told("this machine's clock");
    lab.case(group, "that has expired, with require", &[("PGSSLMODE", "require"), ("PGSSLROOTCERT", "")], Accepted);
    let mut early = named(&["localhost"], None);
    (early.not_before, early.not_after) = (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1));
    issue(lab, &early);
    lab.case(group, "that is not valid yet", &here, Refused);
    let mut of_clients = named(&["localhost"], None);
    of_clients.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    issue(lab, &of_clients);
    lab.case(group, "for clients", &here, Refused);

    let middle = lab.authority.intermediate("middle");
    let (leaf, key) = middle.certify(&named(&["localhost"], None));
    lab.show((leaf.clone() + &middle.pem, key.clone()));
    lab.case(group, "with its chain", &here, Accepted);
    let middle_file = lab.file("middle.pem", &middle.pem);
    lab.case(group, "with its chain, of which the middle is trusted", &[("PGSSLROOTCERT", &middle_file)], Refused);
    lab.show((leaf, key));
    lab.case(group, "without its chain", &here, Refused);
    lab.told("Intermediates belong in the server's `ssl_cert_file`");
    let both = lab.file("middle-and-root.pem", &(middle.pem.clone() + &lab.authority.pem));
    lab.case(group, "whose chain is among the roots", &[("PGSSLROOTCERT", &both)], Accepted);

    // An authority whose time is over, or has not come.
    for (what, from, to) in [("has expired", 2020, 2021), ("is not valid yet", 2090, 2091)] {
        let (key, mut params) = (KeyPair::generate().unwrap(), Authority::params("of another time"));
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let certificate = pem("CERTIFICATE", params.self_signed(&key).unwrap().der());
        let authority = Authority { pem: certificate, issuer: Issuer::new(params, key) };
        lab.show(authority.certify(&named(&["localhost"], None)));
        let file = lab.file("of-another-time.pem", &authority.pem);
        lab.case(group, &format!("whose authority {what}"), &[("PGSSLROOTCERT", &file)], Refused);
        let file = lab.file("of-both-times.pem", &(authority.pem + &lab.authority.pem));
        lab.case(group, &format!("whose authority {what}, beside another"), &[("PGSSLROOTCERT", &file)], Refused);
    }

    let itself = |is_ca: bool| {
        let (key, mut params) = (KeyPair::generate().unwrap(), named(&["localhost"], Some("itself")));
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let certificate = pem("CERTIFICATE", params.self_signed(&key).unwrap().der());
        (certificate, pem("PRIVATE KEY", &key.serialize_der()))
    };
    for (what, is_ca, expected) in
        [("that signed itself", false, Accepted), ("that signed itself as an authority", true, OWN_ROOT)]
    {
        let shown = itself(is_ca);
        let own = lab.file("itself.pem", &shown.0);
        lab.show(shown);
        lab.case(group, what, &[("PGSSLROOTCERT", &own)], expected);
        if is_ca {
            lab.told("the certificate of an authority (CA:TRUE)");
        }
        lab.case(group, &format!("{what}, and is not trusted"), &here, Refused);
    }
}
