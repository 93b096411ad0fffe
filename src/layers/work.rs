//! What laying out the layers of one image may take: a budget that all of them share.
//!
//! Does not lay out anything.

use super::apply::ApplyError;
use crate::settings::{Bound, Limits};

/// How many names whiteouts may go through, for every name that there may be. Only directories that a layer both empties
/// and fills are gone through; each once is what a real layer needs.
const WALKS: usize = 16;

/// How many names the ways to entries may lead through behind a link, for every name that there may be. Few of a real
/// layer's entries lie behind a link; without a bound, one that 255 links lead to takes half a million.
const WAYS: usize = 16;

/// How many changes are made between two looks at whether anybody still waits.
const LOOK_EVERY: usize = 1024;

/// What is left of it.
pub(super) struct Work<'a> {
    most_walked: usize,
    most_stepped: usize,
    walked: usize,
    stepped: usize,
    changed: usize,
    /// Whether anybody still waits for what is laid out.
    goes_on: &'a dyn Fn() -> bool,
}

impl<'a> Work<'a> {
    pub(super) fn new(limits: &Limits, goes_on: &'a dyn Fn() -> bool) -> Self {
        let most = |times| limits.entries_in_all.saturating_mul(times);
        let (most_walked, most_stepped) = (most(WALKS), most(WAYS));
        Self { most_walked, most_stepped, walked: 0, stepped: 0, changed: 0, goes_on }
    }

    /// A change is made.
    ///
    /// # Errors
    /// Where nobody waits for it.
    pub(super) fn change(&mut self) -> Result<(), ApplyError> {
        self.changed += 1;
        if self.changed.is_multiple_of(LOOK_EVERY) && !(self.goes_on)() { Err(ApplyError::Unwanted) } else { Ok(()) }
    }

    /// A whiteout went through so many names.
    ///
    /// # Errors
    /// Where that is too many.
    pub(super) fn walk(&mut self, names: usize) -> Result<(), Bound> {
        self.walked += names;
        if self.walked > self.most_walked { Err(Bound::Walk(self.most_walked)) } else { Ok(()) }
    }

    /// The way to an entry led through so many names behind links.
    ///
    /// # Errors
    /// Likewise.
    pub(super) fn step(&mut self, names: usize) -> Result<(), Bound> {
        self.stepped += names;
        if self.stepped > self.most_stepped { Err(Bound::Ways(self.most_stepped)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_of_all_layers_together_and_ends_where_nobody_waits() {
        let limits = Limits { entries_in_all: 10, ..Limits::default() };
        let mut work = Work::new(&limits, &|| false);
        assert_eq!((work.walk(100), work.walk(60), work.walk(1)), (Ok(()), Ok(()), Err(Bound::Walk(160))));
        assert_eq!((work.step(160), work.step(1)), (Ok(()), Err(Bound::Ways(160))));
        let made = (0..LOOK_EVERY).filter(|_| work.change().is_ok()).count();
        assert_eq!(made, LOOK_EVERY - 1);
        let mut wanted = Work::new(&limits, &|| true);
        assert!((0..3 * LOOK_EVERY).all(|_| wanted.change().is_ok()));
    }
}
