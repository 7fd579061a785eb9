//! What a module under `examples/modules` comes to, planned by Terraform with the stand-in for AWS.

use std::path::Path;

use serde_json::Value;

use crate::check::copy;
use crate::stub;

pub struct Planned {
    resources: Vec<Value>,
    outputs: Value,
}

/// Plans the module as a root module beside those that it calls, with `variables` as its terraform.tfvars.
#[track_caller]
pub fn module(name: &str, variables: &str) -> Planned {
    let mut workspace = stub::workspace();
    let modules = workspace.dir.join("modules");
    copy(&Path::new(stub::ROOT).join("examples/modules"), &modules);
    workspace.dir = modules.join(name);
    workspace.write("terraform.tfvars", variables);
    workspace.run(&["init"]).ok().unwrap_or_else(|error| panic!("{error}"));
    let planned = workspace.plan().json["planned_values"].clone();
    let resources = planned["root_module"]["resources"].as_array().cloned().unwrap_or_default();
    Planned { resources, outputs: planned["outputs"].clone() }
}

impl Planned {
    pub fn output(&self, name: &str) -> &Value {
        &self.outputs[name]["value"]
    }

    pub fn of_type(&self, kind: &str) -> Vec<&Value> {
        self.resources.iter().filter(|resource| resource["type"] == kind).collect()
    }
}
