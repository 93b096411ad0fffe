//! The user of a process, and what it may access: `generic_permission` in `fs/namei.c`.
//!
//! Access control lists and a root user without capabilities are not modeled.

use super::files::Permissions;

/// A user, as precisely as known. The default is root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// User and groups by number.
    Exact {
        /// The user ID. 0 is root with the capabilities that container runtimes grant (`CAP_DAC_OVERRIDE`).
        uid: u32,
        /// The primary group ID.
        gid: u32,
        /// The supplementary group IDs.
        supplementary_gids: Vec<u32>,
    },
    /// A user ID alone. Container engines take the groups from `/etc/passwd` and `/etc/group`. For the first execve,
    /// Docker drops root's capabilities (`SetCapabilities` in moby's `oci/oci.go`), and containerd keeps them
    /// (`WithCapabilities` in `oci/spec_opts.go`): with `CAP_DAC_OVERRIDE`, no permission bit denies access. So access
    /// can certainly be granted, but is certainly denied only if root is denied too.
    Uid(u32),
    /// A user whose groups are known from `/etc/passwd` and `/etc/group`. The rule of [`Self::Uid`] about root's
    /// capabilities applies.
    Account {
        /// The user ID, which is not 0.
        uid: u32,
        /// The primary group ID.
        gid: u32,
        /// The supplementary group IDs.
        supplementary_gids: Vec<u32>,
    },
    /// A user ID alone, after the first execve, when a user other than root has no capabilities.
    UnprivilegedUid(u32),
    /// A user name, which may have any user ID. The rules of [`Self::Uid`] apply.
    Named,
    /// Any user except root: AWS Lambda starts images as a default user with least privileges (developer guide, "Create
    /// a Lambda function using a container image").
    NonRoot,
}

impl Default for User {
    fn default() -> Self {
        Self::Exact { uid: 0, gid: 0, supplementary_gids: Vec::new() }
    }
}

impl User {
    /// Parses the user of an image's config, with or without a group: `1000`, `nobody`, `app:app`. Empty text means
    /// root.
    pub fn from_config(text: &str) -> Self {
        let name = text.split_once(':').map_or(text, |(user, _)| user);
        match name.parse() {
            Ok(0) => Self::default(),
            Ok(number) => Self::Uid(number),
            Err(_) if matches!(name, "" | "root") => Self::default(),
            Err(_) => Self::Named,
        }
    }

    /// Returns whether the user is certainly root.
    pub(crate) fn is_root(&self) -> bool {
        matches!(self, Self::Exact { uid: 0, .. } | Self::Uid(0))
    }

    /// Returns the user after the first execve(2) of a program that is not privileged itself: only root keeps its
    /// capabilities, because container runtimes grant no ambient ones (capabilities(7),
    /// "Transformation of capabilities during execve").
    pub(crate) fn after_execve(self) -> Self {
        match self {
            Self::Uid(uid) => Self::UnprivilegedUid(uid),
            Self::Account { uid, gid, supplementary_gids } => Self::Exact { uid, gid, supplementary_gids },
            other => other,
        }
    }

    /// Returns whether the user may search a directory, or `None` if that is unknown. Root may search any.
    pub fn may_search(&self, directory: Permissions) -> Option<bool> {
        match self {
            _ if self.is_root() => Some(true),
            Self::Uid(_) | Self::Account { .. } | Self::Named => self.has_execute_bit(directory).filter(|may| *may),
            _ => self.has_execute_bit(directory),
        }
    }

    /// Returns whether the user may execute a file, or `None` if that is unknown. Root may if anyone may.
    pub fn may_execute(&self, file: Permissions) -> Option<bool> {
        if file.mode & 0o111 == 0 { Some(false) } else { self.may_search(file) }
    }

    /// Returns whether the user may read a file, or `None` if that is unknown. Root may read any.
    pub(crate) fn may_read(&self, file: Permissions) -> Option<bool> {
        /// The distance from an execute bit to the read bit of the same class.
        const READ_SHIFT: u32 = 2;
        self.may_search(Permissions { mode: file.mode >> READ_SHIFT, ..file })
    }

    /// Returns whether the user is certainly not root and has no capabilities.
    pub(crate) fn is_unprivileged(&self) -> bool {
        match self {
            Self::Exact { uid, .. } | Self::UnprivilegedUid(uid) => *uid != 0,
            Self::NonRoot => true,
            _ => false,
        }
    }

    /// Returns the execute bit of the first class that the user belongs to, even if a later class would grant more.
    fn has_execute_bit(&self, permissions: Permissions) -> Option<bool> {
        let [owner, group, others] = [6, 3, 0].map(|shift| permissions.mode >> shift & 0o1 != 0);
        match self {
            Self::Exact { uid, .. } | Self::Account { uid, .. } | Self::Uid(uid) | Self::UnprivilegedUid(uid)
                if permissions.uid == *uid =>
            {
                Some(owner)
            }
            Self::Exact { gid, supplementary_gids, .. } | Self::Account { gid, supplementary_gids, .. }
                if permissions.gid == *gid || supplementary_gids.contains(&permissions.gid) =>
            {
                Some(group)
            }
            Self::Exact { .. } | Self::Account { .. } => Some(others),
            Self::NonRoot if permissions.uid == 0 => (group == others).then_some(others),
            Self::Uid(_) | Self::UnprivilegedUid(_) => (group == others).then_some(others),
            Self::Named | Self::NonRoot => (owner == group && group == others).then_some(others),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_matching_class_decides() {
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
    fn non_root_user_has_no_owner_rights_on_roots_files() {
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
    fn root_searches_all_and_executes_what_anyone_may() {
        for root in [User::default(), User::Uid(0)] {
            for (mode, may) in [(0o666, false), (0o001, true), (0o010, true), (0o4000, false)] {
                let file = Permissions { mode, uid: 5, gid: 5 };
                assert_eq!((root.may_execute(file), root.may_search(file)), (Some(may), Some(true)), "{mode:o}");
            }
        }
    }

    #[test]
    fn all_possible_classes_must_agree() {
        let (number, name) = (User::Uid(10), User::Named);
        let account = User::Account { uid: 10, gid: 20, supplementary_gids: vec![0] };
        let (later_number, later_account) = (number.clone().after_execve(), account.clone().after_execve());
        for (user, mode, owner, execute, search) in [
            (&later_account, 0o011, 10, Some(false), Some(false)),
            (&later_account, 0o101, 0, Some(false), Some(false)),
            (&later_number, 0o011, 10, Some(false), Some(false)),
            (&later_number, 0o100, 0, Some(false), Some(false)),
            (&later_number, 0o110, 0, None, None),
            (&account, 0o100, 10, Some(true), Some(true)),
            (&account, 0o011, 10, None, None),
            (&account, 0o110, 0, Some(true), Some(true)),
            (&account, 0o101, 0, None, None),
            (&account, 0o666, 0, Some(false), None),
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
            // Root may search it, but not execute it either.
            (&name, 0o666, 0, Some(false), None),
        ] {
            let file = Permissions { mode, uid: owner, gid: 0 };
            assert_eq!((user.may_execute(file), user.may_search(file)), (execute, search), "{user:?} {mode:o}");
        }
    }

    #[test]
    fn certain_answers_hold_for_every_possible_user() {
        let possible_users = [0, 10, 11].into_iter().flat_map(|user| {
            [(0, vec![]), (20, vec![]), (0, vec![20]), (9, vec![9])]
                .map(|(group, groups)| (user, User::Exact { uid: user, gid: group, supplementary_gids: groups }))
        });
        for (number, exact) in possible_users {
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
    fn config_user_is_root_a_number_or_a_name() {
        for (texts, user) in [
            (["", ":", "0", "root", "0:1000", "root:wheel"].as_slice(), User::default()),
            (&["1000", "1000:app"], User::Uid(1000)),
            (&["nobody", "app:0", "-1", "99999999999"], User::Named),
        ] {
            texts.iter().for_each(|text| assert_eq!(User::from_config(text), user, "{text:?}"));
        }
    }
}
