//! One image as a row of the page's data: `[answer, repository, tag, digest, pushed, other tags]`.
//!
//! Does not write it. Answer and repository are numbers where they were written out before.

use serde_json::{Value, json};

use super::deduplicator::Deduplicator;
use super::line::StoredReport;
use super::report_json::{NamePlaceholders, build_report_json, ecr_repository};
use super::texts::{MAX_NAME_CHARS, sanitize};

/// What the rows written so far have said.
#[derive(Debug, Default)]
pub(super) struct PageRows {
    answers: Deduplicator,
    repositories: Deduplicator,
    registries: Deduplicator,
    steps: Deduplicator,
}

impl PageRows {
    pub(super) fn build_row(&mut self, line: &StoredReport) -> Value {
        let arrival = line.arrival.as_ref();
        let asked = arrival.and_then(|arrival| arrival.digest.as_deref());
        let digest = line.image.as_ref().map(|image| image.digest.as_str()).or(asked).unwrap_or_default();
        let names = NamePlaceholders::new(arrival, digest);
        let plain = remove_empty_members(build_report_json(line, &names, &mut |step| step));
        let answer = self.answers.known_number(&plain).map_or_else(
            || remove_empty_members(build_report_json(line, &names, &mut |step| self.steps.deduplicate(step))),
            Value::from,
        );
        let reference = || line.image.as_ref().map_or("", |image| image.reference.as_str());
        let name = arrival.map_or_else(reference, |arrival| arrival.repository.as_str());
        let name = sanitize(name, MAX_NAME_CHARS);
        // What begins an address and an ARN there.
        let registry = arrival.and_then(ecr_repository).map(|repository| {
            let before = |text: String| text.strip_suffix(repository.name()).map(str::to_owned);
            json!([before(repository.to_string()), before(repository.arn())])
        });
        let number = self.repositories.known_number(&json!([name, registry]));
        let written = || match registry {
            Some(registry) => json!([name, self.registries.deduplicate(registry)]),
            None => json!([name]),
        };
        let repository = number.map_or_else(written, Value::from);
        let cleaned = |text: &String| sanitize(text, MAX_NAME_CHARS);
        let tag = arrival.and_then(|arrival| arrival.tag.as_ref()).map(cleaned).unwrap_or_default();
        let pushed = arrival.and_then(|arrival| arrival.pushed_at.as_ref()).map(cleaned).unwrap_or_default();
        let also: Vec<String> = arrival.iter().flat_map(|arrival| &arrival.also_tagged).map(cleaned).collect();
        let mut row = vec![answer, repository, json!(tag), json!(sanitize(digest, MAX_NAME_CHARS)), json!(pushed)];
        if !also.is_empty() {
            row.push(json!(also));
        }
        Value::Array(row)
    }
}

/// Leaves out the members that say nothing, however deep they stand.
fn remove_empty_members(value: Value) -> Value {
    let says = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::Object(_) => true,
    };
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name, remove_empty_members(value)));
            members.filter(|(_, value)| says(value)).collect()
        }
        Value::Array(items) => items.into_iter().map(remove_empty_members).collect(),
        other => other,
    }
}
