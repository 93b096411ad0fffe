//! The walk of an audit: images are asked about as they are listed, many beside each other, and each answer is written
//! down at once.
//!
//! Does not list, nor keep answers.

use std::cell::RefCell;
use std::io::{self, Write};
use std::pin::pin;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::mpsc::{Receiver, channel};

use super::lister::{AuditTarget, ImageLister, QUEUE_CAPACITY, RepositoryListingFailure};
use super::progress::AuditProgress;
use super::results_file::ResultsFile;
use super::signals;
use super::throttle::AdaptiveLimiter;
use super::throttled_registry::ThrottledRegistry;
use super::via_lambda::ViaLambdaError;
use crate::check::{ImageOrigin, InspectContext, check_image};
use crate::inspect::Inspector;
use crate::registry::RegistryError;
use crate::registry::ecr::EcrRegistry;
use crate::report::Report;
use crate::runtime::Runtime;
use crate::settings::CheckSettings;

/// How often what is shown moves where nothing else moves it.
const REFRESH_INTERVAL: Duration = Duration::from_millis(500);

/// How images are asked about.
pub(super) struct AuditRunner<'a> {
    pub(super) ecr: &'a EcrRegistry,
    pub(super) limiter: &'a AdaptiveLimiter,
    pub(super) inspector: &'a Inspector,
    pub(super) rules: &'a CheckSettings,
    /// Those that a person named.
    pub(super) runtimes: Option<&'a [Runtime]>,
    /// How many images are asked about beside each other.
    pub(super) concurrency: usize,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum AuditEnd {
    /// All that is there was asked about.
    Complete,
    /// The repositories could not all be listed.
    ListingFailed(RegistryError),
    /// Somebody wants it to stop.
    Interrupted,
    /// The function cannot be asked any more, or does not answer.
    ViaLambdaFailed(ViaLambdaError),
}

/// What one image gave, or why it gave nothing.
enum AuditImageResult {
    Report(Box<Report>),
    ReadFailed(String, RegistryError),
    ListingFailed(String, RegistryError),
    /// An earlier run has it.
    AlreadyStored,
}

impl AuditRunner<'_> {
    /// Asks about everything that the census gives, until it is done or somebody interrupts. What is under way then is
    /// left, and asked about the next time.
    ///
    /// # Errors
    /// Where an answer cannot be written down.
    pub(super) async fn run<E: Write>(
        &self,
        census: ImageLister<'_>,
        results: &mut ResultsFile,
        progress: &mut AuditProgress<'_, E>,
    ) -> io::Result<AuditEnd> {
        let (to, from) = channel(QUEUE_CAPACITY);
        let mut listing = pin!(census.list_all(to).fuse());
        let results = RefCell::new(results);
        let answers =
            receiver_stream(from).map(|asked| self.check_target(asked, &results)).buffer_unordered(self.concurrency);
        let mut answers = pin!(answers.fuse());
        let mut interrupted = pin!(signals::wait_for_stop_signal());
        let mut ticks = tokio::time::interval(REFRESH_INTERVAL);
        let (mut end, mut is_listed) = (AuditEnd::Complete, false);
        loop {
            tokio::select! {
                biased;
                stop = &mut interrupted => {
                    stop?;
                    return Ok(AuditEnd::Interrupted);
                }
                done = &mut listing, if !is_listed => {
                    is_listed = true;
                    if let Err(error) = done {
                        end = AuditEnd::ListingFailed(error);
                    }
                }
                answer = answers.next() => match answer {
                    Some(AuditImageResult::Report(report)) => {
                        results.borrow_mut().append(&report)?;
                        progress.count_checked();
                    }
                    Some(AuditImageResult::ReadFailed(what, error)) => progress.report_registry_error(&what, &error),
                    Some(AuditImageResult::ListingFailed(repository, error)) => progress.report_listing_error(&repository, &error),
                    Some(AuditImageResult::AlreadyStored) => progress.count_skipped(),
                    // The listing holds the other end, so that it has ended too.
                    None => return Ok(end),
                },
                _ = ticks.tick() => progress.refresh(),
            }
        }
    }

    async fn check_target(
        &self,
        asked: Result<AuditTarget, RepositoryListingFailure>,
        results: &RefCell<&mut ResultsFile>,
    ) -> AuditImageResult {
        let AuditTarget { arrival, tags } = match asked {
            Ok(asked) => asked,
            Err(RepositoryListingFailure { repository, error }) => {
                return AuditImageResult::ListingFailed(repository.name().to_owned(), error);
            }
        };
        if results.borrow().index.contains(&arrival) {
            return AuditImageResult::AlreadyStored;
        }
        let registry =
            ThrottledRegistry { repository: self.ecr.repository(&arrival.repository), tags, limiter: self.limiter };
        let by = InspectContext { inspector: self.inspector, time_left: Duration::MAX };
        match check_image(&registry, &ImageOrigin::from(&arrival), self.runtimes, self.rules, by).await {
            Ok(found) => AuditImageResult::Report(Box::new(found.report)),
            Err(error) => AuditImageResult::ReadFailed(arrival.reference(), error),
        }
    }
}

/// What comes out of a channel, until its other end is gone.
fn receiver_stream<T>(from: Receiver<T>) -> impl stream::Stream<Item = T> {
    stream::unfold(from, async |mut from| from.recv().await.map(|next| (next, from)))
}
