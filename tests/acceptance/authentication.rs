//! Tenants that log in without a password: by a token of IAM, or by a certificate. A token is stood in for by what the server sees of
//! it, which is something in clear text within TLS.

use crate::audit;
use crate::fixture::{outcome, tenant, value, workspace};
use crate::majors::is_there;
use crate::support::postgres::{ADMIN, Options, Server};

const THIS: &str = "pgtenant_tenant.this";
const PASSWORD: &str = "password_wo = \"from-the-vault-4711\"\n  password_wo_version = 1";
const TOKENS: &str = "authentication = \"rds_iam\"";

/// A server with TLS and the group that RDS makes.
fn server(major: u32) -> Server {
    let options = Options { major: Some(major), tls_names: &["localhost"], ..Options::default() };
    let server = Server::start(options).unwrap();
    server.superuser("CREATE ROLE rds_iam");
    server
}

fn has_password(server: &Server, role: &str) -> bool {
    value(server, "postgres", &format!("SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = '{role}'")) == "t"
}

fn is_member(server: &Server, role: &str) -> bool {
    value(server, "postgres", &format!("SELECT pg_has_role('{role}', 'rds_iam', 'MEMBER')")) == "t"
}

/// The controls of tenants that the audit finds not to hold.
fn failing(server: &Server) -> Vec<String> {
    audit::failing(server, &[]).into_iter().filter(|id| id.starts_with("tenant.")).collect()
}

fn logs_in(server: &Server, role: &str) -> bool {
    server.session_with_password(role, role, "from-the-vault-4711").is_ok()
}

#[test]
fn a_token_takes_the_place_of_a_password() {
    if !is_there("authentication::a_token_takes_the_place_of_a_password", 15) {
        return;
    }
    let server = server(15);
    let workspace = workspace(&server);
    workspace.write("main.tf", &tenant("tokened", PASSWORD));
    workspace.apply();
    assert!(logs_in(&server, "tokened"));

    workspace.write("main.tf", &tenant("tokened", TOKENS));
    let said = workspace.apply().stdout;
    assert!(said.contains("The password of tenant \"tokened\" is taken away"), "{said}");
    workspace.assert_empty_plan();
    assert!(is_member(&server, "tokened") && !has_password(&server, "tokened"));
    // The group alone does not make a server ask for a token.
    assert_eq!(failing(&server), ["tenant.authentication"]);
    server.hba_first("hostssl all +rds_iam 127.0.0.1/32 password");
    assert_eq!(failing(&server), [""; 0]);
    workspace.import_fresh(&[(THIS, "tokened")], &[], &["deletion_protection"]);

    server.superuser("REVOKE rds_iam FROM tokened");
    let plan = workspace.plan();
    assert_eq!(plan.before(THIS)["isolation"]["memberships"], "found: tokened is not a member of rds_iam");
    workspace.apply();
    assert!(is_member(&server, "tokened"));
    // What the admin was given, it keeps: it could not take it back.
    assert_eq!(outcome(&server, "postgres", ADMIN, "SELECT 1"), "1");

    workspace.write("main.tf", &tenant("tokened", &PASSWORD.replace("= 1", "= 2")));
    workspace.apply();
    workspace.assert_empty_plan();
    assert!(!is_member(&server, "tokened") && logs_in(&server, "tokened"));
    assert_eq!(failing(&server), [""; 0]);
}

/// Whatever stands in the configuration, nothing changes until it fits.
#[test]
fn what_cannot_be_is_refused_while_planning() {
    if !is_there("authentication::what_cannot_be_is_refused_while_planning", 17) {
        return;
    }
    let server = server(17);
    let workspace = workspace(&server);
    let refused = |more: &str, summary: &str, attribute: &str| {
        workspace.write("main.tf", &tenant("refused", more));
        let errors = workspace.run(&["plan", "-json"]).diagnostics();
        let errors: Vec<_> = errors.iter().filter(|one| one["severity"] == "error").collect();
        let [error] = &errors[..] else { panic!("one error of {more}: {errors:#?}") };
        assert_eq!(error["summary"], summary);
        assert!(error["snippet"]["code"].as_str().unwrap().contains(attribute), "{error:#}");
    };
    refused("authentication = \"md5\"", "`authentication` cannot be \"md5\"", "authentication");
    refused(&format!("{TOKENS}\n  {PASSWORD}"), "A password for a role that uses none", "password_wo");
    refused("member_of = [\"rds_iam\"]", "\"rds_iam\" is what `authentication` is for", "member_of");
    let summary = "`authentication = \"rds_iam\"` would lock the admin out";
    refused(TOKENS, summary, "authentication");

    // Of a tenant that is there as well; and it is true.
    workspace.write("main.tf", &tenant("refused", ""));
    workspace.apply();
    refused(TOKENS, summary, "authentication");
    server.hba_first("hostssl all +rds_iam 127.0.0.1/32 reject");
    server.superuser("GRANT rds_iam TO refused");
    let message = workspace.plan_error();
    assert!(message.contains("The PostgreSQL server refused the login") && message.contains("28000"), "{message}");
    server.superuser("REVOKE rds_iam FROM refused");

    // Not of an admin that uses tokens itself.
    server.hba_first(&format!("hostssl all {ADMIN} 127.0.0.1/32 scram-sha-256"));
    server.superuser(&format!("GRANT rds_iam TO {ADMIN} WITH ADMIN OPTION"));
    workspace.apply();
    workspace.assert_empty_plan();
    assert!(is_member(&server, "refused"));

    // Nor is it given again behind the back of one that went back to its password.
    server.superuser(&format!("REVOKE rds_iam FROM {ADMIN} CASCADE"));
    assert!(!is_member(&server, "refused"));
    refused(TOKENS, summary, "authentication");
}

#[test]
fn whoever_shows_no_certificate_is_refused() {
    if !is_there("authentication::whoever_shows_no_certificate_is_refused", 17) {
        return;
    }
    let server = server(17);
    let workspace = workspace(&server);
    workspace.write("main.tf", &tenant("certified", PASSWORD));
    workspace.apply();
    workspace.write("main.tf", &tenant("certified", "authentication = \"certificate\""));
    workspace.apply();
    workspace.assert_empty_plan();
    assert!(!has_password(&server, "certified"));
    assert_eq!(failing(&server), ["tenant.authentication"]);
    let own = server.ca();
    server.superuser(&format!("ALTER SYSTEM SET ssl_ca_file = '{}'", own.display()));
    server.hba_first("hostssl all certified all cert\nhostnossl all certified all reject");
    assert_eq!(failing(&server), [""; 0]);
    // A password that it gives itself is of no use, and told where the server would ask for it.
    server.sql("certified", "certified", "ALTER ROLE certified PASSWORD 'from-the-vault-4711'").unwrap();
    assert!(!logs_in(&server, "certified"));
    server.hba_first("hostssl all certified all scram-sha-256");
    assert_eq!(failing(&server), ["tenant.authentication", "tenant.password"]);
    let plan = workspace.plan();
    let told = plan.before(THIS)["isolation"]["password"].as_str().unwrap().to_owned();
    assert!(told.contains("the password of certified was changed by somebody else"), "{told}");
}
