//! Types and values as Terraform may send them, for tests that try many.

use proptest::prelude::*;

use super::codec::{number_from_float, number_from_text};
use super::{Type, Value};

/// What a value may lack, beside nulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Wholly,
    Partly,
}

pub fn ty() -> impl Strategy<Value = Type> {
    let simple = prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::String), Just(Type::Dynamic)];
    simple.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.clone().prop_map(Type::set),
            inner.clone().prop_map(Type::map),
            prop::collection::btree_map("[a-c]", inner.clone(), 0..3).prop_map(Type::Object),
            prop::collection::vec(inner, 0..3).prop_map(Type::Tuple),
        ]
    })
}

/// Any value of a type; of a dynamic one, a few types are tried.
pub fn value(ty: &Type, known: Known) -> BoxedStrategy<Value> {
    let content: BoxedStrategy<Value> = match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => number().boxed(),
        Type::String => any::<String>().prop_map(Value::String).boxed(),
        Type::List(element) | Type::Set(element) => {
            prop::collection::vec(value(element, known), 0..4).prop_map(Value::List).boxed()
        }
        Type::Map(element) => {
            prop::collection::btree_map(any::<String>(), value(element, known), 0..4).prop_map(Value::Map).boxed()
        }
        Type::Object(types) => {
            let values = types.iter().map(|(name, ty)| (Just(name.clone()), value(ty, known))).collect::<Vec<_>>();
            values.prop_map(|values| Value::Map(values.into_iter().collect())).boxed()
        }
        Type::Tuple(types) => {
            let values = types.iter().map(|ty| value(ty, known)).collect::<Vec<_>>();
            values.prop_map(Value::List).boxed()
        }
        Type::Dynamic => prop_oneof![Just(Type::Bool), Just(Type::map(Type::Number)), Just(Type::Tuple(Vec::new()))]
            .prop_flat_map(move |ty| {
                value(&ty, known).prop_map(move |value| Value::Dynamic(Box::new((ty.clone(), value))))
            })
            .boxed(),
    };
    match known {
        Known::Wholly => prop_oneof![8 => content, 1 => Just(Value::Null)].boxed(),
        Known::Partly => prop_oneof![8 => content, 1 => Just(Value::Null), 1 => Just(Value::Unknown)].boxed(),
    }
}

fn number() -> impl Strategy<Value = Value> {
    let float =
        any::<f64>().prop_filter_map("not finite", |float| number_from_float(float).filter(|_| float.is_finite()));
    let text = "-?[1-9][0-9]{0,40}(\\.[0-9]{0,40}[1-9])?".prop_filter_map("no number", |text| number_from_text(&text));
    let whole = any::<i64>().prop_map(crate::tf_provider::Number::Int);
    prop_oneof![4 => whole, 1 => float, 1 => text].prop_map(Value::Number)
}
