//! The checks of SNS's `Publish`: the rules in the SNS API reference.

use serde_json::{Map, Value};

/// The largest message with its attributes, in bytes.
const MAX_MESSAGE: usize = 256 * 1024;

/// The code with which a message is rejected; `None` if it is accepted.
pub fn rejection_code(form: &Value) -> Option<&'static str> {
    let field = |name: &str| form[name].as_str().unwrap_or_default();
    let subject = field("Subject");
    let starts_well = subject.starts_with(|c: char| c.is_ascii_alphanumeric() || c.is_ascii_punctuation());
    let is_subject = starts_well && subject.len() < 100 && subject.chars().all(|c| c.is_ascii() && !c.is_control());
    let bodies: Map<String, Value> = serde_json::from_str(field("Message")).unwrap_or_default();
    let are_bodies = bodies.contains_key("default") && bodies.values().all(Value::is_string);
    let form = form.as_object()?;
    let attributes = || form.iter().filter(|(name, _)| name.starts_with("MessageAttributes."));
    let size: usize = attributes().map(|(_, value)| value.as_str().map_or(0, str::len)).sum();
    if !is_subject || !are_bodies || field("Message").len() + size > MAX_MESSAGE {
        Some("InvalidParameter")
    } else if attributes().any(|(_, value)| value == "") {
        Some("ParameterValueInvalid")
    } else {
        None
    }
}
