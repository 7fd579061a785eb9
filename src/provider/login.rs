//! How a role of a configuration logs in, and what it is a member of: what is wrong with that, told without a server.

use crate::postgres::{ExtensionName, RoleName, Secret, Verifier};
use crate::tenant::method::{Method, RDS_IAM};
use crate::tf_provider::{Diagnostic, Diagnostics, Field, Item, Path, Set};

use super::names;

/// What a configuration says of it.
pub(super) struct Login<'a> {
    pub password: &'a Field<Secret>,
    pub version: &'a Field<i64>,
    pub method: Option<Method>,
    pub role: &'a Field<String>,
    pub member_of: &'a Field<Set<Item<String>>>,
}

impl Login<'_> {
    pub(super) fn validate(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        diagnostics.0.extend(self.text());
        for name in self.member_of.known_elements() {
            if let Err(diagnostic) = names::parse::<ExtensionName>(Path::attribute("member_of"), name) {
                diagnostics.push(diagnostic);
            }
        }
        diagnostics.extend(self.groups());
        if self.method.is_some_and(|method| !method.is_password())
            && (self.password.as_known().is_some() || self.version.as_known().is_some())
        {
            let attribute = if self.password.as_known().is_some() { "password_wo" } else { "password_wo_version" };
            let detail = "Who logs in with a token or a certificate has no password. Leave `password_wo` and \
                          `password_wo_version` out, or set `authentication = \"password\"`.";
            diagnostics.push(Diagnostic::error("A password for a role that uses none", detail).at_attribute(attribute));
        }
        if self.password.as_known().is_some() && self.version.is_null() {
            let detail = "A write-only value is in no state and cannot be compared: the version says when it is set. Set both, \
                          or neither.";
            let diagnostic = Diagnostic::error("`password_wo` without `password_wo_version`", detail);
            diagnostics.push(diagnostic.at_attribute("password_wo_version"));
        }
        diagnostics
    }

    fn text(&self) -> Option<Diagnostic> {
        let password = self.password.as_known()?;
        let (summary, detail) = if password.expose().is_empty() {
            ("The password is empty", "Give it one, or leave `password_wo` out.".to_owned())
        } else if let Err(error) = Verifier::check_password_or_verifier(password) {
            let detail =
                format!("It begins like one, but {error}. PostgreSQL would take it for a clear-text password.");
            ("Not a SCRAM verifier", detail)
        } else {
            return None;
        };
        Some(Diagnostic::error(summary, detail).at_attribute("password_wo"))
    }

    fn groups(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        if let Field::Known(role) = self.role
            && self.member_of.known_elements().any(|group| group == role)
        {
            let detail = "A role cannot be a member of itself. Take it off the list.";
            diagnostics
                .push(Diagnostic::error(format!("Role {role:?} is the one itself"), detail).at_attribute("member_of"));
        }
        if self.member_of.known_elements().any(|group| group == RDS_IAM) {
            let detail = "Who is a member of it is asked for a token of IAM and for no password: set `authentication = \
                          \"rds_iam\"`, and take it off the list.";
            let summary = "\"rds_iam\" is what `authentication` is for";
            diagnostics.push(Diagnostic::error(summary, detail).at_attribute("member_of"));
        }
        diagnostics
    }
}

/// That a role reaches other tenants by a group.
pub(super) fn reaches_beyond(role: &RoleName) -> Diagnostic {
    Diagnostic::warning(
        format!("Role {:?} reaches beyond the tenant", role.as_str()),
        "What PostgreSQL's predefined roles may do, they may do to all tenants: read their statements, end their sessions, read \
         their data. Give it to a tenant only if that is meant.",
    )
    .at_attribute("member_of")
}

/// A text that is one of few.
pub(super) fn one_of(attribute: &str, field: &Field<String>, choices: &[&str], diagnostics: &mut Diagnostics) {
    if let Field::Known(text) = field
        && !choices.contains(&text.as_str())
    {
        let choices = choices.iter().map(|choice| format!("{choice:?}")).collect::<Vec<_>>().join(", ");
        diagnostics.push(
            Diagnostic::error(format!("`{attribute}` cannot be {text:?}"), format!("It is one of {choices}."))
                .at_attribute(attribute),
        );
    }
}
