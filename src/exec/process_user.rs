//! Looks up the user of an image's config in the root filesystem: `WithUser` in containerd's `oci/spec_opts.go`, and
//! `GetExecUser` of runc's `libcontainer/user`, which Docker Engine uses. Where the two differ, the result is unknown.

use super::setup_refusal::{AccountFile, AccountKind, SetupError, SetupRefusal};
use crate::errno::Errno;
use crate::rootfs::{
    ExecError, FileTree, FilesystemView, Node, UnknownReason, User, parse_groups, parse_id, parse_passwd,
};

/// Returns the user of a process, from the text in the config: `1000`, `nobody`, `app:app`. Empty text means root.
///
/// # Errors
/// The user or the group is a name that the image does not define, or that is unknown.
pub fn resolve_user(files: &dyn FileTree, mounts: &[Vec<u8>], text: &str) -> Result<User, SetupError> {
    let view = FilesystemView { mounts: mounts.to_vec(), ..FilesystemView::new(files) };
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    if group.is_some_and(|group| group.contains(':')) {
        // containerd refuses further fields, and Docker ignores them.
        return Err(UnknownReason::User(text.into()).into());
    }
    // containerd takes a missing group for 0, Docker for the user's own.
    let group = group.filter(|group| !group.is_empty());
    let group_id = group.map(|group| find_group(&view, group)).transpose()?;
    if let Some(uid) = if user.is_empty() { Some(0) } else { parse_id(user.as_bytes()) } {
        return Ok(if uid == 0 { User::default() } else { User::Uid(uid) });
    }
    let (uid, gid) = find_user(&view, user)?;
    if uid == 0 {
        return Ok(User::default());
    }
    if text.ends_with(':') {
        return Ok(User::Uid(uid));
    }
    let groups = read_account_file(&view, AccountKind::Group)?.unwrap_or_default();
    let gid = group_id.unwrap_or(gid);
    let entries = parse_groups(groups).filter(|entry| entry.members.contains(&user.as_bytes()));
    let Some(supplementary_gids) = entries.map(|entry| entry.gid).collect::<Option<Vec<u32>>>() else {
        return Ok(User::Uid(uid));
    };
    // With an explicit group, Docker does not add the groups that the user is a member of.
    if group.is_some() && supplementary_gids.iter().any(|other| *other != gid) {
        return Ok(User::Uid(uid));
    }
    Ok(User::Account { uid, gid, supplementary_gids })
}

/// Returns whether `/etc/passwd` has an entry with this user ID.
///
/// # Errors
/// The file or the ID of one of its entries is unknown.
pub(crate) fn has_passwd_entry(files: &dyn FileTree, mounts: &[Vec<u8>], uid: u32) -> Result<bool, UnknownReason> {
    let view = FilesystemView { mounts: mounts.to_vec(), ..FilesystemView::new(files) };
    let file = match read_account_file(&view, AccountKind::User) {
        Ok(file) => file.unwrap_or_default(),
        Err(SetupError::Unknown(reason)) => return Err(reason),
        Err(SetupError::Refused(_)) => b"",
    };
    let is_entry = |found: Option<u32>| found.is_none_or(|found| found == uid);
    match parse_passwd(file).find(|entry| is_entry(entry.uid)) {
        Some(entry) if entry.uid.is_none() => Err(UnknownReason::User(entry.name.to_vec())),
        entry => Ok(entry.is_some()),
    }
}

/// Returns the IDs of the user with a name, and of its primary group.
fn find_user(view: &FilesystemView<'_>, name: &str) -> Result<(u32, u32), SetupError> {
    let file = read_account_file(view, AccountKind::User)?;
    let unknown = || SetupError::Unknown(UnknownReason::User(name.into()));
    if let Some(entry) = parse_passwd(file.unwrap_or_default()).find(|entry| entry.name == name.as_bytes()) {
        return entry.uid.zip(entry.gid).ok_or_else(unknown);
    }
    let entries = || parse_passwd(file.unwrap_or_default());
    // Docker also compares a number out of range with the IDs.
    if is_number(name) && entries().any(|entry| entry.uid.is_none()) {
        return Err(unknown());
    }
    Err(refuse(view, AccountKind::User, name, file))
}

/// Returns the ID of a group, which is a number or a name.
fn find_group(view: &FilesystemView<'_>, group: &str) -> Result<u32, SetupError> {
    if let Some(gid) = parse_id(group.as_bytes()) {
        return Ok(gid);
    }
    let file = read_account_file(view, AccountKind::Group)?;
    let unknown = || SetupError::Unknown(UnknownReason::User(group.into()));
    if let Some(entry) = parse_groups(file.unwrap_or_default()).find(|entry| entry.name == group.as_bytes()) {
        return entry.gid.ok_or_else(unknown);
    }
    if is_number(group) && parse_groups(file.unwrap_or_default()).any(|entry| entry.gid.is_none()) {
        return Err(unknown());
    }
    Err(refuse(view, AccountKind::Group, group, file))
}

fn refuse(view: &FilesystemView<'_>, kind: AccountKind, name: &str, contents: Option<&[u8]>) -> SetupError {
    let path = kind.file().as_bytes();
    let is_missing = || {
        let is_not_found = view.resolve(path) == Err(Errno::NoEntry.into());
        is_not_found && matches!(view.files.get(&path[1..]), Ok(None))
    };
    let file = match contents {
        Some(_) => AccountFile::Present,
        None if is_missing() => AccountFile::Missing,
        None => AccountFile::Unreachable,
    };
    SetupError::Refused(SetupRefusal::UnknownAccount { kind, name: name.into(), file })
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the contents of an account file, or `None` if the image does not have it.
fn read_account_file<'a>(view: &FilesystemView<'a>, kind: AccountKind) -> Result<Option<&'a [u8]>, SetupError> {
    let path = kind.file().as_bytes();
    match view.resolve(path).map(|found| found.node) {
        Ok(Node::File(_, contents)) => {
            contents.whole().map(Some).ok_or_else(|| UnknownReason::FileNotKept(path.to_vec()).into())
        }
        Ok(_) => Err(UnknownReason::FileNotKept(path.to_vec()).into()),
        Err(ExecError::Errno(_)) => Ok(None),
        Err(ExecError::Unknown(reason)) => Err(reason.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::{FileContents, Permissions, Rootfs};

    const PASSWD: &[u8] = b"root:x:0:0::/root:/bin/sh\napp:x:1000:50::/:/x\nneg:x:-5:5::/:/x\n01000:x:5:5::/:/x\n";
    const GROUP: &[u8] = b"root:x:0:\napp:x:50:\nextra:x:77:app\nbad:x:-1:\n";

    fn rootfs(names: &[&str]) -> Rootfs {
        let mut rootfs = Rootfs::default();
        rootfs.insert(b"etc".to_vec(), Node::directory(0o755));
        for (path, bytes) in [("etc/passwd", PASSWD), ("etc/group", GROUP)] {
            if names.contains(&path) {
                rootfs.insert(path.into(), Node::file(0o644, bytes));
            }
        }
        rootfs
    }

    fn describe(rootfs: &Rootfs, text: &str) -> String {
        match resolve_user(rootfs, &[], text) {
            Ok(User::Exact { uid: 0, .. }) => "root".to_owned(),
            Ok(User::Uid(uid)) => format!("{uid}"),
            Ok(User::Account { uid, gid, supplementary_gids }) => format!("{uid}:{gid} {supplementary_gids:?}"),
            Ok(other) => format!("{other:?}"),
            Err(SetupError::Refused(refusal)) => refusal.message().unwrap_or_default(),
            Err(SetupError::Unknown(_)) => "unknown".to_owned(),
        }
    }

    #[test]
    fn users_are_looked_up_as_by_container_engines() {
        const NO_PASSWD: &str = "open …/etc/passwd: no such file or directory";
        const NO_GROUP: &str = "open …/etc/group: no such file or directory";
        let (full, none) = (rootfs(&["etc/passwd", "etc/group"]), rootfs(&[]));
        let no_group = rootfs(&["etc/passwd"]);
        for (rootfs, text, expected) in [
            (&full, "", "root"),
            (&full, ":", "root"),
            (&full, "root", "root"),
            (&full, "0", "root"),
            (&full, "0:app", "root"),
            (&full, ":app", "root"),
            (&full, "app", "1000:50 [77]"),
            (&full, "app:50", "1000"),
            (&full, "app:extra", "1000:77 [77]"),
            (&full, "app:", "1000"),
            (&full, "1000", "1000"),
            (&full, "1000:1000", "1000"),
            (&full, "01000", "1000"),
            (&full, "+5", "5"),
            (&full, "ghost", "no users found"),
            (&full, "App", "no users found"),
            (&full, " 0", "no users found"),
            (&full, "$UID", "no users found"),
            (&full, "0x10", "no users found"),
            (&full, "app:ghosts", "no groups found"),
            (&full, "1000:ghosts", "no groups found"),
            (&full, "ghost:ghosts", "no groups found"),
            (&full, "neg", "unknown"),
            (&full, "-5", "unknown"),
            (&full, "app:bad", "unknown"),
            (&full, "a:b:c", "unknown"),
            (&full, "::", "unknown"),
            (&none, "", "root"),
            (&none, "0", "root"),
            (&none, "1000:1000", "1000"),
            (&none, "1000", "1000"),
            (&none, "root", NO_PASSWD),
            (&none, "app", NO_PASSWD),
            (&none, "-1", NO_PASSWD),
            (&none, "2147483648", NO_PASSWD),
            (&none, "1000:ghosts", NO_GROUP),
            (&no_group, "app", "1000:50 []"),
            (&no_group, "2147483648", "unknown"),
            (&no_group, "0:app", NO_GROUP),
        ] {
            assert_eq!(describe(rootfs, text), expected, "{text}");
        }
    }

    #[test]
    fn links_are_followed_and_unread_files_are_unknown() {
        let mut rootfs = rootfs(&["etc/group"]);
        rootfs.insert(b"etc/passwd".to_vec(), Node::Symlink(b"/dangling".to_vec()));
        // containerd's message names the target of the link.
        assert_eq!(describe(&rootfs, "root"), "");
        rootfs.insert(b"accounts".to_vec(), Node::file(0o644, PASSWD));
        rootfs.insert(b"etc/passwd".to_vec(), Node::Symlink(b"/accounts".to_vec()));
        assert_eq!(describe(&rootfs, "app"), "1000:50 [77]");
        for node in
            [Node::directory(0o755), Node::File(Permissions::owned_by_root(0o644), FileContents::with_size(70_000))]
        {
            rootfs.insert(b"etc/passwd".to_vec(), node);
            assert_eq!([describe(&rootfs, "app"), describe(&rootfs, "1000")], ["unknown", "1000"]);
        }
    }
}
