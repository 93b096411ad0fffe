//! Finds and reads the configuration file.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::super::error::CliError;
use crate::registry::open_regular_file;
use crate::text::sanitize;

/// The name of the file.
const FILE_NAME: &str = ".ecr-preflight.toml";

/// The largest file, in bytes: thousands of waivers.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Finds the file in the working directory or the nearest directory above it, up to the root of the git repository. Outside
/// of a repository, only the working directory counts: a file in a shared directory above it may be somebody else's.
pub(super) fn find_file() -> FoundFile {
    let present = PathBuf::from(FILE_NAME);
    if exists(&present) {
        return FoundFile::Trusted(present);
    }
    fs::canonicalize(".").map_or(FoundFile::None, |directory| find_above(&directory, is_own))
}

/// The configuration file that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FoundFile {
    /// There is none.
    None,
    /// It is in the working directory, or it and its repository belong to the user.
    Trusted(PathBuf),
    /// It or its repository above the working directory belongs to somebody else, who could waive faults with it: git
    /// ignores such a repository, too (`safe.directory` in git-config(1)).
    OfAnotherUser(PathBuf),
}

fn find_above(directory: &Path, is_own: impl Fn(&Path) -> bool) -> FoundFile {
    // In an additional worktree and in a submodule, `.git` is a file.
    let Some(root) = directory.ancestors().find(|ancestor| exists(&ancestor.join(".git"))) else {
        return FoundFile::None;
    };
    let within = directory.ancestors().take_while(|ancestor| ancestor.starts_with(root));
    match within.map(|ancestor| ancestor.join(FILE_NAME)).find(|path| exists(path)) {
        None => FoundFile::None,
        Some(path) if is_own(&path) && is_own(&root.join(".git")) => FoundFile::Trusted(path),
        Some(path) => FoundFile::OfAnotherUser(path),
    }
}

/// Returns whether a file belongs to the user, to root, or to the user who runs the tool with sudo.
#[cfg(unix)]
fn is_own(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    // A new file belongs to the effective user.
    let user = tempfile::tempfile().and_then(|file| file.metadata()).map(|metadata| metadata.uid());
    let sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    let owner = fs::symlink_metadata(path).map(|metadata| metadata.uid());
    let (Ok(user), Ok(owner)) = (user, owner) else { return false };
    owner == user || owner == 0 || user == 0 && sudo == Some(owner)
}

#[cfg(not(unix))]
fn is_own(_: &Path) -> bool {
    true
}

/// Whether there is an entry, also a dangling link, which is then reported and not skipped.
fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Reads the file.
///
/// # Errors
/// It cannot be read, is not a regular file, is too large, or is not UTF-8.
pub(super) fn read_file(path: &Path) -> Result<String, CliError> {
    let unreadable = |problem: String| {
        let source = format!("cannot read the configuration file {}: {problem}", display_path(path)).into();
        CliError::Command { source, hint: None, is_usage: true }
    };
    let mut text = String::new();
    let file = open_regular_file(path).map_err(|error| unreadable(error.to_string()))?;
    match file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text) {
        Ok(length) if length as u64 > MAX_FILE_BYTES => {
            Err(unreadable(format!("it is larger than {MAX_FILE_BYTES} bytes")))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

/// Formats a path for messages.
pub(in crate::cli) fn display_path(path: &Path) -> String {
    sanitize(&path.display().to_string(), usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_above(directory: &Path) -> Option<PathBuf> {
        match super::find_above(directory, is_own) {
            FoundFile::None => None,
            FoundFile::Trusted(path) => Some(path),
            FoundFile::OfAnotherUser(path) => panic!("{} is the user's", path.display()),
        }
    }

    #[test]
    fn file_or_repository_of_another_user_is_not_trusted() {
        let top = tempfile::tempdir().unwrap();
        let (git, file) = (top.path().join(".git"), top.path().join(FILE_NAME));
        fs::create_dir_all(&git).unwrap();
        fs::create_dir_all(top.path().join("a")).unwrap();
        fs::write(&file, "").unwrap();
        let find = |other: &Path| super::find_above(&top.path().join("a"), |path| path != other);
        assert_eq!(find(Path::new("/none")), FoundFile::Trusted(file.clone()));
        assert_eq!(find(&git), FoundFile::OfAnotherUser(file.clone()));
        assert_eq!(find(&file), FoundFile::OfAnotherUser(file));
    }

    #[test]
    fn file_is_found_up_to_the_root_of_the_repository() {
        let top = tempfile::tempdir().unwrap();
        let path = |name: &str| top.path().join(name);
        fs::create_dir_all(path("repository/.git")).unwrap();
        fs::create_dir_all(path("repository/a/b")).unwrap();
        fs::create_dir_all(path("repository/worktree/c")).unwrap();
        fs::write(path("repository/worktree/.git"), "gitdir: elsewhere\n").unwrap();
        fs::write(path(FILE_NAME), "").unwrap();
        assert_eq!(find_above(&path("repository/a/b")), None, "above the root");
        fs::write(path("repository").join(FILE_NAME), "").unwrap();
        assert_eq!(find_above(&path("repository/a/b")), Some(path("repository").join(FILE_NAME)));
        assert_eq!(find_above(&path("repository/worktree/c")), None, "a worktree is a repository of its own");
        fs::write(path("repository/a").join(FILE_NAME), "").unwrap();
        assert_eq!(find_above(&path("repository/a/b")), Some(path("repository/a").join(FILE_NAME)), "the nearest");
    }
}
