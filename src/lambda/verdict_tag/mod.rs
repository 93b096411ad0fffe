//! Marks: tags on an image that say how it was judged. One of the function's two rooms that write.
//!
//! Does not remove or move a tag, ever.

pub mod ecr;

use crate::aws::service_error::BoxError;
use crate::name::Tag;
use crate::registry::Manifest;
use crate::report::Report;
use crate::settings::VerdictTags;
use crate::verdict::Verdict;

/// Sets marks in the image's own repository.
pub trait VerdictTagger {
    /// Sets one mark; setting it again changes nothing.
    ///
    /// # Errors
    /// Where it is not known whether it was set; then the whole event is to be retried.
    fn write_tag(&self, manifest: &Manifest, mark: &Tag) -> impl Future<Output = Result<TagOutcome, VerdictTagError>>;
}

/// What came of a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagOutcome {
    /// It is there.
    Written,
    /// It cannot be set, and a retry would not mend it, because …
    Refused(String),
}

/// The mark may be set or not.
#[derive(Debug, thiserror::Error)]
#[error("{action} on {resource} failed")]
pub struct VerdictTagError {
    /// The action that failed.
    pub action: &'static str,
    /// What it was to act on.
    pub resource: String,
    /// Why.
    pub source: BoxError,
}

/// The marks that a report calls for.
#[must_use]
pub fn verdict_tags(report: &Report, policy: VerdictTags) -> Vec<Tag> {
    let Some(image) = &report.image else { return Vec::new() };
    // Whoever can make an image unreadable must not get a pass for what is in it.
    let is_unread = report.exec.iter().any(|started| started.is_layer_unread);
    let wanted = |verdict: Verdict| match policy {
        VerdictTags::Never => false,
        VerdictTags::Failures => verdict == Verdict::Fails,
        VerdictTags::All => verdict == Verdict::Fails || verdict == Verdict::Runs && !is_unread,
    };
    let judged = report.runtimes().filter(|runtime| wanted(runtime.verdict));
    judged
        .map(|runtime| Tag::for_verdict(runtime.verdict == Verdict::Runs, &runtime.subject.name(), &image.digest))
        .collect()
}
