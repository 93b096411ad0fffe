//! Limits the work of merging the layers of one image.

use super::error::ApplyError;
use crate::settings::{LayerLimits, LimitExceeded};

/// The number of paths that whiteouts may visit, as a multiple of the allowed paths. Only directories that a layer both
/// empties and fills are visited, in a real layer once each.
const WHITEOUT_STEPS_PER_ENTRY: usize = 16;

/// The number of paths that may be visited after links on the way to entries, as a multiple of the allowed paths. Few
/// entries of a real layer are reached through links. Without a limit, an entry after 255 links takes half a million steps.
const LINK_STEPS_PER_ENTRY: usize = 16;

/// The number of changes between two checks for cancellation.
const CANCEL_CHECK_INTERVAL: usize = 1024;

/// The work of all layers of one image so far, and its limits.
pub(super) struct ApplyBudget<'a> {
    max_whiteout_steps: usize,
    max_link_steps: usize,
    whiteout_steps: usize,
    link_steps: usize,
    changes: usize,
    should_continue: &'a dyn Fn() -> bool,
}

impl<'a> ApplyBudget<'a> {
    /// Creates a budget; merging is cancelled when `should_continue` returns false.
    pub(super) fn new(limits: &LayerLimits, should_continue: &'a dyn Fn() -> bool) -> Self {
        Self {
            max_whiteout_steps: limits.total_entries.saturating_mul(WHITEOUT_STEPS_PER_ENTRY),
            max_link_steps: limits.total_entries.saturating_mul(LINK_STEPS_PER_ENTRY),
            whiteout_steps: 0,
            link_steps: 0,
            changes: 0,
            should_continue,
        }
    }

    /// Counts one change.
    ///
    /// # Errors
    /// The merge was cancelled.
    pub(super) fn count_change(&mut self) -> Result<(), ApplyError> {
        self.changes += 1;
        if self.changes.is_multiple_of(CANCEL_CHECK_INTERVAL) && !(self.should_continue)() {
            Err(ApplyError::Cancelled)
        } else {
            Ok(())
        }
    }

    /// Counts the paths that a whiteout visited.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn count_whiteout_steps(&mut self, steps: usize) -> Result<(), LimitExceeded> {
        self.whiteout_steps += steps;
        if self.whiteout_steps > self.max_whiteout_steps {
            Err(LimitExceeded::WhiteoutSteps(self.max_whiteout_steps))
        } else {
            Ok(())
        }
    }

    /// Counts the paths that were visited after links on the way to an entry.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn count_link_steps(&mut self, steps: usize) -> Result<(), LimitExceeded> {
        self.link_steps += steps;
        if self.link_steps > self.max_link_steps { Err(LimitExceeded::LinkSteps(self.max_link_steps)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_is_shared_by_layers_and_ends_when_cancelled() {
        let limits = LayerLimits { total_entries: 10, ..LayerLimits::default() };
        let mut budget = ApplyBudget::new(&limits, &|| false);
        assert_eq!(
            (budget.count_whiteout_steps(100), budget.count_whiteout_steps(60), budget.count_whiteout_steps(1)),
            (Ok(()), Ok(()), Err(LimitExceeded::WhiteoutSteps(160)))
        );
        assert_eq!(
            (budget.count_link_steps(160), budget.count_link_steps(1)),
            (Ok(()), Err(LimitExceeded::LinkSteps(160)))
        );
        let count = (0..CANCEL_CHECK_INTERVAL).filter(|_| budget.count_change().is_ok()).count();
        assert_eq!(count, CANCEL_CHECK_INTERVAL - 1);
        let mut endless = ApplyBudget::new(&limits, &|| true);
        assert!((0..3 * CANCEL_CHECK_INTERVAL).all(|_| endless.count_change().is_ok()));
    }
}
