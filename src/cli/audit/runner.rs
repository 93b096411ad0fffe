//! Checks images while they are listed, many at once, and writes each result down immediately.

use std::cell::RefCell;
use std::io::{self, Write};
use std::pin::pin;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};

use super::error::AuditEnd;
use super::lister::{AuditTarget, ImageLister, ListedTarget, QUEUE_CAPACITY, RepositoryListingFailure};
use super::progress::AuditProgress;
use super::results_file::ResultsFile;
use super::throttle::{AdaptiveLimiter, ThrottledRegistry};
use crate::check::{ImageOrigin, InspectContext, check_image};
use crate::inspect::Inspector;
use crate::registry::RegistryError;
use crate::registry::ecr::EcrRegistry;
use crate::report::Report;
use crate::runtime::Runtime;
use crate::settings::CheckSettings;

/// How often the progress is refreshed while nothing else happens.
const REFRESH_INTERVAL: Duration = Duration::from_millis(500);

/// How images are checked.
pub(super) struct AuditRunner<'a> {
    pub(super) ecr: &'a EcrRegistry,
    pub(super) limiter: &'a AdaptiveLimiter,
    pub(super) inspector: &'a Inspector,
    pub(super) settings: &'a CheckSettings,
    /// The runtimes of the command line, which replace all declarations.
    pub(super) runtimes: Option<&'a [Runtime]>,
    /// How many images are checked at once.
    pub(super) concurrency: usize,
}

enum AuditImageResult {
    Report(Box<Report>),
    ReadFailed(String, RegistryError),
    ListingFailed(String, RegistryError),
    /// An earlier run has checked it.
    AlreadyStored,
}

impl AuditRunner<'_> {
    /// Checks every listed image, until all are checked or a signal arrives. Images in progress are then dropped, and
    /// checked by the next run.
    ///
    /// # Errors
    /// A result cannot be written.
    pub(super) async fn run<E: Write>(
        &self,
        lister: ImageLister<'_>,
        results: &mut ResultsFile,
        progress: &mut AuditProgress<'_, E>,
    ) -> io::Result<AuditEnd> {
        let (to, from) = channel(QUEUE_CAPACITY);
        let mut listing = pin!(lister.list_all(to).fuse());
        let results = RefCell::new(results);
        let checks =
            receiver_stream(from).map(|listed| self.check_target(listed, &results)).buffer_unordered(self.concurrency);
        let mut checks = pin!(checks.fuse());
        let mut interrupted = pin!(wait_for_stop_signal());
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
                result = checks.next() => match result {
                    Some(AuditImageResult::Report(report)) => {
                        results.borrow_mut().append(&report)?;
                        progress.count_checked();
                    }
                    Some(AuditImageResult::ReadFailed(image, error)) => progress.report_registry_error(&image, &error),
                    Some(AuditImageResult::ListingFailed(repository, error)) => {
                        progress.report_listing_error(&repository, &error);
                    }
                    Some(AuditImageResult::AlreadyStored) => progress.count_skipped(),
                    // The listing owns the sender, so it has ended too.
                    None => return Ok(end),
                },
                _ = ticks.tick() => progress.refresh(),
            }
        }
    }

    async fn check_target(&self, listed: ListedTarget, results: &RefCell<&mut ResultsFile>) -> AuditImageResult {
        let AuditTarget { arrival, tags } = match listed {
            Ok(target) => target,
            Err(RepositoryListingFailure { repository, error }) => {
                return AuditImageResult::ListingFailed(repository.name().to_owned(), error);
            }
        };
        if results.borrow().index.contains(&arrival) {
            return AuditImageResult::AlreadyStored;
        }
        let registry =
            ThrottledRegistry { repository: self.ecr.repository(&arrival.repository), tags, limiter: self.limiter };
        let context = InspectContext { inspector: self.inspector, time_left: Duration::MAX };
        match check_image(&registry, &ImageOrigin::from(&arrival), self.runtimes, self.settings, context).await {
            Ok(found) => AuditImageResult::Report(Box::new(found.report)),
            Err(error) => AuditImageResult::ReadFailed(arrival.reference(), error),
        }
    }
}

fn receiver_stream<T>(from: Receiver<T>) -> impl stream::Stream<Item = T> {
    stream::unfold(from, async |mut from| from.recv().await.map(|next| (next, from)))
}

/// Waits for Ctrl-C or SIGTERM.
///
/// # Errors
/// Signal handlers cannot be installed.
pub(super) async fn wait_for_stop_signal() -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        stop = tokio::signal::ctrl_c() => stop,
        _ = terminated.recv() => Ok(()),
    }
}
