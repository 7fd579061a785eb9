//! What a plan says of a database that becomes a tenant's while others use it: numbers and names, and what to write to keep what
//! would be lost.

use crate::postgres::text::{name, quoted};
use crate::tenant::adoption::{Adoption, Loss};
use crate::tenant::{Names, Observed};
use crate::tf_provider::Diagnostic;

/// How many roles are named: the rest is counted.
const NAMED: usize = 20;

/// One warning, or none where nothing changes for anybody.
pub(super) fn describe(names: &Names, observed: &Observed, adoption: &Adoption) -> Option<Diagnostic> {
    let mut said: Vec<String> = Vec::new();
    let role = name(observed.role.as_ref().map_or(names.role.as_str(), |role| &role.name));
    for (schema, count) in &adoption.unreachable {
        let keep = match schema.as_str() {
            "public" => "set `schema = \"public\"`".to_owned(),
            schema => format!("add {} to `schemas`", quoted(schema)),
        };
        said.push(format!(
            "Role {role} can no longer reach its {} in schema {}. To keep them, {keep}.",
            relations(*count),
            name(schema)
        ));
    }
    for (schema, count) in &adoption.unnamed {
        said.push(format!(
            "Role {role} no longer finds its {} in schema {schema} unless a query names the schema: its `search_path` will not \
             contain {schema}. Before you apply, let the application set `search_path` in its sessions or name the schema in \
             its queries; or, after the apply, move them with `ALTER TABLE ... SET SCHEMA`.",
            relations(*count),
            schema = name(schema)
        ));
    }
    for (objects, owner) in &adoption.owned {
        said.push(format!("The admin becomes the owner of {objects}; now it is role {}.", name(owner)));
    }
    if !adoption.attributes.is_empty() {
        let attributes: Vec<_> = adoption.attributes.iter().map(ToString::to_string).collect();
        said.push(format!("Role {role} loses {}.", attributes.join(", ")));
    }
    for (grantee, loss) in adoption.losses.iter().take(NAMED) {
        let lost = lost(loss);
        said.push(match grantee {
            None => format!("PUBLIC loses {lost}: roles without privileges of their own are refused."),
            Some(grantee) => format!(
                "Role {} loses {lost}. To keep its access, add a `pgtenant_role` if it is this tenant's alone, or a \
                 `pgtenant_access`.",
                name(grantee)
            ),
        });
    }
    if adoption.losses.len() > NAMED {
        said.push(format!("{} more roles lose something.", adoption.losses.len() - NAMED));
    }
    if adoption.temporary {
        said.push("Temporary tables are refused. To keep them, set `allow_temporary_tables = true`.".to_owned());
    }
    if !adoption.extensions.is_empty() {
        let extensions: Vec<_> = adoption.extensions.iter().map(|extension| name(extension.as_str())).collect();
        said.push(format!(
            "Extensions are dropped, unless something depends on them: {}. To keep them, add them to `extensions`.",
            extensions.join(", ")
        ));
    }
    if !adoption.parameters.is_empty() {
        let parameters: Vec<_> = adoption.parameters.iter().map(|parameter| name(parameter)).collect();
        said.push(format!(
            "Parameters of the role or the database are reset: {}. To keep them, set them in `pgtenant_guardrails`.",
            parameters.join(", ")
        ));
    }
    if let Some((sessions, limit)) = adoption.sessions {
        said.push(format!(
            "Role {role} has {sessions} sessions now, and its connection limit becomes {limit}. Set a higher one in \
             `pgtenant_guardrails`."
        ));
    }
    if said.is_empty() {
        return None;
    }
    let detail = format!(
        "{}\n\nThe guide \"Adopting\" says how nobody is refused meanwhile: accept what others hold first, then name them.",
        said.iter().map(|sentence| format!("- {sentence}")).collect::<Vec<_>>().join("\n")
    );
    let database = observed.database.as_ref().map_or(names.database.as_str(), |database| &database.name);
    Some(Diagnostic::warning(
        format!("Database {} is in use: the import changes what its users can do", name(database)),
        detail,
    ))
}

fn lost(loss: &Loss) -> String {
    let mut lost = Vec::new();
    if loss.connect {
        lost.push("CONNECT".to_owned());
    }
    match loss.objects {
        0 => {}
        1 => lost.push("privileges on 1 object".to_owned()),
        count => lost.push(format!("privileges on {count} objects")),
    }
    if loss.later {
        lost.push("privileges on objects made later".to_owned());
    }
    if loss.member {
        lost.push("membership in the tenant's role".to_owned());
    }
    match loss.sessions {
        0 => {}
        1 => lost.push("its way in (1 session now)".to_owned()),
        count => lost.push(format!("its way in ({count} sessions now)")),
    }
    lost.join(", ")
}

fn relations(count: u64) -> String {
    format!("{count} {}", if count == 1 { "table or sequence" } else { "tables and sequences" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::fact::{Attribute, Kind, Objects};
    use crate::tenant::fixture;

    #[test]
    fn nothing_is_said_where_nothing_changes() {
        let (names, snapshot) = (fixture::names(), fixture::snapshot());
        let observed = Observed::locate(&snapshot, &names);
        assert!(describe(&names, &observed, &Adoption::default()).is_none());
    }

    #[test]
    fn every_change_is_a_sentence_with_what_keeps_things_as_they_are() {
        let (names, snapshot) = (fixture::names(), fixture::snapshot());
        let observed = Observed::locate(&snapshot, &names);
        let reader = Loss { connect: true, objects: 3, later: true, member: true, sessions: 2 };
        let adoption = Adoption {
            unreachable: [("public".to_owned(), 2), ("Billing".to_owned(), 1)].into(),
            unnamed: [("acme".to_owned(), 4)].into(),
            owned: vec![(Objects::one(Kind::Database, "acme"), "acme".to_owned())],
            attributes: vec![Attribute::CreateDb, Attribute::Inherit],
            losses: [
                (None, Loss { connect: true, objects: 1, ..Loss::default() }),
                (Some("reader".to_owned()), reader),
                (Some("visitor".to_owned()), Loss { sessions: 1, ..Loss::default() }),
            ]
            .into(),
            temporary: true,
            extensions: vec!["uuid-ossp".parse().unwrap()],
            parameters: ["work_mem".to_owned()].into(),
            sessions: Some((14, 10)),
        };
        let detail = describe(&names, &observed, &adoption).unwrap().detail;
        let lines: Vec<_> = detail.lines().take_while(|line| !line.is_empty()).collect();
        let access = "To keep its access, add a `pgtenant_role` if it is this tenant's alone, or a `pgtenant_access`.";
        let expected = [
            "- Role acme can no longer reach its 1 table or sequence in schema \"Billing\". To keep them, add \"Billing\" to `schemas`.",
            "- Role acme can no longer reach its 2 tables and sequences in schema public. To keep them, set `schema = \"public\"`.",
            "- Role acme no longer finds its 4 tables and sequences in schema acme unless a query names the schema: its \
             `search_path` will not contain acme. Before you apply, let the application set `search_path` in its sessions or name \
             the schema in its queries; or, after the apply, move them with `ALTER TABLE ... SET SCHEMA`.",
            "- The admin becomes the owner of database acme; now it is role acme.",
            "- Role acme loses CREATEDB, INHERIT.",
            "- PUBLIC loses CONNECT, privileges on 1 object: roles without privileges of their own are refused.",
            &format!(
                "- Role reader loses CONNECT, privileges on 3 objects, privileges on objects made later, membership in the tenant's \
                 role, its way in (2 sessions now). {access}"
            ),
            &format!("- Role visitor loses its way in (1 session now). {access}"),
            "- Temporary tables are refused. To keep them, set `allow_temporary_tables = true`.",
            "- Extensions are dropped, unless something depends on them: \"uuid-ossp\". To keep them, add them to `extensions`.",
            "- Parameters of the role or the database are reset: work_mem. To keep them, set them in `pgtenant_guardrails`.",
            "- Role acme has 14 sessions now, and its connection limit becomes 10. Set a higher one in `pgtenant_guardrails`.",
        ];
        assert_eq!(lines, expected);
        let losses = (0..25).map(|number| (Some(format!("r{number:02}")), Loss { connect: true, ..Loss::default() }));
        let many = Adoption { losses: losses.collect(), ..Adoption::default() };
        let detail = describe(&names, &observed, &many).unwrap().detail;
        assert!(detail.contains("Role r19 ") && !detail.contains("Role r20 "), "{detail}");
        assert!(detail.contains("- 5 more roles lose something."), "{detail}");
    }
}
