//! Function `scram_verifier`: what PostgreSQL stores in place of a password.

use crate::postgres::{Secret, Verifier};
use crate::tf_provider::{Function, FunctionError, Parameter, Type, Value};

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
                description: "The role that it is for. The same password gives another verifier for another role.",
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
         `userlist.txt` take it. The salt is derived from both arguments, so that the same arguments give the same \
         verifier, as Terraform demands of a function. Passwords cannot be read from it, but weak ones can be guessed: \
         treat it as a secret all the same."
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let text = |at: usize| arguments.get(at).and_then(Value::as_str).unwrap_or_default();
        let (password, role) = (text(0), text(1));
        if password.is_empty() {
            return Err(FunctionError { text: "the password is empty".to_owned(), argument: Some(0) });
        }
        Ok(Verifier::derived(&Secret::new(password), role).expose().into())
    }
}
