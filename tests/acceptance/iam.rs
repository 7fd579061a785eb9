//! The admin logs in by IAM: each login with a token of its own, which a stand-in for RDS judges.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::fixture::PROVIDER;
use crate::support::iam::{Expected, KEY_ID, REGION, SECRET, TokenJudge};
use crate::support::postgres::{ADMIN, Options, Server};
use crate::support::skip;
use crate::support::terraform::Workspace;

const TENANTS: usize = 30;
/// What the stand-in takes for too old; RDS waits a quarter of an hour.
const LIFETIME: Duration = Duration::from_secs(5);
/// How long it thinks about each, so that a run takes longer than that however fast the machine is: four logins at a time.
const THINKS: Duration = Duration::from_millis(500);

/// A server that has the admin's tokens judged, and the judge; nothing where PostgreSQL cannot ask one.
fn judged(name: &str, session: Option<[&'static str; 3]>) -> Option<(Server, TokenJudge)> {
    let server = Server::start(Options { tls_names: &["localhost"], ..Options::default() }).unwrap();
    let here = format!("{}:{}", server.host, server.port);
    let judge =
        TokenJudge::start(Expected { server: here, role: ADMIN, session, lifetime: LIFETIME, thinks: THINKS }).unwrap();
    server.hba_first(&format!(
        "hostssl all {ADMIN} all ldap ldapserver=127.0.0.1 ldapport={} ldapprefix=\"cn=\"",
        judge.port
    ));
    let wrong = server.superuser("SELECT error FROM pg_hba_file_rules WHERE error IS NOT NULL");
    if let Some(row) = wrong.first() {
        skip(name, &format!("PostgreSQL was built without LDAP: {row:?}"));
        return None;
    }
    Some((server, judge))
}

/// A workspace whose environment has no password, and of AWS nothing but what is said.
fn workspace(server: &Server, aws: &[(&str, &str)]) -> Workspace {
    let mut env = server.env();
    env.remove("PGPASSWORD");
    let mut workspace = Workspace::new(PROVIDER);
    workspace.envs(env).env("AWS_EC2_METADATA_DISABLED", "true");
    for (name, value) in aws {
        workspace.env(name, value);
    }
    workspace
}

fn config(auth: &str, tenants: usize) -> String {
    format!(
        "provider \"pgtenant\" {{\n  max_connections = 4\n  aws_iam_auth {{\n    {auth}\n  }}\n}}\n
        resource \"pgtenant_tenant\" \"this\" {{
          for_each            = toset([for number in range({tenants}) : \"iam${{number}}\"])
          name                = each.key
          deletion_protection = false
        }}\n"
    )
}

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET)];

#[test]
fn a_run_that_outlives_its_tokens_goes_on() {
    let Some((server, judge)) = judged("iam::a_run_that_outlives_its_tokens_goes_on", None) else { return };
    let mut workspace = workspace(&server, &KEYS);
    let trace = workspace.dir.join("trace.log");
    workspace.env("TF_LOG", "trace").env("TF_LOG_PATH", &trace.display().to_string());
    workspace.write("main.tf", &config(&format!("region = {REGION:?}"), TENANTS));
    let started = Instant::now();
    workspace.apply();
    assert!(started.elapsed() > LIFETIME, "{:?}", started.elapsed());
    workspace.assert_empty_plan();
    assert_eq!(judge.refused(), [""; 0]);
    assert!(judge.good() > 3, "{}", judge.good());
    let trace = fs::read_to_string(&trace).unwrap();
    for secret in ["X-Amz-Signature", SECRET] {
        assert!(!trace.contains(secret) && !workspace.state_file().contains(secret), "{secret}");
    }
    workspace.destroy();
}

#[test]
fn what_is_wrong_with_a_token_is_told() {
    let Some((server, judge)) = judged("iam::what_is_wrong_with_a_token_is_told", None) else { return };
    let refused = |auth: &str, aws: &[(&str, &str)], words: &[&str]| {
        let workspace = workspace(&server, aws);
        workspace.write("main.tf", &config(auth, 1));
        let message = workspace.plan_error();
        for word in words {
            assert!(message.contains(word), "{word}: {message}");
        }
        assert!(!message.contains(SECRET) && !message.contains("X-Amz"), "{message}");
    };
    let other = [KEYS[0], ("AWS_SECRET_ACCESS_KEY", "another")];
    let region = format!("region = {REGION:?}");
    refused(&region, &other, &["The PostgreSQL server refused the token of IAM", "28000", "rds_iam", "clock"]);
    assert_eq!(judge.refused(), ["its signature is another"]);
    refused("", &KEYS, &["No token of IAM for the login", "no region is set"]);
    refused(&region, &[], &["No token of IAM for the login", "get-caller-identity"]);
    refused(&format!("{region}\n    profile = \"nosuch\""), &[], &["No token of IAM for the login"]);
    refused(&format!("{region}\n    role_arn = \"admin\""), &KEYS, &["`role_arn` is not usable", ":role/"]);
    refused(&region, &[KEYS[0], KEYS[1], ("PGSSLMODE", "require")], &["`aws_iam_auth` is not usable", "verify-full"]);
    assert_eq!(judge.good(), 0);
}

/// As AWS's tools find them: a profile in the shared files, with a role that is assumed by STS.
#[test]
fn credentials_come_from_a_profile_and_a_role() {
    const SESSION: [&str; 3] = ["ASIAEXAMPLE", "temporary", "session-4711"];
    let Some((server, judge)) = judged("iam::credentials_come_from_a_profile_and_a_role", Some(SESSION)) else {
        return;
    };
    let (port, assumed) = sts(SESSION);
    let files = crate::support::scratch::directory("aws").unwrap();
    let (credentials, settings) = (files.join("credentials"), files.join("config"));
    fs::write(&credentials, format!("[ops]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"))
        .unwrap();
    fs::write(&settings, format!("[profile ops]\nregion = {REGION}\n")).unwrap();
    let endpoint = format!("http://127.0.0.1:{port}");
    let aws = [
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap()),
        ("AWS_CONFIG_FILE", settings.to_str().unwrap()),
        ("AWS_ENDPOINT_URL_STS", &endpoint),
    ];
    let mut workspace = workspace(&server, &aws);
    let trace = workspace.dir.join("trace.log");
    workspace.env("TF_LOG", "trace").env("TF_LOG_PATH", &trace.display().to_string());
    let role = "profile  = \"ops\"\n    role_arn = \"arn:aws:iam::123456789012:role/tenants\"";
    workspace.write("main.tf", &config(role, 3));
    workspace.apply();
    workspace.assert_empty_plan();
    assert_eq!(judge.refused(), [""; 0]);
    assert!(judge.good() > 0);
    // Once for each process: what was assumed is kept until it ends.
    let processes = assumed.load(Ordering::SeqCst);
    assert!((1..=4).contains(&processes), "{processes}");
    let trace = fs::read_to_string(&trace).unwrap();
    for secret in SESSION.into_iter().skip(1).chain([SECRET]) {
        assert!(!trace.contains(secret), "{secret}");
    }
    workspace.destroy();
}

/// A stand-in for STS, which lets everybody be the role. Gives its port, and counts how often it was asked.
fn sts([key_id, secret, session]: [&'static str; 3]) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut reader = BufReader::new(client.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            let is_ours = body.contains("Action=AssumeRole&") && body.contains("%3Arole%2Ftenants");
            assert!(is_ours, "{body}");
            count.fetch_add(1, Ordering::SeqCst);
            let answer = format!(
                "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
                 <AccessKeyId>{key_id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
                 <SessionToken>{session}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
                 </AssumeRoleResult></AssumeRoleResponse>"
            );
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                answer.len()
            );
            client.write_all((head + &answer).as_bytes()).unwrap();
        }
    });
    (port, asked)
}
