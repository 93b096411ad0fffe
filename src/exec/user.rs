//! Who starts the program, and what that user may do: `generic_permission` in `fs/namei.c`.
//!
//! Does not know access control lists, nor a root without its capabilities.

use super::rootfs::Owner;

/// A user by numbers; by default root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// The user's number. 0 is root, with the capabilities that container runtimes leave it (`CAP_DAC_OVERRIDE`).
    pub user: u32,
    /// The group's number.
    pub group: u32,
    /// Further groups.
    pub groups: Vec<u32>,
}

impl User {
    /// May it search this directory? Root may search any.
    #[must_use]
    pub fn may_search(&self, directory: Owner) -> bool {
        self.user == 0 || self.has_bit(directory)
    }

    /// May it execute this file? Root may if anybody may.
    #[must_use]
    pub fn may_execute(&self, file: Owner) -> bool {
        if self.user == 0 { file.mode & 0o111 != 0 } else { self.has_bit(file) }
    }

    /// The first class that the user belongs to decides, even if a later one would grant more.
    fn has_bit(&self, owner: Owner) -> bool {
        let shift = match owner {
            _ if owner.user == self.user => 6,
            _ if owner.group == self.group || self.groups.contains(&owner.group) => 3,
            _ => 0,
        };
        owner.mode >> shift & 0o1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_class_that_a_user_belongs_to_decides() {
        let user = User { user: 10, group: 20, groups: vec![30] };
        for (mode, owner, group, may) in [
            (0o100, 10, 0, true),
            (0o077, 10, 20, false),
            (0o010, 0, 20, true),
            (0o010, 0, 30, true),
            (0o707, 0, 30, false),
            (0o001, 0, 0, true),
            (0o776, 0, 0, false),
        ] {
            let file = Owner { mode, user: owner, group };
            assert_eq!((user.may_execute(file), user.may_search(file)), (may, may), "{mode:o}");
        }
    }

    #[test]
    fn root_searches_everything_and_executes_what_anybody_may() {
        let root = User::default();
        for (mode, may) in [(0o666, false), (0o001, true), (0o010, true), (0o4000, false)] {
            let file = Owner { mode, user: 5, group: 5 };
            assert_eq!((root.may_execute(file), root.may_search(file)), (may, true), "{mode:o}");
        }
    }
}
impl User {
    /// STUB
    pub fn of_config(_: &str) -> Self {
        Self::default()
    }
}
