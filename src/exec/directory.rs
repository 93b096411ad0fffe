//! The working directory, as runc makes and enters it before it starts anything: `MkdirAll` within the root, as root.
//!
//! Does not make anything: a directory that is missing is only said to be there.

use crate::errno::Errno;
use crate::rootfs::User;
use crate::rootfs::View;
use crate::rootfs::{Files, Node};
use crate::rootfs::{Stop, Unknown};

/// Why there is no working directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The kernel says no.
    Errno(Errno),
    /// It cannot be told.
    Unknown(Unknown),
}

/// The kernel enters no longer path, with its final NUL (`include/uapi/linux/limits.h`), and each of its directories is
/// looked up after the one above it.
const PATH_MAX: usize = 4096;

/// The place of a working directory as an image's configuration names it, in the form that a [`View`] has it.
///
/// # Errors
/// Where a file stands in its way, or where it cannot be told.
pub fn working_directory(files: &dyn Files, mounts: &[Vec<u8>], path: &[u8]) -> Result<Vec<u8>, Refusal> {
    if path.len() >= PATH_MAX {
        return Err(Refusal::Unknown(Unknown::Directory(path.to_vec())));
    }
    let view = View { files, directory: Some(Vec::new()), user: User::default(), mounts: mounts.to_vec() };
    place(&view, path).map_err(|stop| match stop {
        Stop::Errno(errno) => Refusal::Errno(errno),
        Stop::Unknown(reason) => Refusal::Unknown(reason),
    })
}

fn place(view: &View<'_>, path: &[u8]) -> Result<Vec<u8>, Stop> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    match view.find(path) {
        Ok(found) if matches!(found.node, Node::Directory(_)) => Ok(found.place),
        Ok(_) => Err(Errno::NotDirectory.into()),
        Err(Stop::Errno(Errno::NoEntry)) => {
            let split = path.iter().rposition(|byte| *byte == b'/');
            let (parent, name) = split.map_or((b"".as_slice(), path), |at| (&path[..at], &path[at + 1..]));
            let place = [&place(view, parent)?, b"/".as_slice(), name].concat();
            let place = place.strip_prefix(b"/").unwrap_or(&place).to_vec();
            // A link that leads nowhere stands in the way; dots behind what is missing are read in more than one way.
            if matches!(name, b"" | b"." | b"..") || view.files.at(&place)?.is_some() {
                return Err(Unknown::Directory(path.to_vec()).into());
            }
            Ok(place)
        }
        Err(stop) => Err(stop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::Contents;
    use crate::rootfs::{Owner, Rootfs};

    #[test]
    fn a_working_directory_is_found_or_made_or_something_stands_in_its_way() {
        let mut rootfs = Rootfs::default();
        rootfs.put(b"srv".to_vec(), Node::Directory(Owner { mode: 0o700, user: 7, group: 7 }));
        rootfs.put(b"file".to_vec(), Node::File(Owner::default(), Contents::default()));
        rootfs.put(b"link".to_vec(), Node::Link(b"srv".to_vec()));
        rootfs.put(b"dangling".to_vec(), Node::Link(b"none".to_vec()));
        let not_directory = || Err(Refusal::Errno(Errno::NotDirectory));
        let untold = |path: &str| Err(Refusal::Unknown(Unknown::Directory(path.into())));
        for (path, expected) in [
            ("", Ok("")),
            ("/", Ok("")),
            ("/srv", Ok("srv")),
            ("/link/", Ok("srv")),
            ("/link/app/src", Ok("srv/app/src")),
            ("/new", Ok("new")),
            ("new/er", Ok("new/er")),
            ("/file", not_directory()),
            ("/file/x", not_directory()),
            ("/dangling", untold("/dangling")),
            ("/new/../srv", untold("/new/..")),
            ("/proc/x", Err(Refusal::Unknown(Unknown::Mounted(b"/proc".to_vec())))),
        ] {
            let found = working_directory(&rootfs, &[b"proc".to_vec()], path.as_bytes());
            assert_eq!(found, expected.map(|place| place.as_bytes().to_vec()), "{path}");
        }
    }
}
