//! What a server would refuse of a tenant that is to be made, known before anything is.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::catalog::inside::{Extension, Inside};
use crate::postgres::catalog::offer::{Offer, Update};
use crate::postgres::catalog::snapshot::{Database, Server};
use crate::postgres::{DatabaseName, Encoding, ExtensionName, Feature, RoleName, SchemaName};

use super::names::{EXTENSIONS_SCHEMA, SYSTEM_SCHEMA};
use super::observed::database_marker;
use super::{Locale, Method, Pin};

/// The extensions of a configuration.
type Pins = BTreeMap<ExtensionName, Pin>;

/// Why the server would refuse a part of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The admin lacks this attribute.
    Admin(&'static str),
    /// The provider came with a later major.
    TooOld {
        provider: String,
        needed: Feature,
    },
    /// The server was built without ICU.
    NoIcu,
    /// This provider needs a `locale`.
    NoLocale {
        provider: &'static str,
    },
    /// The builtin provider has other locales.
    NotBuiltin {
        locale: String,
        known: &'static [&'static str],
    },
    /// The provider does not know the encoding.
    NotForIcu {
        encoding: Encoding,
    },
    /// This locale of the builtin provider is for UTF8 alone.
    OnlyUtf8 {
        locale: String,
        encoding: Encoding,
    },
    /// The operating system has no such locale.
    NotInstalled {
        which: Category,
        locale: String,
    },
    /// The locale is for another encoding; `given` says whether the configuration has it, or the server.
    OtherEncoding {
        which: Category,
        given: bool,
        locale: String,
        of: Encoding,
        encoding: Encoding,
    },
    /// There is no database to copy.
    NoTemplate(DatabaseName),
    /// It is no template, and not this admin's.
    NotCopyable(DatabaseName),
    /// It is a tenant's, with what that has.
    TenantsTemplate {
        template: DatabaseName,
        tenant: String,
    },
    /// A copy has its encoding and locale, not another.
    OtherThanTemplate {
        attribute: &'static str,
        wanted: String,
        found: String,
    },
    /// The template has an extension that is not listed.
    BringsExtension {
        template: DatabaseName,
        extension: String,
    },
    /// The template has a schema that is none of the tenant's.
    BringsSchema {
        template: DatabaseName,
        schema: String,
    },
    NoExtension(ExtensionName),
    /// The server has other versions of it.
    NoVersion {
        extension: ExtensionName,
        version: String,
        known: Vec<String>,
    },
    /// It takes a superuser to install; `perhaps` a service lets this admin all the same.
    Untrusted {
        extension: ExtensionName,
        perhaps: bool,
    },
    /// It can be in the schema `fixed` only.
    OtherSchema {
        extension: ExtensionName,
        schema: String,
        fixed: String,
    },
    /// The tenant may have planted something in this schema.
    Exposed {
        extension: ExtensionName,
        schema: String,
    },
    /// It stays in the schema in which it was installed.
    NotMovable {
        extension: ExtensionName,
        from: String,
        schema: String,
    },
    /// No chain of scripts makes this update.
    NoUpdate(Update),
    /// It needs another one, which is not on the list.
    Requires {
        extension: ExtensionName,
        other: String,
    },
    /// The server writes too little WAL for logical replication.
    NotLogical {
        wal_level: String,
    },
    /// A slot that nobody reads fills the server's disk.
    UnboundedSlots,
    NoRole(RoleName),
    /// This admin may not grant it.
    NotGrantable(RoleName),
    /// The admin would be a member of the tenant's group through the tenant, and be asked for a token itself.
    LocksOutAdmin,
    /// A superuser owns `public` in the new database, and this admin is none.
    PublicIsTheirs,
}

/// What of libc's locales a database has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    Collate,
    Ctype,
}

/// Whether this admin may make a role and a database at all.
pub fn of_admin(offer: &Offer) -> Vec<Refusal> {
    let attributes = [(offer.create_role, "CREATEROLE"), (offer.create_database, "CREATEDB")];
    attributes.into_iter().filter(|(has, _)| !has).map(|(_, attribute)| Refusal::Admin(attribute)).collect()
}

/// What `CREATE DATABASE ... TEMPLATE template0` would say to a locale. `missing` are the locales that the operating system
/// was asked for and does not have. An encoding that there is not was refused before.
pub fn of_locale(locale: &Locale, offer: &Offer, missing: &BTreeSet<String>) -> Vec<Refusal> {
    let (server, template) = (&offer.server, &offer.template);
    if let Some(provider) = &locale.provider {
        let needed = if provider == "builtin" { Feature::BuiltinLocales } else { Feature::LocaleProviders };
        if !server.has(needed) {
            return vec![Refusal::TooOld { provider: provider.clone(), needed }];
        }
    }
    let mut refusals = Vec::new();
    let default = match template.provider.as_str() {
        "i" => "icu",
        "b" => "builtin",
        _ => "libc",
    };
    let provider = locale.provider.as_deref().unwrap_or(default);
    let encoding = Encoding::parse(locale.encoding.as_deref().unwrap_or_default());
    let text = locale.locale.as_ref().or(template.locale.as_ref().filter(|_| provider == default));
    match (provider, text) {
        ("icu", None) => refusals.push(Refusal::NoLocale { provider: "icu" }),
        ("builtin", None) => refusals.push(Refusal::NoLocale { provider: "builtin" }),
        ("builtin", Some(text)) => refusals.extend(of_builtin(text, server, encoding)),
        _ => {}
    }
    if provider == "icu" {
        refusals.extend((!offer.icu).then_some(Refusal::NoIcu));
        let unknown = encoding.filter(|encoding| !encoding.is_known_to_icu());
        refusals.extend(unknown.map(|encoding| Refusal::NotForIcu { encoding }));
    }
    for (which, given, default) in [
        (Category::Collate, &locale.collate, &template.lc_collate),
        (Category::Ctype, &locale.ctype, &template.lc_ctype),
    ] {
        let name = given.as_ref().unwrap_or(default);
        if given.is_some() && missing.contains(name) {
            refusals.push(Refusal::NotInstalled { which, locale: name.clone() });
            continue;
        }
        let (Some(of), Some(encoding)) = (libc_encoding(name, offer), encoding) else { continue };
        let goes = of == encoding || of == Encoding::SQL_ASCII || encoding == Encoding::SQL_ASCII && server.superuser;
        if !goes {
            let (given, locale) = (given.is_some(), name.clone());
            refusals.push(Refusal::OtherEncoding { which, given, locale, of, encoding });
        }
    }
    refusals
}

/// What `CREATE DATABASE` would say to another template than `template0`.
pub fn of_template(
    template: &DatabaseName,
    found: Option<&Database>,
    locale: &Locale,
    server: &Server,
) -> Vec<Refusal> {
    let Some(found) = found else { return vec![Refusal::NoTemplate(template.clone())] };
    if let Some(marker) = database_marker(found) {
        return vec![Refusal::TenantsTemplate { template: template.clone(), tenant: marker.tenant }];
    }
    let copyable = found.is_template || found.owner_usable || server.superuser;
    let mut refusals: Vec<_> = (!copyable).then(|| Refusal::NotCopyable(template.clone())).into_iter().collect();
    let encoding = |name: &str| Encoding::parse(name).map_or(name.to_owned(), |encoding| encoding.to_string());
    let rows = [
        ("encoding", locale.encoding.as_deref().map(encoding), Some(encoding(&found.encoding))),
        ("locale_provider", locale.provider.clone(), Some(found.provider().to_owned())),
        ("lc_collate", locale.collate.clone(), Some(found.lc_collate.clone())),
        ("lc_ctype", locale.ctype.clone(), Some(found.lc_ctype.clone())),
        ("locale", locale.locale.clone(), found.locale.clone()),
    ];
    for (attribute, wanted, found) in rows {
        let found = found.unwrap_or_default();
        let other = wanted.filter(|wanted| *wanted != found);
        refusals.extend(other.map(|wanted| Refusal::OtherThanTemplate { attribute, wanted, found }));
    }
    refusals
}

/// What a template has that a tenant is not to have.
pub fn of_contents(
    template: &DatabaseName,
    inside: &Inside,
    extensions: &Pins,
    schemas: &BTreeSet<SchemaName>,
) -> Vec<Refusal> {
    let is_listed = |extension: &&Extension| extensions.keys().any(|listed| listed.as_str() == extension.name);
    let more = inside.extensions.iter().filter(|extension| !is_listed(extension));
    let more = more
        .map(|extension| Refusal::BringsExtension { template: template.clone(), extension: extension.name.clone() });
    let is_given = |name: &str| {
        let of_extension = inside.extensions.iter().any(|extension| extension.schema == name);
        name == "public" || name == EXTENSIONS_SCHEMA || of_extension || schemas.iter().any(|own| own.as_str() == name)
    };
    let others = inside.schemas.iter().filter(|schema| !is_given(&schema.name));
    let others = others.map(|schema| Refusal::BringsSchema { template: template.clone(), schema: schema.name.clone() });
    more.chain(others).collect()
}

fn of_builtin(locale: &str, server: &Server, encoding: Option<Encoding>) -> Option<Refusal> {
    let known: &[&str] = match server.major() {
        ..18 => &["C", "C.UTF-8"],
        18.. => &["C", "C.UTF-8", "PG_UNICODE_FAST"],
    };
    match (locale, encoding) {
        ("C", _) | (_, None | Some(Encoding::UTF8)) if known.contains(&locale) || locale == "C.UTF8" => None,
        (_, Some(encoding)) if known.contains(&locale) || locale == "C.UTF8" => {
            Some(Refusal::OnlyUtf8 { locale: locale.to_owned(), encoding })
        }
        _ => Some(Refusal::NotBuiltin { locale: locale.to_owned(), known }),
    }
}

/// The encoding of a locale of libc: as initdb found it, or as its name says. `SQL_ASCII` goes with all.
fn libc_encoding(name: &str, offer: &Offer) -> Option<Encoding> {
    let named = Encoding::of_locale(name);
    // The collation `ucs_basic` has the locale C and an encoding.
    if named == Some(Encoding::SQL_ASCII) {
        return named;
    }
    offer.libc.get(name).map_or(named, |encoding| Encoding::parse(encoding))
}

/// What `CREATE EXTENSION` and `ALTER EXTENSION` would say to what is wanted and was not before. `exposed` are the schemas in which the
/// tenant may have planted something.
pub fn of_extensions(wanted: &Pins, before: &Pins, exposed: &BTreeSet<SchemaName>, offer: &Offer) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (extension, pin) in wanted.iter().filter(|(name, pin)| before.get(name) != Some(pin)) {
        let Some(available) = offer.extensions.get(extension.as_str()) else {
            refusals.push(Refusal::NoExtension(extension.clone()));
            continue;
        };
        let text = |pin: &Pin| pin.version.as_ref().map(ToString::to_string);
        let Some(version) = available.version(text(pin).as_deref()) else {
            let (extension, version) = (extension.clone(), text(pin).unwrap_or_default());
            refusals.push(Refusal::NoVersion {
                extension,
                version,
                known: available.versions.keys().cloned().collect(),
            });
            continue;
        };
        let was = before.get(extension);
        let runs_script = was.is_none_or(|was| pin.version.is_some() && was.version != pin.version);
        if runs_script && version.needs_superuser && !offer.server.superuser {
            refusals.push(Refusal::Untrusted { extension: extension.clone(), perhaps: offer.privileged });
        }
        let is_there = |other: &String| other == "plpgsql" || wanted.keys().any(|wanted| wanted.as_str() == other);
        let requires = |other: &String| Refusal::Requires { extension: extension.clone(), other: other.clone() };
        refusals.extend(version.requires.iter().filter(|other| !is_there(other)).map(requires));
        let place = |pin: &Pin| {
            let place = pin.schema.as_ref().map(ToString::to_string).or_else(|| version.schema.clone());
            place.unwrap_or_else(|| EXTENSIONS_SCHEMA.to_owned())
        };
        let schema = place(pin);
        let is_kept = was.is_some_and(|was| place(was) == schema && pin.version.is_none());
        let fixed = version.schema.clone().or_else(|| (schema == SYSTEM_SCHEMA).then(|| EXTENSIONS_SCHEMA.to_owned()));
        if let Some(fixed) = fixed.filter(|fixed| *fixed != schema) {
            refusals.push(Refusal::OtherSchema { extension: extension.clone(), schema, fixed });
        } else if exposed.iter().any(|exposed| exposed.as_str() == schema) && !is_kept {
            refusals.push(Refusal::Exposed { extension: extension.clone(), schema });
        } else if let Some(from) =
            was.map(place).filter(|from| *from != schema && pin.schema.is_some() && !version.movable)
        {
            // Where none is named it stays where it is, and that is told.
            refusals.push(Refusal::NotMovable { extension: extension.clone(), from, schema });
        }
    }
    refusals
}

/// What `GRANT` would say to these roles. `grantable` are those that are there, and whether this admin may grant each.
pub fn of_roles(wanted: &BTreeSet<RoleName>, grantable: &BTreeMap<String, bool>) -> Vec<Refusal> {
    let refusal = |role: &RoleName| match grantable.get(role.as_str()) {
        None => Some(Refusal::NoRole(role.clone())),
        Some(false) => Some(Refusal::NotGrantable(role.clone())),
        Some(true) => None,
    };
    wanted.iter().filter_map(refusal).collect()
}

/// Whether the admin could still log in after it has given a tenant this method. Who makes a role is a member of it from 16 on, and so
/// of the role's groups: `pg_hba.conf` does not ask what for.
pub fn of_method(method: Method, offer: &Offer) -> Option<Refusal> {
    let server = &offer.server;
    let joins = method == Method::RdsIam && server.has(Feature::MembershipsByGrantor) && !server.superuser;
    (joins && !offer.takes_tokens).then_some(Refusal::LocksOutAdmin)
}

/// What becomes of a tenant that is to live in this schema of a new database.
pub fn of_schema(schema: &str, server: &Server) -> Option<Refusal> {
    (schema == "public" && !server.governs_public()).then_some(Refusal::PublicIsTheirs)
}

/// What logical replication lacks on this server.
pub fn of_replication(offer: &Offer) -> Vec<Refusal> {
    let is_logical = offer.wal_level == "logical";
    let level = (!is_logical).then(|| Refusal::NotLogical { wal_level: offer.wal_level.clone() });
    let slots = (!offer.bounds_slots).then_some(Refusal::UnboundedSlots);
    level.into_iter().chain(slots).collect()
}

/// Whether members of this role may do something to other tenants: it is one of PostgreSQL's own.
pub fn reaches_beyond(role: &RoleName) -> bool {
    role.as_str().starts_with("pg_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::catalog::inside::Schema;
    use crate::postgres::catalog::offer::{Available, AvailableVersion, Template};
    use crate::tenant::{Stage, fixture};

    fn offer() -> Offer {
        let version = |needs_superuser, requires: &[&str], schema: Option<&str>| AvailableVersion {
            needs_superuser,
            requires: requires.iter().map(|&name| name.to_owned()).collect(),
            schema: schema.map(str::to_owned),
            movable: schema.is_none(),
        };
        let extension = |needs_superuser, requires: &[&str], schema: Option<&str>| Available {
            default_version: "1.1".into(),
            versions: ["1.0", "1.1"].map(|name| (name.to_owned(), version(needs_superuser, requires, schema))).into(),
        };
        Offer {
            server: server(15),
            wal_level: "replica".into(),
            bounds_slots: false,
            create_database: true,
            create_role: true,
            takes_tokens: false,
            privileged: false,
            template: Template {
                provider: "c".into(),
                lc_collate: "C.UTF-8".into(),
                lc_ctype: "C.UTF-8".into(),
                locale: None,
            },
            icu: true,
            libc: [("C", "UTF8"), ("en_US", "LATIN1"), ("en_US.utf8", "UTF8")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            extensions: [
                ("cube", extension(false, &[], None)),
                ("earthdistance", extension(false, &["cube"], None)),
                ("file_fdw", extension(true, &[], None)),
                ("plperl", extension(false, &["plpgsql"], Some("pg_catalog"))),
                ("topology", extension(false, &[], Some("topology"))),
            ]
            .map(|(name, extension)| (name.to_owned(), extension))
            .into(),
        }
    }

    fn server(major: u32) -> Server {
        Server { version_num: major * 10_000, ..fixture::snapshot().server }
    }

    /// A locale as `encoding provider locale collate ctype`, where `-` is left out, and what is refused of it.
    fn check_on(major: u32, offer: &Offer, locale: &str, expected: &[&str]) {
        let offer = &Offer { server: server(major), ..offer.clone() };
        let parts: Vec<_> = locale.split(' ').map(|part| (part != "-").then(|| part.to_owned())).collect();
        let [encoding, provider, text, collate, ctype] = <[_; 5]>::try_from(parts).unwrap();
        let wanted = Locale { encoding, provider, collate, ctype, locale: text };
        let missing = ["xx_YY".to_owned()].into();
        let found: Vec<_> = of_locale(&wanted, offer, &missing)
            .into_iter()
            .map(|refusal| match refusal {
                Refusal::NoLocale { provider } => format!("{provider} without locale"),
                Refusal::NotBuiltin { locale, known } => format!("{locale} is none of {}", known.len()),
                Refusal::NotForIcu { encoding } => format!("no {encoding}"),
                Refusal::OnlyUtf8 { locale, encoding } => format!("{locale} with {encoding}"),
                Refusal::NotInstalled { which, locale } => format!("{which:?} {locale}"),
                Refusal::OtherEncoding { which, given, of, encoding, .. } => {
                    format!("{which:?}{} of {of} with {encoding}", if given { "" } else { " of the server" })
                }
                Refusal::NoIcu => "no ICU".to_owned(),
                Refusal::TooOld { provider, needed } => format!("{provider} before {}", needed.since()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found, expected, "{locale} on {major}");
    }

    #[test]
    fn a_locale_is_judged_as_the_server_judges_it() {
        let check = |locale, expected: &[&str]| check_on(17, &offer(), locale, expected);
        check("UTF8 - - - -", &[]);
        check("utf-8 libc - C C", &[]);
        check("SQL_ASCII - - C POSIX", &[]);
        check("SQL_ASCII - - C -", &["Ctype of the server of UTF8 with SQL_ASCII"]);
        let servers = ["Collate of the server of UTF8 with LATIN1", "Ctype of the server of UTF8 with LATIN1"];
        check("LATIN1 - - - -", &servers);
        check("LATIN1 - - en_US en_US", &[]);
        check("UTF8 - - en_US en_US.utf8", &["Collate of LATIN1 with UTF8"]);
        check("UTF8 - - xx_YY C", &["Collate xx_YY"]);
        // A locale that nobody knows the encoding of is let through.
        check("LATIN1 - - xx_ZZ th_TH.TIS-620", &[]);
        check("UTF8 icu - - -", &["icu without locale"]);
        check("UTF8 icu de - -", &[]);
        check("SQL_ASCII icu de C C", &["no SQL_ASCII"]);
        check("UTF8 builtin - - -", &["builtin without locale"]);
        check("UTF8 builtin C.UTF-8 - -", &[]);
        check("UTF8 builtin C.UTF8 - -", &[]);
        check("LATIN1 builtin C.UTF-8 C C", &["C.UTF-8 with LATIN1"]);
        check("LATIN1 builtin C C C", &[]);
        check("UTF8 builtin de - -", &["de is none of 2"]);
        check("UTF8 builtin PG_UNICODE_FAST - -", &["PG_UNICODE_FAST is none of 2"]);
        check_on(18, &offer(), "UTF8 builtin PG_UNICODE_FAST - -", &[]);
        check_on(16, &offer(), "UTF8 builtin C - -", &["builtin before 17"]);
        check_on(14, &offer(), "UTF8 libc - C C", &["libc before 15"]);
    }

    #[test]
    fn what_is_left_out_comes_from_the_template() {
        let icu = Offer {
            icu: false,
            template: Template { provider: "i".into(), locale: Some("de".into()), ..offer().template },
            ..offer()
        };
        check_on(15, &icu, "UTF8 - - - -", &["no ICU"]);
        check_on(15, &icu, "UTF8 icu - - -", &["no ICU"]);
        check_on(15, &icu, "MULE_INTERNAL - - C C", &["no ICU", "no MULE_INTERNAL"]);
        check_on(15, &icu, "UTF8 libc - - -", &[]);
        check_on(17, &icu, "UTF8 builtin - - -", &["builtin without locale"]);
    }

    #[test]
    fn a_superuser_may_have_anything_as_sql_ascii() {
        let wanted = Locale { encoding: Some("SQL_ASCII".into()), ..Locale::default() };
        let offer = Offer { server: Server { superuser: true, ..server(15) }, ..offer() };
        assert_eq!(of_locale(&wanted, &offer, &BTreeSet::new()), []);
    }

    /// Extensions as `name schema version`, where `-` is left out.
    fn pins(said: &[&str]) -> Pins {
        let pin = |text: &&str| {
            let parts: Vec<_> = text.split(' ').collect();
            let said = |at: usize| parts.get(at).filter(|part| **part != "-");
            let schema = said(1).map(|schema| schema.parse().unwrap());
            let version = said(2).map(|version| version.parse().unwrap());
            (parts[0].parse().unwrap(), Pin { schema, version })
        };
        said.iter().map(pin).collect()
    }

    #[test]
    fn extensions_are_there_and_complete_and_this_admins_to_install() {
        let check_of = |offer: &Offer, wanted: &[&str], before: &[&str], expected: &[&str]| {
            let exposed = ["app", "public"].map(|schema| schema.parse().unwrap()).into();
            let refusals = of_extensions(&pins(wanted), &pins(before), &exposed, offer).into_iter();
            let told = refusals.map(|refusal| match refusal {
                Refusal::NoExtension(name) => format!("no {name}"),
                Refusal::NoVersion { extension, version, known } => {
                    format!("no {extension} {version} of {}", known.len())
                }
                Refusal::Untrusted { extension, perhaps } => {
                    format!("{extension} untrusted{}", if perhaps { "?" } else { "" })
                }
                Refusal::Requires { extension, other } => format!("{extension} requires {other}"),
                Refusal::OtherSchema { extension, schema, fixed } => format!("{extension} in {schema}, not {fixed}"),
                Refusal::Exposed { extension, schema } => format!("{extension} exposed in {schema}"),
                Refusal::NotMovable { extension, from, schema } => format!("{extension} from {from} to {schema}"),
                other => panic!("{other:?}"),
            });
            assert_eq!(told.collect::<Vec<_>>(), expected, "{wanted:?} after {before:?}");
        };
        let check = |wanted: &[&str], before: &[&str], expected: &[&str]| check_of(&offer(), wanted, before, expected);
        check(&["cube", "earthdistance", "plperl"], &[], &[]);
        check(&["vector"], &[], &["no vector"]);
        check(&["vector"], &["vector"], &[]);
        check(&["cube - 1.0"], &[], &[]);
        check(&["cube - 2.0"], &["cube"], &["no cube 2.0 of 2"]);
        check(&["file_fdw"], &[], &["file_fdw untrusted"]);
        check(&["file_fdw - 1.0"], &["file_fdw"], &["file_fdw untrusted"]);
        check(&["file_fdw gis"], &["file_fdw"], &[]);
        check_of(&Offer { privileged: true, ..offer() }, &["file_fdw"], &[], &["file_fdw untrusted?"]);
        let superuser = Offer { server: Server { superuser: true, ..server(15) }, ..offer() };
        check_of(&superuser, &["file_fdw"], &[], &[]);
        check(&["earthdistance"], &[], &["earthdistance requires cube"]);
        // What is fixed is where it is to be.
        check(&["plperl pg_catalog", "topology topology", "cube gis"], &[], &[]);
        check(&["plperl gis"], &[], &["plperl in gis, not pg_catalog"]);
        check(&["plperl extensions"], &[], &["plperl in extensions, not pg_catalog"]);
        check(&["cube pg_catalog"], &[], &["cube in pg_catalog, not extensions"]);
        check(&["topology topology"], &["topology"], &[]);
        // What is where the tenant creates stays there, and nothing else is put there.
        check(&["cube app"], &[], &["cube exposed in app"]);
        check(&["cube public"], &["cube gis"], &["cube exposed in public"]);
        check(&["cube app"], &["cube app"], &[]);
        check(&["cube app"], &["cube app 1.0"], &[]);
        check(&["cube app 1.1"], &["cube app"], &["cube exposed in app"]);
        check(&["cube gis"], &["cube app"], &[]);
        let mut fixed = offer();
        let versions = &mut fixed.extensions.get_mut("cube").unwrap().versions;
        versions.values_mut().for_each(|version| version.movable = false);
        check_of(&fixed, &["cube gis"], &["cube"], &["cube from extensions to gis"]);
        check_of(&fixed, &["cube gis"], &[], &[]);
    }

    #[test]
    fn a_template_is_there_and_copied_as_it_is() {
        let golden = || -> DatabaseName { "golden".parse().unwrap() };
        let found = || Database { owner_usable: false, is_template: true, ..fixture::database("golden", None) };
        let check = |found: Option<&Database>, locale: Locale, superuser: bool, expected: &[Refusal]| {
            let server = Server { superuser, ..server(17) };
            assert_eq!(of_template(&golden(), found, &locale, &server), expected);
        };
        let none = Locale::default;
        check(None, none(), false, &[Refusal::NoTemplate(golden())]);
        check(Some(&found()), none(), false, &[]);
        let plain = || Database { is_template: false, ..found() };
        check(Some(&plain()), none(), false, &[Refusal::NotCopyable(golden())]);
        check(Some(&plain()), none(), true, &[]);
        check(Some(&Database { owner_usable: true, ..plain() }), none(), false, &[]);
        let tenants = fixture::database("golden", Some(fixture::marker(&fixture::names(), Stage::Ready).text()));
        let refusal = Refusal::TenantsTemplate { template: golden(), tenant: "acme".to_owned() };
        check(Some(&tenants), none(), true, &[refusal]);

        let text = |text: &str| Some(text.to_owned());
        let other = |attribute, wanted: &str, found: &str| Refusal::OtherThanTemplate {
            attribute,
            wanted: wanted.to_owned(),
            found: found.to_owned(),
        };
        let same = Locale { encoding: text("utf-8"), provider: text("libc"), collate: text("C.UTF-8"), ..none() };
        check(Some(&found()), same, false, &[]);
        let wanted = Locale {
            encoding: text("LATIN1"),
            provider: text("icu"),
            collate: text("C"),
            ctype: text("de_DE"),
            locale: text("de"),
        };
        let expected = [
            other("encoding", "LATIN1", "UTF8"),
            other("locale_provider", "icu", "libc"),
            other("lc_collate", "C", "C.UTF-8"),
            other("lc_ctype", "de_DE", "C.UTF-8"),
            other("locale", "de", ""),
        ];
        check(Some(&found()), wanted, false, &expected);
    }

    #[test]
    fn what_a_template_brings_along_is_listed() {
        let golden = || -> DatabaseName { "golden".parse().unwrap() };
        let extension = |name: &str, schema: &str| Extension {
            name: name.to_owned(),
            schema: schema.to_owned(),
            version: "1".to_owned(),
            owner: "admin".to_owned(),
            owner_usable: true,
            movable: true,
            fixed: None,
            requires: Vec::new(),
        };
        let like = fixture::inside().schemas.remove(0);
        let schemas = ["public", "app", "jobs", "gis", "extensions"];
        let schemas = schemas.map(|name| Schema { name: name.to_owned(), ..like.clone() }).to_vec();
        let extensions = vec![extension("citext", "extensions"), extension("postgis", "gis")];
        let inside = Inside { schemas, extensions, ..Inside::default() };
        let told = |extensions: &[&str], schemas: &[&str]| {
            let extensions = pins(extensions);
            let schemas = schemas.iter().map(|name| name.parse().unwrap()).collect();
            of_contents(&golden(), &inside, &extensions, &schemas)
        };
        assert_eq!(told(&["citext", "postgis"], &["app", "jobs"]), []);
        let brought = [
            Refusal::BringsExtension { template: golden(), extension: "postgis".to_owned() },
            Refusal::BringsSchema { template: golden(), schema: "jobs".to_owned() },
        ];
        assert_eq!(told(&["citext"], &["app"]), brought);
    }

    #[test]
    fn roles_are_there_and_this_admins_to_grant() {
        let name = |name: &str| -> RoleName { name.parse().unwrap() };
        let grantable = [("rds_iam", true), ("pg_monitor", false)].map(|(k, v)| (k.to_owned(), v)).into();
        let wanted = ["nosuch", "pg_monitor", "rds_iam"].map(name).into();
        let expected = [Refusal::NoRole(name("nosuch")), Refusal::NotGrantable(name("pg_monitor"))];
        assert_eq!(of_roles(&wanted, &grantable), expected);
    }

    #[test]
    fn an_admin_with_a_password_is_not_made_to_use_tokens() {
        for (major, superuser, takes_tokens, refused) in [
            (15, false, false, false),
            (16, false, false, true),
            (18, false, false, true),
            (16, false, true, false),
            (16, true, false, false),
        ] {
            let offer = Offer { server: Server { superuser, ..server(major) }, takes_tokens, ..offer() };
            let expected = refused.then_some(Refusal::LocksOutAdmin);
            assert_eq!(of_method(Method::RdsIam, &offer), expected, "{major} {superuser} {takes_tokens}");
            assert_eq!(of_method(Method::Password, &offer), None);
            assert_eq!(of_method(Method::Certificate, &offer), None);
        }
    }

    #[test]
    fn who_owns_public_is_known_by_the_major() {
        for (schema, major, superuser, told) in [
            ("public", 13, false, true),
            ("public", 14, false, true),
            ("public", 14, true, false),
            ("public", 15, false, false),
            ("app", 13, false, false),
        ] {
            let found = of_schema(schema, &Server { superuser, ..server(major) });
            assert_eq!(found.is_some(), told, "{schema} {major} {superuser}");
        }
    }

    #[test]
    fn replication_needs_enough_wal_and_a_bound() {
        let check = |wal_level: &str, bounds_slots, expected: &[Refusal]| {
            let offer = Offer { wal_level: wal_level.to_owned(), bounds_slots, ..offer() };
            assert_eq!(of_replication(&offer), expected);
        };
        check("logical", true, &[]);
        check("logical", false, &[Refusal::UnboundedSlots]);
        let level = || Refusal::NotLogical { wal_level: "replica".to_owned() };
        check("replica", true, &[level()]);
        check("replica", false, &[level(), Refusal::UnboundedSlots]);
    }

    #[test]
    fn an_admin_makes_roles_and_databases() {
        assert_eq!(of_admin(&offer()), []);
        let weak = Offer { create_database: false, create_role: false, ..offer() };
        assert_eq!(of_admin(&weak), [Refusal::Admin("CREATEROLE"), Refusal::Admin("CREATEDB")]);
    }
}
