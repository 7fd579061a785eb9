//! Data source `pgtenant_capacity`: the connections that the server has, and what the tenants may take
//! of them. Also what a plan is told that promises them more.

use std::sync::Arc;

use crate::postgres::Error;
use crate::postgres::catalog::capacity::Capacity;
use crate::tenant::capacity::{Overcommitment, Share, Sums, shares};
use crate::tf_provider::{
    Attributes, Context, DataSource, Diagnostic, Diagnostics, Field, Schema, State, Value, async_trait, model, object,
};

use super::connection::Connection;
use super::diagnose;

pub(super) struct CapacityDataSource {
    connection: Arc<Connection>,
}

impl CapacityDataSource {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        CapacityDataSource { connection }
    }
}

fn schema() -> Schema {
    Model::schema(
        0,
        "How many connections the server has for tenants, and how many they may open together. Every \
         tenant counts that this provider made, whichever Terraform state it is in: also one that is \
         suspended or half-made, because it can be opened at any time. Archived ones are left out. All \
         numbers are connections, at the time of the read. The provider's `connection_budget` warns of a \
         plan that would promise too many.",
    )
}

model! {
    struct Model {
        max_connections: Field<i64> = computed("The server's `max_connections`: what it takes at once, from whomever."),
        superuser_reserved: Field<i64> = computed(
            "`superuser_reserved_connections`: the last ones, which only superusers are given."
        ),
        reserved: Field<i64> = computed(
            "`reserved_connections`: those kept back for members of `pg_use_reserved_connections`. PostgreSQL 16 \
             and newer; null before."
        ),
        rds_reserved: Field<i64> = computed(
            "`rds.rds_superuser_reserved_connections`: those that RDS keeps back for `rds_superuser`. Null on a \
             server that has no such setting."
        ),
        available: Field<i64> = computed(
            "What is left for tenants, and for all else that connects: `max_connections` less all that is kept back."
        ),
        committed: Field<i64> = computed(
            "What the tenants may open together: the sum of their limits. One without a limit counts as everything \
             that is `available`."
        ),
        headroom: Field<i64> = computed(
            "`available` less `committed`; negative when the tenants may open more than there is. Other roles \
             connect too: this provider with as many as its own `max_connections`, monitoring, backups. They need \
             room here, or what is kept back for them."
        ),
        over_committed: Field<bool> = computed("Whether `headroom` is negative."),
        in_use: Field<i64> = computed(
            "The clients that are connected now, this provider included."
        ),
        tenants: Field<Vec<Row>> = computed(
            "The tenants in the order of their names. `allowed` is the connection limit of the tenant's role, null \
             without one; `used` is how many connections it holds now."
        ),
    }
}

object! {
    struct Row {
        name: String,
        allowed: Option<i64>,
        used: i64,
    }
}

#[async_trait]
impl DataSource for CapacityDataSource {
    fn type_name(&self) -> &'static str {
        "pgtenant_capacity"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    async fn read(&self, cx: &Context, _config: Value) -> Result<State, Diagnostics> {
        let failed = |error: Error| diagnose::error("read the server's capacity", &error, cx);
        let cluster = self.connection.cluster().await.map_err(failed)?.ok_or_else(diagnose::not_known)?;
        let snapshot = cluster.snapshot(&cx.cancel).await.map_err(failed)?;
        let capacity = cluster.inspect_capacity(&cx.cancel).await.map_err(failed)?;
        let shares = shares(&snapshot, &capacity);
        let sums = Sums::of(&shares, &capacity);
        let row = |(name, share): (String, Share)| Row { name, allowed: share.allowed, used: share.used };
        let tenants: Vec<Row> = shares.into_iter().map(row).collect();
        let model = Model {
            max_connections: i64::from(capacity.max_connections).into(),
            superuser_reserved: i64::from(capacity.superuser_reserved).into(),
            reserved: capacity.reserved.map(i64::from).into(),
            rds_reserved: capacity.rds_reserved.map(i64::from).into(),
            available: sums.available.into(),
            committed: sums.committed.into(),
            headroom: sums.headroom().into(),
            over_committed: (sums.headroom() < 0).into(),
            in_use: i64::from(capacity.in_use).into(),
            tenants: tenants.into(),
        };
        let diagnostics = if capacity.hidden { hidden().into() } else { Diagnostics::default() };
        Ok(State { value: model.encode(), diagnostics, ..State::default() })
    }
}

fn hidden() -> Diagnostic {
    Diagnostic::warning(
        "What others are connected for is hidden from this admin",
        "`in_use` and `used` may count more than connections: parallel workers, replication and background workers \
         look the same to it. Grant the admin pg_read_all_stats (pg_monitor holds it; on RDS, so does \
         rds_superuser).",
    )
}

/// How many tenants a message names.
const SHOWN: usize = 10;

/// That the tenants may open more connections than there are for them; how bad that is, the provider
/// block says.
pub(super) fn overcommitted(found: &Overcommitment) -> Diagnostic {
    let Overcommitment { committed, available, capacity, unlimited } = found;
    let mut detail = format!(
        "With this plan the limits of all tenants add up to {committed} connections. The server has {available} for \
         them: {}. That is {} too many: when all are taken, the next connection is refused (SQLSTATE 53300), the admin \
         perhaps among them.",
        made_up_of(capacity),
        committed - available
    );
    if !unlimited.is_empty() {
        let mut names: Vec<String> = unlimited.iter().take(SHOWN).map(|name| format!("{name:?}")).collect();
        if unlimited.len() > SHOWN {
            names.push(format!("{} more", unlimited.len() - SHOWN));
        }
        detail.push_str(&format!(" Without a limit, and so counted as all {available}: {}.", names.join(", ")));
    }
    detail.push_str(
        "\n\n\
         Lower the limits of other tenants first, in an apply of their own: what this plan lowers or destroys still \
         counts. Or raise max_connections, or put a pooler such as PgBouncer before the server. `connection_budget` in \
         the provider block is whether this warns, fails or is not checked.",
    );
    Diagnostic::warning("The tenants may open more connections than there are", detail).at_attribute("connection_limit")
}

/// `max_connections 40, less 3 for superusers`
fn made_up_of(capacity: &Capacity) -> String {
    let kept_back = [
        ("superuser_reserved_connections", Some(capacity.superuser_reserved)),
        ("reserved_connections", capacity.reserved),
        ("rds.rds_superuser_reserved_connections", capacity.rds_reserved),
    ];
    let less: Vec<String> = kept_back
        .into_iter()
        .filter_map(|(name, kept)| Some(format!(", less {} ({name})", kept.filter(|kept| *kept > 0)?)))
        .collect();
    format!("{} (max_connections){}", capacity.max_connections, less.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::capacity::available;

    #[test]
    fn an_overcommitment_says_how_it_comes_about() {
        let check = |reserved, rds_reserved, unlimited: &[&str], words: &[&str]| {
            let capacity = Capacity {
                max_connections: 40,
                superuser_reserved: 3,
                reserved,
                rds_reserved,
                in_use: 1,
                hidden: false,
                by_role: [].into(),
            };
            let unlimited = unlimited.iter().map(|name| (*name).to_owned()).collect();
            let available = available(&capacity);
            let found = Overcommitment { committed: available + 7, available, capacity, unlimited };
            let detail = overcommitted(&found).detail;
            for word in words.iter().chain(&["That is 7 too many"]) {
                assert!(detail.contains(word), "{word:?} in {detail}");
            }
            assert_eq!(detail.contains("Without a limit"), !found.unlimited.is_empty(), "{detail}");
        };
        check(None, None, &[], &["has 37 for them: 40 (max_connections), less 3 (superuser_reserved_connections). "]);
        check(Some(0), None, &[], &["less 3 (superuser_reserved_connections). "]);
        check(Some(5), None, &["a", "b"], &["less 5 (reserved_connections). ", "counted as all 32: \"a\", \"b\"."]);
        check(None, Some(2), &[], &["less 2 (rds.rds_superuser_reserved_connections). "]);
    }
}
