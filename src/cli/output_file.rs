//! Output files that the user names: checks that they are writable and distinct, and writes them atomically.

use std::collections::hash_map::RandomState;
use std::fs::{self, File, Metadata, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;

/// How many links Linux follows in one path: `path_resolution(7)`.
const MAX_LINKS: usize = 40;

/// Checks that no regular file is given for two arguments, because the second would overwrite the first. Each path comes
/// with the name of its argument.
///
/// # Errors
/// [`CliError::SameFile`] if two paths lead to the same file.
pub(super) fn ensure_distinct(arguments: &[(&'static str, Option<&Path>)]) -> Result<(), CliError> {
    let given: Vec<(&'static str, &Path)> =
        arguments.iter().filter_map(|(name, path)| path.map(|path| (*name, path))).collect();
    for (at, (one, path)) in given.iter().enumerate() {
        if let Some((other, _)) = given[at + 1..].iter().find(|(_, other)| is_same_file(path, other)) {
            return Err(CliError::SameFile { path: path.display().to_string(), one, other });
        }
    }
    Ok(())
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        // `/dev/null` may be given twice.
        (Ok(one), Ok(other)) => one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => matches!((resolve_links(one), resolve_links(other)), (Ok(one), Ok(other)) if one == other),
    }
}

/// Checks that a file can be written, before the work whose result it will hold. Neither changes nor creates it.
///
/// # Errors
/// If it cannot be written.
pub(super) fn check_writable(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        // The reader of a pipe would see an empty result if the pipe were opened and closed.
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => Ok(()),
        Ok(_) => OpenOptions::new().append(true).open(path).map(drop),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let path = resolve_links(path)?;
            OpenOptions::new().write(true).create_new(true).open(&path)?;
            fs::remove_file(path)
        }
        Err(error) => Err(error),
    }
}

/// Writes a file atomically: `fill` writes a temporary file in the same directory, which then replaces the file. Links and
/// permissions are kept. Pipes and devices are written directly.
///
/// # Errors
/// If the file cannot be written, or `fill` fails.
pub(super) fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let write_error = |source| CliError::FileWrite { path: path.display().to_string(), source };
    let write = |file: File| {
        let mut out = BufWriter::new(file);
        let written = fill(&mut out).and_then(|()| out.flush().map_err(write_error));
        written.map_err(|error| match error {
            CliError::Output(source) => write_error(source),
            error => error,
        })
    };
    let existing = fs::metadata(path).ok();
    if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
        return write(OpenOptions::new().write(true).open(path).map_err(write_error)?);
    }
    let path = resolve_links(path).map_err(write_error)?;
    let temporary = temporary_path(&path);
    let opened = match OpenOptions::new().write(true).create_new(true).open(&temporary) {
        // The file may be writable although its directory is not.
        Err(error) if error.kind() == ErrorKind::PermissionDenied && existing.is_some() => {
            return write(OpenOptions::new().write(true).truncate(true).open(path).map_err(write_error)?);
        }
        result => result.map_err(write_error)?,
    };
    let written = copy_permissions(&opened, existing.as_ref())
        .map_err(write_error)
        .and_then(|()| write(opened))
        .and_then(|()| fs::rename(&temporary, &path).map_err(write_error));
    if written.is_err() {
        // The first error matters more than a temporary file that is left behind.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn copy_permissions(to: &File, from: Option<&Metadata>) -> io::Result<()> {
    from.map_or(Ok(()), |from| to.set_permissions(from.permissions()))
}

fn temporary_path(path: &Path) -> PathBuf {
    // Each hasher has random keys, so the name cannot be guessed.
    let suffix = RandomState::new().build_hasher().finish();
    path.with_file_name(format!(".ecr-preflight-{suffix:016x}.partial"))
}

/// Follows all links of a path, even if the file does not exist yet.
fn resolve_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::canonicalize(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            resolved => return resolved,
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
    fn links_are_kept_and_their_targets_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("existing"), "before").unwrap();
        symlink("existing", path("link")).unwrap();
        symlink("not-yet", path("dangling")).unwrap();
        for (name, target) in [("link", "existing"), ("dangling", "not-yet"), ("plain", "plain")] {
            check_writable(&path(name)).unwrap();
            assert!(name == "link" || !path(target).exists(), "the check created {name}");
            fill(&path(name), "after");
            assert_eq!(fs::read_to_string(path(target)).unwrap(), "after");
        }
        assert!(path("link").is_symlink() && path("dangling").is_symlink());
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 5);
    }

    #[test]
    fn failed_write_leaves_the_file_unchanged() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("existing");
        fs::write(&file, "before").unwrap();
        let failed = write_atomically(&file, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("disk full").into())
        });
        assert!(matches!(failed, Err(CliError::FileWrite { .. })));
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn same_file_is_detected_under_any_name() {
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
