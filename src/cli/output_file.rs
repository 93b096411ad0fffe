//! Files that the command line names for output: compared with each other, checked in advance, and written completely or
//! not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
#[cfg(unix)]
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::CliError;

/// How many symbolic links Linux follows in one path (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// Refuses the same regular file for two purposes, because one would overwrite the other.
pub(super) fn ensure_distinct(paths: &[(&'static str, Option<&Path>)]) -> Result<(), CliError> {
    for (index, (one, path)) in paths.iter().enumerate() {
        let Some(path) = path else { continue };
        let is_same = |(_, other): &&(_, Option<&Path>)| other.is_some_and(|other| is_same_file(path, other));
        if let Some((other, _)) = paths[index + 1..].iter().find(is_same) {
            return Err(CliError::SameFile { path: path.display().to_string(), one, other });
        }
    }
    Ok(())
}

/// Compares inodes, which also recognizes hard links. Windows has none in std: hard links are not recognized there.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let is_same_path = || matches!((resolve_links(one), resolve_links(other)), (Ok(one), Ok(other)) if one == other);
    match (fs::metadata(one), fs::metadata(other)) {
        // Devices, `/dev/null` for example, can take both.
        (Ok(found), Ok(_)) if !found.is_file() => false,
        #[cfg(unix)]
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => is_same_path(),
    }
}

/// Checks in advance that a file can be written. It does not change, and is not left behind if it did not exist.
pub(super) fn check_writable(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        // The reader of a pipe would take one that is opened and closed for an empty output.
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

/// Writes a file completely or not at all: to a temporary file in the same directory, which replaces it. Devices and pipes
/// are written directly. Symbolic links and the permissions of an existing file are kept.
pub(super) fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let unwritable = |source| CliError::FileWrite { path: path.display().to_string(), source };
    let fill = |file: &File| {
        let mut out = BufWriter::new(file);
        let filled = fill(&mut out).and_then(|()| out.flush().map_err(unwritable));
        filled.map_err(|error| match error {
            CliError::Output(source) => unwritable(source),
            error => error,
        })
    };
    let existing = fs::metadata(path).ok();
    if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
        return fill(&OpenOptions::new().write(true).open(path).map_err(unwritable)?);
    }
    let path = resolve_links(path).map_err(unwritable)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ecr-preflight-");
    // The permissions of a new file, from which the umask is subtracted.
    #[cfg(unix)]
    builder.permissions(fs::Permissions::from_mode(0o666));
    let temporary = match builder.tempfile_in(path.parent().unwrap_or(Path::new("/"))) {
        // A file in a directory without write permission may be writable.
        Err(error) if error.kind() == ErrorKind::PermissionDenied && existing.is_some() => {
            return fill(&OpenOptions::new().write(true).truncate(true).open(path).map_err(unwritable)?);
        }
        created => created.map_err(unwritable)?,
    };
    if let Some(existing) = existing {
        temporary.as_file().set_permissions(existing.permissions()).map_err(unwritable)?;
    }
    fill(temporary.as_file())?;
    temporary.persist(path).map_err(|error| unwritable(error.error))?;
    Ok(())
}

/// Resolves all symbolic links of a path, even if there is no file yet.
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
    Err(io::Error::other("too many symbolic links"))
}

// Symbolic links need a privilege on Windows.
#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn fill(path: &Path, text: &str) {
        write_atomically(path, |out| Ok(out.write_all(text.as_bytes())?)).unwrap();
    }

    #[test]
    fn symbolic_links_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("existing"), "before").unwrap();
        symlink("existing", path("link")).unwrap();
        symlink("not-yet", path("dangling")).unwrap();
        for (name, target) in [("link", "existing"), ("dangling", "not-yet"), ("plain", "plain")] {
            check_writable(&path(name)).unwrap();
            assert!(name == "link" || !path(target).exists(), "the check leaves no file: {name}");
            fill(&path(name), "after");
            assert_eq!(fs::read_to_string(path(target)).unwrap(), "after");
        }
        assert!(path("link").is_symlink() && path("dangling").is_symlink());
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 5);
    }

    #[test]
    fn failed_write_keeps_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("existing");
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
    fn same_file_is_recognized_by_any_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("a"), "").unwrap();
        symlink("a", path("link")).unwrap();
        fs::hard_link(path("a"), path("hard")).unwrap();
        symlink("new", path("dangling")).unwrap();
        let is_same = |(one, other): (&str, &str)| {
            let (first, second) = (path(one), path(other));
            ensure_distinct(&[("one", Some(&first)), ("none", None), ("other", Some(&second))]).is_err()
        };
        for pair in [("a", "link"), ("a", "hard"), ("new", "new"), ("new", "dangling"), ("new", "./new")] {
            assert!(is_same(pair), "{pair:?}");
        }
        for pair in [("a", "../"), ("a", "b"), ("/dev/null", "/dev/null")] {
            assert!(!is_same(pair), "{pair:?}");
        }
    }
}
