//! The part of the summary about who runs the images: how many are in use, and what is unknown about that.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::rc::Rc;

use super::region_consumers::RegionConsumers;
use super::results_file::ResultsFile;
use crate::cli::consumer_reader::describe_not_read;
use crate::cli::image_outcome::ImageOutcome;
use crate::cli::image_use::UnreadServices;

/// What is known about who runs the images of a results file.
#[derive(Debug)]
pub(super) struct UseSummary {
    consumers: Rc<RegionConsumers>,
    /// How many images in use have each outcome.
    pub(super) outcomes: [(ImageOutcome, u64); ImageOutcome::ALL.len()],
    /// How many consumers run images in Amazon ECR that have no result.
    other_consumers: usize,
    unread: UnreadServices,
}

impl UseSummary {
    /// Reads all results; `None` if consumers were not read.
    ///
    /// # Errors
    /// The results cannot be read.
    pub(super) fn build(results: &mut ResultsFile) -> io::Result<Option<Self>> {
        let Some(consumers) = results.consumers.clone() else { return Ok(None) };
        let mut outcomes = ImageOutcome::ALL.map(|outcome| (outcome, 0));
        let (mut positions, mut unread) = (BTreeSet::new(), UnreadServices::default());
        for offset in results.index.offsets_worst_first(|_| true) {
            let report = results.read_report(offset)?;
            let found = consumers.positions(&report);
            outcomes[report.outcome() as usize].1 += u64::from(!found.is_empty());
            positions.extend(found);
            if let Some(in_use) = &report.in_use {
                unread.add(&report.arrival.region, in_use);
            }
        }
        let other_consumers = consumers.count() - positions.len();
        Ok(Some(Self { consumers, outcomes, other_consumers, unread }))
    }

    /// Whether a service of the region could not be read completely.
    pub(super) fn is_incomplete(&self) -> bool {
        !self.consumers.not_read.is_empty()
    }

    /// Writes what could not be read, as `consumers` does, and what that means.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(super) fn write_gaps(&self, out: &mut impl Write) -> io::Result<()> {
        match self.other_consumers {
            0 => {}
            1 => writeln!(out, "1 consumer runs an image of Amazon ECR that has no result here")?,
            more => writeln!(out, "{more} consumers run images of Amazon ECR that have no result here")?,
        }
        for failure in &self.consumers.not_read {
            writeln!(out, "not read: {}", describe_not_read(failure, &self.consumers.region))?;
        }
        self.unread.sentences().iter().try_for_each(|sentence| writeln!(out, "{sentence}"))
    }
}
