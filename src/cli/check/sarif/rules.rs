//! The rules of the SARIF log: the fault codes, and one for unknown results.

use serde_json::{Value, json};

use crate::verdict::{FaultCode, FaultInfo};

/// The rule of an unknown result.
pub(super) const UNKNOWN_RULE: &str = "unknown";

/// Every rule, in the order of the codes; `docs_url` is the address of the page with the fault table.
pub(super) fn build_rules(docs_url: Option<&str>) -> Vec<Value> {
    let mut rules: Vec<Value> = FaultCode::ALL
        .iter()
        .map(|code| {
            let level = if *code == FaultCode::InvalidDeclaration { "warning" } else { "error" };
            build_rule(code.info(), level, docs_url.map(|url| code.docs_link(url)))
        })
        .collect();
    let unknown = FaultInfo {
        name: UNKNOWN_RULE,
        title: "unknown whether the image starts",
        explanation: "the answer depends on something that could not be read, or that the image alone does not decide; this \
                      is neither a fault nor a pass",
        fix: "The message names the reason. Check the image again when it can be read, or start it once on the runtime.",
    };
    rules.push(build_rule(unknown, "warning", None));
    rules
}

/// The index of a rule in the list.
pub(super) fn rule_index(id: &str) -> usize {
    FaultCode::ALL.iter().position(|code| code.as_str() == id).unwrap_or(FaultCode::ALL.len())
}

/// Builds a `reportingDescriptor`.
fn build_rule(info: FaultInfo, level: &str, help_uri: Option<String>) -> Value {
    let mut rule = json!({
        "id": info.name,
        "shortDescription": {"text": capitalize(info.title)},
        "fullDescription": {"text": format!("{}.", capitalize(info.explanation))},
        "help": {"text": info.fix, "markdown": info.fix},
        "defaultConfiguration": {"level": level},
    });
    if let Some(uri) = help_uri {
        rule["helpUri"] = uri.into();
    }
    rule
}

fn capitalize(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + rest
}
