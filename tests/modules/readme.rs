//! The tables in each module's README, made from `variables.tf` and `outputs.tf`. A stale one fails;
//! `PGTENANT_UPDATE_DOCS=1 cargo test --test modules readme` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::check::read;
use crate::matrix::{Outcome, record};
use crate::support::examples;

const BEGIN: &str = "<!-- BEGIN_TF_DOCS -->\n";
const END: &str = "<!-- END_TF_DOCS -->";
/// Each README says so far it has been tried.
const CHECKED: &str = "\n## What was checked\n";

#[test]
fn every_readme_is_up_to_date() {
    let mut failures = Vec::new();
    for module in examples::modules() {
        let outcome = match check(&examples::root().join(&module)) {
            Ok(count) => Outcome::Passed(format!("{count} rows")),
            Err(error) => {
                failures.push(format!("{module}: {error}"));
                Outcome::Failed
            }
        };
        record(&module, "readme", outcome);
    }
    let remedy = "PGTENANT_UPDATE_DOCS=1 cargo test --test modules readme";
    assert!(failures.is_empty(), "{}\nWhere a table is stale: {remedy}", failures.join("\n"));
}

fn check(module: &Path) -> Result<usize, String> {
    let file = module.join("README.md");
    let text = fs::read_to_string(&file).map_err(|error| format!("README.md: {error}"))?;
    let (before, rest) = text.split_once(BEGIN).ok_or("README.md has no <!-- BEGIN_TF_DOCS -->")?;
    let (found, after) = rest.split_once(END).ok_or("README.md has no <!-- END_TF_DOCS -->")?;
    if !text.contains(CHECKED) {
        return Err("README.md has no section \"What was checked\"".to_owned());
    }
    let source = |name: &str| {
        let file = module.join(name);
        if file.exists() { read(&file) } else { String::new() }
    };
    let (inputs, outputs) = (blocks("variable", &source("variables.tf")), blocks("output", &source("outputs.tf")));
    let undescribed = inputs.iter().chain(&outputs).find(|block| block.text("description").is_empty());
    if let Some(block) = undescribed {
        return Err(format!("{} is not described", block.name));
    }
    let tables = tables(&inputs, &outputs);
    if found != tables {
        if std::env::var_os("PGTENANT_UPDATE_DOCS").is_none() {
            return Err("the tables of README.md are stale".to_owned());
        }
        fs::write(&file, format!("{before}{BEGIN}{tables}{END}{after}")).map_err(|error| error.to_string())?;
    }
    Ok(inputs.len() + outputs.len())
}

fn tables(inputs: &[Block], outputs: &[Block]) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut text = String::new();
    if !inputs.is_empty() {
        text += "\n## Inputs\n\n| name | description | type | default |\n|---|---|---|---|\n";
    }
    for input in inputs {
        let default = input.arguments.get("default").map_or("required".to_owned(), |text| format!("`{}`", cell(text)));
        let (name, description, ty) = (&input.name, cell(&input.text("description")), cell(&input.argument("type")));
        let _ = writeln!(text, "| `{name}` | {description} | `{ty}` | {default} |");
    }
    if !outputs.is_empty() {
        text += "\n## Outputs\n\n| name | description |\n|---|---|\n";
    }
    for output in outputs {
        let sensitive = if output.argument("sensitive") == "true" { " Sensitive." } else { "" };
        let _ = writeln!(text, "| `{}` | {}{sensitive} |", output.name, cell(&output.text("description")));
    }
    text + "\n"
}

/// A block of the outermost level, with the text of its own arguments on one line each.
pub struct Block {
    pub name: String,
    arguments: BTreeMap<String, String>,
}

impl Block {
    pub fn argument(&self, name: &str) -> String {
        self.arguments.get(name).cloned().unwrap_or_default()
    }

    /// The argument as a text: what stands between the quotation marks.
    pub fn text(&self, name: &str) -> String {
        let quoted = self.argument(name);
        quoted.trim_matches('"').replace("\\\"", "\"").replace("\\\\", "\\").replace("$${", "${")
    }
}

/// The blocks of that kind in a formatted file, in its order. Formatted, a block begins and ends at the
/// margin, and its arguments stand two spaces from it.
pub fn blocks(kind: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let name = line.strip_prefix(kind).and_then(|rest| rest.trim().strip_prefix('"'));
        let Some((name, _)) = name.and_then(|rest| rest.split_once('"')) else { continue };
        let mut arguments = BTreeMap::new();
        while let Some(line) = lines.next().filter(|line| *line != "}") {
            let Some((name, value)) = argument(line) else { continue };
            if let Some(end) = value.strip_prefix("<<-").or(value.strip_prefix("<<")) {
                let text: Vec<&str> = lines.by_ref().map(str::trim).take_while(|line| *line != end).collect();
                arguments.insert(name.to_owned(), text.join(" "));
                continue;
            }
            let mut parts = vec![value.to_owned()];
            while depth(&parts) > 0 {
                let Some(line) = lines.next() else { break };
                let line = line.trim();
                if !line.is_empty() && !line.starts_with('#') {
                    parts.push(line.to_owned());
                }
            }
            arguments.insert(name.to_owned(), one_line(&parts));
        }
        blocks.push(Block { name: name.to_owned(), arguments });
    }
    blocks
}

/// `  name = value`
fn argument(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("  ").filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))?;
    let (name, value) = line.split_once('=')?;
    Some((name.trim_end(), value.trim())).filter(|(name, _)| !name.contains(' '))
}

/// How many brackets are open at the end, those in texts not counted.
fn depth(parts: &[String]) -> i32 {
    let mut depth = 0;
    for part in parts {
        let (mut quoted, mut escaped) = (false, false);
        for c in part.chars() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = !quoted,
                '(' | '[' | '{' if !quoted => depth += 1,
                ')' | ']' | '}' if !quoted => depth -= 1,
                _ => {}
            }
        }
    }
    depth
}

/// Lines of an expression on one, with the commas that line breaks stood for, and single spaces.
fn one_line(parts: &[String]) -> String {
    let mut line = String::new();
    for part in parts {
        let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
        let opened = line.ends_with(['(', '[', '{']);
        let closes = part.starts_with([')', ']', '}']);
        let separator = match (line.is_empty(), opened, closes) {
            (true, ..) => "",
            (_, true, _) => {
                if line.ends_with('{') {
                    " "
                } else {
                    ""
                }
            }
            (_, _, true) => {
                if part.starts_with('}') {
                    " "
                } else {
                    ""
                }
            }
            _ if line.ends_with(',') => " ",
            _ => ", ",
        };
        let trailing_comma = closes && line.ends_with(',');
        if trailing_comma {
            line.pop();
        }
        line += separator;
        line += &part;
    }
    line
}

#[test]
fn variables_and_outputs_are_read() {
    let text = r#"
variable "name" {
  description = "A \"name\" | of {it."
  type        = string

  validation {
    condition     = var.name != ""
    error_message = "x"
  }
}

# A comment.
variable "limits" {
  description = "Limits."
  type = map(object({
    # In seconds.
    timeout = optional(number, 5)
    names   = list(string)
  }))
  default = {
    a = { timeout = 1, names = [] }
  }
}

variable "classes" {
  description = <<-EOT
    Classes
    (all of them).
  EOT
  type        = set(string)
  default = [
    "ddl",
    "role",
  ]
}
"#;
    let found = tables(
        &blocks("variable", text),
        &blocks("output", "output \"a\" {\n  description = \"An A.\"\n  value = 1\n}\n"),
    );
    let expected = "
## Inputs

| name | description | type | default |
|---|---|---|---|
| `name` | A \"name\" \\| of {it. | `string` | required |
| `limits` | Limits. | `map(object({ timeout = optional(number, 5), names = list(string) }))` | `{ a = { timeout = 1, names = [] } }` |
| `classes` | Classes (all of them). | `set(string)` | `[\"ddl\", \"role\"]` |

## Outputs

| name | description |
|---|---|
| `a` | An A. |

";
    assert_eq!(found, expected, "{found}");
}
