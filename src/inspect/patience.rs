//! How often names are looked up for one image, before it counts as made to take for ever.
//!
//! Does not know what they are looked up for.

use std::cell::Cell;
use std::time::Instant;

use super::layers::is_over;
use crate::rootfs::{Files, Node, Unknown};

/// The look-ups for one image, on all its sites and after each of its layers. A start takes some hundreds; a `PATH` of a
/// megabyte whose directories are chains of links would take 10,000,000,000.
const MOST: u64 = 1_000_000;

/// What is left of it, and of the time.
#[derive(Debug)]
pub(super) struct Patience {
    deadline: Option<Instant>,
    left: Cell<u64>,
}

/// Files that end with it.
#[derive(Debug)]
pub(super) struct Patient<'a> {
    files: &'a dyn Files,
    patience: &'a Patience,
}

impl Patience {
    pub(super) fn until(deadline: Option<Instant>) -> Self {
        Self { deadline, left: Cell::new(MOST) }
    }

    /// The same files, looked up only so often.
    pub(super) fn with<'a>(&'a self, files: &'a dyn Files) -> Patient<'a> {
        Patient { files, patience: self }
    }
}

impl Files for Patient<'_> {
    fn at(&self, path: &[u8]) -> Result<Option<&Node>, Unknown> {
        let left = &self.patience.left;
        if left.get() == 0 || is_over(self.patience.deadline) {
            return Err(Unknown::Effort([b"/", path].concat()));
        }
        left.set(left.get() - 1);
        self.files.at(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::Rootfs;

    #[test]
    fn after_so_many_look_ups_or_at_the_deadline_nothing_is_told_any_more() {
        let rootfs = Rootfs::default();
        let patience = Patience::until(None);
        patience.left.set(2);
        let files = patience.with(&rootfs);
        let asked: Vec<bool> = (0..3).map(|_| files.at(b"a").is_ok()).collect();
        assert_eq!(asked, [true, true, false]);
        let over = Patience::until(Some(Instant::now()));
        assert_eq!(over.with(&rootfs).at(b"a"), Err(Unknown::Effort(b"/a".to_vec())));
    }
}
