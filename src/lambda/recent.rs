//! A memory of the messages that were sent last, so that repeated pushes of one image do not repeat its message.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::event::Arrival;
use crate::name::{Digest, Tag};
use crate::report::{Report, format_text};

/// How long a message is not repeated: longer than a pipeline that pushes the same image several times, and shorter
/// than the time after which a person expects to be told again.
const WINDOW: Duration = Duration::from_mins(10);

/// The maximum number of remembered messages, some 400 bytes each; the oldest are forgotten first.
const MAX_REMEMBERED: usize = 1000;

/// The last message about each tag. It is lost with the process, and each process of the function has its own: then a
/// message is repeated, but none is lost.
#[derive(Debug, Default)]
pub struct RecentMessages(RefCell<VecDeque<RecentMessage>>);

#[derive(Debug)]
struct RecentMessage {
    sent_at: Instant,
    /// The ARN of the repository and the tag.
    place: (String, Option<Tag>),
    /// The digest of the image and the text of the message.
    content: Digest,
    event_id: String,
}

impl RecentMessages {
    /// Returns the ID of the event that caused the same message, if it was the last result for the tag and was sent
    /// recently. Another result for the tag makes its last message forgotten, so that pushing a wrong image again after
    /// a right one sends a message again.
    pub(super) fn find_duplicate(&self, arrival: &Arrival, report: &Report) -> Option<String> {
        let (place, content) = (place(arrival), content(arrival, report));
        let mut messages = self.0.borrow_mut();
        messages.retain(|message| {
            message.sent_at.elapsed() < WINDOW && (message.place != place || message.content == content)
        });
        messages.iter().find(|message| message.place == place).map(|message| message.event_id.clone())
    }

    /// Remembers a message that was sent.
    pub(super) fn record(&self, arrival: &Arrival, report: &Report) {
        let mut messages = self.0.borrow_mut();
        messages.push_back(RecentMessage {
            sent_at: Instant::now(),
            place: place(arrival),
            content: content(arrival, report),
            event_id: arrival.event_id.clone(),
        });
        if messages.len() > MAX_REMEMBERED {
            messages.pop_front();
        }
    }
}

fn place(arrival: &Arrival) -> (String, Option<Tag>) {
    (arrival.repository.arn(), arrival.selector.tag().cloned())
}

fn content(arrival: &Arrival, report: &Report) -> Digest {
    let digest = arrival.selector.digest().map_or("", Digest::as_str);
    Digest::of(format!("{digest}\n{}", format_text(report)).as_bytes())
}
