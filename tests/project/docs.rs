//! `docs/` in the registry's layout, rendered from the schemas and the examples. A stale page fails;
//! `PGTENANT_UPDATE_DOCS=1 cargo test --test project` writes them anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use pgtenant::provider::PgTenant;
use pgtenant::tf_provider::{Attribute, Block, Function, Mode, Provider, Type};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn example(path: &str) -> String {
    fs::read_to_string(root().join("examples").join(path))
        .unwrap_or_else(|error| panic!("examples/{path}: {error}"))
        .trim_end()
        .to_owned()
}

#[test]
fn pages_are_up_to_date() {
    let mut stale = Vec::new();
    for (path, text) in pages() {
        let path = root().join("docs").join(path);
        if fs::read_to_string(&path).is_ok_and(|found| found == text) {
            continue;
        }
        if std::env::var_os("PGTENANT_UPDATE_DOCS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        } else {
            stale.push(path);
        }
    }
    assert!(stale.is_empty(), "stale, run PGTENANT_UPDATE_DOCS=1 cargo test --test project: {stale:?}");
}

fn pages() -> Vec<(PathBuf, String)> {
    let provider = PgTenant::default();
    let mut pages = vec![
        ("index.md".into(), index(&provider.schema().block)),
        ("guides/compliance.md".into(), crate::compliance::page()),
    ];
    for resource in provider.resources() {
        let name = resource.type_name();
        let mut page = head(name, "Resource", &resource.schema().block.description);
        page += &usage(&example(&format!("resources/{name}/resource.tf")));
        page += &schema(&resource.schema().block);
        let import = example(&format!("resources/{name}/import.sh"));
        write!(page, "\n## Import\n\nImport is supported using the following syntax:\n\n```shell\n{import}\n```\n")
            .unwrap();
        page += &identity(name, &resource.schema().block);
        pages.push((file("resources", name), page));
    }
    for source in provider.data_sources() {
        let name = source.type_name();
        let mut page = head(name, "Data Source", &source.schema().block.description);
        page += &usage(&example(&format!("data-sources/{name}/data-source.tf")));
        page += &schema(&source.schema().block);
        pages.push((file("data-sources", name), page));
    }
    for ephemeral in provider.ephemeral_resources() {
        let name = ephemeral.type_name();
        let mut page = head(name, "Ephemeral Resource", &ephemeral.schema().block.description);
        page += &usage(&example(&format!("ephemeral-resources/{name}/ephemeral-resource.tf")));
        page += &schema(&ephemeral.schema().block);
        pages.push((file("ephemeral-resources", name), page));
    }
    for function in provider.functions() {
        pages.push((format!("functions/{}.md", function.name()).into(), function_page(function.as_ref())));
    }
    pages
}

/// How a resource is imported by what identifies it; nothing of one that has no identity.
fn identity(name: &str, block: &Block) -> String {
    let attributes: Vec<&Attribute> = block.attributes.iter().filter(|attribute| attribute.identifies).collect();
    if attributes.is_empty() {
        return String::new();
    }
    let example = example(&format!("resources/{name}/import-by-identity.tf"));
    let lines: Vec<String> = attributes.into_iter().map(line).collect();
    format!(
        "\nIn Terraform v1.12.0 and later, the `import` block can be used with the `identity` attribute, for example:\n\n\
         ```terraform\n{example}\n```\n\n### Identity Schema\n\n#### Required\n\n{}\n",
        lines.join("\n")
    )
}

fn file(folder: &str, type_name: &str) -> PathBuf {
    format!("{folder}/{}.md", type_name.trim_start_matches("pgtenant_")).into()
}

fn front_matter(title: &str, description: &str) -> String {
    let first = description.split(": ").next().unwrap_or_default().split(". ").next().unwrap_or_default();
    format!(
        "---\npage_title: \"{title}\"\nsubcategory: \"\"\ndescription: |-\n  {}\n---\n",
        first.trim_end_matches('.')
    )
}

fn head(name: &str, kind: &str, description: &str) -> String {
    format!("{}\n# {name} ({kind})\n\n{description}\n", front_matter(&format!("{name} {kind} - pgtenant"), description))
}

fn usage(example: &str) -> String {
    format!("\n## Example Usage\n\n```terraform\n{example}\n```\n")
}

fn index(block: &Block) -> String {
    let mut page = front_matter("Provider: pgtenant", &block.description);
    write!(page, "\n# pgtenant Provider\n\n{}\n", block.description).unwrap();
    page += "\nIf an attribute is omitted, libpq's service is used if one is named, then its environment variable, then the default. \
             Of libpq's variables about security these are not heeded, and a warning says so where one is set: `PGSSLCRL`, \
             `PGSSLCRLDIR`, `PGSSLCERTMODE`, `PGREQUIREPEER`, `PGREQUIRESSL`, `PGGSSENCMODE`. A password in a connection URI, \
             `PGOPTIONS`, `PGAPPNAME` and `PGTZ` make no difference either. Every session \
             begins with `search_path=pg_catalog`; no tenant's table is read and no tenant's function called.\n";
    page += "\n180 ways to a server are held against libpq 18. But for those variables the provider accepts none that libpq refuses. \
             It refuses what psql would accept in these cases: `sslmode` `allow` and \
             `prefer`, which fall back to clear text unasked; a file that is named and not there, as an `sslcert` that nobody asks \
             for; any proof but SCRAM for a server that TLS has not verified, unless `require_auth` allows it; a server's \
             certificate whose name is a common name only and no subjectAltName (RFC 6125), and one that is an authority's own \
             (RFC 5280).\n";
    page += &usage(&example("provider/provider.tf"));
    page + &schema(block)
}

fn schema(block: &Block) -> String {
    let mut page = "\n## Schema\n".to_owned();
    let of = |modes: &[Mode]| {
        block.attributes.iter().filter(|attribute| modes.contains(&attribute.mode)).collect::<Vec<_>>()
    };
    for (title, modes) in [
        ("Required", &[Mode::Required][..]),
        ("Optional", &[Mode::Optional, Mode::OptionalComputed]),
        ("Read-Only", &[Mode::Computed]),
    ] {
        let mut lines: Vec<String> = of(modes).into_iter().map(line).collect();
        if title == "Optional" {
            lines.extend(block.blocks.iter().map(|nested| {
                let name = nested.name;
                format!(
                    "- `{name}` (Block, Optional) {} (see [below for nested schema](#nestedblock--{name}))",
                    nested.block.description
                )
            }));
        }
        if !lines.is_empty() {
            write!(page, "\n### {title}\n\n{}\n", lines.join("\n")).unwrap();
        }
    }
    for nested in &block.blocks {
        let lines: Vec<String> = nested.block.attributes.iter().map(line).collect();
        write!(
            page,
            "\n<a id=\"nestedblock--{0}\"></a>\n### Nested Schema for `{0}`\n\nOptional:\n\n{1}\n",
            nested.name,
            lines.join("\n")
        )
        .unwrap();
    }
    page
}

fn line(attribute: &Attribute) -> String {
    let mut notes = vec![type_name(&attribute.ty)];
    if attribute.sensitive {
        notes.push("Sensitive".to_owned());
    }
    if attribute.write_only {
        notes.push("Write-only".to_owned());
    }
    let mut line = format!("- `{}` ({}) {}", attribute.name, notes.join(", "), attribute.description);
    if let Some(default) = &attribute.default
        && !attribute.description.contains("Default:")
    {
        write!(line, " Default: `{}`.", default_text(default)).unwrap();
    }
    line
}

fn default_text(value: &pgtenant::tf_provider::Value) -> String {
    use pgtenant::tf_provider::{Number, Value};
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(Number::Int(number)) => number.to_string(),
        Value::List(elements) if elements.is_empty() => "[]".to_owned(),
        other => panic!("no text for the default {other:?}"),
    }
}

fn type_name(ty: &Type) -> String {
    match ty {
        Type::Bool => "Boolean".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::String => "String".to_owned(),
        Type::Dynamic => "Dynamic".to_owned(),
        Type::List(inner) => format!("List of {}", type_name(inner)),
        Type::Set(inner) => format!("Set of {}", type_name(inner)),
        Type::Map(inner) => format!("Map of {}", type_name(inner)),
        Type::Object(attributes) => {
            let attributes: Vec<_> =
                attributes.iter().map(|(name, ty)| format!("`{name}` {}", type_name(ty))).collect();
            format!("Object with {}", attributes.join(", "))
        }
        Type::Tuple(_) => "Tuple".to_owned(),
    }
}

fn function_page(function: &dyn Function) -> String {
    let name = function.name();
    let mut page = front_matter(&format!("{name} function - pgtenant"), function.summary());
    write!(page, "\n# function: {name}\n\n{}\n", function.description()).unwrap();
    page += &usage(&example(&format!("functions/{name}/function.tf")));
    let parameters = function.parameters();
    let signature: Vec<_> = parameters
        .iter()
        .map(|parameter| format!("{} {}", parameter.name, type_name(&parameter.ty).to_lowercase()))
        .collect();
    let returns = type_name(&function.returns()).to_lowercase();
    write!(page, "\n## Signature\n\n```text\n{name}({}) {returns}\n```\n\n## Arguments\n\n", signature.join(", "))
        .unwrap();
    for (at, parameter) in parameters.iter().enumerate() {
        writeln!(page, "{}. `{}` ({}) {}", at + 1, parameter.name, type_name(&parameter.ty), parameter.description)
            .unwrap();
    }
    page
}
