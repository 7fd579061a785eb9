//! Calls of provider functions. What is wrong is told about an argument, not as a diagnostic.

use super::{Server, convert, wire};
use crate::tf_provider::codec::{json, msgpack};
use crate::tf_provider::{FunctionError, Type, Value};

pub(super) fn call(server: &Server, request: &wire::call_function::Request) -> wire::call_function::Response {
    match result(server, request) {
        Ok(result) => wire::call_function::Response { result: Some(result), error: None },
        Err(error) => wire::call_function::Response { result: None, error: Some(convert::function_error(error)) },
    }
}

fn result(server: &Server, request: &wire::call_function::Request) -> Result<wire::DynamicValue, FunctionError> {
    let function = server.catalog().functions.get(request.name.as_str());
    let function = function.ok_or_else(|| error(format!("this provider has no function {:?}", request.name)))?;
    let parameters = function.parameters();
    if parameters.len() != request.arguments.len() {
        let (expected, got) = (parameters.len(), request.arguments.len());
        return Err(error(format!("{} takes {expected} arguments, not {got}", request.name)));
    }
    let arguments = (0..).zip(&request.arguments).zip(&parameters).map(|((index, value), parameter)| {
        argument(value, &parameter.ty).map_err(|text| FunctionError { text, argument: Some(index) })
    });
    let result = function.call(arguments.collect::<Result<_, _>>()?)?;
    let msgpack = msgpack::encode(&result, &function.returns())
        .map_err(|wrong| error(format!("{wrong}. This is a bug in the provider, please report it.")))?;
    Ok(wire::DynamicValue { msgpack: msgpack.into(), ..Default::default() })
}

fn argument(value: &wire::DynamicValue, ty: &Type) -> Result<Value, String> {
    let decoded = if value.msgpack.is_empty() {
        json::decode(&value.json, ty, json::Extra::Refuse)
    } else {
        msgpack::decode(&value.msgpack, ty)
    };
    match decoded.map_err(|wrong| wrong.to_string())? {
        Value::Null => Err("must not be null".to_owned()),
        value if !value.is_wholly_known() => Err("must be known".to_owned()),
        value => Ok(value),
    }
}

fn error(text: String) -> FunctionError {
    FunctionError { text, argument: None }
}
