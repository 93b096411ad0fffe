//! Checks images while they are listed, many at once, and writes each result down immediately.

use std::cell::RefCell;
use std::future::ready;
use std::io::{self, Write};
use std::pin::pin;
use std::time::Duration;

use futures_util::{FutureExt, Stream, StreamExt, stream};
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};

use super::error::AuditEnd;
use super::lister::{AuditTarget, ImageLister, ListedTarget, QUEUE_CAPACITY};
use super::progress::AuditProgress;
use super::results_file::ResultsFile;
use super::results_index::arrival_identity;
use super::throttle::ThrottledRegistry;
use crate::check::{ImageOrigin, InspectContext, check_image};
use crate::date::Date;
use crate::inspect::Inspector;
use crate::runtime::Runtime;
use crate::settings::CheckSettings;

/// How often the progress is refreshed while nothing else happens.
const REFRESH_INTERVAL: Duration = Duration::from_millis(500);

/// How images are checked.
pub(super) struct AuditRunner<'a> {
    pub(super) lister: ImageLister<'a>,
    pub(super) inspector: &'a Inspector,
    pub(super) settings: &'a CheckSettings,
    /// The runtimes of the command line, which replace all declarations.
    pub(super) runtimes: Option<&'a [Runtime]>,
    /// The present day in UTC.
    pub(super) today: Date,
    /// How many images are checked at once.
    pub(super) concurrency: usize,
}

/// The results and the progress, which concurrent tasks write to.
pub(super) type SharedOutput<'a, 'b, E> = RefCell<(&'a mut ResultsFile, &'a mut AuditProgress<'b, E>)>;

impl AuditRunner<'_> {
    /// Checks every listed image, until all are checked or a signal arrives. Images in progress are then dropped, and
    /// checked by the next run.
    ///
    /// # Errors
    /// A result cannot be written.
    pub(super) async fn run<E: Write>(
        &self,
        results: &mut ResultsFile,
        progress: &mut AuditProgress<'_, E>,
    ) -> io::Result<AuditEnd> {
        let (to, from) = channel(QUEUE_CAPACITY);
        let mut listing = pin!(self.lister.list_all(to).fuse());
        let shared = RefCell::new((results, progress));
        let checks = open_targets(from, &shared).map(|target| self.check_target(target, &shared));
        let mut checks = pin!(checks.buffer_unordered(self.concurrency).fuse());
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
                written = checks.next() => match written {
                    Some(written) => written?,
                    // The listing owns the sender, so it has ended too.
                    None => return Ok(end),
                },
                _ = ticks.tick() => shared.borrow_mut().1.refresh(),
            }
        }
    }

    async fn check_target<E: Write>(&self, target: AuditTarget, shared: &SharedOutput<'_, '_, E>) -> io::Result<()> {
        let AuditTarget { arrival, tags } = target;
        let ImageLister { ecr, limiter, .. } = self.lister;
        let registry = ThrottledRegistry { repository: ecr.repository(&arrival.repository), tags, limiter };
        let context = InspectContext { inspector: self.inspector, time_left: Duration::MAX, is_repeated: false };
        let origin = ImageOrigin::from(&arrival);
        let checked = check_image(&registry, &origin, self.runtimes, self.settings, context, self.today).await;
        let (results, progress) = &mut *shared.borrow_mut();
        match checked {
            Ok(found) => {
                results.append(&found.report)?;
                progress.count_checked();
            }
            Err(error) => progress.report_registry_error(&arrival.reference(), &error),
        }
        Ok(())
    }
}

/// Returns the listed images that no earlier run has checked. Repositories that could not be listed are reported.
pub(super) fn open_targets<E: Write>(
    from: Receiver<ListedTarget>,
    shared: &SharedOutput<'_, '_, E>,
) -> impl Stream<Item = AuditTarget> {
    let listed = stream::unfold(from, async |mut from| from.recv().await.map(|next| (next, from)));
    listed.filter_map(|listed| {
        let (results, progress) = &mut *shared.borrow_mut();
        let target = match listed {
            Ok(target) if !results.index.contains(arrival_identity(&target.arrival)) => Some(target),
            Ok(_) => {
                progress.count_skipped();
                None
            }
            Err((repository, error)) => {
                progress.report_listing_error(&repository, &error);
                None
            }
        };
        ready(target)
    })
}

/// Waits for Ctrl-C or SIGTERM.
///
/// # Errors
/// Signal handlers cannot be installed.
#[cfg(unix)]
pub(super) async fn wait_for_stop_signal() -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        stop = tokio::signal::ctrl_c() => stop,
        _ = terminated.recv() => Ok(()),
    }
}

/// Waits for Ctrl-C. Windows has no SIGTERM.
///
/// # Errors
/// The handler cannot be installed.
#[cfg(not(unix))]
pub(super) async fn wait_for_stop_signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
