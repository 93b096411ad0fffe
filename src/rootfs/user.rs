//! Who starts the program, and what that user may do: `generic_permission` in `fs/namei.c`.
//!
//! Does not know access control lists, nor a root without its capabilities, and does not read `/etc/passwd` or
//! `/etc/group`: where a name or a further group decides, it cannot be told.

use super::files::Owner;

/// A user, as far as it is known who that is; by default root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// By numbers.
    Exact {
        /// The user's number. 0 is root, with the capabilities that container runtimes leave it (`CAP_DAC_OVERRIDE`).
        user: u32,
        /// The group's number.
        group: u32,
        /// Further groups.
        groups: Vec<u32>,
    },
    /// By the user's number alone, as container engines start it: which groups it has, `/etc/passwd` and `/etc/group` say,
    /// and whether it keeps root's capabilities for its first execve, the engine. Docker takes them away
    /// (`SetCapabilities` in moby's `oci/oci.go`), containerd leaves them (`WithCapabilities` in `oci/spec_opts.go`), and
    /// with `CAP_DAC_OVERRIDE` no bit keeps it out. So what it may is told, and of what it may not only what root may not.
    Number(u32),
    /// By a name, which may be anybody's; likewise.
    Name,
    /// Somebody who is not root, as AWS Lambda has it: "Create a Lambda function using a container image" of its
    /// developer guide, the default user with least privileges.
    NotRoot,
}

impl Default for User {
    fn default() -> Self {
        Self::Exact { user: 0, group: 0, groups: Vec::new() }
    }
}

impl User {
    /// As an image's configuration names it, with or without a group: `1000`, `nobody`, `app:app`; nothing is root.
    #[must_use]
    pub fn of_config(text: &str) -> Self {
        let name = text.split_once(':').map_or(text, |(user, _)| user);
        match name.parse() {
            Ok(0) => Self::default(),
            Ok(number) => Self::Number(number),
            Err(_) if matches!(name, "" | "root") => Self::default(),
            Err(_) => Self::Name,
        }
    }

    /// Whether it is root for certain.
    pub(crate) fn is_root(&self) -> bool {
        matches!(self, Self::Exact { user: 0, .. } | Self::Number(0))
    }

    /// May it search this directory? Root may search any. Nothing where it cannot be told.
    #[must_use]
    pub fn may_search(&self, directory: Owner) -> Option<bool> {
        match self {
            _ if self.is_root() => Some(true),
            Self::Number(_) | Self::Name => self.has_bit(directory).filter(|may| *may),
            _ => self.has_bit(directory),
        }
    }

    /// May it execute this file? Root may if anybody may. Nothing where it cannot be told.
    #[must_use]
    pub fn may_execute(&self, file: Owner) -> Option<bool> {
        match self {
            _ if self.is_root() || file.mode & 0o111 == 0 => Some(file.mode & 0o111 != 0),
            Self::Number(_) | Self::Name => self.has_bit(file).filter(|may| *may),
            _ => self.has_bit(file),
        }
    }

    /// The first class that the user belongs to decides, even if a later one would grant more.
    fn has_bit(&self, owner: Owner) -> Option<bool> {
        let [own, group_bit, others] = [6, 3, 0].map(|shift| owner.mode >> shift & 0o1 != 0);
        match self {
            Self::Exact { user, .. } | Self::Number(user) if owner.user == *user => Some(own),
            Self::Exact { group, groups, .. } if owner.group == *group || groups.contains(&owner.group) => {
                Some(group_bit)
            }
            Self::Exact { .. } => Some(others),
            Self::NotRoot if owner.user == 0 => (group_bit == others).then_some(others),
            Self::Number(_) => (group_bit == others).then_some(others),
            Self::Name | Self::NotRoot => (own == group_bit && group_bit == others).then_some(others),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_class_that_a_user_belongs_to_decides() {
        let user = User::Exact { user: 10, group: 20, groups: vec![30] };
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
            assert_eq!((user.may_execute(file), user.may_search(file)), (Some(may), Some(may)), "{mode:o}");
        }
    }

    #[test]
    fn whoever_is_not_root_has_no_right_of_the_owner_root() {
        for (mode, owner, may) in [
            (0o700, 0, Some(false)),
            (0o744, 0, Some(false)),
            (0o755, 0, Some(true)),
            (0o750, 0, None),
            (0o700, 5, None),
            (0o755, 5, Some(true)),
        ] {
            let file = Owner { mode, user: owner, group: 0 };
            assert_eq!((User::NotRoot.may_execute(file), User::NotRoot.may_search(file)), (may, may), "{mode:o}");
        }
    }

    #[test]
    fn root_searches_everything_and_executes_what_anybody_may() {
        for root in [User::default(), User::Number(0)] {
            for (mode, may) in [(0o666, false), (0o001, true), (0o010, true), (0o4000, false)] {
                let file = Owner { mode, user: 5, group: 5 };
                assert_eq!((root.may_execute(file), root.may_search(file)), (Some(may), Some(true)), "{mode:o}");
            }
        }
    }

    #[test]
    fn where_the_class_is_not_known_all_that_are_possible_must_agree() {
        let (number, name) = (User::Number(10), User::Name);
        for (user, mode, owner, execute, search) in [
            (&number, 0o100, 10, Some(true), Some(true)),
            (&number, 0o011, 10, None, None),
            (&number, 0o011, 0, Some(true), Some(true)),
            (&number, 0o100, 0, None, None),
            (&number, 0o666, 10, Some(false), None),
            (&number, 0o110, 0, None, None),
            (&number, 0o101, 0, None, None),
            (&name, 0o111, 0, Some(true), Some(true)),
            (&name, 0o011, 0, None, None),
            (&name, 0o110, 10, None, None),
            // Root may not execute it either, but search it.
            (&name, 0o666, 0, Some(false), None),
        ] {
            let file = Owner { mode, user: owner, group: 0 };
            assert_eq!((user.may_execute(file), user.may_search(file)), (execute, search), "{user:?} {mode:o}");
        }
    }

    #[test]
    fn what_is_told_of_a_number_or_a_name_holds_for_everybody_who_that_may_be() {
        let everybody = [0, 10, 11].into_iter().flat_map(|user| {
            [(0, vec![]), (20, vec![]), (0, vec![20]), (9, vec![9])]
                .map(|(group, groups)| (user, User::Exact { user, group, groups }))
        });
        for (number, exact) in everybody {
            for (mode, owner, group) in (0..0o1000)
                .flat_map(|mode| [(0, 0), (10, 20), (10, 0), (0, 20)].map(|(user, group)| (mode, user, group)))
            {
                let file = Owner { mode, user: owner, group };
                for vague in [User::Number(number), User::Name] {
                    let (execute, search) = (vague.may_execute(file), vague.may_search(file));
                    assert!(execute.is_none() || execute == exact.may_execute(file), "{vague:?} {exact:?} {file:?}");
                    assert!(search.is_none() || search == exact.may_search(file), "{vague:?} {exact:?} {file:?}");
                }
            }
        }
    }

    #[test]
    fn a_configuration_names_a_user_by_nothing_a_number_or_a_name() {
        for (text, user) in [
            ("", User::default()),
            (":", User::default()),
            ("0", User::default()),
            ("root", User::default()),
            ("0:1000", User::default()),
            ("root:wheel", User::default()),
            ("1000", User::Number(1000)),
            ("1000:app", User::Number(1000)),
            ("nobody", User::Name),
            ("app:0", User::Name),
            ("-1", User::Name),
            ("99999999999", User::Name),
        ] {
            assert_eq!(User::of_config(text), user, "{text:?}");
        }
    }
}
