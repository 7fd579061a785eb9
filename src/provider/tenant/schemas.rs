//! What a plan says of what a tenant gives up: schemas, the right to make some, and replication slots.

use std::collections::BTreeSet;

use crate::tenant::Control;
use crate::tf_provider::{Diagnostic, Diagnostics, Field};

use super::{Model, extension};

/// Schemas that are on the list no more. Of a list that is not known yet none are said to be.
pub(super) fn given_up(prior: &Model, planned: &Model) -> BTreeSet<String> {
    if !planned.schemas.is_wholly_known() {
        return BTreeSet::new();
    }
    let all = |model: &Model| -> BTreeSet<String> { model.schemas.known_elements().cloned().collect() };
    all(prior).difference(&all(planned)).cloned().collect()
}

/// Whether the tenant may make schemas no more.
fn loses_create(prior: &Model, planned: &Model) -> bool {
    prior.allow_create_schema == Field::Known(true) && planned.allow_create_schema == Field::Known(false)
}

/// The controls that may have something to tell afterwards: what is left of both is not the plan's to know.
pub(super) fn unsettled(prior: &Model, planned: &Model) -> &'static [Control] {
    let gives_up = !given_up(prior, planned).is_empty() || !extension::given_up(prior, planned).is_empty();
    if loses_create(prior, planned) || gives_up {
        &[Control::Objects, Control::Extensions, Control::SchemaPrivileges]
    } else if prior.replication == Field::Known(true) && planned.replication == Field::Known(false) {
        &[Control::Objects]
    } else {
        &[]
    }
}

/// What becomes of them, and why a rename is refused.
pub(super) fn foresee(prior: &Model, planned: &Model) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let name = planned.name.as_known().map(String::as_str).unwrap_or_default();
    if loses_create(prior, planned) {
        let detail = "Those that it made become the admin's, and are closed to the tenant, unless they are in `schemas`. Nothing in them is \
                      dropped. Extensions and publications that it made stay its own: `isolation` names them, and every role that may \
                      become the tenant, or a superuser, drops them.";
        let summary = format!("Tenant {name:?} may no longer make schemas");
        diagnostics.push(Diagnostic::warning(summary, detail).at_attribute("allow_create_schema"));
    }
    let given_up: Vec<_> = given_up(prior, planned).iter().map(|name| format!("{name:?}")).collect();
    if !given_up.is_empty() {
        let detail = format!(
            "The tenant loses USAGE and CREATE on these schemas of its database: {}. Those that are empty are dropped; the others stay \
             with all that is in them, until somebody drops them.",
            given_up.join(", ")
        );
        diagnostics
            .push(Diagnostic::warning(format!("Tenant {name:?} gives up schemas"), detail).at_attribute("schemas"));
    }
    let renamed = planned.schema.as_known().filter(|new| prior.schema.as_known() != Some(new));
    if let Some(new) = renamed.filter(|new| prior.schemas.known_elements().any(|other| other == *new)) {
        let detail = "It is one of `schemas` until now, and `schema` is renamed in place. Rename that other one, or empty it and take \
                      it off the list, before this change.";
        let summary = format!("Schema {new:?} exists already");
        diagnostics.push(Diagnostic::error(summary, detail).at_attribute("schema"));
    }
    diagnostics
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tf_provider::{Item, Set};

    fn model(schemas: &[&str], may_create: bool) -> Model {
        Model {
            name: Field::Known("acme".to_owned()),
            schema: Field::Known("app".to_owned()),
            schemas: schemas.iter().map(|name| (*name).to_owned()).collect(),
            allow_create_schema: Field::Known(may_create),
            ..Model::default()
        }
    }

    #[test]
    fn what_is_lost_is_said_and_what_is_left_of_it_is_not_promised() {
        let check = |prior: &Model, planned: &Model, expected: &[&str]| {
            let said: Vec<_> = foresee(prior, planned).0.into_iter().map(|one| one.summary).collect();
            assert_eq!(said, expected);
            assert_eq!(unsettled(prior, planned).is_empty(), expected.is_empty());
        };
        let (closes, gives_up) = ("Tenant \"acme\" may no longer make schemas", "Tenant \"acme\" gives up schemas");
        check(&model(&["jobs"], true), &model(&["jobs", "more"], true), &[]);
        check(&model(&[], false), &model(&["jobs"], true), &[]);
        check(&model(&["jobs"], false), &model(&[], false), &[gives_up]);
        check(&model(&["jobs"], true), &model(&["jobs"], false), &[closes]);
        check(&model(&["jobs"], true), &model(&[], false), &[closes, gives_up]);
    }

    #[test]
    fn slots_that_are_left_are_not_promised_away() {
        let model = |replication| Model { replication: Field::Known(replication), ..model(&[], false) };
        assert_eq!(unsettled(&model(true), &model(false)), [Control::Objects]);
        assert!(unsettled(&model(false), &model(true)).is_empty() && unsettled(&model(true), &model(true)).is_empty());
    }

    #[test]
    fn of_names_that_are_not_known_yet_nothing_is_said() {
        let prior = model(&["jobs"], false);
        for schemas in [Field::Unknown, Field::Known(Set(vec![Item::Unknown]))] {
            assert_eq!(given_up(&prior, &Model { schemas, ..model(&[], false) }), BTreeSet::new());
        }
    }

    #[test]
    fn a_rename_onto_another_schema_of_the_tenant_is_refused() {
        let to = |name: &str| Model { schema: Field::Known(name.to_owned()), ..model(&["jobs"], false) };
        let errors = |planned: &Model| foresee(&model(&["jobs"], false), planned).has_errors();
        assert!(errors(&to("jobs")) && !errors(&to("main")) && !errors(&to("app")));
    }
}
