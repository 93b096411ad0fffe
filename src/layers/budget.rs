//! What laying out the layers of one image may take: a budget that all of them share.
//!
//! Does not lay out anything.

use super::apply::ApplyError;
use crate::settings::{LayerLimits, LimitExceeded};

/// How many names whiteouts may go through, for every name that there may be. Only directories that a layer both empties
/// and fills are gone through; each once is what a real layer needs.
const WHITEOUT_STEPS_PER_ENTRY: usize = 16;

/// How many names the ways to entries may lead through behind a link, for every name that there may be. Few of a real
/// layer's entries lie behind a link; without a bound, one that 255 links lead to takes half a million.
const LINK_STEPS_PER_ENTRY: usize = 16;

/// How many changes are made between two looks at whether anybody still waits.
const CANCEL_CHECK_INTERVAL: usize = 1024;

/// What is left of it.
pub(super) struct ApplyBudget<'a> {
    max_whiteout_steps: usize,
    max_link_steps: usize,
    whiteout_steps: usize,
    link_steps: usize,
    changes: usize,
    /// Whether anybody still waits for what is laid out.
    should_continue: &'a dyn Fn() -> bool,
}

impl<'a> ApplyBudget<'a> {
    pub(super) fn new(limits: &LayerLimits, goes_on: &'a dyn Fn() -> bool) -> Self {
        let most = |times| limits.total_entries.saturating_mul(times);
        let (most_walked, most_stepped) = (most(WHITEOUT_STEPS_PER_ENTRY), most(LINK_STEPS_PER_ENTRY));
        Self {
            max_whiteout_steps: most_walked,
            max_link_steps: most_stepped,
            whiteout_steps: 0,
            link_steps: 0,
            changes: 0,
            should_continue: goes_on,
        }
    }

    /// A change is made.
    ///
    /// # Errors
    /// Where nobody waits for it.
    pub(super) fn count_change(&mut self) -> Result<(), ApplyError> {
        self.changes += 1;
        if self.changes.is_multiple_of(CANCEL_CHECK_INTERVAL) && !(self.should_continue)() {
            Err(ApplyError::Cancelled)
        } else {
            Ok(())
        }
    }

    /// A whiteout went through so many names.
    ///
    /// # Errors
    /// Where that is too many.
    pub(super) fn count_whiteout_steps(&mut self, names: usize) -> Result<(), LimitExceeded> {
        self.whiteout_steps += names;
        if self.whiteout_steps > self.max_whiteout_steps {
            Err(LimitExceeded::WhiteoutSteps(self.max_whiteout_steps))
        } else {
            Ok(())
        }
    }

    /// The way to an entry led through so many names behind links.
    ///
    /// # Errors
    /// Likewise.
    pub(super) fn count_link_steps(&mut self, names: usize) -> Result<(), LimitExceeded> {
        self.link_steps += names;
        if self.link_steps > self.max_link_steps { Err(LimitExceeded::LinkSteps(self.max_link_steps)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_of_all_layers_together_and_ends_where_nobody_waits() {
        let limits = LayerLimits { total_entries: 10, ..LayerLimits::default() };
        let mut work = ApplyBudget::new(&limits, &|| false);
        assert_eq!(
            (work.count_whiteout_steps(100), work.count_whiteout_steps(60), work.count_whiteout_steps(1)),
            (Ok(()), Ok(()), Err(LimitExceeded::WhiteoutSteps(160)))
        );
        assert_eq!(
            (work.count_link_steps(160), work.count_link_steps(1)),
            (Ok(()), Err(LimitExceeded::LinkSteps(160)))
        );
        let made = (0..CANCEL_CHECK_INTERVAL).filter(|_| work.count_change().is_ok()).count();
        assert_eq!(made, CANCEL_CHECK_INTERVAL - 1);
        let mut wanted = ApplyBudget::new(&limits, &|| true);
        assert!((0..3 * CANCEL_CHECK_INTERVAL).all(|_| wanted.count_change().is_ok()));
    }
}
