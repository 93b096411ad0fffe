//! Publishes the result of a check: verdict tags and a message.
//!
//! With a table, a result that was reported already is not reported again, and a tag that is healthy again gets a message that
//! says so. A report is recorded after its message is sent: if the function ends in between, the message is repeated, but none
//! is lost. That a report is resolved is recorded before the message says so: otherwise the next report of the same fault could
//! be mistaken for a repetition.

use super::certainty::is_certain;
use super::event_case::{EventCase, Notification, RECHECK_DELAY};
use super::event_ledger::EventLedger;
use super::handler::{EventHandler, HandlerError};
use super::image_table::ImageTable;
use super::notify::{Notifier, build_message};
use super::verdict_tag::{TagOutcome, VerdictTagger, verdict_tags};
use crate::aws::service_error::CallError;
use crate::event::ArrivalKind;
use crate::name::{Digest, Repository};
use crate::registry::{Manifest, Registry};
use crate::report::{Report, ResolvedReport};
use crate::table::{NotifiedState, TagRecord};
use crate::text::{collect_unique, error_chain};
use crate::verdict::Verdict;

impl<R, T, N, Images, OpenRegistry, OpenTagger> EventHandler<OpenRegistry, N, OpenTagger, Images>
where
    R: Registry,
    T: VerdictTagger,
    N: Notifier,
    Images: ImageTable,
    OpenRegistry: Fn(&Repository) -> R,
    OpenTagger: Fn(&Repository) -> T,
{
    /// Writes the verdict tags, then sends the message if the report needs one. In this order, a retry because of a tag
    /// does not send the message twice. If the image is gone by now, the report says so instead.
    pub(super) async fn publish(
        &self,
        case: EventCase<'_, Images>,
        manifest: Option<&Manifest>,
        report: &mut Report,
    ) -> Result<Notification, HandlerError> {
        let is_resolved = resolve(report, case.ledger);
        let needs_message = is_resolved || self.needs_message(case, report);
        let notifier = self.notifier.as_ref().filter(|_| needs_message);
        let mut outcome = self.write_verdict_tags(case, manifest, report).await?;
        if matches!(outcome, TagOutcome::ImageGone(_)) {
            tokio::time::sleep(RECHECK_DELAY).await;
            outcome = self.write_verdict_tags(case, manifest, report).await?;
        }
        match outcome {
            TagOutcome::Written => {}
            TagOutcome::ImageGone(reason) => {
                *report = Report::from_ignored_event(Some(case.arrival), reason);
                return Ok(Notification::NotNeeded);
            }
            TagOutcome::Refused(reason) => {
                tracing::error!(event_id = case.arrival.event_id, reason, "verdict tag refused");
                if notifier.is_none() {
                    return Err(HandlerError::VerdictTagRefused(reason));
                }
                report.remarks.push(format!("The verdict tag could not be written: {reason}"));
            }
        }
        if report.verdict == Verdict::Ignored {
            return Ok(Notification::NotNeeded);
        }
        let record = case.ledger.tag_record();
        let duplicate_of = match &record {
            Some(record) => find_reported(record, report),
            // Without a table, this process remembers what it sent.
            None => self.recent_messages.find_duplicate(case.arrival, report),
        };
        let Some(notifier) = notifier else { return Ok(Notification::NotNeeded) };
        if let Some(event_id) = duplicate_of {
            return Ok(Notification::DuplicateOf(event_id));
        }
        match record {
            Some(record) if report.resolved.is_some() => return send_resolution(notifier, case, report, record).await,
            Some(record) => {
                notifier.send(&build_message(report)).await?;
                record_sent(case, report, &record).await;
            }
            None => {
                notifier.send(&build_message(report)).await?;
                self.recent_messages.record(case.arrival, report);
            }
        }
        Ok(Notification::Sent)
    }

    /// Returns whether a message is needed. A stopped task needs one only if the cause is certain.
    fn needs_message(&self, case: EventCase<'_, Images>, report: &Report) -> bool {
        match case.stopped {
            Some(stopped) => is_certain(report, &stopped.consumer, self.settings.check.depth),
            None => report.needs_notification(),
        }
    }

    /// Writes the verdict tags of the report, if there are any, until one is not written. They are never removed, so only the
    /// arrival of an image writes them: what runs it may change.
    async fn write_verdict_tags(
        &self,
        case: EventCase<'_, Images>,
        manifest: Option<&Manifest>,
        report: &Report,
    ) -> Result<TagOutcome, CallError> {
        let arrival = case.arrival;
        let is_arrival = !matches!(arrival.how, ArrivalKind::Consumer | ArrivalKind::StoppedTask);
        let manifest = manifest.filter(|_| is_arrival);
        let Some(manifest) = manifest else { return Ok(TagOutcome::Written) };
        let tagger = (self.open_tagger)(&arrival.repository);
        for tag in verdict_tags(report, self.settings.verdict_tags) {
            match tagger.write_tag(manifest, arrival.selector.tag(), &tag).await? {
                TagOutcome::Written => {}
                outcome => return Ok(outcome),
            }
        }
        Ok(TagOutcome::Written)
    }
}

/// Marks the report as one that resolves an earlier one, if it is: the tag is healthy, and something was reported about it.
fn resolve<Images: ImageTable>(report: &mut Report, ledger: &EventLedger<'_, Images>) -> bool {
    let record = ledger.tag_record().filter(|record| record.is_current);
    let Some(notified) = record.and_then(|record| record.notified) else { return false };
    if !is_healthy(report, &notified) {
        return false;
    }
    report.resolved = Some(ResolvedReport::new(notified.digest, notified.faults, notified.at));
    true
}

/// Returns whether a report proves that the reported faults are resolved. It does not if what runs the image is unknown, or
/// whether its program starts.
fn is_healthy(report: &Report, notified: &NotifiedState) -> bool {
    let is_known = report.consumers.as_ref().is_none_or(|consumers| {
        let is_bound_unknown = notified.was_about_consumer && consumers.is_bound_unknown;
        consumers.known && consumers.omitted == 0 && !is_bound_unknown
    });
    matches!(report.verdict, Verdict::Runs | Verdict::Undeclared)
        && report.stopped.is_none()
        && is_known
        && !(notified.was_about_program && report.has_unverified_pass())
}

/// Returns the ID of the event because of which the same was reported, if it was, and the tag did not point at something else
/// since.
fn find_reported(record: &TagRecord, report: &Report) -> Option<String> {
    let notified = record.notified.as_ref().filter(|notified| notified.since_event == record.since_event)?;
    (report.resolved.is_none() && notified.content == content(report)).then(|| notified.event_id.clone())
}

/// Records that the message about the report was sent. A failure is only logged: if the event were delivered again, so would be
/// the message.
async fn record_sent<Images: ImageTable>(case: EventCase<'_, Images>, report: &Report, record: &TagRecord) {
    let (Some(table), Some(image)) = (case.ledger.table(), &report.image) else { return };
    let notified = NotifiedState {
        digest: image.digest.to_string(),
        content: content(report),
        faults: collect_unique(report.faults().map(|fault| fault.code.as_str().to_owned())),
        was_about_program: report.faults().any(|fault| fault.code.is_exec()),
        was_about_consumer: report
            .runtimes()
            .any(|runtime| !runtime.faults.is_empty() && !runtime.consumers.is_empty()),
        since_event: record.since_event.clone(),
        at: case.ledger.now(),
        event_id: case.arrival.event_id.clone(),
    };
    if let Err(error) = Box::pin(table.record_notified(case.ledger.key(), &notified)).await {
        tracing::error!(error = error_chain(&error), "the message was sent, but not recorded");
    }
}

/// Sends the message that resolves an earlier one, if no other event did.
async fn send_resolution<Images: ImageTable>(
    notifier: &impl Notifier,
    case: EventCase<'_, Images>,
    report: &mut Report,
    record: TagRecord,
) -> Result<Notification, HandlerError> {
    let (Some(table), Some(image)) = (case.ledger.table(), &report.image) else { return Ok(Notification::NotNeeded) };
    let resolved = table.resolve(case.ledger.key(), image.digest.as_str(), &case.arrival.event_id);
    if !Box::pin(resolved).await? {
        report.resolved = None;
        return Ok(Notification::NotNeeded);
    }
    let sent = notifier.send(&build_message(report)).await;
    if let (Err(_), Some(notified)) = (&sent, &record.notified) {
        // The event is delivered again, and then has something to resolve.
        let restored = table.record_notified(case.ledger.key(), notified);
        if let Err(error) = Box::pin(restored).await {
            tracing::error!(
                error = error_chain(&error),
                "the report was recorded as resolved, but no message was sent"
            );
        }
    }
    sent?;
    Ok(Notification::Sent)
}

/// Returns a hash of what a report says: the image, and for each runtime what runs there and what is wrong. The revision of a
/// definition is left out, so that a deployment that changes nothing else does not repeat the message.
fn content(report: &Report) -> String {
    let mut words: Vec<&str> = report.image.iter().map(|image| image.digest.as_str()).collect();
    let names: Vec<String> = report.runtimes().map(|runtime| runtime.subject.name()).collect();
    for (runtime, name) in report.runtimes().zip(&names) {
        if runtime.unwaived_verdict() < Verdict::Unknown {
            continue;
        }
        words.extend([name.as_str(), runtime.verdict.as_str()]);
        let faults = runtime.faults.iter().filter(|fault| fault.waived.is_none());
        words.extend(faults.flat_map(|fault| [fault.code.as_str(), fault.evidence.as_str()]));
        words.extend(runtime.unknown.iter().map(String::as_str));
        let mut consumers: Vec<_> = runtime.consumers.iter().map(|one| (&one.name, &one.container)).collect();
        consumers.sort();
        words.extend(consumers.into_iter().flat_map(|(name, container)| [name.as_str(), container.as_str()]));
    }
    Digest::of(words.join("\n").as_bytes()).hex().to_owned()
}
