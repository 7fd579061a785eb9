//! The first line of the COMMENT that every object of a tenant carries: whose it is, and how far it got. It is how a
//! half-made tenant is recognised, how a tenant is found after somebody renamed it, and how another
//! Terraform state's tenant is told from a foreign object. What follows that line is people's own.
//!
//! Comments on shared objects are visible to every role on the cluster: names only.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::postgres::{Challenge, Expiry};

use super::{Access, Method, Names, TenantName};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Half-made: closed to the tenant.
    Creating,
    /// Complete. Terraform may not know of it yet: whoever creates a tenant of this description takes it up.
    Made,
    /// Complete, and in a Terraform state.
    Ready,
    /// Destroyed with `on_destroy = "archive"`: closed, renamed, kept. The names in it are those that it gets: where an object
    /// still has another, that was interrupted.
    Archived,
}

impl Stage {
    pub fn is_complete(self) -> bool {
        matches!(self, Stage::Made | Stage::Ready)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    // First, because `prefix` is how such comments are found.
    #[serde(rename = "pgtenant")]
    pub tenant: String,
    /// The name by which Terraform knew the tenant last, from a rename until it is known to have heard of the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    pub stage: Stage,
    pub database: String,
    pub role: String,
    /// What a further role of the tenant, whose marker it is then, may do. Here, where no name that somebody chose can look like it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    pub schema: String,
    /// Those that it has beside that one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub schemas: BTreeSet<String>,
    /// Those in which extensions are, beside the one that is there for them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub extension_schemas: BTreeSet<String>,
    /// Whether it may make more itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub creates_schemas: bool,
    /// Whether logical replication out of its database is meant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replicates: bool,
    /// How many connections its database has for the admin's own work, where that is not [`ADMIN_CONNECTIONS`].
    ///
    /// [`ADMIN_CONNECTIONS`]: super::limits::ADMIN_CONNECTIONS
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_connections: Option<i32>,
    /// On the role alone: roles that somebody else made, and what they may do here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub admitted: BTreeMap<String, Access>,
    /// Whether that role is not meant to log in, be the tenant suspended or not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nologin: bool,
    /// The parameters that are set for it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub parameters: BTreeSet<String>,
    /// How the tenant is meant to prove who it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub authentication: Method,
    /// When the role's password is meant to expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Expiry>,
    /// `password_wo_version` of the password that was set last: the password itself cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_version: Option<i64>,
    /// What the server shows of that password to whoever begins to log in: no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Challenge>,
    /// On the role alone: whether a `pgtenant_guardrails` says what the limits are; else they are the safe ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guardrails: bool,
}

fn is_default(method: &Method) -> bool {
    *method == Method::default()
}

/// How every marker begins.
const ANY_PREFIX: &str = "{\"pgtenant\":";

impl Marker {
    pub fn new(names: &Names, stage: Stage, password_version: Option<i64>) -> Self {
        Marker {
            tenant: names.tenant.as_str().to_owned(),
            was: None,
            stage,
            database: names.database.as_str().to_owned(),
            role: names.role.as_str().to_owned(),
            schema: names.schema.as_str().to_owned(),
            schemas: BTreeSet::new(),
            extension_schemas: BTreeSet::new(),
            creates_schemas: false,
            replicates: false,
            admin_connections: None,
            admitted: BTreeMap::new(),
            access: None,
            nologin: false,
            parameters: BTreeSet::new(),
            authentication: Method::default(),
            valid_until: None,
            password_version,
            password: None,
            guardrails: false,
        }
    }

    /// How the line of a marker begins, as a regular expression of PostgreSQL's.
    pub(super) const PATTERN: &str = r#"\{"pgtenant":"#;

    /// `None` if the comment does not begin with a marker.
    pub fn parse(comment: Option<&str>) -> Option<Self> {
        serde_json::from_str(Self::line(comment?)?).ok()
    }

    /// The line of a comment that is a marker's, whether one can be read in it or not.
    pub fn line(comment: &str) -> Option<&str> {
        comment.split('\n').next().filter(|line| line.starts_with(ANY_PREFIX))
    }

    /// What people wrote into a comment: all but that line.
    pub fn beside(comment: &str) -> &str {
        let Some(line) = Self::line(comment) else { return comment };
        let rest = &comment[line.len()..];
        rest.strip_prefix('\n').unwrap_or(rest)
    }

    /// Whether it says that Terraform may not have heard of something yet.
    pub fn is_unsettled(&self) -> bool {
        self.stage == Stage::Made || self.was.is_some() && self.stage == Stage::Ready
    }

    /// Whether it is the marker of this tenant, under its name or under the one that it had.
    pub fn is_of(&self, tenant: &TenantName) -> bool {
        self.tenant == tenant.as_str() || self.was.as_deref() == Some(tenant.as_str())
    }

    /// The names in it; `None` if somebody wrote others than there can be.
    pub fn names(&self) -> Option<Names> {
        Some(Names {
            tenant: self.tenant.parse().ok()?,
            database: self.database.parse().ok()?,
            role: self.role.parse().ok()?,
            schema: self.schema.parse().ok()?,
        })
    }

    /// The line.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("strings serialise")
    }
}

/// What the markers of one tenant have in them, under the name that it has or had. It is looked for before a marker is read: a
/// cluster has many.
pub struct Trace {
    now: String,
    formerly: String,
}

impl Trace {
    pub fn of(tenant: &TenantName) -> Self {
        let name = serde_json::to_string(tenant.as_str()).expect("strings serialise");
        Trace { now: format!("{ANY_PREFIX}{name},"), formerly: format!("\"was\":{name},") }
    }

    /// How its markers begin.
    pub fn now(&self) -> &str {
        &self.now
    }

    /// One of them is in each of its markers.
    pub fn texts(self) -> [String; 2] {
        [self.now, self.formerly]
    }

    /// Whether a comment may be a marker of the tenant.
    pub fn is_in(&self, comment: Option<&str>) -> bool {
        let line = comment.and_then(Marker::line);
        line.is_some_and(|line| line.starts_with(&self.now) || line.contains(&self.formerly))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tenant::fixture;

    #[test]
    fn what_people_wrote_stands_beside_the_marker() {
        let marker = Marker::new(&fixture::names(), Stage::Ready, None).text();
        for (comment, line, beside) in [
            (marker.clone(), Some(marker.as_str()), ""),
            (format!("{marker}\n"), Some(marker.as_str()), ""),
            (format!("{marker}\nowner: shop\ncost centre: 7"), Some(marker.as_str()), "owner: shop\ncost centre: 7"),
            (format!("{marker}\n\n{marker}"), Some(marker.as_str()), &format!("\n{marker}")),
            ("owner: shop".to_owned(), None, "owner: shop"),
            (format!("owner: shop\n{marker}"), None, &format!("owner: shop\n{marker}")),
            // A line that a marker was, or will be, is none of people's.
            ("{\"pgtenant\":4711}\nowner".to_owned(), Some("{\"pgtenant\":4711}"), "owner"),
            (String::new(), None, ""),
        ] {
            assert_eq!((Marker::line(&comment), Marker::beside(&comment)), (line, beside), "{comment:?}");
            assert_eq!(Marker::parse(Some(&comment)).is_some(), line == Some(&marker), "{comment:?}");
        }
    }

    proptest! {
        /// What is not looked into is no marker of the tenant's, and what of others is looked into is few.
        #[test]
        fn a_trace_is_in_every_marker_of_its_tenant(tenant in "[a-z\"\\\\,:ü]{1,9}", was in "[a-z\"\\\\,:ü]{1,9}", text in "(?s).{0,9}") {
            let (Ok(now), Ok(before)) = (tenant.parse::<TenantName>(), was.parse::<TenantName>()) else { return Ok(()) };
            let marker = Marker::new(&Names { tenant: now.clone(), ..fixture::names() }, Stage::Made, Some(7));
            let comments = [marker.clone(), Marker { was: Some(was.clone()), ..marker }].map(|marker| marker.text());
            for comment in &comments {
                let (before, after) = (format!("{text}x\n{comment}"), format!("{comment}\n{text}"));
                prop_assert!(Trace::of(&now).is_in(Some(&after)) && !Trace::of(&now).is_in(Some(&before)));
            }
            prop_assert_eq!(Trace::of(&before).is_in(Some(&comments[0])), now == before);
            prop_assert!(Trace::of(&before).is_in(Some(&comments[1])));
            prop_assert!(!Trace::of(&now).is_in(None));
        }

        #[test]
        fn any_text_survives_beside_a_marker(text in "(?s).*", tenant in "[^\\x00-\\x1f\\x7f]{1,40}") {
            let Ok(tenant) = tenant.parse() else { return Ok(()) };
            let marker = Marker::new(&Names { tenant, ..fixture::names() }, Stage::Made, Some(7));
            let comment = format!("{}\n{text}", marker.text());
            prop_assert_eq!(Marker::beside(&comment), text);
            prop_assert_eq!(Marker::parse(Some(&comment)), Some(marker));
        }
    }

    #[test]
    fn markers_are_read_back_and_found_by_their_prefix() {
        let mut names = fixture::names();
        names.tenant = "Müller \"& Co\"".parse().unwrap();
        let marker = Marker::new(&names, Stage::Ready, Some(3));
        assert_eq!(Marker::parse(Some(&marker.text())), Some(marker.clone()));
        assert!(marker.text().starts_with(Trace::of(&names.tenant).now()));
        assert_eq!(Marker::new(&names, Stage::Archived, None).names(), Some(names.clone()));
        assert_eq!(Marker::parse(Some("the customer database")), None);
        let wide = Marker { schemas: ["a\"b".to_owned()].into(), ..marker };
        assert_eq!(Marker::parse(Some(&wide.text())), Some(wide));
        assert_eq!(Marker::parse(None), None);
    }
}
