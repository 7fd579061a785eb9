//! How a role of a configuration logs in, and what it is a member of: what is wrong with that, told without a server.

use crate::postgres::{Expiry, Proof, RoleName, Secret, Verifier};
use crate::tenant::Password;
use crate::tenant::method::{Method, RDS_IAM};
use crate::tf_provider::{Diagnostic, Diagnostics, Field, Item, Path, Set};

use super::diagnose::sentence;
use super::names;

/// What a configuration says of it.
pub(super) struct Login<'a> {
    pub password: &'a Field<Secret>,
    pub version: &'a Field<i64>,
    pub valid_until: &'a Field<String>,
    pub method: Option<Method>,
    pub role: &'a Field<String>,
    pub member_of: &'a Field<Set<Item<String>>>,
}

impl Login<'_> {
    pub(super) fn validate(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        diagnostics.0.extend(self.text());
        for name in self.member_of.known_elements() {
            if let Err(diagnostic) = names::parse::<RoleName>(Path::attribute("member_of"), name) {
                diagnostics.push(diagnostic);
            }
        }
        diagnostics.extend(self.groups());
        diagnostics.0.extend(self.expiry());
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

    fn expiry(&self) -> Option<Diagnostic> {
        let until = self.valid_until.as_known()?;
        let (summary, detail) = match (until.parse::<Expiry>(), self.method) {
            (Err(error), _) => ("Not a time".to_owned(), sentence(&error.to_string())),
            (Ok(_), Some(method)) if !method.is_password() => (
                "`valid_until` for a role that uses no password".to_owned(),
                format!(
                    "PostgreSQL looks at it when it is given a password, and at no other time: with `authentication = {:?}` the role \
                     would get in all the same. Leave `valid_until` out.",
                    method.name()
                ),
            ),
            _ => return None,
        };
        Some(Diagnostic::error(summary, detail).at_attribute("valid_until"))
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
            let detail = "The server asks members of it for a token of IAM, and not for a password: set `authentication = \
                          \"rds_iam\"`, and take it off the list.";
            let summary = "\"rds_iam\" is what `authentication` is for";
            diagnostics.push(Diagnostic::error(summary, detail).at_attribute("member_of"));
        }
        diagnostics
    }
}

/// What becomes of a password in an apply.
pub(super) struct Decided {
    pub password: Password,
    /// Of the one at hand, whether it is to be set or not.
    pub verifier: Option<Verifier>,
    /// The one that is being set. Of a text that is a verifier already it is not known.
    pub proof: Option<Proof>,
}

/// Decides by the versions before, if the role was there, and after.
pub(super) fn decide(
    secret: Option<&Secret>,
    method: Method,
    before: Option<Option<i64>>,
    after: Option<i64>,
) -> Result<Decided, Diagnostic> {
    let verifier = secret
        .map(Verifier::from_password_or_verifier)
        .transpose()
        .map_err(|error| Diagnostic::error("Not a SCRAM verifier", error.to_string()).at_attribute("password_wo"))?;
    let password = match &verifier {
        _ if !method.is_password() => Password::Take,
        _ if before == Some(after) => Password::Keep,
        Some(verifier) => Password::Set(verifier.clone()),
        None if before.flatten().is_some() => Password::Take,
        None => Password::Keep,
    };
    let proof = match (&password, secret) {
        (Password::Set(verifier), Some(secret)) if verifier.expose() != secret.expose() => {
            Some(Proof { password: secret.clone(), challenge: verifier.challenge() })
        }
        _ => None,
    };
    Ok(Decided { password, verifier: verifier.filter(|_| method.is_password()), proof })
}

/// When a password is to expire: `None` for never, and for what `validate` refuses.
pub(super) fn expiry(valid_until: &Field<String>) -> Option<Expiry> {
    valid_until.as_known()?.parse().ok()
}

/// What `valid_until` is planned to be. A time that is the same as before keeps its spelling; where the configuration says none, a
/// role that was imported keeps what it had.
pub(super) fn planned_expiry(
    config: &Field<String>,
    prior: Option<&Field<String>>,
    imported: Option<Expiry>,
) -> Field<String> {
    let wanted = match config {
        Field::Null => imported.map(String::from).into(),
        config => config.clone(),
    };
    let is_same = |prior: &&Field<String>| expiry(prior).is_some() && expiry(prior) == expiry(&wanted);
    prior.filter(is_same).cloned().unwrap_or(wanted)
}

/// What `valid_until` is found to be: spelled as before, if that means the same.
pub(super) fn respelled(before: &Field<String>, found: Option<&str>) -> Field<String> {
    let is_same = |found: &str| expiry(before).is_some_and(|before| before.to_string() == found);
    if found.is_some_and(is_same) { before.clone() } else { found.map(str::to_owned).into() }
}

/// That a password is no good any more, however right it is.
pub(super) fn expired(role: &Field<String>, valid_until: &Field<String>) -> Option<Diagnostic> {
    let until = expiry(valid_until).filter(|until| until.has_passed())?;
    let role = role.as_known().map(String::as_str).unwrap_or_default();
    let detail = format!(
        "`valid_until` was at {until}. The server refuses the password of the role, as if it were wrong; sessions that are open go \
         on. To let the role log in again, set a later time, or leave `valid_until` out for none. A new password alone does not help."
    );
    let diagnostic = Diagnostic::warning(format!("The password of role {role:?} has expired"), detail);
    Some(diagnostic.at_attribute("valid_until"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_written_when_its_version_says_so() {
        let secret = Secret::new("hunter2");
        let of = |secret: Option<&Secret>, method, before, after| {
            let Decided { password, verifier, proof } = decide(secret, method, before, after).unwrap();
            let said = match password {
                Password::Keep => "keep",
                Password::Set(_) => "set",
                Password::Take => "take",
            };
            (said, verifier.is_some(), proof.is_some())
        };
        let by = Method::Password;
        assert_eq!(of(Some(&secret), by, None, Some(1)), ("set", true, true));
        assert_eq!(of(Some(&secret), by, Some(Some(1)), Some(1)), ("keep", true, false));
        assert_eq!(of(Some(&secret), by, Some(Some(1)), Some(2)), ("set", true, true));
        assert_eq!(of(Some(&secret), by, Some(None), Some(1)), ("set", true, true));
        assert_eq!(of(None, by, Some(Some(1)), None), ("take", false, false));
        assert_eq!(of(None, by, None, None), ("keep", false, false));
        // Whoever logs in otherwise has none.
        assert_eq!(of(Some(&secret), Method::RdsIam, Some(Some(1)), Some(2)), ("take", false, false));
        let made = Secret::new(Verifier::salted(&secret, "acme", "salt").expose());
        assert_eq!(of(Some(&made), by, None, Some(1)), ("set", true, false), "nobody knows what it is of");
    }

    #[test]
    fn an_expiry_keeps_its_spelling_where_it_means_the_same() {
        let text = |text: &str| Field::Known(text.to_owned());
        let (utc, berlin, later) = ("2027-01-31T00:00:00Z", "2027-01-31T01:00:00+01:00", "2028-01-31T00:00:00Z");
        let plan = |config: Field<String>, prior: Option<&str>, imported: Option<&str>| {
            let prior = prior.map(text);
            planned_expiry(&config, prior.as_ref(), imported.map(|text| text.parse().unwrap()))
        };
        assert_eq!(plan(text(berlin), None, None), text(berlin));
        assert_eq!(plan(text(berlin), Some(utc), None), text(utc));
        assert_eq!(plan(text(later), Some(utc), Some(utc)), text(later));
        assert_eq!(plan(Field::Unknown, Some(utc), None), Field::Unknown);
        // Of what was imported it stays; taken out of the configuration, it goes.
        assert_eq!(plan(Field::Null, Some(later), Some(utc)), text(utc));
        assert_eq!(plan(Field::Null, Some(berlin), Some(utc)), text(berlin));
        assert_eq!(plan(Field::Null, Some(utc), None), Field::Null);
        assert_eq!(respelled(&text(berlin), Some(utc)), text(berlin));
        assert_eq!(respelled(&text(later), Some(utc)), text(utc));
        assert_eq!(respelled(&text(utc), Some("-infinity")), text("-infinity"));
        assert_eq!(respelled(&text(utc), None), Field::Null);
    }

    #[test]
    fn an_expiry_is_a_time_and_of_a_password() {
        let said = |until: &str, method: Method| {
            let (valid_until, role) = (Field::Known(until.to_owned()), Field::Known("acme".to_owned()));
            let login = Login {
                password: &Field::Null,
                version: &Field::Null,
                valid_until: &valid_until,
                method: Some(method),
                role: &role,
                member_of: &Field::Null,
            };
            let found: Vec<Diagnostic> = login.validate().0.into_iter().chain(expired(&role, &valid_until)).collect();
            assert!(found.iter().all(|found| found.path == Some(Path::attribute("valid_until"))), "{found:?}");
            found.into_iter().map(|found| found.summary).collect::<Vec<_>>().join("; ")
        };
        let by = Method::Password;
        assert_eq!(said("9999-01-31T00:00:00Z", by), "");
        assert_eq!(said("2020-01-31T00:00:00Z", by), "The password of role \"acme\" has expired");
        for text in ["", "infinity", "2027-01-31", "2027-01-31T00:00:00"] {
            assert_eq!(said(text, by), "Not a time");
        }
        for method in [Method::RdsIam, Method::Certificate] {
            assert_eq!(said("9999-01-31T00:00:00Z", method), "`valid_until` for a role that uses no password");
        }
    }
}
