//! One invocation with one failing call.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::handler::{DeliveryContext, EventHandler};
use ecr_preflight::lambda::log::today;
use ecr_preflight::lambda::notify::SnsTopic;
use ecr_preflight::lambda::recent::RecentMessages;
use ecr_preflight::lambda::verdict_tag::EcrVerdictTagger;
use ecr_preflight::name::{Digest, Repository};
use ecr_preflight::registry::ecr::EcrRegistry;
use ecr_preflight::table::Table;
use tracing_subscriber::fmt::MakeWriter;

use super::super::table::store_consumer;
use super::super::{REPOSITORY, push_event, settings};
use super::answer_text::{answer_text, mask};
use super::faults::{Failure, takes_time};
use super::invariants::{self, Observed};
use super::sections::Section;
use super::timeouts::clients;
use super::unreachable_host::Diversion;
use crate::support::aws::{Call, FakeAws, Fault};
use crate::support::layout::Builder;

/// The result of an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The verdict and its reasons, or the error.
    pub text: String,
    /// How many requests of the failing call were made for its target.
    pub requests: usize,
    /// How many messages the topic accepted.
    pub messages: usize,
    /// The kinds of verdict tags that are set.
    pub verdict_tags: Vec<&'static str>,
}

/// The time for reading an image: more than two transfers that stall.
const TIME_LEFT: Duration = Duration::from_secs(25);
/// The time that the function keeps in reserve.
const MARGIN: Duration = Duration::from_secs(30);

/// Longer than any invocation takes; whatever takes longer does not end.
const DEADLOCK: Duration = Duration::from_secs(100);

/// The whole log.
#[derive(Debug, Clone, Default)]
pub struct Log(pub Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Handles a push of the section's image while its call fails.
pub fn invoke(section: &Section, failure: Failure, speed: u32) -> Answer {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let image = (section.image)(&layout);
    let image = layout.tag("v1", &image);
    aws.push(REPOSITORY, &layout);
    aws.tag_resource(REPOSITORY, "intended-runtime", section.runtimes);
    aws.set_trickle(Duration::from_secs(1) / speed);
    let verdict_tag = section.taken_tag.map(|verdict_tag| super::super::verdict_tag(verdict_tag, &image));
    if let Some(verdict_tag) = &verdict_tag {
        aws.make_immutable(REPOSITORY);
        aws.tag(REPOSITORY, verdict_tag, Digest::of(b"another").as_str());
    }
    if section.consumers.is_some() {
        store_consumer(&aws);
    }
    let name = section.target.name(&layout, &image, verdict_tag.as_deref());
    let first = section.first_call;
    let which = first..=if failure.is_lasting { usize::MAX } else { first };
    let diversion = Diversion::for_fault(failure.fault, section.action, &name, which.clone());
    let is_signed = !matches!(failure.fault, Fault::NoCredentials);
    if diversion.is_none() && is_signed {
        aws.fail_naming(section.action, &name, which, failure.fault);
    }
    let tags = ("PREFLIGHT_VERDICT_TAGS", "all");
    let mut settings = match section.consumers {
        Some(consumers) => settings(&[tags, ("PREFLIGHT_CONSUMERS", consumers), ("PREFLIGHT_TABLE", "preflight")]),
        None => settings(&[tags]),
    };
    settings.topic_arn = settings.topic_arn.filter(|_| section.has_topic);
    let is_publish_unsigned = !is_signed && section.action == "Publish";
    let of_sns = clients(speed, takes_time(failure.fault), diversion.as_ref(), !is_publish_unsigned);
    let clients = clients(speed, takes_time(failure.fault), diversion.as_ref(), is_signed || is_publish_unsigned);
    let endpoint = Some(aws.url());
    let (ecr, client) = (EcrRegistry::new(&clients, endpoint.clone()), clients.ecr_client(endpoint.clone()));
    let handler = EventHandler {
        open_registry: |repository: &Repository| ecr.repository(repository),
        open_tagger: |repository: &Repository| EcrVerdictTagger::new(client.clone(), repository),
        region: None,
        account: None,
        table: settings.table.clone().map(|name| Table::new(clients.dynamodb_client(endpoint.clone()), name)),
        recent_messages: RecentMessages::default(),
        notifier: settings.topic_arn.clone().map(|topic| SnsTopic::new(of_sns.sns_client(endpoint), topic)),
        inspector: Inspector::new(&settings.check.limits),
        settings,
        today,
        write_metrics: |_| {},
    };
    let event: EventBridgeEvent<serde_json::Value> = serde_json::from_value(push_event(&image, "v1")).unwrap();
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(log.clone()).finish();
    let outcome = tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let left = MARGIN + TIME_LEFT / if takes_time(failure.fault) { speed } else { 1 };
        let delivery = DeliveryContext { time_left: Some(left), is_repeated: false };
        runtime.block_on(async { tokio::time::timeout(DEADLOCK, handler.handle(&event, delivery)).await })
    });
    let outcome = outcome.unwrap_or_else(|_| panic!("{}: {:?} did not end", section.title, failure.fault));
    let messages = aws.calls_of("Publish");
    let calls: Vec<Call> =
        aws.calls_of(section.action).into_iter().filter(|call| call.names(&name)).skip(first - 1).collect();
    let failed = calls.iter().filter(|call| call.fault.is_some()).count();
    let (requests, failed) = diversion
        .map_or((calls.len(), failed), |diversion| (diversion.request_count() + 1 - first, diversion.diverted_count()));
    let kinds = ["preflight-fail-", "preflight-pass-"].into_iter();
    let is_own = |tag: &String| verdict_tag.as_ref() != Some(tag);
    let kinds = kinds.filter(|kind| aws.tags(REPOSITORY).iter().any(|tag| tag.starts_with(kind) && is_own(tag)));
    let answer = Answer {
        text: mask(&answer_text(&outcome), &layout),
        requests,
        messages: messages.iter().filter(|call| call.status == Some(200)).count(),
        verdict_tags: kinds.map(|kind| &kind["preflight-".len()..kind.len() - 1]).collect(),
    };
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let redirected = aws.calls_of("Elsewhere").len();
    invariants::check(
        section,
        failure,
        &answer,
        &Observed { outcome: &outcome, messages: &messages, log: &log, redirected, failed },
    );
    answer
}
