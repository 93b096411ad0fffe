//! What a config has a runtime start, as a question to the files of its image.
//!
//! Does not read layers.

use std::time::Instant;

use super::patience::Patience;
use super::{Seen, Site};
use crate::exec::{Answer, Host, Refusal, cause, working_directory};
use crate::launch::launches;
use crate::oci::Process;
use crate::rootfs::{Files, Unknown, User, View};

/// What may be mounted over when a container runs, whatever its image says: `/proc`, `/sys` and `/dev` always are (the
/// OCI runtime specification, "Default Filesystems"), the other two often.
const MOUNTS: [&[u8]; 5] = [b"proc", b"sys", b"dev", b"run", b"tmp"];

/// What an image starts.
pub(super) struct Question<'a> {
    process: &'a Process,
    argv: Vec<Vec<u8>>,
    user: User,
    patience: Patience,
}

/// What came of asking.
pub(super) enum Asked {
    /// An answer that no lower layer can change.
    Settled(Seen),
    /// A lower layer decides, or the lowest has been read and there still is no answer, because …
    Open(String),
}

impl<'a> Question<'a> {
    pub(super) fn new(process: &'a Process, deadline: Option<Instant>) -> Self {
        let argv = process.argv.iter().map(|word| word.clone().into_bytes()).collect();
        Self { process, argv, user: User::of_config(&process.user), patience: Patience::until(deadline) }
    }

    /// Asks the files that are known so far; `compat` says whether the host starts programs of 32 bits, if that is known.
    pub(super) fn ask(&self, files: &dyn Files, site: Site, compat: Option<bool>) -> Asked {
        let Site { processor, is_lambda } = site;
        let files = &self.patience.with(files);
        let (mounts, unread) = self.mounts(files);
        let (directory, untold) = match working_directory(files, &mounts, self.process.directory.as_bytes()) {
            Ok(place) => (Some(place), None),
            // Where only absolute paths are asked for, it does not matter.
            Err(Refusal::Unknown(reason)) => (None, Some(reason)),
            Err(Refusal::Errno(errno)) => {
                let reason = format!("the working directory {} cannot be entered: {errno}", self.process.directory);
                return Asked::Settled(Seen::Nothing(reason));
            }
        };
        let user = if is_lambda { User::NotRoot } else { self.user.clone() };
        let view = View { files, directory, user, mounts };
        let host = Host { processor, compat };
        let search = self.process.path.as_deref().map(str::as_bytes);
        let mut launches = launches(&view, host, &self.argv, search);
        // What runs before all else may do anything.
        if self.process.has_hooks {
            launches.truncate(1);
        }
        let last = launches.last().expect("there is at least one launch");
        match &last.start.answer {
            Answer::Unknown { reason: reason @ Unknown::Unread(_), .. } => {
                Asked::Open(untold.as_ref().unwrap_or(reason).to_string())
            }
            Answer::Unknown { reason: reason @ Unknown::Effort(_), .. } if launches.len() == 1 => {
                Asked::Settled(Seen::Unread(reason.to_string()))
            }
            Answer::Unknown { reason, .. } if launches.len() == 1 => Asked::Settled(Seen::Nothing(reason.to_string())),
            // The path may yet turn out to lie below a volume.
            Answer::Fails { .. } if unread.is_some() => {
                Asked::Open(unread.map_or(String::new(), |reason| reason.to_string()))
            }
            answer => {
                let cause = cause(&view, host, answer);
                Asked::Settled(Seen::Launches(launches, cause))
            }
        }
    }

    /// Where mounts lie, links followed as far as they are known, and what must be read to know it of all.
    fn mounts(&self, files: &dyn Files) -> (Vec<Vec<u8>>, Option<Unknown>) {
        let mut unread = None;
        let mut mounts: Vec<Vec<u8>> = MOUNTS.iter().map(|mount| mount.to_vec()).collect();
        for volume in &self.process.volumes {
            let parts: Vec<&str> = volume.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
            mounts.push(parts.join("/").into_bytes());
            match working_directory(files, &[], volume.as_bytes()) {
                Ok(place) => mounts.push(place),
                Err(Refusal::Unknown(reason @ Unknown::Unread(_))) => unread = Some(reason),
                Err(_) => {}
            }
        }
        (mounts, unread)
    }
}
