//! Collects messages and verdict tags as text instead of sending them, for `replay` and `audit --notify`.

use std::cell::RefCell;

use serde_json::Value;

use crate::aws::service_error::CallError;
use crate::lambda::notify::{Message, Notifier};
use crate::lambda::verdict_tag::{TagOutcome, VerdictTagger};
use crate::name::Tag;
use crate::registry::Manifest;

/// What would have been sent, in order.
#[derive(Debug, Default)]
pub(super) struct NotificationPreview(RefCell<Vec<String>>);

impl NotificationPreview {
    /// The paragraphs, separated by blank lines; empty if nothing would have been sent.
    pub(super) fn text(&self) -> String {
        self.0.borrow().join("\n\n")
    }
}

impl Notifier for &NotificationPreview {
    async fn send(&self, message: &Message) -> Result<(), CallError> {
        let card = message.bodies.iter().find(|(name, _)| *name == "https").map_or("", |(_, body)| body);
        let attribute = |(name, values): &(&str, Vec<String>)| format!("{name}={}", values.join(","));
        let attributes: Vec<String> = message.attributes.iter().map(attribute).collect();
        let text = format!("To Slack:\n\n{}\n\n  message attributes: {}", render_card(card), attributes.join("  "));
        self.0.borrow_mut().push(text);
        Ok(())
    }
}

impl VerdictTagger for &NotificationPreview {
    async fn write_tag(&self, manifest: &Manifest, _: Option<&Tag>, tag: &Tag) -> Result<TagOutcome, CallError> {
        self.0.borrow_mut().push(format!("Verdict tag on {}: {tag}", manifest.digest));
        Ok(TagOutcome::Written)
    }
}

/// Renders the title, description and steps of a card. Slack's markup stays as it is.
fn render_card(card: &str) -> String {
    let card: Value = serde_json::from_str(card).unwrap_or_default();
    let content = &card["content"];
    let text = |key: &str| content[key].as_str().unwrap_or_default();
    let steps = content["nextSteps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut lines = vec![text("title").to_owned(), String::new()];
    lines.extend(text("description").lines().map(str::to_owned));
    if !steps.is_empty() {
        lines.extend([String::new(), "Next steps".to_owned()]);
        lines.extend(steps.iter().map(|step| step.as_str().unwrap_or_default().to_owned()));
    }
    let unescape = |line: &String| line.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    lines.iter().map(|line| format!("  | {}", unescape(line)).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
