//! The walk of one event, from arrival to message and mark.
//!
//! Does not know which registry, topic or terminal it walks on.

use std::time::{Duration, Instant, SystemTime};

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde_json::Value;

use crate::event::{self, Arrival, Event, EventError, Ignored};
use crate::image::{self, Content, Depth, Image, Want};
use crate::inspect::{Inspection, Inspector, Seen};
use crate::intent::{Intent, Source};
use crate::journal::{self, Walked};
use crate::log;
use crate::mark::{self, MarkError, Marker, Outcome};
use crate::notify::{self, Notifier, NotifyError};
use crate::reference::{Repository, Selector};
use crate::registry::counted::Counted;
use crate::registry::ecr::BATCH_GET_IMAGE;
use crate::registry::{self, Answer, Manifest, Registry, RegistryError};
use crate::report::{Place, Report};
use crate::runtime::Runtime;
use crate::settings::{Rules, Settings};
use crate::verdict::{self, Judgement, Verdict};

/// Everything that the walk needs of the world.
#[derive(Debug)]
pub struct Walk<O, N, M> {
    /// Opens the repository of an arrival.
    pub registry: O,
    /// Opens it for marking.
    pub marker: M,
    /// Tells people; none where only marks are set.
    pub notifier: Option<N>,
    /// Looks at programs, and remembers layers from one event to the next.
    pub inspector: Inspector,
    /// How it is set.
    pub settings: Settings,
    /// The region whose repositories are read; none where any is.
    pub region: Option<String>,
    /// Writes down one line for each event.
    pub journal: fn(&Value),
}

/// The event is to be retried, and in the end to land in the failure queue.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each is the error of one room")]
pub enum Error {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Notify(#[from] NotifyError),
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// A repository of the same name in the function's own region would be another one.
    #[error("the image is in {theirs}, and this function reads the repositories of {own}: deploy it there too")]
    #[allow(missing_docs, reason = "the message says it")]
    Elsewhere { theirs: String, own: String },
    /// Nobody else would hear of it, so it must not pass for done.
    #[error("the mark was not set: {0}")]
    Unmarked(String),
}

/// How long to wait before a missing image, or one of which a part is missing, is asked for a second time: an event may
/// overtake what it tells of, and an image be deleted while it is read.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// What of an invocation's time is kept back from inspections, so that what is known without them still goes out: a mark
/// and a message take some tens of milliseconds, and at most 14 seconds each when a service stalls.
const MARGIN: Duration = Duration::from_secs(30);

impl<R: Registry, N: Notifier, M: Marker, O: Fn(&Repository) -> R, P: Fn(&Repository) -> M> Walk<O, N, P> {
    /// Handles one event; `left` is the time that there is for it, where that is known.
    ///
    /// # Errors
    /// Where something is not known that a retry may find out, or may not have been said that was to be said.
    pub async fn handle(&self, event: &EventBridgeEvent<Value>, left: Option<Duration>) -> Result<Report, Error> {
        let began = Instant::now();
        let event_id = event.id.as_deref().unwrap_or_default();
        // Thousands are asked about at once, by somebody who reads the answers: the log holds them.
        let is_audit = event::is_audit(event);
        let arrival = match Event::read(event)? {
            Event::Arrival(arrival) => arrival,
            Event::Ignored(why, said, arrival) => {
                let report = Report::ignored(Place { arrival: arrival.as_ref(), ..Place::default() }, None, why);
                self.write_down(&report, began, Walked { event_id, is_audit, said: &said, ..Walked::default() });
                return Ok(report);
            }
        };
        if let Some(own) = self.region.clone().filter(|own| own != arrival.repository.region()) {
            return Err(Error::Elsewhere { theirs: arrival.repository.region().to_owned(), own });
        }
        let registry = Counted::new((self.registry)(&arrival.repository));
        let rules = &self.settings.rules;
        let left = left.map_or(Duration::MAX, |left| left.saturating_sub(MARGIN));
        let by = Inspect { inspector: &self.inspector, left };
        let is_old = is_old(event);
        let mut found = gone(look(&registry, &arrival.selector, None, rules, by).await, is_old)?;
        if matches!(found, Look::Ignored(Ignored::Deleted, _)) || found.lacks_a_part() {
            tokio::time::sleep(SECOND_LOOK).await;
            let by = Inspect { left: left.saturating_sub(began.elapsed()), ..by };
            found = gone(look(&registry, &arrival.selector, None, rules, by).await, is_old)?;
        }
        let mut report = found.report(Place {
            arrival: Some(&arrival),
            reference: &arrival.reference(),
            repository: Some(&arrival.repository),
            tag: arrival.selector.tag(),
            key: &rules.key,
            labels_only: rules.depth < Depth::Binaries,
        });
        let marked = if is_audit { Outcome::Set } else { self.mark(&arrival, &found, &report).await? };
        let told = report.is_news() && !is_audit && self.notifier.is_some();
        if let Outcome::Refused(reason) = marked {
            tracing::error!(event_id, reason, "mark refused");
            if !told {
                return Err(Error::Unmarked(reason));
            }
            report.remarks.push(format!("The image could not be marked: {reason}"));
        }
        if let (true, Some(notifier)) = (told, &self.notifier) {
            notifier.send(&notify::message(&report)).await?;
        }
        let bytes = registry.bytes();
        self.write_down(&report, began, Walked { event_id, is_audit, told, bytes, ..Walked::default() });
        Ok(report)
    }

    fn write_down(&self, report: &Report, began: Instant, walked: Walked<'_>) {
        let whole = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let walked = Walked { milliseconds: whole(began.elapsed()), now: whole(now), ..walked };
        (self.journal)(&journal::line(report, walked));
    }

    /// Before anything is said, so that a mark that must be retried does not have people told twice.
    async fn mark(&self, arrival: &Arrival, look: &Look, report: &Report) -> Result<Outcome, MarkError> {
        let Look::Judged { manifest: Some(manifest), .. } = look else { return Ok(Outcome::Set) };
        let marker = (self.marker)(&arrival.repository);
        for mark in mark::marks(report, self.settings.mark) {
            if let refused @ Outcome::Refused(_) = marker.set(manifest, &mark).await? {
                return Ok(refused);
            }
        }
        Ok(Outcome::Set)
    }
}

/// From which age on an event's repository counts as deleted where it is not there, and not as one that cannot be seen yet.
/// Lambda tries again one and three minutes after an error, so that the last attempt finds it older.
const OLD: i64 = 120;

/// Whether an event is so old; one without a time is.
fn is_old(event: &EventBridgeEvent<Value>) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    event.time.is_none_or(|time| now.saturating_sub(time.timestamp()) >= OLD)
}

/// An image goes with its repository, where the call that reads images says so.
fn gone(looked: Result<Look, RegistryError>, is_old: bool) -> Result<Look, RegistryError> {
    match looked {
        Err(RegistryError::NoRepository { action, .. }) if is_old && action == BATCH_GET_IMAGE => {
            Ok(Look::Ignored(Ignored::Deleted, None))
        }
        looked => looked,
    }
}

/// What came of looking at one image.
#[derive(Debug)]
pub enum Look {
    /// It was judged; as far as it could be read.
    #[allow(missing_docs, reason = "the names say it")]
    Judged { judgement: Judgement, image: Option<Image>, inspections: Vec<Inspection>, manifest: Option<Manifest> },
    /// It is not for this program to judge.
    Ignored(Ignored, Option<Image>),
}

/// How programs are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Inspect<'a> {
    /// By what.
    pub inspector: &'a Inspector,
    /// The time that there is for it.
    pub left: Duration,
}

/// Looks at one image: its intent, what it says it is, what its programs do, and how these agree. `asked` are the runtimes that a person
/// named; without them, what the image and its repository declare counts.
///
/// # Errors
/// Where the registry fails; what it cannot hand out is a verdict.
pub async fn look(
    registry: &impl Registry,
    selector: &Selector,
    asked: Option<&[Runtime]>,
    rules: &Rules,
    by: Inspect<'_>,
) -> Result<Look, RegistryError> {
    let began = Instant::now();
    let intent = match (asked, selector.tag().filter(|_| rules.image_tags)) {
        (Some(runtimes), _) => Intent::given(runtimes),
        (None, Some(tag)) => Intent::of_tag(tag),
        (None, None) => Intent::default(),
    };
    // The repository's declaration is read beside the manifest, not after it.
    let declaration = async { if intent.is_declared() { Ok(None) } else { registry.resource_tag(&rules.key).await } };
    let which = std::slice::from_ref(selector);
    let (mut answers, declared) = tokio::try_join!(registry::manifests(registry, which), declaration)?;
    let intent = intent.or(Source::RepositoryTag, declared.as_deref());
    let manifest = match answers.pop() {
        Some(Answer::Found(manifest)) => manifest,
        Some(Answer::Moved) => return Ok(Look::Ignored(Ignored::Superseded, None)),
        Some(Answer::Absent) | None => return Ok(Look::Ignored(Ignored::Deleted, None)),
        Some(Answer::Refused(reason)) => {
            let intent = intent.or_default(&rules.default_runtimes);
            let judgement = verdict::unread(&intent, &reason);
            return Ok(Look::Judged { judgement, image: None, inspections: Vec::new(), manifest: None });
        }
    };
    let runtimes = if intent.is_declared() { intent.candidates() } else { Vec::new() };
    let want = Want { depth: rules.depth, runtimes: &runtimes, label: &rules.key };
    let image = image::read(registry, &manifest, want).await?;
    let intent = intent.or(Source::Label, image.label.as_deref()).or_default(&rules.default_runtimes);
    Ok(match &image.content {
        Content::Artifact(_) => Look::Ignored(Ignored::Artifact, Some(image)),
        // By digest alone, an attestation is where it belongs; under a tag, something else should be.
        Content::Attestation if selector.tag().is_none() => Look::Ignored(Ignored::Attestation, Some(image)),
        _ => {
            let deadline = began.checked_add(by.left.min(Duration::from_secs(rules.bounds.seconds)));
            let candidates = intent.candidates();
            // Where a declaration cannot be read, nothing depends on what the image starts.
            let is_wanted = rules.depth == Depth::Binaries && (!candidates.is_empty() || !intent.is_declared());
            let inspections = if is_wanted {
                match by.inspector.inspect(registry, &image, &candidates, deadline).await {
                    // What fails by its labels alone is told now: a retry may find out no more than that.
                    Err(error)
                        if !matches!(error, RegistryError::NoRepository { .. })
                            && verdict::judge(&intent, &image, &[]).verdict == Verdict::Fails =>
                    {
                        Inspector::untold(&image, &candidates, &log::chain(&error))
                    }
                    inspected => inspected?,
                }
            } else {
                Vec::new()
            };
            let judgement = verdict::judge(&intent, &image, &inspections);
            Look::Judged { judgement, image: Some(image), inspections, manifest: Some(manifest) }
        }
    })
}

impl Look {
    /// Whether it is worth telling, but something of the image was not to be had: it may be on its way out.
    fn lacks_a_part(&self) -> bool {
        let Self::Judged { judgement, image: Some(image), inspections, .. } = self else { return false };
        let is_lost = |inspection: &Inspection| matches!(inspection.seen, Seen::Lost(_));
        let is_news = matches!(judgement.verdict, Verdict::Unknown | Verdict::Fails);
        is_news && (image.lacks_a_part() || inspections.iter().any(is_lost))
    }

    /// What there is to say of it.
    #[must_use]
    pub fn report(&self, place: Place<'_>) -> Report {
        match self {
            Self::Judged { judgement, image, inspections, .. } => {
                Report::judged(place, image.as_ref(), inspections, judgement)
            }
            Self::Ignored(why, image) => Report::ignored(place, image.as_ref(), *why),
        }
    }
}
