//! Who starts the program, and what that user may do: `generic_permission` in `fs/namei.c`.
//!
//! Does not know access control lists, nor a root without its capabilities, and does not read `/etc/passwd` or
//! `/etc/group`: where a name or a further group decides, it cannot be told.

use super::files::Permissions;

/// A user, as far as it is known who that is; by default root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// By numbers.
    Exact {
        /// The user's number. 0 is root, with the capabilities that container runtimes leave it (`CAP_DAC_OVERRIDE`).
        uid: u32,
        /// The group's number.
        gid: u32,
        /// Further groups.
        supplementary_gids: Vec<u32>,
    },
    /// By the user's number alone, as container engines start it: which groups it has, `/etc/passwd` and `/etc/group` say,
    /// and whether it keeps root's capabilities for its first execve, the engine. Docker takes them away
    /// (`SetCapabilities` in moby's `oci/oci.go`), containerd leaves them (`WithCapabilities` in `oci/spec_opts.go`), and
    /// with `CAP_DAC_OVERRIDE` no bit keeps it out. So what it may is told, and of what it may not only what root may not.
    Uid(u32),
    /// By a name, which may be anybody's; likewise.
    Named,
    /// Somebody who is not root, as AWS Lambda has it: "Create a Lambda function using a container image" of its
    /// developer guide, the default user with least privileges.
    NonRoot,
}

impl Default for User {
    fn default() -> Self {
        Self::Exact { uid: 0, gid: 0, supplementary_gids: Vec::new() }
    }
}

impl User {
    /// As an image's configuration names it, with or without a group: `1000`, `nobody`, `app:app`; nothing is root.
    #[must_use]
    pub fn from_config(text: &str) -> Self {
        let name = text.split_once(':').map_or(text, |(user, _)| user);
        match name.parse() {
            Ok(0) => Self::default(),
            Ok(number) => Self::Uid(number),
            Err(_) if matches!(name, "" | "root") => Self::default(),
            Err(_) => Self::Named,
        }
    }

    /// Whether it is root for certain.
    pub(crate) fn is_root(&self) -> bool {
        matches!(self, Self::Exact { uid: 0, .. } | Self::Uid(0))
    }

    /// May it search this directory? Root may search any. Nothing where it cannot be told.
    #[must_use]
    pub fn may_search(&self, directory: Permissions) -> Option<bool> {
        match self {
            _ if self.is_root() => Some(true),
            Self::Uid(_) | Self::Named => self.has_permission_bit(directory).filter(|may| *may),
            _ => self.has_permission_bit(directory),
        }
    }

    /// May it execute this file? Root may if anybody may. Nothing where it cannot be told.
    #[must_use]
    pub fn may_execute(&self, file: Permissions) -> Option<bool> {
        match self {
            _ if self.is_root() || file.mode & 0o111 == 0 => Some(file.mode & 0o111 != 0),
            Self::Uid(_) | Self::Named => self.has_permission_bit(file).filter(|may| *may),
            _ => self.has_permission_bit(file),
        }
    }

    /// The first class that the user belongs to decides, even if a later one would grant more.
    fn has_permission_bit(&self, owner: Permissions) -> Option<bool> {
        let [own, group_bit, others] = [6, 3, 0].map(|shift| owner.mode >> shift & 0o1 != 0);
        match self {
            Self::Exact { uid: user, .. } | Self::Uid(user) if owner.uid == *user => Some(own),
            Self::Exact { gid: group, supplementary_gids: groups, .. }
                if owner.gid == *group || groups.contains(&owner.gid) =>
            {
                Some(group_bit)
            }
            Self::Exact { .. } => Some(others),
            Self::NonRoot if owner.uid == 0 => (group_bit == others).then_some(others),
            Self::Uid(_) => (group_bit == others).then_some(others),
            Self::Named | Self::NonRoot => (own == group_bit && group_bit == others).then_some(others),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_class_that_a_user_belongs_to_decides() {
        let user = User::Exact { uid: 10, gid: 20, supplementary_gids: vec![30] };
        for (mode, owner, group, may) in [
            (0o100, 10, 0, true),
            (0o077, 10, 20, false),
            (0o010, 0, 20, true),
            (0o010, 0, 30, true),
            (0o707, 0, 30, false),
            (0o001, 0, 0, true),
            (0o776, 0, 0, false),
        ] {
            let file = Permissions { mode, uid: owner, gid: group };
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
            let file = Permissions { mode, uid: owner, gid: 0 };
            assert_eq!((User::NonRoot.may_execute(file), User::NonRoot.may_search(file)), (may, may), "{mode:o}");
        }
    }

    #[test]
    fn root_searches_everything_and_executes_what_anybody_may() {
        for root in [User::default(), User::Uid(0)] {
            for (mode, may) in [(0o666, false), (0o001, true), (0o010, true), (0o4000, false)] {
                let file = Permissions { mode, uid: 5, gid: 5 };
                assert_eq!((root.may_execute(file), root.may_search(file)), (Some(may), Some(true)), "{mode:o}");
            }
        }
    }

    #[test]
    fn where_the_class_is_not_known_all_that_are_possible_must_agree() {
        let (number, name) = (User::Uid(10), User::Named);
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
            let file = Permissions { mode, uid: owner, gid: 0 };
            assert_eq!((user.may_execute(file), user.may_search(file)), (execute, search), "{user:?} {mode:o}");
        }
    }

    #[test]
    fn what_is_told_of_a_number_or_a_name_holds_for_everybody_who_that_may_be() {
        let everybody = [0, 10, 11].into_iter().flat_map(|user| {
            [(0, vec![]), (20, vec![]), (0, vec![20]), (9, vec![9])]
                .map(|(group, groups)| (user, User::Exact { uid: user, gid: group, supplementary_gids: groups }))
        });
        for (number, exact) in everybody {
            for (mode, owner, group) in (0..0o1000)
                .flat_map(|mode| [(0, 0), (10, 20), (10, 0), (0, 20)].map(|(user, group)| (mode, user, group)))
            {
                let file = Permissions { mode, uid: owner, gid: group };
                for vague in [User::Uid(number), User::Named] {
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
            ("1000", User::Uid(1000)),
            ("1000:app", User::Uid(1000)),
            ("nobody", User::Named),
            ("app:0", User::Named),
            ("-1", User::Named),
            ("99999999999", User::Named),
        ] {
            assert_eq!(User::from_config(text), user, "{text:?}");
        }
    }
}
