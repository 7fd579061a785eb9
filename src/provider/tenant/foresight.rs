//! What a plan refuses: what the server, another resource or a write-only password would make fail in the apply.
//!
//! Bad input is an error. What may be mended until the apply (a name that is taken, a role that is missing) is a warning, and
//! the apply refuses before it makes anything: Terraform plans the whole configuration before it destroys, and what is not made
//! yet must not keep what is from being destroyed. Of a replacement it is an error: that drops data first.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use crate::postgres::catalog::offer::Update;
use crate::postgres::catalog::snapshot::{Database, Filter, Snapshot};
use crate::postgres::error::SqlState;
use crate::postgres::{Cluster, DatabaseName, Encoding, Error, ExtensionName, RoleName};
use crate::tenant::adoption::Adoption;
use crate::tenant::foresight::{self, Category, Refusal};
use crate::tenant::method::{Method, RDS_IAM};
use crate::tenant::names::is_reserved_schema;
use crate::tenant::{Control, Locale, Names, Observed, Pin};
use crate::tf_provider::{Context, Diagnostic, Diagnostics, Field, Item, PlanRequest, Set, Severity};

use super::super::login::{Login, reaches_beyond};
use super::super::remembered::Remembered;
use super::super::walk::{Claim, Known, Presence};
use super::extension::Block;
use super::taken::{in_the_way, own};
use super::{Model, Private, TenantResource, adoption, comment, diagnose, extension, operations};

/// How many schemas a tenant may have beside the first, and how long their names may be together: of a comment 4096 characters are
/// read, and of a database a hundred schemas.
const MOST_SCHEMAS: usize = 50;
const MOST_BYTES: usize = 1500;

/// What can be told of a configuration alone, and of how the tenant proves who it is.
pub(super) fn validate(config: &Model, method: Option<Method>) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    if let Field::Known(name) = &config.encoding
        && !Encoding::parse(name).is_some_and(Encoding::is_of_databases)
    {
        let detail = "A database may be UTF8, LATIN1 to LATIN10, SQL_ASCII, WIN1250 to WIN1258, KOI8R and some more: \
                      https://www.postgresql.org/docs/current/multibyte.html";
        diagnostics.push(
            Diagnostic::error(format!("A database cannot have the encoding {name:?}"), detail).at_attribute("encoding"),
        );
    }
    diagnostics.0.extend(comment::validate(&config.comment));
    let names = || config.schemas.known_elements();
    let extended: BTreeSet<&str> = config.extension.known_elements().filter_map(Block::schema).collect();
    let bytes = names().map(String::as_str).chain(extended.iter().copied()).map(str::len).sum::<usize>();
    if names().count() + extended.len() > MOST_SCHEMAS || bytes > MOST_BYTES {
        let detail = format!(
            "The names are on record in the comment of the tenant's role. Give at most {MOST_SCHEMAS}, of {MOST_BYTES} bytes together, those \
             in blocks `extension` included; a tenant with `allow_create_schema` makes as many as it likes."
        );
        diagnostics.push(Diagnostic::error("Too many schemas", detail).at_attribute("schemas"));
    }
    for name in names() {
        let schema = if config.schema.is_null() { "app" } else { config.schema.as_known().map_or("", String::as_str) };
        let why = match name.as_str() {
            name if name == schema => "It is `schema`, which the tenant has in any case.",
            "public" => "Who may do what in it is PostgreSQL's choice. It can be the first one: `schema = \"public\"`.",
            name if is_reserved_schema(name) => "It is PostgreSQL's own, or the one for extensions.",
            _ => continue,
        };
        let summary = format!("{name:?} is no other schema of the tenant's");
        diagnostics.push(Diagnostic::error(summary, format!("{why} Take it off the list.")).at_attribute("schemas"));
    }
    let login = Login {
        password: &config.password_wo,
        version: &config.password_wo_version,
        valid_until: &config.valid_until,
        method,
        role: if config.role.is_null() { &config.name } else { &config.role },
        member_of: &config.member_of,
    };
    diagnostics.extend(login.validate());
    diagnostics
}

/// What the password of a plan lacks. `replaced` is the tenant that this one takes the place of.
fn of_password(config: &Model, prior: Option<&Model>, replaced: Option<Known>) -> Option<Diagnostic> {
    let version = config.password_wo_version.as_known()?;
    let replaced = replaced.filter(|replaced| prior.is_none() && replaced.password_version == Some(*version));
    let replaced = replaced.map(|replaced| replaced.presence);
    let before = prior.and_then(|prior| prior.password_wo_version.as_known());
    let diagnostic = match replaced {
        Some(Presence::Complete) => again(*version),
        _ if config.password_wo.is_null() && before != Some(version) => Diagnostic::error(
            "`password_wo_version` without `password_wo`",
            "There is no password to set for this version. Set both, or neither. The version alone may only be the one that \
             was set last, as after an import.",
        ),
        Some(Presence::Gone) => Diagnostic { severity: Severity::Warning, ..again(*version) },
        // A half-made one that is made anew gets the password that it was to have.
        Some(Presence::HalfMade) | None => return None,
    };
    Some(diagnostic.at_attribute("password_wo_version"))
}

fn again(version: i64) -> Diagnostic {
    Diagnostic::error(
        "A replacement needs a new `password_wo_version`",
        format!(
            "The new role gets the password that `password_wo` has in this apply, and version {version} was set before: what \
             else keeps the password by its version, such as a secret store, goes on with the old one. Raise the version."
        ),
    )
}

impl TenantResource {
    /// Notes what was read of a tenant that the state has, for the plan of what takes its place: Terraform plans what is tainted or
    /// gone as if it had never been.
    pub(super) async fn note(&self, state: &Model, names: &Names, observed: &Observed) {
        let presence = match (observed.exists(), observed.is_complete() && !observed.is_unclaimed()) {
            (false, _) => Presence::Gone,
            (true, true) => Presence::Complete,
            (true, false) => Presence::HalfMade,
        };
        let known = Known { password_version: state.password_wo_version.known(), presence };
        self.connection.walk().await.note(names.tenant.clone(), known);
    }

    /// What is to be said of a plan.
    pub(super) async fn foresee(
        &self,
        cx: &Context,
        request: &PlanRequest,
        config: &Model,
        prior: Option<&Model>,
        planned: &Model,
    ) -> Diagnostics {
        let mut diagnostics = self.foresee_in_walk(request, config, prior, planned).await;
        // What is half applied is not planned away: Terraform would lose sight of what it replaces.
        if diagnostics.has_errors() || self.connection.is_applying() {
            return diagnostics;
        }
        match self.foresee_on_server(cx, request, config, prior, planned).await {
            Ok(more) => diagnostics.extend(more),
            Err(error) => diagnostics.push(diagnose::error("plan the tenant", &error, cx)),
        }
        diagnostics
    }

    /// What the configuration, the state and the other resources say.
    async fn foresee_in_walk(
        &self,
        request: &PlanRequest,
        config: &Model,
        prior: Option<&Model>,
        planned: &Model,
    ) -> Diagnostics {
        let mut diagnostics = validate(config, planned.method());
        let mut walk = self.connection.walk().await;
        if let Some(prior) = prior {
            let known = Known { password_version: prior.password_wo_version.known(), presence: Presence::Complete };
            // By its new name as well: it may be replaced under that.
            for names in [prior.names(), planned.names()].into_iter().flatten() {
                walk.note(names.tenant, known);
            }
        }
        let mut replaced = None;
        if let (None, Ok(names)) = (prior, planned.names()) {
            replaced = walk.known(&names.tenant);
            walk.make(names.tenant);
        }
        diagnostics.0.extend(of_password(config, prior, replaced));
        if request.is_second() {
            return diagnostics;
        }
        let claims = [
            (Claim::Tenant, "name", &planned.name),
            (Claim::Database, "database", &planned.database),
            (Claim::Role, "role", &planned.role),
        ];
        for (claim, attribute, field) in claims {
            if let Some(name) = field.as_known()
                && !walk.claim(claim, name)
            {
                let diagnostic = Diagnostic::error(
                    format!("Two tenants have the {attribute} {name:?}"),
                    "Another `pgtenant_tenant` of this configuration has it as well. Give each tenant its own.",
                );
                diagnostics.push(diagnostic.at_attribute(attribute));
                // The others follow from it.
                break;
            }
        }
        diagnostics
    }

    async fn foresee_on_server(
        &self,
        cx: &Context,
        request: &PlanRequest,
        config: &Model,
        prior: Option<&Model>,
        planned: &Model,
    ) -> Result<Diagnostics, Error> {
        let mut diagnostics = Diagnostics::default();
        let Some(cluster) = self.connection.cluster().await? else { return Ok(diagnostics) };
        let mut replaces = request.is_second();
        // With a half-made tenant nothing is lost.
        let mut drops = replaces;
        if let Ok(names) = planned.names() {
            let known = self.connection.walk().await.known(&names.tenant);
            replaces |= prior.is_none() && known.is_some_and(Known::is_there);
            drops = replaces && known.is_none_or(|known| known.presence != Presence::HalfMade);
            diagnostics.0.extend(own(&cluster, &names));
            let is_new = prior.is_none_or(|prior| {
                (&prior.name, &prior.database, &prior.role) != (&planned.name, &planned.database, &planned.role)
            });
            if is_new && !replaces {
                let snapshot = self.connection.sorted(&cluster, &cx.cancel).await?;
                match prior.map(Model::names) {
                    None => {
                        let part = snapshot.part(&names);
                        let conflict = Observed::locate(&part, &names).conflict(&part, &names);
                        if let Some(conflict) = conflict {
                            let told = in_the_way(&cluster, &conflict, &snapshot, &names, &cx.cancel).await;
                            diagnostics.push(warning(told));
                        }
                    }
                    Some(Ok(before)) => diagnostics.0.extend(renamed(&snapshot, &before, &names)),
                    Some(Err(_)) => {}
                }
            }
        }
        // A marker that is lost is looked at too: not every tenant is looked for again.
        let registered = Private::decode(&request.private).statuses.is_enforced(Control::Registered.name());
        if let Some(prior) = prior.filter(|_| !replaces && !registered) {
            diagnostics.0.extend(self.foresee_adoption(cx, &cluster, prior, planned).await?);
        }
        let reaching = added(&planned.member_of, prior.map(|prior| &prior.member_of)).into_iter();
        diagnostics.0.extend(reaching.filter(foresight::reaches_beyond).map(|role| reaches_beyond(&role)));
        // Also where somebody took the tenant out of its group: the apply would give it again.
        let mut joins = planned.method().and_then(Method::group);
        if let (Some(group), Ok(names)) = (&joins, prior.unwrap_or(planned).names()) {
            let part = self.connection.sorted(&cluster, &cx.cancel).await?.part(&names);
            if Observed::locate(&part, &names).is_member_of(group) {
                joins = None;
            }
        }
        let mut refusals = self.refusals(cx, &cluster, config, (prior, planned), joins).await?;
        if prior.is_none() && refusals.is_empty() {
            refusals = self.foresee_contents(cx, &cluster, planned).await?;
        }
        for refusal in refusals {
            let diagnostic = describe(planned, &refusal);
            diagnostics.push(match certainty(&refusal) {
                Certainty::Input => diagnostic,
                Certainty::Now | Certainty::Likely if drops => diagnostic,
                Certainty::Now => warning(diagnostic),
                Certainty::Likely => Diagnostic { severity: Severity::Warning, ..diagnostic },
            });
        }
        Ok(diagnostics)
    }

    /// What an apply changes for those who use a database that is no tenant's yet.
    async fn foresee_adoption(
        &self,
        cx: &Context,
        cluster: &Cluster,
        prior: &Model,
        planned: &Model,
    ) -> Result<Option<Diagnostic>, Error> {
        let Ok(before) = prior.names() else { return Ok(None) };
        let Ok(desired) = planned.desired(Some(before.tenant.clone())) else { return Ok(None) };
        let part = self.connection.sorted(cluster, &cx.cancel).await?.part(&before);
        if !Observed::locate(&part, &before).is_adopted() {
            return Ok(None);
        }
        // The snapshot of all has no sessions.
        let (_, mut observed) = operations::inspect(cluster, &before, &desired.names, &cx.cancel).await?;
        // What cannot be read is told by the refresh.
        if operations::look_once(cluster, &mut observed, false, &cx.cancel).await.is_err() && cx.cancel.is_cancelled() {
            return Ok(None);
        }
        operations::leave(cluster, &observed).await;
        Ok(adoption::describe(&desired.names, &observed, &Adoption::of(&desired, &observed)))
    }

    /// What the server would refuse of this, told before anything of it is made.
    pub(super) async fn refuse(
        &self,
        cx: &Context,
        cluster: &Cluster,
        config: &Model,
        prior: Option<&Model>,
        planned: &Model,
    ) -> Result<(), Diagnostics> {
        // What becomes of one that has it already was told by the plan.
        let joins = planned.method().filter(|method| prior.is_none_or(|prior| prior.method() != Some(*method)));
        let refusals = self.refusals(cx, cluster, config, (prior, planned), joins.and_then(Method::group)).await;
        let refusals = refusals.map_err(|error| diagnose::error("look at what the server offers", &error, cx))?;
        let certain = refusals.iter().filter(|refusal| certainty(refusal) != Certainty::Likely);
        let diagnostics: Vec<_> = certain.map(|refusal| describe(planned, refusal)).collect();
        if diagnostics.is_empty() { Ok(()) } else { Err(Diagnostics(diagnostics)) }
    }

    /// What the server would refuse of what changes, as far as it is known. `joins` is the group of its method that it is given.
    async fn refusals(
        &self,
        cx: &Context,
        cluster: &Cluster,
        config: &Model,
        (prior, planned): (Option<&Model>, &Model),
        joins: Option<RoleName>,
    ) -> Result<Vec<Refusal>, Error> {
        let mut refusals = Vec::new();
        let pins = |model: &Model| extension::pins(model).unwrap_or_default();
        let (wanted, before) = (pins(planned), prior.map(pins).unwrap_or_default());
        let mut changed = wanted.clone();
        changed.retain(|extension, pin| before.get(extension) != Some(pin));
        if prior.is_none() || !changed.is_empty() {
            let offer = self.connection.offer(cluster, &cx.cancel).await?;
            if prior.is_none() {
                refusals.extend(foresight::of_admin(&offer));
                if let (Some(locale), Ok(Some(template))) = (locale(config, planned), planned.template()) {
                    refusals.extend(of_template(cx, cluster, &template, &locale).await?);
                } else if let Some(locale) = locale(config, planned).filter(|_| !planned.template.is_unknown()) {
                    let schema = planned.schema.as_known();
                    refusals.extend(schema.and_then(|schema| foresight::of_schema(schema, &offer.server)));
                    let missing = self.missing(cx, cluster, &locale).await?;
                    refusals.extend(foresight::of_locale(&locale, &offer, &missing));
                }
            }
            let exposed = extension::exposed(prior, planned);
            refusals.extend(foresight::of_extensions(&wanted, &before, &exposed, &offer));
            if let Some(prior) = prior {
                refusals.extend(self.missing_updates(cx, cluster, prior, &changed).await?);
            }
        }
        let mut new = added(&planned.member_of, prior.map(|prior| &prior.member_of));
        if let (Some(method), Some(group)) = (planned.method(), joins) {
            new.insert(group);
            let offer = self.connection.offer(cluster, &cx.cancel).await?;
            refusals.extend(foresight::of_method(method, &offer));
        }
        let turned_on = |model: &Model| model.replication == Field::Known(true);
        if turned_on(planned) && !prior.is_some_and(turned_on) {
            refusals.extend(foresight::of_replication(&*self.connection.offer(cluster, &cx.cancel).await?));
        }
        if !new.is_empty() {
            let grantable = self.connection.grantable(cluster, &new, &cx.cancel).await?;
            refusals.extend(foresight::of_roles(&new, &grantable));
        }
        Ok(refusals)
    }

    /// What the template has that the tenant is not to have, as far as it can be looked into.
    async fn foresee_contents(&self, cx: &Context, cluster: &Cluster, planned: &Model) -> Result<Vec<Refusal>, Error> {
        let Ok(Some(template)) = planned.template() else { return Ok(Vec::new()) };
        let snapshot = cluster.snapshot(&cx.cancel).await?;
        let is_template = |database: &&Database| database.name == template.as_str();
        if !snapshot.databases.iter().find(is_template).is_some_and(|found| found.connectable) {
            return Ok(Vec::new());
        }
        let inside = cluster.inside(&template, &cx.cancel).await;
        // A database in which somebody is cannot be copied.
        cluster.leave(&template).await;
        let schemas = &parsed(&planned.schemas) | &planned.names().map(|names| names.schema).into_iter().collect();
        let extensions = extension::pins(planned).unwrap_or_default();
        Ok(foresight::of_contents(&template, &inside?, &extensions, &schemas))
    }

    /// The updates of extensions that the server has no scripts for, as far as the tenant's database is looked into.
    async fn missing_updates(
        &self,
        cx: &Context,
        cluster: &Cluster,
        prior: &Model,
        changed: &BTreeMap<ExtensionName, Pin>,
    ) -> Result<Vec<Refusal>, Error> {
        let pinned = changed.values().any(|pin| pin.version.is_some());
        let (true, Ok(names)) = (pinned && self.connection.deep_verify().await, prior.names()) else {
            return Ok(Vec::new());
        };
        let inside = cluster.inside(&names.database, &cx.cancel).await;
        cluster.leave(&names.database).await;
        let updates = match inside {
            Ok(inside) => extension::updates(changed, &inside),
            Err(error) if error.is_cancelled() => return Err(error),
            // The refresh tells why.
            Err(_) => Vec::new(),
        };
        if updates.is_empty() {
            return Ok(Vec::new());
        }
        let missing = cluster.inspect_missing_updates(&updates, &cx.cancel).await?;
        Ok(missing.into_iter().map(Refusal::NoUpdate).collect())
    }

    /// Those of libc's locales that the server's operating system does not have.
    async fn missing(&self, cx: &Context, cluster: &Cluster, locale: &Locale) -> Result<BTreeSet<String>, Error> {
        // Any session may set this one, and the server asks libc for it.
        let parameter = "lc_monetary".parse().expect("the name of a parameter");
        let mut missing = BTreeSet::new();
        for name in [&locale.collate, &locale.ctype].into_iter().flatten() {
            match self.connection.try_parameter(cluster, &parameter, name, &cx.cancel).await {
                Ok(()) => {}
                Err(error) if error.sqlstate() == Some(&SqlState::INVALID_PARAMETER_VALUE) => {
                    missing.insert(name.clone());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(missing)
    }
}

/// What would be refused of a copy of this database. Only a yes is remembered: Terraform may make it, or a template of it, meanwhile.
async fn of_template(
    cx: &Context,
    cluster: &Cluster,
    template: &DatabaseName,
    locale: &Locale,
) -> Result<Vec<Refusal>, Error> {
    let told = |snapshot: &Snapshot| {
        let found = snapshot.databases.iter().find(|database| database.name == template.as_str());
        foresight::of_template(template, found, locale, &snapshot.server)
    };
    if told(&*cluster.snapshot(&cx.cancel).await?).is_empty() {
        return Ok(Vec::new());
    }
    let filter = Filter::Only { names: vec![template.to_string()], comments: Vec::new() };
    Ok(told(&cluster.inspect(&filter, &cx.cancel).await?))
}

/// The names that are known and well formed: `validate` has said what is not.
fn parsed<T: FromStr + Ord>(field: &Field<Set<Item<String>>>) -> BTreeSet<T> {
    field.known_elements().filter_map(|name| name.parse().ok()).collect()
}

/// Those of the names that were not there before.
fn added<T: FromStr + Ord + Clone>(
    planned: &Field<Set<Item<String>>>,
    prior: Option<&Field<Set<Item<String>>>>,
) -> BTreeSet<T> {
    &parsed(planned) - &prior.map(parsed).unwrap_or_default()
}

/// The locale of a database that is made; `None` while the configuration has values that are not known.
fn locale(config: &Model, planned: &Model) -> Option<Locale> {
    let given = [&config.locale_provider, &config.lc_collate, &config.lc_ctype, &config.locale];
    if given.into_iter().chain([&planned.encoding]).any(Field::is_unknown) {
        return None;
    }
    let [provider, collate, ctype, locale] = given.map(|field| field.as_known().cloned());
    Some(Locale { encoding: planned.encoding.as_known().cloned(), provider, collate, ctype, locale })
}

/// The names that a rename needs and that are taken.
fn renamed(snapshot: &Snapshot, before: &Names, names: &Names) -> Vec<Diagnostic> {
    let own = Observed::locate(snapshot, before);
    let (database, role) = (names.database.as_str(), names.role.as_str());
    let has_database = own.database.is_none_or(|own| own.name == database);
    let has_role = own.role.is_none_or(|own| own.name == role);
    let taken = [
        ("database", database, has_database, snapshot.databases.iter().any(|other| other.name == database)),
        ("role", role, has_role, snapshot.roles.iter().any(|other| other.name == role)),
    ];
    let taken = taken.into_iter().filter(|(.., has, is_there)| !has && *is_there);
    taken
        .map(|(object, name, ..)| {
            Diagnostic::error(
                format!("There is a {object} {name:?} already"),
                "A rename needs a free name. Choose another, or rename or import that one.",
            )
            .at_attribute(object)
        })
        .collect()
}

/// What the apply will refuse, said while planning.
fn warning(diagnostic: Diagnostic) -> Diagnostic {
    let detail = format!("Unless this is mended before, the apply is refused. {}", diagnostic.detail);
    Diagnostic { severity: Severity::Warning, detail, ..diagnostic }
}

/// How sure it is that the server refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Certainty {
    /// It does, whatever Terraform does before.
    Input,
    /// It does as it is now.
    Now,
    /// Unless a managed service lets its admin do more.
    Likely,
}

fn certainty(refusal: &Refusal) -> Certainty {
    match refusal {
        Refusal::TooOld { .. }
        | Refusal::NoIcu
        | Refusal::NoLocale { .. }
        | Refusal::NotBuiltin { .. }
        | Refusal::NotForIcu { .. }
        | Refusal::OnlyUtf8 { .. }
        | Refusal::NotInstalled { .. }
        | Refusal::OtherEncoding { .. }
        | Refusal::OtherThanTemplate { .. }
        | Refusal::TenantsTemplate { .. }
        | Refusal::NoExtension(_)
        | Refusal::NoVersion { .. }
        | Refusal::Untrusted { perhaps: false, .. }
        | Refusal::OtherSchema { .. }
        | Refusal::Exposed { .. }
        | Refusal::NotMovable { .. }
        | Refusal::NoUpdate(_)
        | Refusal::Requires { .. } => Certainty::Input,
        Refusal::Admin(_) | Refusal::NoRole(_) | Refusal::NoTemplate(_) | Refusal::NotCopyable(_) => Certainty::Now,
        // Whoever is locked out cannot mend it.
        Refusal::LocksOutAdmin => Certainty::Input,
        Refusal::Untrusted { perhaps: true, .. }
        | Refusal::NotGrantable(_)
        | Refusal::PublicIsTheirs
        | Refusal::NotLogical { .. }
        | Refusal::UnboundedSlots
        | Refusal::BringsExtension { .. }
        | Refusal::BringsSchema { .. } => Certainty::Likely,
    }
}

fn describe(planned: &Model, refusal: &Refusal) -> Diagnostic {
    let (attribute, summary, detail) = match refusal {
        Refusal::Admin(attribute) => (
            if *attribute == "CREATEROLE" { "role" } else { "database" },
            format!("The admin role lacks {attribute}"),
            format!("It cannot make a tenant without. A superuser, or on RDS the master user, runs: ALTER ROLE ... {attribute}"),
        ),
        Refusal::TooOld { provider, needed } => (
            "locale_provider",
            format!("`locale_provider = {provider:?}` needs PostgreSQL {}", needed.since()),
            "The server is older. Leave it out, or upgrade the server.".to_owned(),
        ),
        Refusal::NoIcu => (
            "locale_provider",
            "The server was built without ICU".to_owned(),
            "Choose another `locale_provider`.".to_owned(),
        ),
        Refusal::NoLocale { provider } => (
            "locale",
            format!("`locale_provider = {provider:?}` needs a `locale`"),
            "Set it: \"en-US\" or \"und\" for `icu`, \"C.UTF-8\" for `builtin`.".to_owned(),
        ),
        Refusal::NotBuiltin { locale, known } => (
            "locale",
            format!("The builtin provider has no locale {locale:?}"),
            format!("On this server it has {}.", quoted(known)),
        ),
        Refusal::NotForIcu { encoding } => (
            "encoding",
            format!("ICU does not know the encoding {encoding}"),
            "Choose UTF8, or `locale_provider = \"libc\"`.".to_owned(),
        ),
        Refusal::OnlyUtf8 { locale, encoding } => (
            "locale",
            format!("Locale {locale:?} does not go with encoding {encoding}"),
            "It is for UTF8 alone. Choose that, or the locale \"C\".".to_owned(),
        ),
        Refusal::NotInstalled { which, locale } => (
            category(*which),
            format!("The server has no locale {locale:?}"),
            "Its operating system has to have it (`locale -a` there; most are in `SELECT collname FROM pg_collation`). \
             Choose another; \"C\" is always there."
                .to_owned(),
        ),
        Refusal::OtherEncoding { which, given, locale, of, encoding } => (
            if *given { category(*which) } else { "encoding" },
            format!("Locale {locale:?} does not go with encoding {encoding}"),
            format!(
                "It is for {of}{}. Set `{}` to a locale of that encoding, or to \"C\", which goes with all.",
                if *given { "" } else { ", and the server's default" },
                category(*which)
            ),
        ),
        Refusal::NoTemplate(name) => (
            "template",
            format!("There is no database {:?} to copy", name.as_str()),
            "Make it first, or choose another `template`. If Terraform makes it, refer to its resource here.".to_owned(),
        ),
        Refusal::NotCopyable(name) => (
            "template",
            format!("This admin may not copy database {:?}", name.as_str()),
            format!("Its owner makes it a template: ALTER DATABASE {} IS_TEMPLATE true.", name.quoted()),
        ),
        Refusal::TenantsTemplate { template, tenant } => (
            "template",
            format!("Database {:?} belongs to tenant {tenant:?}", template.as_str()),
            "A copy would hold that tenant's data. Choose a database that belongs to none.".to_owned(),
        ),
        Refusal::OtherThanTemplate { attribute, wanted, found } => (
            *attribute,
            format!("The template does not have `{attribute} = {wanted:?}`"),
            format!("A copy has the encoding and the locale of its template, which has {found:?}. Set that, or leave `template` out."),
        ),
        Refusal::BringsExtension { template, extension } => (
            "template",
            format!("Template {:?} brings extension {extension:?} along", template.as_str()),
            "It is not listed, and is dropped from the copy if the admin owns it. To keep it, add it to `extensions`.".to_owned(),
        ),
        Refusal::BringsSchema { template, schema } => (
            "template",
            format!("Template {:?} brings schema {schema:?} along", template.as_str()),
            "It is closed to the tenant, and `isolation.objects` names it. To give it to the tenant, add it to `schemas`.".to_owned(),
        ),
        Refusal::NoExtension(name) => (
            extension::attribute(planned, name),
            format!("Extension {:?} is not available", name.as_str()),
            "The server does not have it installed (`SELECT name FROM pg_available_extensions`). Install it there, or remove it \
             from the configuration."
                .to_owned(),
        ),
        Refusal::NoVersion { extension, version, known } => (
            extension::attribute(planned, extension),
            format!("Extension {:?} has no version {version:?}", extension.as_str()),
            format!("The server has {}. Choose one, or remove `version`.", quoted(known)),
        ),
        Refusal::Untrusted { extension, perhaps } => (
            extension::attribute(planned, extension),
            format!("Extension {:?} takes a superuser", extension.as_str()),
            if *perhaps {
                "It is not a trusted one. The apply fails unless the service that runs the server lets this admin install it.".to_owned()
            } else {
                "It is not a trusted one, and this admin is no superuser. Remove it, or let a superuser run the provider.".to_owned()
            },
        ),
        Refusal::Requires { extension, other } => (
            extension::attribute(planned, extension),
            format!("Extension {:?} needs {other:?}", extension.as_str()),
            "Add that to `extensions`, or in a block `extension`: nothing is installed unasked.".to_owned(),
        ),
        Refusal::OtherSchema { extension, schema, fixed } => (
            extension::attribute(planned, extension),
            format!("Extension {:?} cannot be in schema {schema:?}", extension.as_str()),
            format!("Set `schema = {fixed:?}` in its block, or remove `schema`."),
        ),
        Refusal::Exposed { extension, schema } => (
            extension::attribute(planned, extension),
            format!("Extension {:?} would be where the tenant plants objects", extension.as_str()),
            format!(
                "The tenant may create in schema {schema:?}, or could until now. The script of an extension runs there with the rights of \
                 a superuser. Choose another `schema`, or remove it for `extensions`. An existing extension may stay, \
                 without a `version`."
            ),
        ),
        Refusal::NotMovable { extension, from, schema } => (
            extension::attribute(planned, extension),
            format!("Extension {:?} cannot be moved to schema {schema:?}", extension.as_str()),
            format!(
                "Only a superuser moves a trusted extension, and nobody one that is not relocatable. Set `schema = {from:?}`; or remove the \
                 block, apply, and add it again: that drops the extension, if nothing depends on it."
            ),
        ),
        Refusal::NoUpdate(Update { extension, from, to }) => (
            extension::attribute(planned, extension),
            format!("Extension {:?} cannot be updated to version {:?}", extension.as_str(), to.as_str()),
            format!(
                "The server has no scripts for an update from version {from:?}, which is installed (`SELECT * FROM \
                 pg_extension_update_paths({})`). Choose another version, or remove `version`.",
                postgres_protocol::escape::escape_literal(extension.as_str())
            ),
        ),
        Refusal::LocksOutAdmin => (
            "authentication",
            "`authentication = \"rds_iam\"` would lock the admin out".to_owned(),
            "From PostgreSQL 16 on the role that makes another is a member of it, and so of `rds_iam` as soon as the tenant is: the server \
             asks this admin for a token of IAM from then on, and refuses its password. Let the admin log in with IAM first: \
             GRANT rds_iam to it, and set `aws_iam_auth` in the provider block."
                .to_owned(),
        ),
        Refusal::NotLogical { wal_level } => (
            "replication",
            format!("The server has `wal_level = {wal_level}`"),
            "Logical replication needs `wal_level = logical`, and a restart. On RDS set `rds.logical_replication = 1` in the \
             parameter group."
                .to_owned(),
        ),
        Refusal::UnboundedSlots => (
            "replication",
            "A replication slot can fill the server's disk".to_owned(),
            "`max_slot_wal_keep_size` is -1: a slot that nobody reads keeps WAL until the disk is full, and all tenants stop. Set a \
             bound, and an alarm on the oldest slot."
                .to_owned(),
        ),
        Refusal::PublicIsTheirs => (
            "schema",
            "This admin cannot govern the schema \"public\"".to_owned(),
            "On PostgreSQL 13 and 14 a superuser owns it in each new database. The tenant may use it only as PUBLIC may, and \
             `isolation` has `registered` and `schema_privileges` as not permitted. Choose another schema, or let a superuser run \
             in the new database: ALTER SCHEMA public OWNER TO the admin."
                .to_owned(),
        ),
        Refusal::NoRole(name) if name.as_str() == RDS_IAM => (
            "authentication",
            "This server has no role \"rds_iam\"".to_owned(),
            "RDS and Aurora make it, and ask its members for tokens of IAM. Elsewhere choose \"password\" or \"certificate\"."
                .to_owned(),
        ),
        Refusal::NotGrantable(name) if name.as_str() == RDS_IAM => (
            "authentication",
            "This admin may not grant \"rds_iam\"".to_owned(),
            "It needs the ADMIN option, which RDS gives its master user: GRANT rds_iam TO the admin WITH ADMIN OPTION.".to_owned(),
        ),
        Refusal::NoRole(name) => (
            "member_of",
            format!("There is no role {:?}", name.as_str()),
            "Make it first, or take it off the list. If Terraform makes it, refer to its resource here.".to_owned(),
        ),
        Refusal::NotGrantable(name) => (
            "member_of",
            format!("This admin may not grant role {:?}", name.as_str()),
            format!("It needs the ADMIN option: GRANT {} TO the admin WITH ADMIN OPTION.", name.quoted()),
        ),
    };
    Diagnostic::error(summary, detail).at_attribute(attribute)
}

fn quoted<T: std::fmt::Debug>(names: &[T]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

fn category(which: Category) -> &'static str {
    match which {
        Category::Collate => "lc_collate",
        Category::Ctype => "lc_ctype",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Secret;
    use crate::tf_provider::Path;

    fn model(password: bool, version: Option<i64>) -> Model {
        let password_wo = if password { Field::Known(Secret::new("s3cret")) } else { Field::Null };
        Model { password_wo, password_wo_version: version.into(), ..Model::default() }
    }

    /// What is said of a configuration with a password and a version, after a state with a version.
    fn check(config: (bool, Option<i64>), prior: Option<i64>, replaced: Option<(i64, Presence)>, said: &str) {
        let config = model(config.0, config.1);
        let prior = prior.map(|version| model(false, Some(version)));
        let replaced = replaced.map(|(version, presence)| Known { password_version: Some(version), presence });
        let mut diagnostics = validate(&config, None);
        diagnostics.0.extend(of_password(&config, prior.as_ref(), replaced));
        let found = diagnostics.0.iter().map(|found| {
            assert_eq!(found.path, Some(Path::attribute("password_wo_version")));
            format!("{:?}: {}", found.severity, found.summary)
        });
        assert_eq!(found.collect::<Vec<_>>().join("; "), said);
    }

    #[test]
    fn a_password_and_its_version_go_together() {
        const ALONE: &str = "Error: `password_wo_version` without `password_wo`";
        check((true, Some(1)), None, None, "");
        check((true, None), None, None, "Error: `password_wo` without `password_wo_version`");
        check((false, None), Some(1), None, "");
        check((false, Some(1)), None, None, ALONE);
        check((false, Some(1)), Some(1), None, "");
        check((false, Some(2)), Some(1), None, ALONE);
        check((true, Some(2)), Some(1), None, "");
    }

    #[test]
    fn a_role_that_is_made_again_gets_a_password_of_a_new_version() {
        const NEW: &str = "A replacement needs a new `password_wo_version`";
        check((true, Some(1)), None, Some((1, Presence::Complete)), &format!("Error: {NEW}"));
        check((false, Some(1)), None, Some((1, Presence::Complete)), &format!("Error: {NEW}"));
        check((true, Some(2)), None, Some((1, Presence::Complete)), "");
        check((true, Some(1)), None, Some((1, Presence::Gone)), &format!("Warning: {NEW}"));
        // The first password of a half-made one was never anybody's.
        check((true, Some(1)), None, Some((1, Presence::HalfMade)), "");
        // The first plan of a replacement: the second one tells.
        check((true, Some(1)), Some(1), Some((1, Presence::Complete)), "");
    }

    #[test]
    fn input_that_needs_no_server_is_refused() {
        let said = |model: &Model| {
            validate(model, model.method()).0.into_iter().map(|found| found.summary).collect::<Vec<_>>()
        };
        for (encoding, summary) in [
            ("utf-8", vec![]),
            ("UTF9", vec!["A database cannot have the encoding \"UTF9\""]),
            ("GBK", vec!["A database cannot have the encoding \"GBK\""]),
        ] {
            assert_eq!(said(&Model { encoding: Field::Known(encoding.to_owned()), ..Model::default() }), summary);
        }
        for (schema, other, refused) in [
            (None, "jobs", false),
            (None, "app", true),
            (Some("main"), "app", false),
            (Some("main"), "main", true),
            (None, "public", true),
            (None, "extensions", true),
            (None, "pg_jobs", true),
        ] {
            let schema = schema.map_or(Field::Null, |name| Field::Known(name.to_owned()));
            let found = said(&Model { schema, schemas: [other.to_owned()].into_iter().collect(), ..Model::default() });
            assert_eq!(!found.is_empty(), refused, "{other}: {found:?}");
        }
        let member_of = ["acme".to_owned()].into_iter().collect();
        let own = Model { name: Field::Known("acme".to_owned()), member_of, ..Model::default() };
        assert_eq!(said(&own), ["Role \"acme\" is the one itself"]);
        assert_eq!(said(&Model { role: Field::Known("other".to_owned()), ..own }), Vec::<String>::new());
        let member_of = ["rds_iam".to_owned()].into_iter().collect();
        assert_eq!(said(&Model { member_of, ..Model::default() }), ["\"rds_iam\" is what `authentication` is for"]);
        let by = |authentication: &str, model: Model| {
            said(&Model { authentication: Field::Known(authentication.to_owned()), ..model })
        };
        for method in ["rds_iam", "certificate"] {
            assert_eq!(by(method, model(false, None)), Vec::<String>::new());
            assert_eq!(by(method, model(true, Some(1))), ["A password for a role that uses none"]);
            assert_eq!(by(method, model(false, Some(1))), ["A password for a role that uses none"]);
        }
        assert_eq!(by("password", model(true, Some(1))), Vec::<String>::new());
    }
}
