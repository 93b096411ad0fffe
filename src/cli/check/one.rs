//! One image, checked.
//!
//! Does not print anything.

use std::time::{Duration, Instant};

use super::super::Error;
use super::super::source::Source;
use super::platforms;
use crate::check::check_image;
use crate::check::{Inspect, Look};
use crate::event::Ignored;
use crate::inspect::Inspector;
use crate::registry::counted::Counted;
use crate::report::{Place, Platforms, Report};
use crate::runtime::Runtime;
use crate::settings::Depth;
use crate::settings::Rules;
use crate::verdict::Verdict;

/// What images are checked with, and against.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Checker<'a> {
    /// One for all images: layers that they share are read once.
    pub(in crate::cli) inspector: &'a Inspector,
    pub(in crate::cli) rules: &'a Rules,
    /// The runtimes that were named; without them, what is declared counts.
    pub(in crate::cli) asked: Option<&'a [Runtime]>,
}

/// What came of it.
#[derive(Debug)]
pub(in crate::cli) struct Checked {
    pub(in crate::cli) answer: Answer,
    /// How many bytes were read of manifests, configs and layers.
    pub(in crate::cli) bytes: u64,
    pub(in crate::cli) took: Duration,
}

/// Why nothing came of it, and what may help.
#[derive(Debug)]
pub(in crate::cli) struct Unread {
    pub(in crate::cli) error: Error,
    pub(in crate::cli) hint: Option<String>,
}

/// The answer to one of the two questions.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one for each image")]
pub(in crate::cli) enum Answer {
    Report(Report),
    Platforms(Platforms),
}

impl Answer {
    pub(in crate::cli) fn verdict(&self) -> Verdict {
        match self {
            Self::Report(report) => report.verdict,
            Self::Platforms(platforms) => platforms.verdict,
        }
    }
}

impl Checker<'_> {
    /// Holds an image against its runtimes.
    ///
    /// # Errors
    /// Where its registry fails, or it is not there.
    pub(in crate::cli) async fn check(&self, source: &Source) -> Result<Checked, Error> {
        let began = Instant::now();
        let registry = Counted::new(&source.registry);
        let by = Inspect { inspector: self.inspector, left: Duration::MAX };
        let found = check_image(&registry, &source.selector, self.asked, self.rules, by).await?;
        if matches!(found, Look::Ignored(Ignored::Deleted | Ignored::Superseded, _)) {
            return Err(source.absent());
        }
        let report = found.report(Place {
            arrival: None,
            reference: &source.reference,
            repository: source.repository.as_ref(),
            tag: source.selector.tag(),
            key: &self.rules.key,
            labels_only: self.rules.depth < Depth::Binaries,
        });
        Ok(Checked { answer: Answer::Report(report), bytes: registry.bytes(), took: began.elapsed() })
    }

    /// Looks at what there is in an image.
    ///
    /// # Errors
    /// As above.
    pub(in crate::cli) async fn platforms(&self, source: &Source) -> Result<Checked, Error> {
        let began = Instant::now();
        let registry = Counted::new(&source.registry);
        let found = platforms::of(&registry, source, self.inspector, self.rules).await?;
        Ok(Checked { answer: Answer::Platforms(found), bytes: registry.bytes(), took: began.elapsed() })
    }
}
