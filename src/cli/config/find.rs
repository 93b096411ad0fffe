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
pub(super) fn find_file() -> Option<PathBuf> {
    let present = PathBuf::from(FILE_NAME);
    if exists(&present) {
        return Some(present);
    }
    let directory = fs::canonicalize(".").ok()?;
    find_above(&directory)
}

fn find_above(directory: &Path) -> Option<PathBuf> {
    // In an additional worktree and in a submodule, `.git` is a file.
    let root = directory.ancestors().find(|ancestor| exists(&ancestor.join(".git")))?;
    let within = directory.ancestors().take_while(|ancestor| ancestor.starts_with(root));
    within.map(|ancestor| ancestor.join(FILE_NAME)).find(|path| exists(path))
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
