//! What all modules and compositions have in common.

use crate::check::{files, read};
use crate::readme::blocks;
use crate::support::examples;

/// A wrapper hands on `null` for what nobody has set. Where a variable has a default, that must be the default, and not
/// AWS's, which protects nothing. Where null says something of its own, the variable says so, and its description what.
#[test]
fn null_is_the_default() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for dir in examples::modules().into_iter().chain(examples::applied()) {
        for file in files(&examples::root().join(&dir), "tf") {
            for variable in blocks("variable", &read(&file)) {
                let default = variable.argument("default");
                if default.is_empty() || default == "null" {
                    continue;
                }
                seen += 1;
                let said = match variable.argument("nullable").as_str() {
                    "false" => true,
                    "true" => variable.text("description").contains("`null`"),
                    _ => false,
                };
                if !said {
                    wrong.push(format!("{dir}: var.{}", variable.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "without `nullable = false`:\n{}", wrong.join("\n"));
    assert!(seen > 100, "{seen}");
}
