//! Collects messages and verdict tags instead of sending them, for `replay` and `audit --notify`.

use std::cell::RefCell;

use serde_json::Value;

use crate::aws::service_error::CallError;
use crate::lambda::notify::{Message, Notifier};
use crate::lambda::verdict_tag::{TagOutcome, VerdictTagger};
use crate::name::Tag;
use crate::registry::Manifest;

/// What would have been sent and written.
#[derive(Debug, Default)]
pub(super) struct NotificationPreview {
    /// The texts about verdict tags and messages, in order.
    texts: RefCell<Vec<String>>,
    messages: RefCell<Vec<Message>>,
}

impl NotificationPreview {
    /// The paragraphs, separated by blank lines; empty if nothing would have been sent.
    pub(super) fn text(&self) -> String {
        self.texts.borrow().join("\n\n")
    }

    /// The card as JSON; `None` if no message would have been sent.
    pub(super) fn card(&self) -> Option<String> {
        let card: Value = serde_json::from_str(&self.body("https")?).unwrap_or_default();
        Some(format!("{card:#}"))
    }

    /// The subject and the body of the e-mail.
    pub(super) fn email(&self) -> Option<String> {
        let body = self.body("email")?;
        self.messages.borrow().first().map(|message| format!("Subject: {}\n\n{}", message.subject, body.trim_end()))
    }

    /// The text message.
    pub(super) fn sms(&self) -> Option<String> {
        self.body("sms")
    }

    fn body(&self, protocol: &str) -> Option<String> {
        let messages = self.messages.borrow();
        let body = messages.first()?.bodies.iter().find(|(name, _)| *name == protocol);
        body.map(|(_, body)| body.clone())
    }
}

impl Notifier for &NotificationPreview {
    async fn send(&self, message: &Message) -> Result<(), CallError> {
        let card = message.bodies.iter().find(|(name, _)| *name == "https").map_or("", |(_, body)| body);
        let attribute = |(name, values): &(&str, Vec<String>)| format!("{name}={}", values.join(","));
        let attributes: Vec<String> = message.attributes.iter().map(attribute).collect();
        let text = format!("To Slack:\n\n{}\n\n  message attributes: {}", render_card(card), attributes.join("  "));
        self.texts.borrow_mut().push(text);
        self.messages.borrow_mut().push(message.clone());
        Ok(())
    }
}

impl VerdictTagger for &NotificationPreview {
    async fn write_tag(&self, manifest: &Manifest, _: Option<&Tag>, tag: &Tag) -> Result<TagOutcome, CallError> {
        self.texts.borrow_mut().push(format!("Verdict tag on {}: {tag}", manifest.digest));
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
