//! What a config has a runtime start, as a question to the files of its image.
//!
//! Does not read layers.

use std::time::Instant;

use super::lookup_budget::LookupBudget;
use super::{InspectionOutcome, InspectionTarget};
use crate::exec::{ExecOutcome, Host, diagnose_failure, resolve_working_directory};
use crate::launch::predict_launches;
use crate::oci::ProcessConfig;
use crate::rootfs::{ExecError, FileTree, FilesystemView, UnknownReason, User};

/// What may be mounted over when a container runs, whatever its image says: `/proc`, `/sys` and `/dev` always are (the
/// OCI runtime specification, "Default Filesystems"), the other two often.
const RUNTIME_MOUNTS: [&[u8]; 5] = [b"proc", b"sys", b"dev", b"run", b"tmp"];

/// What an image starts.
pub(super) struct EntrypointProbe<'a> {
    process: &'a ProcessConfig,
    argv: Vec<Vec<u8>>,
    user: User,
    lookup_budget: LookupBudget,
}

/// What came of asking.
pub(super) enum ProbeResult {
    /// An answer that no lower layer can change.
    Settled(InspectionOutcome),
    /// A lower layer decides, or the lowest has been read and there still is no answer, because …
    NeedsLowerLayer(String),
}

impl<'a> EntrypointProbe<'a> {
    pub(super) fn new(process: &'a ProcessConfig, deadline: Option<Instant>) -> Self {
        let argv = process.argv.iter().map(|word| word.clone().into_bytes()).collect();
        Self { process, argv, user: User::from_config(&process.user), lookup_budget: LookupBudget::new(deadline) }
    }

    /// Asks the files that are known so far; `compat` says whether the host starts programs of 32 bits, if that is known.
    pub(super) fn run(&self, files: &dyn FileTree, site: InspectionTarget, compat: Option<bool>) -> ProbeResult {
        let InspectionTarget { processor, is_lambda } = site;
        let files = &self.lookup_budget.limit(files);
        let (mounts, unread) = self.resolve_mounts(files);
        let (directory, untold) =
            match resolve_working_directory(files, &mounts, self.process.working_directory.as_bytes()) {
                Ok(place) => (Some(place), None),
                // Where only absolute paths are asked for, it does not matter.
                Err(ExecError::Unknown(reason)) => (None, Some(reason)),
                Err(ExecError::Errno(errno)) => {
                    let reason =
                        format!("the working directory {} cannot be entered: {errno}", self.process.working_directory);
                    return ProbeResult::Settled(InspectionOutcome::Undetermined(reason));
                }
            };
        let user = if is_lambda { User::NonRoot } else { self.user.clone() };
        let view = FilesystemView { files, working_directory: directory, user, mounts };
        let host = Host { processor, runs_32_bit: compat };
        let search = self.process.path.as_deref().map(str::as_bytes);
        let mut launches = predict_launches(&view, host, &self.argv, search);
        // What runs before all else may do anything.
        if self.process.has_startup_variables {
            launches.truncate(1);
        }
        let last = launches.last().expect("there is at least one launch");
        match &last.start.outcome {
            ExecOutcome::Unknown { reason: reason @ UnknownReason::LayerNotRead(_), .. } => {
                ProbeResult::NeedsLowerLayer(untold.as_ref().unwrap_or(reason).to_string())
            }
            ExecOutcome::Unknown { reason: reason @ UnknownReason::TooManyLookups(_), .. } if launches.len() == 1 => {
                ProbeResult::Settled(InspectionOutcome::Unreadable(reason.to_string()))
            }
            ExecOutcome::Unknown { reason, .. } if launches.len() == 1 => {
                ProbeResult::Settled(InspectionOutcome::Undetermined(reason.to_string()))
            }
            // The path may yet turn out to lie below a volume.
            ExecOutcome::Fails { .. } if unread.is_some() => {
                ProbeResult::NeedsLowerLayer(unread.map_or(String::new(), |reason| reason.to_string()))
            }
            answer => {
                let cause = diagnose_failure(&view, host, answer);
                ProbeResult::Settled(InspectionOutcome::Launches(launches, cause))
            }
        }
    }

    /// Where mounts lie, links followed as far as they are known, and what must be read to know it of all.
    fn resolve_mounts(&self, files: &dyn FileTree) -> (Vec<Vec<u8>>, Option<UnknownReason>) {
        let mut unread = None;
        let mut mounts: Vec<Vec<u8>> = RUNTIME_MOUNTS.iter().map(|mount| mount.to_vec()).collect();
        for volume in &self.process.volumes {
            let parts: Vec<&str> = volume.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
            mounts.push(parts.join("/").into_bytes());
            match resolve_working_directory(files, &[], volume.as_bytes()) {
                Ok(place) => mounts.push(place),
                Err(ExecError::Unknown(reason @ UnknownReason::LayerNotRead(_))) => unread = Some(reason),
                Err(_) => {}
            }
        }
        (mounts, unread)
    }
}
