//! A file that a person names for something to be written to: found behind its links, compared with others, filled whole or
//! not at all.
//!
//! Does not know what is written.

use std::collections::hash_map::RandomState;
use std::fs::{self, File, Metadata, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;

/// As many links as Linux follows in one name (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// Refuses one regular file in two places of a command: what is written last would destroy what stands there.
///
/// # Errors
/// Where two of them are the same file, by their names or by what they name.
pub(super) fn ensure_distinct(named: &[(&'static str, Option<&Path>)]) -> Result<(), CliError> {
    let named: Vec<(&'static str, &Path)> =
        named.iter().filter_map(|(place, path)| path.map(|path| (*place, path))).collect();
    for (at, (one, path)) in named.iter().enumerate() {
        if let Some((other, _)) = named[at + 1..].iter().find(|(_, other)| is_same_file(path, other)) {
            return Err(CliError::SameFile { path: path.display().to_string(), one, other });
        }
    }
    Ok(())
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        // `/dev/null` may take both.
        (Ok(one), Ok(other)) => one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => matches!((resolve_links(one), resolve_links(other)), (Ok(one), Ok(other)) if one == other),
    }
}

/// Says at the beginning that a file could not be written at the end. What it holds stays as it is, and nothing is left
/// where nothing was.
///
/// # Errors
/// Where it cannot be written.
pub(super) fn check_writable(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        // Whoever reads a pipe would take one that is opened and closed for an empty answer.
        Ok(found) if !found.is_file() && !found.is_dir() => Ok(()),
        Ok(_) => OpenOptions::new().append(true).open(path).map(drop),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let path = resolve_links(path)?;
            OpenOptions::new().write(true).create_new(true).open(&path)?;
            fs::remove_file(path)
        }
        Err(error) => Err(error),
    }
}

/// Fills a file, which is there whole or not at all: beside it first, under a name that nobody else has. What is no regular
/// file is written straight through to. Links stay, and so do the permissions of what was there.
///
/// # Errors
/// Where it cannot be written, and what `fill` fails with.
pub(super) fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let unwritten = |source| CliError::FileWrite { path: path.display().to_string(), source };
    let filled = |file: File| {
        let mut out = BufWriter::new(file);
        let filled = fill(&mut out).and_then(|()| out.flush().map_err(unwritten));
        filled.map_err(|error| match error {
            CliError::Output(source) => unwritten(source),
            error => error,
        })
    };
    let there = fs::metadata(path).ok();
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        return filled(OpenOptions::new().write(true).open(path).map_err(unwritten)?);
    }
    let path = resolve_links(path).map_err(unwritten)?;
    let beside = temporary_path(&path);
    let opened = match OpenOptions::new().write(true).create_new(true).open(&beside) {
        // A directory that takes no new file may hold one that can be written.
        Err(error) if error.kind() == ErrorKind::PermissionDenied && there.is_some() => {
            return filled(OpenOptions::new().write(true).truncate(true).open(path).map_err(unwritten)?);
        }
        made => made.map_err(unwritten)?,
    };
    let written = copy_permissions(&opened, there.as_ref())
        .map_err(unwritten)
        .and_then(|()| filled(opened))
        .and_then(|()| fs::rename(&beside, &path).map_err(unwritten));
    if written.is_err() {
        // The error is what there is to say; a rest that stays is only untidy.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn copy_permissions(file: &File, there: Option<&Metadata>) -> io::Result<()> {
    there.map_or(Ok(()), |there| file.set_permissions(there.permissions()))
}

fn temporary_path(path: &Path) -> PathBuf {
    // Each hasher has keys of its own, which nobody can guess.
    let suffix = RandomState::new().build_hasher().finish();
    path.with_file_name(format!(".ecr-preflight-{suffix:016x}.partial"))
}

/// Where a name leads behind all links, even where nothing is there yet.
fn resolve_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::canonicalize(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            found => return found,
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Ok(link) = fs::read_link(&path) else {
            let name = path.file_name().ok_or(ErrorKind::NotFound)?;
            return Ok(fs::canonicalize(directory)?.join(name));
        };
        path = directory.join(link);
    }
    Err(io::Error::other("too many links"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn fill(path: &Path, text: &str) {
        write_atomically(path, |out| Ok(out.write_all(text.as_bytes())?)).unwrap();
    }

    #[test]
    fn links_stay_and_what_they_name_is_filled() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("there"), "before").unwrap();
        symlink("there", path("link")).unwrap();
        symlink("not-yet", path("dangling")).unwrap();
        for (name, target) in [("link", "there"), ("dangling", "not-yet"), ("plain", "plain")] {
            check_writable(&path(name)).unwrap();
            assert!(name == "link" || !path(target).exists(), "a check leaves nothing: {name}");
            fill(&path(name), "after");
            assert_eq!(fs::read_to_string(path(target)).unwrap(), "after");
        }
        assert!(path("link").is_symlink() && path("dangling").is_symlink());
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 5);
    }

    #[test]
    fn what_fails_leaves_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("there");
        fs::write(&file, "before").unwrap();
        let failed = write_atomically(&file, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("no more").into())
        });
        assert!(matches!(failed, Err(CliError::FileWrite { .. })));
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn one_file_is_known_by_any_of_its_names() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("a"), "").unwrap();
        symlink("a", path("link")).unwrap();
        fs::hard_link(path("a"), path("hard")).unwrap();
        symlink("new", path("dangling")).unwrap();
        for (one, other, expected) in [
            ("a", "link", true),
            ("a", "hard", true),
            ("a", "../", false),
            ("a", "b", false),
            ("new", "new", true),
            ("new", "dangling", true),
            ("new", "./new", true),
            ("/dev/null", "/dev/null", false),
        ] {
            let (first, second) = (path(one), path(other));
            let found = ensure_distinct(&[("one", Some(&first)), ("none", None), ("other", Some(&second))]);
            assert_eq!(found.is_err(), expected, "{one} and {other}");
        }
    }
}
