//! Managed resources, from validation to destruction.

use super::wire::{
    self, apply_resource_change, import_resource_state, move_resource_state, plan_resource_change, read_resource,
    upgrade_resource_state, validate_resource_type_config,
};
use super::{Server, convert, identity, within};
use crate::tf_provider::codec::json;
use crate::tf_provider::timeouts::{self, Operation};
use crate::tf_provider::{
    ApplyRequest, Block, Diagnostic, Diagnostics, Path, PlanRequest, State, Value, Work, planning,
};

pub(super) fn validate(
    server: &Server,
    request: validate_resource_type_config::Request,
) -> Result<validate_resource_type_config::Response, Diagnostics> {
    let resource = server.catalog().resource(&request.type_name)?;
    let shape = resource.shape();
    let config = shape.decode(request.config.as_ref())?;
    let mut diagnostics = Diagnostics::default();
    if !request.client_capabilities.unwrap_or_default().write_only_attributes_allowed {
        diagnostics.extend(refuse_write_only(&shape.schema.block, &config));
    }
    diagnostics.extend(planning::read_only_values(&shape.schema.block, &config));
    diagnostics.extend(timeouts::validate(&shape.schema.block, &config));
    diagnostics.extend(resource.handler.validate(&config));
    Ok(validate_resource_type_config::Response { diagnostics: convert::diagnostics(diagnostics).collect() })
}

fn refuse_write_only(block: &Block, config: &Value) -> Diagnostics {
    let refuse = |path: Path| {
        let detail = format!(
            "{path} is write-only: it is never stored. That needs Terraform 1.11 or later; an older one would \
             write it into its state."
        );
        Diagnostic::error("Write-only attribute not supported by this client", detail).at(path)
    };
    Diagnostics(planning::write_only_values(block, config).into_iter().map(refuse).collect())
}

pub(super) fn upgrade(
    server: &Server,
    request: upgrade_resource_state::Request,
) -> Result<upgrade_resource_state::Response, Diagnostics> {
    let resource = server.catalog().resource(&request.type_name)?;
    let shape = resource.shape();
    let current = shape.schema.version;
    if request.version > current {
        let detail = format!(
            "The state of this {} has schema version {}; this version of the provider knows them up to {current}. \
             Use the version of the provider that wrote the state, or a newer one.",
            request.type_name, request.version
        );
        return Err(Diagnostic::error("State was written by a newer provider", detail).into());
    }
    let mut state = stored(request.raw_state.as_ref())?;
    if request.version < current && !state.is_null() {
        state = resource.handler.upgrade(request.version, state)?;
    }
    let mut value = json::from_value(&state, &shape.ty, json::Extra::Drop).map_err(|error| unreadable(&error))?;
    planning::settle(&shape.schema.block, &mut value);
    Ok(upgrade_resource_state::Response { upgraded_state: shape.encode(&value)?, diagnostics: Vec::new() })
}

/// State as it lies in the state file.
fn stored(state: Option<&wire::RawState>) -> Result<serde_json::Value, Diagnostics> {
    match state {
        Some(state) if !state.json.is_empty() => json::parse(&state.json).map_err(|error| unreadable(&error)),
        Some(state) if !state.flatmap.is_empty() => {
            let detail = "It is in the format of Terraform 0.11. Run `terraform apply` with Terraform 0.12 first.";
            Err(Diagnostic::error("State is too old", detail).into())
        }
        _ => Ok(serde_json::Value::Null),
    }
}

fn unreadable(error: &crate::tf_provider::codec::Error) -> Diagnostics {
    let detail = format!("{error}. Restore the state from a backup, or remove and import this resource.");
    convert::wrong_value("The stored state cannot be read", detail, error)
}

/// The answer of a read that could not tell: the state as it was.
pub(super) fn unread(request: &read_resource::Request) -> read_resource::Response {
    read_resource::Response {
        new_state: request.current_state.clone(),
        private: request.private.clone(),
        new_identity: request.current_identity.clone(),
        ..Default::default()
    }
}

pub(super) async fn read(
    server: &Server,
    request: read_resource::Request,
) -> Result<read_resource::Response, Diagnostics> {
    let resource = server.catalog().resource(&request.type_name)?;
    let shape = resource.shape();
    let value = shape.decode(request.current_state.as_ref())?;
    if value.is_null() {
        return Ok(unread(&request));
    }
    let cx = server.context(timeouts::of(&shape.schema.block, &value, Operation::Read), Work::Look);
    let state = State { value, private: request.private, diagnostics: Diagnostics::default() };
    let mut state = within(&cx, resource.handler.read(&cx, state)).await?.unwrap_or_default();
    planning::settle(&shape.schema.block, &mut state.value);
    Ok(read_resource::Response {
        new_state: shape.encode(&state.value)?,
        diagnostics: convert::diagnostics(state.diagnostics).collect(),
        private: state.private,
        deferred: None,
        new_identity: identity::of(&shape.schema.block, &state.value)?,
    })
}

pub(super) async fn plan(
    server: &Server,
    request: plan_resource_change::Request,
) -> Result<plan_resource_change::Response, Diagnostics> {
    let resource = server.catalog().resource(&request.type_name)?;
    let shape = resource.shape();
    let block = &shape.schema.block;
    let prior = shape.decode(request.prior_state.as_ref())?;
    let proposed = shape.decode(request.proposed_new_state.as_ref())?;
    let config = shape.decode(request.config.as_ref())?;
    let described = if proposed.is_null() { &prior } else { &config };
    let cx = server.context(timeouts::of(block, described, Operation::Read), Work::Look);

    if proposed.is_null() {
        let diagnostics = within(&cx, resource.handler.plan_destroy(&cx, &prior)).await;
        return Ok(plan_resource_change::Response {
            planned_state: shape.encode(&Value::Null)?,
            planned_private: request.prior_private,
            planned_identity: request.prior_identity,
            diagnostics: convert::diagnostics(diagnostics).collect(),
            ..Default::default()
        });
    }

    let prior = known(prior);
    let proposed = planning::propose(block, &config, prior.as_ref(), proposed);
    let before = prior.clone();
    let request = PlanRequest { config, prior, proposed, private: request.prior_private };
    let mut planned = within(&cx, resource.handler.plan(&cx, request)).await;
    planning::settle(block, &mut planned.value);
    let mut replaced = Vec::new();
    if let Some(before) = before {
        if planned.private.is_empty() {
            // So that the second plan of a replacement is told from a create: `PlanRequest::is_second`.
            planned.private = b"{}".to_vec();
        }
        replaced = planning::replacements(block, &before, &planned.value);
        replaced.extend(planned.requires_replace.into_iter().map(Path::attribute));
    }
    Ok(plan_resource_change::Response {
        planned_state: shape.encode(&planned.value)?,
        planned_identity: identity::of(block, &planned.value)?,
        requires_replace: replaced.into_iter().map(convert::path).collect(),
        planned_private: planned.private,
        diagnostics: convert::diagnostics(planned.diagnostics).collect(),
        legacy_type_system: false,
        deferred: None,
    })
}

/// The answer of an apply that did not get to say what it reached: the state as it was.
pub(super) fn unapplied(request: &apply_resource_change::Request) -> apply_resource_change::Response {
    apply_resource_change::Response {
        new_state: request.prior_state.clone(),
        private: request.planned_private.clone(),
        ..Default::default()
    }
}

pub(super) async fn apply(
    server: &Server,
    request: apply_resource_change::Request,
) -> Result<apply_resource_change::Response, Diagnostics> {
    let resource = server.catalog().resource(&request.type_name)?;
    let shape = resource.shape();
    let block = &shape.schema.block;
    let prior = known(shape.decode(request.prior_state.as_ref())?);
    let planned = known(shape.decode(request.planned_state.as_ref())?);
    let config = shape.decode(request.config.as_ref())?;
    let timeout = match (&prior, &planned) {
        (None, Some(planned)) => timeouts::of(block, planned, Operation::Create),
        (Some(_), Some(planned)) => timeouts::of(block, planned, Operation::Update),
        (Some(prior), None) => timeouts::of(block, prior, Operation::Delete),
        (None, None) => return Ok(unapplied(&request)),
    };
    let destroyed = if planned.is_none() { prior.clone() } else { None };
    let cx = server.context(timeout, Work::Apply);
    let request = ApplyRequest { config, prior, planned, private: request.planned_private };
    let applied = within(&cx, resource.handler.apply(&cx, request)).await;
    let mut state = match destroyed {
        None => applied.state,
        Some(prior) if applied.diagnostics.has_errors() => applied.state.or(Some(prior)),
        Some(_) => None,
    }
    .unwrap_or_default();
    planning::settle(block, &mut state);
    Ok(apply_resource_change::Response {
        new_state: shape.encode(&state)?,
        private: applied.private,
        diagnostics: convert::diagnostics(applied.diagnostics).collect(),
        legacy_type_system: false,
        new_identity: identity::of(block, &state)?,
    })
}

fn known(value: Value) -> Option<Value> {
    Some(value).filter(|value| !value.is_null())
}

pub(super) async fn import(
    server: &Server,
    request: import_resource_state::Request,
) -> Result<import_resource_state::Response, Diagnostics> {
    let resource = server.catalog().resource(&request.type_name)?;
    let shape = resource.shape();
    let id = match &request.identity {
        Some(identity) if request.id.is_empty() => identity::import_id(&shape.schema.block, identity)?,
        _ => request.id,
    };
    let cx = server.context(timeouts::of(&shape.schema.block, &Value::Null, Operation::Read), Work::Look);
    let mut state = within(&cx, resource.handler.import(&cx, &id)).await?;
    planning::settle(&shape.schema.block, &mut state.value);
    let imported = import_resource_state::ImportedResource {
        type_name: request.type_name,
        state: shape.encode(&state.value)?,
        private: state.private,
        identity: identity::of(&shape.schema.block, &state.value)?,
    };
    Ok(import_resource_state::Response {
        imported_resources: vec![imported],
        diagnostics: convert::diagnostics(state.diagnostics).collect(),
        deferred: None,
    })
}

pub(super) fn move_state(
    server: &Server,
    request: &move_resource_state::Request,
) -> Result<move_resource_state::Response, Diagnostics> {
    let resource = server.catalog().resource(&request.target_type_name)?;
    let shape = resource.shape();
    let source = stored(request.source_state.as_ref())?;
    let (provider, type_name) = (&request.source_provider_address, &request.source_type_name);
    let moved = resource.handler.move_from(provider, type_name, &source).unwrap_or_else(|| {
        let detail = format!(
            "A {} does not take over a {type_name} of {provider}. Remove that one from the state (a `removed` block \
             with `destroy = false`) and import this one.",
            request.target_type_name
        );
        Err(Diagnostic::error("Resource cannot be moved", detail).into())
    });
    let mut value = moved?;
    planning::settle(&shape.schema.block, &mut value);
    Ok(move_resource_state::Response {
        target_state: shape.encode(&value)?,
        target_identity: identity::of(&shape.schema.block, &value)?,
        ..Default::default()
    })
}
