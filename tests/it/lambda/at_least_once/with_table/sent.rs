//! A message, as its subscribers read it.

use std::collections::BTreeSet;

use ecr_preflight::lambda::notify::Message;
use serde_json::Value;

/// A message that the topic accepted.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The delivery that sent it.
    pub by: usize,
    /// When.
    pub step: usize,
    pub tag: String,
    pub digest: String,
    /// Whether it resolves an earlier one; otherwise it reports something.
    pub resolves: bool,
    /// The runtimes on which the image does not start, or may not.
    pub failing: BTreeSet<String>,
    /// What it says is wrong, and for whom.
    pub content: String,
    /// The thread in which it is shown.
    pub thread: String,
}

impl Sent {
    pub fn parse(message: &Message, by: usize, step: usize) -> Self {
        let body = |name: &str| -> Value {
            let (_, text) = message.bodies.iter().find(|(known, _)| *known == name).unwrap();
            serde_json::from_str(text).unwrap()
        };
        let (report, card) = (body("sqs"), body("https"));
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let is_failing = |runtime: &Value| runtime["verdict"] == "fails" || runtime["verdict"] == "unknown";
        let runtimes: Vec<Value> = list(&report["runtimes"]).into_iter().filter(is_failing).collect();
        let content = |runtime: &Value| {
            let faults: Vec<Value> = list(&runtime["faults"]).iter().map(|fault| fault["code"].clone()).collect();
            let names: Vec<Value> =
                list(&runtime["consumers"]).iter().map(|consumer| consumer["name"].clone()).collect();
            format!("{} {} {faults:?} {names:?} {}", runtime["runtime"], runtime["verdict"], runtime["unknown"])
        };
        Self {
            by,
            step,
            tag: report["arrival"]["tag"].as_str().unwrap().to_owned(),
            digest: report["image"]["digest"].as_str().unwrap().to_owned(),
            resolves: !report["resolved"].is_null(),
            failing: runtimes.iter().map(|runtime| runtime["runtime"].as_str().unwrap().to_owned()).collect(),
            content: runtimes.iter().map(content).collect::<Vec<_>>().join("\n"),
            thread: card["metadata"]["threadId"].as_str().unwrap().to_owned(),
        }
    }
}
