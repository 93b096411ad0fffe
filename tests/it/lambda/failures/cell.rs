//! One failure of one call: what is walked, and what came of it.
//!
//! Does not say whether that is right.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::handler::EventHandler;
use ecr_preflight::lambda::notify::SnsTopic;
use ecr_preflight::lambda::verdict_tag::EcrVerdictTagger;
use ecr_preflight::name::{Digest, Repository};
use ecr_preflight::registry::ecr::EcrRegistry;
use tracing_subscriber::fmt::MakeWriter;

use super::super::{REPOSITORY, pushed, settings};
use super::checks::{self, Seen};
use super::detour::Detour;
use super::faults::{Failure, takes_time};
use super::patience::clients;
use super::said::{masked, said};
use super::stages::Stage;
use crate::support::aws::{Call, FakeAws, Fault};
use crate::support::layout::Builder;

/// What came of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The verdict and its reasons, or the error.
    pub answer: String,
    /// How many requests were made of the call that fails, those alone that are about what it fails for.
    pub requests: usize,
    /// How many messages the topic took.
    pub messages: usize,
    /// The kinds of the marks that are set.
    pub marks: Vec<&'static str>,
}

/// What a walk has of the invocation's time, beside what is kept back: more than two transfers that stall.
const LEFT: Duration = Duration::from_secs(25);
/// What is kept back of it.
const MARGIN: Duration = Duration::from_secs(30);

/// Longer than anything takes; what takes longer does not end.
const ENDLESS: Duration = Duration::from_secs(100);

/// All that was logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

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

/// Walks with a push of the stage's image, while its call fails.
pub fn walk(stage: &Stage, failure: Failure, speed: u32) -> Cell {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let image = (stage.image)(&layout);
    let image = layout.tag("v1", &image);
    aws.push(REPOSITORY, &layout);
    aws.tag_resource(REPOSITORY, "intended-runtime", stage.runtimes);
    aws.pace(Duration::from_secs(1) / speed);
    let mark = stage.taken.map(|mark| format!("{mark}-{}", image.short()));
    if let Some(mark) = &mark {
        aws.make_immutable(REPOSITORY);
        aws.tag(REPOSITORY, mark, Digest::of(b"another").as_str());
    }
    let name = stage.object.name(&layout, &image, mark.as_deref());
    let which = 1..=if failure.is_lasting { usize::MAX } else { 1 };
    let detour = Detour::of(failure.fault, stage.action, &name, which.clone());
    let is_signed = !matches!(failure.fault, Fault::Unsigned);
    if detour.is_none() && is_signed {
        aws.fail_naming(stage.action, &name, which, failure.fault);
    }
    let mut settings = settings(&[("PREFLIGHT_VERDICT_TAGS", "all")]);
    settings.topic_arn = settings.topic_arn.filter(|_| stage.is_told);
    let is_told_unsigned = !is_signed && stage.action == "Publish";
    let of_sns = clients(speed, takes_time(failure.fault), detour.as_ref(), !is_told_unsigned);
    let clients = clients(speed, takes_time(failure.fault), detour.as_ref(), is_signed || is_told_unsigned);
    let endpoint = Some(aws.url());
    let (ecr, client) = (EcrRegistry::new(&clients, endpoint.clone()), clients.ecr_client(endpoint.clone()));
    let walk = EventHandler {
        open_registry: |repository: &Repository| ecr.repository(repository),
        open_tagger: |repository: &Repository| EcrVerdictTagger::new(client.clone(), repository),
        region: None,
        notifier: settings.topic_arn.clone().map(|topic| SnsTopic::new(of_sns.sns_client(endpoint), topic)),
        inspector: Inspector::new(settings.check.limits.layers, settings.check.limits.cache_bytes),
        settings,
        write_metrics: |_| {},
    };
    let event: EventBridgeEvent<serde_json::Value> = serde_json::from_value(pushed(&image, "v1")).unwrap();
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(log.clone()).finish();
    let outcome = tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let left = MARGIN + LEFT / if takes_time(failure.fault) { speed } else { 1 };
        runtime.block_on(async { tokio::time::timeout(ENDLESS, walk.handle(&event, Some(left))).await })
    });
    let outcome = outcome.unwrap_or_else(|_| panic!("{}: {:?} has no end", stage.title, failure.fault));
    let messages = aws.calls_of("Publish");
    let calls: Vec<Call> = aws.calls_of(stage.action).into_iter().filter(|call| call.names(&name)).collect();
    let failed = calls.iter().filter(|call| call.fault.is_some()).count();
    let (requests, failed) = detour.map_or((calls.len(), failed), |detour| (detour.made(), detour.diverted()));
    let kinds = ["preflight-fail-", "preflight-pass-"].into_iter();
    let is_own = |tag: &String| stage.taken.is_none_or(|mark| !tag.starts_with(mark));
    let kinds = kinds.filter(|kind| aws.tags(REPOSITORY).iter().any(|tag| tag.starts_with(kind) && is_own(tag)));
    let cell = Cell {
        answer: masked(&said(&outcome), &layout),
        requests,
        messages: messages.iter().filter(|call| call.status == Some(200)).count(),
        marks: kinds.map(|kind| &kind["preflight-".len()..kind.len() - 1]).collect(),
    };
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let strayed = aws.calls_of("Elsewhere").len();
    checks::hold(stage, failure, &cell, &Seen { outcome: &outcome, messages: &messages, log: &log, strayed, failed });
    cell
}
