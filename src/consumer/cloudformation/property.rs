//! A property in a template: missing, known, or not resolved yet.

use serde_json::Value;

/// The beginning of a dynamic reference, which `CloudFormation` replaces only for the service ("Using dynamic references to
/// specify template values" in the AWS `CloudFormation` user guide).
const DYNAMIC_REFERENCE: &str = "{{resolve:";

/// The value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Property<T> {
    /// There is none.
    Missing,
    /// This one.
    Known(T),
    /// An intrinsic function, a dynamic reference, or a value of another type than that of the property.
    Unresolved,
}

impl<T> Property<T> {
    /// Returns the value, `None` if it is missing.
    ///
    /// # Errors
    /// It is not resolved.
    pub(super) fn resolved(self) -> Result<Option<T>, UnresolvedProperty> {
        match self {
            Self::Missing => Ok(None),
            Self::Known(value) => Ok(Some(value)),
            Self::Unresolved => Err(UnresolvedProperty),
        }
    }

    /// Returns the value if it is known.
    pub(super) fn known(self) -> Option<T> {
        self.resolved().ok().flatten()
    }
}

/// The property is not resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnresolvedProperty;

/// Reads a text. `CloudFormation` converts numbers and booleans to texts.
pub(super) fn read_text(value: &Value) -> Property<String> {
    match value {
        Value::Null => Property::Missing,
        Value::String(text) if text.contains(DYNAMIC_REFERENCE) => Property::Unresolved,
        Value::String(text) => Property::Known(text.clone()),
        Value::Number(number) => Property::Known(number.to_string()),
        Value::Bool(value) => Property::Known(value.to_string()),
        Value::Array(_) | Value::Object(_) => Property::Unresolved,
    }
}

/// Reads a list of texts.
pub(super) fn read_texts(value: &Value) -> Property<Vec<String>> {
    match value {
        Value::Null => Property::Missing,
        Value::Array(elements) => {
            let texts = elements.iter().map(|element| read_text(element).known()).collect::<Option<_>>();
            texts.map_or(Property::Unresolved, Property::Known)
        }
        _ => Property::Unresolved,
    }
}

/// Reads a list of anything.
pub(super) fn read_list(value: &Value) -> Property<&[Value]> {
    match value {
        Value::Null => Property::Missing,
        Value::Array(elements) => Property::Known(elements),
        _ => Property::Unresolved,
    }
}

/// Returns whether an object is the call of an intrinsic function and not the properties themselves.
pub(super) fn is_intrinsic(value: &Value) -> bool {
    let is_function = |key: &String| key == "Ref" || key.starts_with("Fn::");
    value.as_object().is_some_and(|object| object.len() == 1 && object.keys().all(is_function))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn intrinsic_functions_and_dynamic_references_are_unresolved() {
        for (value, expected) in [
            (json!(null), Property::Missing),
            (json!("team/app"), Property::Known("team/app".to_owned())),
            (json!(1000), Property::Known("1000".to_owned())),
            (json!(true), Property::Known("true".to_owned())),
            (json!({"Ref": "Image"}), Property::Unresolved),
            (json!(["a"]), Property::Unresolved),
            (json!("{{resolve:ssm:/image:1}}"), Property::Unresolved),
        ] {
            assert_eq!(read_text(&value), expected, "{value}");
        }
        let known = vec!["a".to_owned(), "1".to_owned()];
        assert_eq!(read_texts(&json!(["a", 1])), Property::Known(known));
        for value in [json!(["a", {"Ref": "B"}]), json!("a"), json!({"Fn::Split": [",", "a,b"]}), json!([null])] {
            assert_eq!(read_texts(&value), Property::Unresolved, "{value}");
        }
        assert!(is_intrinsic(&json!({"Fn::If": ["A", {}, {}]})) && !is_intrinsic(&json!({"Image": "a"})));
    }
}
