//! How often names are looked up for one image, before it counts as made to take for ever.
//!
//! Does not know what they are looked up for.

use std::cell::Cell;
use std::time::Instant;

use super::layers::is_past_deadline;
use crate::rootfs::{FileTree, Node, UnknownReason};

/// The look-ups for one image, on all its sites and after each of its layers. A start takes some hundreds; a `PATH` of a
/// megabyte whose directories are chains of links would take 10,000,000,000.
const MAX_LOOKUPS: u64 = 1_000_000;

/// What is left of it, and of the time.
#[derive(Debug)]
pub(super) struct LookupBudget {
    deadline: Option<Instant>,
    remaining: Cell<u64>,
}

/// Files that end with it.
#[derive(Debug)]
pub(super) struct BudgetedFiles<'a> {
    files: &'a dyn FileTree,
    budget: &'a LookupBudget,
}

impl LookupBudget {
    pub(super) fn new(deadline: Option<Instant>) -> Self {
        Self { deadline, remaining: Cell::new(MAX_LOOKUPS) }
    }

    /// The same files, looked up only so often.
    pub(super) fn limit<'a>(&'a self, files: &'a dyn FileTree) -> BudgetedFiles<'a> {
        BudgetedFiles { files, budget: self }
    }
}

impl FileTree for BudgetedFiles<'_> {
    fn get(&self, path: &[u8]) -> Result<Option<&Node>, UnknownReason> {
        let left = &self.budget.remaining;
        if left.get() == 0 || is_past_deadline(self.budget.deadline) {
            return Err(UnknownReason::TooManyLookups([b"/", path].concat()));
        }
        left.set(left.get() - 1);
        self.files.get(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::Rootfs;

    #[test]
    fn after_so_many_look_ups_or_at_the_deadline_nothing_is_told_any_more() {
        let rootfs = Rootfs::default();
        let patience = LookupBudget::new(None);
        patience.remaining.set(2);
        let files = patience.limit(&rootfs);
        let asked: Vec<bool> = (0..3).map(|_| files.get(b"a").is_ok()).collect();
        assert_eq!(asked, [true, true, false]);
        let over = LookupBudget::new(Some(Instant::now()));
        assert_eq!(over.limit(&rootfs).get(b"a"), Err(UnknownReason::TooManyLookups(b"/a".to_vec())));
    }
}
