//! Ephemeral resource `pgtenant_password`: a random password that is in no state and no plan.

use std::collections::BTreeSet;

use crate::postgres::Secret;
use crate::tf_provider::{
    Attributes, Context, Diagnostic, Diagnostics, EphemeralResource, Field, Schema, State, Value, async_trait, model,
};

pub(super) struct PasswordResource;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NUMERIC: &str = "0123456789";
/// None that a connection URI, a shell or an .ini file would need quoted.
const SPECIAL: &str = "-._~+=";

const LENGTHS: std::ops::RangeInclusive<i64> = 12..=256;

fn schema() -> Schema {
    Model::schema(
        0,
        "A random password, from the operating system's randomness. It is made again in every run and \
         stored nowhere: pass it to a write-only attribute, such as `password_wo` of \
         `pgtenant_tenant`, and to wherever the tenant reads it from.",
    )
}

model! {
    struct Model {
        length: Field<i64> = optional(format!(
            "How many characters, from {} to {}. Default: `32`.",
            LENGTHS.start(),
            LENGTHS.end()
        )),
        lower: Field<bool> = optional("Whether there are lower-case letters. Default: `true`."),
        upper: Field<bool> = optional("Whether there are upper-case letters. Default: `true`."),
        numeric: Field<bool> = optional("Whether there are digits. Default: `true`."),
        special: Field<bool> = optional(
            "Whether there are other characters, of `-._~+=` or `override_special`. Default: `true`."
        ),
        override_special: Field<String> = optional(
            "The other characters to choose from: visible ASCII, no letters or digits. One that is given twice counts once."
        ),
        result: Field<Secret> = computed("The password: at least one character of each class.").sensitive(),
    }
}

impl Model {
    /// The characters of each class that is wanted, or may be. Each stands there once.
    fn classes(&self) -> Vec<BTreeSet<char>> {
        let special = self.override_special.as_known().map_or(SPECIAL, String::as_str);
        let classes = [(&self.lower, LOWER), (&self.upper, UPPER), (&self.numeric, NUMERIC), (&self.special, special)];
        let wanted = classes.into_iter().filter(|(flag, _)| **flag != Field::Known(false));
        wanted.map(|(_, characters)| characters.chars().collect()).collect()
    }

    /// What keeps a password from being made.
    fn check(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        if self.length.as_known().is_some_and(|length| !LENGTHS.contains(length)) {
            diagnostics.push(
                Diagnostic::error(
                    "Not a length for a password",
                    format!("It is a whole number from {} to {}.", LENGTHS.start(), LENGTHS.end()),
                )
                .at_attribute("length"),
            );
        }
        if let Field::Known(special) = &self.override_special
            && (special.is_empty() || !special.chars().all(|c| c.is_ascii_punctuation()))
        {
            diagnostics.push(
                Diagnostic::error(
                    "Not usable as other characters",
                    "Give visible ASCII characters that are neither letters nor digits, at least one.",
                )
                .at_attribute("override_special"),
            );
        }
        if self.classes().is_empty() {
            diagnostics.push(Diagnostic::error(
                "No characters to choose from",
                "Leave at least one of `lower`, `upper`, `numeric` and `special` on.",
            ));
        }
        diagnostics
    }
}

#[async_trait]
impl EphemeralResource for PasswordResource {
    fn type_name(&self) -> &'static str {
        "pgtenant_password"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        Model::decode(config).map_or_else(|diagnostics| diagnostics, |config| config.check())
    }

    async fn open(&self, _cx: &Context, config: Value) -> Result<State, Diagnostics> {
        let config = Model::decode(&config)?;
        // What was not known when the configuration was validated is known here.
        let problems = config.check();
        if problems.has_errors() {
            return Err(problems);
        }
        let length = config.length.as_known().and_then(|length| usize::try_from(*length).ok()).unwrap_or(32);
        let password = generate(length, &config.classes())
            .map_err(|error| Diagnostic::error("No randomness", format!("The operating system gave none: {error}.")))?;
        Ok(Model { result: Secret::new(password).into(), ..config }.encode().into())
    }
}

/// `length` characters, each drawn evenly from all classes together; drawn again until every class is
/// among them, which keeps all such passwords equally likely. No class is empty, and none has a character of another.
fn generate(length: usize, classes: &[BTreeSet<char>]) -> Result<String, getrandom::Error> {
    let all: Vec<char> = classes.iter().flatten().copied().collect();
    let draw = || Ok(all[below(u32::try_from(all.len()).expect("ASCII")).map(|drawn| drawn as usize)?]);
    loop {
        let password: Vec<char> = (0..length).map(|_| draw()).collect::<Result<_, _>>()?;
        if classes.iter().all(|class| password.iter().any(|c| class.contains(c))) {
            return Ok(password.into_iter().collect());
        }
    }
}

/// A number below `bound`, which is not 0, each as likely as any other.
fn below(bound: u32) -> Result<u32, getrandom::Error> {
    // The numbers above the last multiple are drawn again: they would make some likelier.
    let surplus = (u32::MAX % bound + 1) % bound;
    loop {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes)?;
        let drawn = u32::from_ne_bytes(bytes);
        if drawn <= u32::MAX - surplus {
            return Ok(drawn % bound);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<BTreeSet<char>> {
        [LOWER, UPPER, NUMERIC, SPECIAL].map(|characters| characters.chars().collect()).into()
    }

    #[test]
    fn passwords_have_the_length_and_every_class() {
        for length in [12, 32, 256] {
            let password = generate(length, &all()).unwrap();
            assert_eq!(password.chars().count(), length);
            for class in all() {
                assert!(password.chars().any(|c| class.contains(&c)), "{password}");
            }
        }
    }

    #[test]
    fn no_two_are_alike() {
        let passwords: std::collections::BTreeSet<_> = (0..1000).map(|_| generate(12, &all()).unwrap()).collect();
        assert_eq!(passwords.len(), 1000);
    }

    #[test]
    fn every_character_is_drawn_about_as_often() {
        let drawn = (0..60_000).map(|_| below(6).unwrap());
        let mut counts = [0_u32; 6];
        drawn.for_each(|number| counts[number as usize] += 1);
        assert!(counts.iter().all(|count| (9_000..11_000).contains(count)), "{counts:?}");
    }

    /// A quarter of all numbers is drawn again: taken as they come, the lower half would be twice as likely.
    #[test]
    fn no_number_is_likelier_where_the_range_is_not_a_multiple() {
        let bound = 3 << 30;
        let small = (0..60_000).filter(|_| below(bound).unwrap() < 1 << 30).count();
        assert!((18_800..21_200).contains(&small), "{small} of 20000");
        assert_eq!(below(1).unwrap(), 0);
        assert!((0..100).all(|_| below(1 << 31).unwrap() < 1 << 31));
    }

    #[test]
    fn characters_that_are_given_often_count_once() {
        let model = |special: String| Model {
            length: Field::Known(256),
            lower: Field::Known(false),
            upper: Field::Known(false),
            numeric: Field::Known(true),
            special: Field::Null,
            override_special: Field::Known(special),
            result: Field::Null,
        };
        for special in ["!".repeat(200), "!".repeat(100_000), "!?".repeat(500)] {
            let model = model(special);
            assert!(!model.check().has_errors());
            let classes = model.classes();
            assert!(classes[1].len() <= 2);
            let digits = generate(256, &classes).unwrap().chars().filter(char::is_ascii_digit).count();
            assert!(digits > 150, "{digits} of about 213 or 233");
        }
        assert!(model(String::new()).check().has_errors());
        assert!(model("a".to_owned()).check().has_errors());
    }
}
