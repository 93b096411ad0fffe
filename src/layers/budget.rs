//! Limits the work of merging the layers of one image.

use super::error::ApplyError;
use crate::settings::{LayerLimits, LimitExceeded};

/// The number of paths that whiteouts may visit, per allowed path. Only directories that a layer both empties and fills
/// are visited, in a real layer once each.
const WHITEOUT_STEPS_PER_ENTRY: usize = 16;

/// The number of path components that may be visited after links, per allowed path. In a real layer few entries are
/// reached through links. Without a limit, an entry behind 255 links takes half a million steps.
const LINK_STEPS_PER_ENTRY: usize = 16;

/// The number of changes between two checks for cancellation.
const CANCEL_CHECK_INTERVAL: usize = 1024;

/// The work done for the layers of one image, and its limits.
pub(super) struct ApplyBudget<'a> {
    max_whiteout_steps: usize,
    max_link_steps: usize,
    whiteout_steps: usize,
    link_steps: usize,
    changes: usize,
    should_continue: &'a dyn Fn() -> bool,
}

impl<'a> ApplyBudget<'a> {
    /// Creates a budget. Merging is canceled when `should_continue` returns false.
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

    /// Counts one change, and fails if merging was canceled.
    pub(super) fn count_change(&mut self) -> Result<(), ApplyError> {
        self.changes += 1;
        let is_canceled = self.changes.is_multiple_of(CANCEL_CHECK_INTERVAL) && !(self.should_continue)();
        if is_canceled { Err(ApplyError::Canceled) } else { Ok(()) }
    }

    /// Counts the paths that a whiteout visited, and fails if there are too many.
    pub(super) fn count_whiteout_steps(&mut self, steps: usize) -> Result<(), LimitExceeded> {
        self.whiteout_steps += steps;
        let max = self.max_whiteout_steps;
        if self.whiteout_steps > max { Err(LimitExceeded::WhiteoutSteps(max)) } else { Ok(()) }
    }

    /// Counts the path components that were visited after links, and fails if there are too many.
    pub(super) fn count_link_steps(&mut self, steps: usize) -> Result<(), LimitExceeded> {
        self.link_steps += steps;
        let max = self.max_link_steps;
        if self.link_steps > max { Err(LimitExceeded::LinkSteps(max)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_is_shared_by_layers_and_ends_when_canceled() {
        let limits = LayerLimits { total_entries: 10, ..LayerLimits::default() };
        let mut budget = ApplyBudget::new(&limits, &|| false);
        let whiteouts = [100, 60, 1].map(|steps| budget.count_whiteout_steps(steps));
        assert_eq!(whiteouts, [Ok(()), Ok(()), Err(LimitExceeded::WhiteoutSteps(160))]);
        let links = [160, 1].map(|steps| budget.count_link_steps(steps));
        assert_eq!(links, [Ok(()), Err(LimitExceeded::LinkSteps(160))]);
        let count = (0..CANCEL_CHECK_INTERVAL).filter(|_| budget.count_change().is_ok()).count();
        assert_eq!(count, CANCEL_CHECK_INTERVAL - 1);
        let mut endless = ApplyBudget::new(&limits, &|| true);
        assert!((0..3 * CANCEL_CHECK_INTERVAL).all(|_| endless.count_change().is_ok()));
    }
}
