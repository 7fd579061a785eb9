//! Function `scram_verifier`: what PostgreSQL stores in place of a password.

use crate::postgres::{Secret, Verifier};
use crate::tf_provider::{Function, FunctionError, Parameter, Type, Value};

/// As many random characters as nobody else has by chance.
const SALT_CHARACTERS: usize = 16;

pub(super) struct ScramVerifier;

impl Function for ScramVerifier {
    fn name(&self) -> &'static str {
        "scram_verifier"
    }

    fn parameters(&self) -> Vec<Parameter> {
        vec![
            Parameter { name: "password", ty: Type::String, description: "The password, in clear text." },
            Parameter {
                name: "role",
                ty: Type::String,
                description: "The role that it is for. The same password and salt give another verifier for another role.",
            },
            Parameter {
                name: "salt",
                ty: Type::String,
                description: "A random text of 16 characters or more, no secret and made of none. One salt serves all \
                              roles of a deployment.",
            },
        ]
    }

    fn returns(&self) -> Type {
        Type::String
    }

    fn summary(&self) -> &'static str {
        "The SCRAM-SHA-256 verifier of a password"
    }

    fn description(&self) -> &'static str {
        "Returns what PostgreSQL stores in place of a password, as `password_wo` of `pgtenant_tenant` or pgBouncer's \
         `userlist.txt` take it. The same arguments give the same verifier. Passwords cannot be read from a verifier, \
         but weak ones can be guessed: treat it as a secret.\n\n\
         The verifier's salt is a hash of `role` and `salt`. PostgreSQL shows it to everybody who begins a login, \
         before any proof, so `salt` need not be secret, and must not depend on a secret: a salt made of the password \
         lets anybody test guesses thousands of times faster than the verifier does. What a salt must be is unique, \
         so that nobody can prepare guesses for many servers at once. A good salt is random and kept, for example a \
         `uuid()` that `terraform_data` holds in the state. Use another one for each deployment, and change it with \
         the password; a new salt without a new `password_wo_version` gives a verifier that the server does not have."
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let text = |at: usize| arguments.get(at).and_then(Value::as_str).unwrap_or_default();
        let (password, role, salt) = (text(0), text(1), text(2));
        let refuse = |argument, text: String| Err(FunctionError { text, argument: Some(argument) });
        if password.is_empty() {
            return refuse(0, "the password is empty".to_owned());
        }
        let characters = salt.chars().count();
        if characters < SALT_CHARACTERS {
            return refuse(2, format!("the salt has {characters} characters; it needs {SALT_CHARACTERS} or more"));
        }
        if salt.contains(password) {
            return refuse(
                2,
                "the salt contains the password; PostgreSQL shows what is made of it to anybody".to_owned(),
            );
        }
        Ok(Verifier::salted(&Secret::new(password), role, salt).expose().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(password: &str, role: &str, salt: &str) -> Result<Value, Option<i64>> {
        ScramVerifier.call(vec![password.into(), role.into(), salt.into()]).map_err(|error| error.argument)
    }

    #[test]
    fn arguments_are_checked() {
        let salt = "0123456789abcdef";
        assert!(call("secret", "acme", salt).is_ok());
        assert_eq!(call("secret", "acme", salt), call("secret", "acme", salt));
        assert_eq!(call("", "acme", salt), Err(Some(0)));
        assert_eq!(call("secret", "acme", &salt[1..]), Err(Some(2)));
        assert_eq!(call("secret", "acme", "öööööööö"), Err(Some(2)), "characters count, not bytes");
        assert_eq!(call("secret", "acme", "acme-secret-2026-12"), Err(Some(2)));
    }
}
