//! What the entrypoint and command of an image start, by the files that are known so far.

use std::cell::Cell;
use std::time::Instant;

use super::deadline;
use super::inspection::{InspectionOutcome, InspectionTarget};
use crate::exec::{ExecOutcome, Host, diagnose_failure, resolve_working_directory};
use crate::launch::predict_launches;
use crate::oci::ProcessConfig;
use crate::rootfs::{ExecError, FileTree, FilesystemView, Node, UnknownReason, User};

/// The directories that a container runtime may mount over, whatever the image holds: it always mounts `/proc`, `/sys`
/// and `/dev` (OCI runtime specification, "Default Filesystems"), and often the other two.
const RUNTIME_MOUNTS: [&[u8]; 5] = [b"proc", b"sys", b"dev", b"run", b"tmp"];

/// The most look-ups for one image, on all its targets and after each of its layers. A start takes some hundreds; a
/// `PATH` of a megabyte whose directories are chains of links would take 10,000,000,000.
const MAX_LOOKUPS: u64 = 1_000_000;

/// The process of an image, and what its look-ups may cost.
pub(super) struct EntrypointProbe<'a> {
    process: &'a ProcessConfig,
    argv: Vec<Vec<u8>>,
    user: User,
    budget: LookupBudget,
}

/// The answer of a probe.
pub(super) enum ProbeResult {
    /// An answer that no lower layer can change.
    Settled(InspectionOutcome),
    /// A lower layer decides; if there is none, this is the reason why the answer is unknown.
    NeedsLowerLayer(String),
}

impl<'a> EntrypointProbe<'a> {
    pub(super) fn new(process: &'a ProcessConfig, deadline: Option<Instant>) -> Self {
        let argv = process.argv.iter().map(|word| word.clone().into_bytes()).collect();
        let budget = LookupBudget { deadline, remaining: Cell::new(MAX_LOOKUPS) };
        Self { process, argv, user: User::from_config(&process.user), budget }
    }

    /// Predicts what starts on a target, by these files. `runs_32_bit` is whether the host starts 32-bit programs, if
    /// that is known.
    pub(super) fn run(&self, files: &dyn FileTree, target: InspectionTarget, runs_32_bit: Option<bool>) -> ProbeResult {
        let files = &BudgetedFiles { files, budget: &self.budget };
        let (mounts, unread_volume) = self.resolve_mounts(files);
        let working_directory = self.process.working_directory.as_bytes();
        let (working_directory, unknown_directory) = match resolve_working_directory(files, &mounts, working_directory)
        {
            Ok(path) => (Some(path), None),
            // If only absolute paths are looked up, the working directory does not matter.
            Err(ExecError::Unknown(reason)) => (None, Some(reason)),
            Err(ExecError::Errno(errno)) => {
                let reason =
                    format!("the working directory {} cannot be entered: {errno}", self.process.working_directory);
                return ProbeResult::Settled(InspectionOutcome::Undetermined(reason));
            }
        };
        let user = if target.is_lambda { User::NonRoot } else { self.user.clone() };
        let view = FilesystemView { files, working_directory, user, mounts };
        let host = Host { processor: target.processor, runs_32_bit };
        let search_path = self.process.path.as_deref().map(str::as_bytes);
        let mut launches = predict_launches(&view, host, &self.argv, search_path);
        // The environment names code that runs before the first program and may start anything else.
        if self.process.has_startup_variables {
            launches.truncate(1);
        }
        let last = launches.last().expect("there is at least one launch");
        match &last.start.outcome {
            ExecOutcome::Unknown { reason: reason @ UnknownReason::LayerNotRead(_), .. } => {
                ProbeResult::NeedsLowerLayer(unknown_directory.as_ref().unwrap_or(reason).to_string())
            }
            ExecOutcome::Unknown { reason: reason @ UnknownReason::TooManyLookups(_), .. } if launches.len() == 1 => {
                ProbeResult::Settled(InspectionOutcome::Unreadable(reason.to_string()))
            }
            ExecOutcome::Unknown { reason, .. } if launches.len() == 1 => {
                ProbeResult::Settled(InspectionOutcome::Undetermined(reason.to_string()))
            }
            // The path may turn out to be below a volume.
            ExecOutcome::Fails { .. } if unread_volume.is_some() => {
                ProbeResult::NeedsLowerLayer(unread_volume.map_or_else(String::new, |reason| reason.to_string()))
            }
            answer => {
                let cause = diagnose_failure(&view, host, answer);
                ProbeResult::Settled(InspectionOutcome::Launches(launches, cause))
            }
        }
    }

    /// The paths of all mounts, with links followed, and the reason if a volume's path depends on an unread layer.
    fn resolve_mounts(&self, files: &dyn FileTree) -> (Vec<Vec<u8>>, Option<UnknownReason>) {
        let mut unread = None;
        let mut mounts: Vec<Vec<u8>> = RUNTIME_MOUNTS.iter().map(|mount| mount.to_vec()).collect();
        for volume in &self.process.volumes {
            let parts: Vec<&str> = volume.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
            mounts.push(parts.join("/").into_bytes());
            match resolve_working_directory(files, &[], volume.as_bytes()) {
                Ok(path) => mounts.push(path),
                Err(ExecError::Unknown(reason @ UnknownReason::LayerNotRead(_))) => unread = Some(reason),
                Err(_) => {}
            }
        }
        (mounts, unread)
    }
}

/// How many look-ups are left, and until when.
#[derive(Debug)]
struct LookupBudget {
    deadline: Option<Instant>,
    remaining: Cell<u64>,
}

/// Files whose look-ups end with the budget.
#[derive(Debug)]
struct BudgetedFiles<'a> {
    files: &'a dyn FileTree,
    budget: &'a LookupBudget,
}

impl FileTree for BudgetedFiles<'_> {
    fn get(&self, path: &[u8]) -> Result<Option<&Node>, UnknownReason> {
        let remaining = &self.budget.remaining;
        if remaining.get() == 0 || deadline::is_past(self.budget.deadline) {
            return Err(UnknownReason::TooManyLookups([b"/", path].concat()));
        }
        remaining.set(remaining.get() - 1);
        self.files.get(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::Rootfs;

    #[test]
    fn look_ups_end_with_the_budget_and_at_the_deadline() {
        let rootfs = Rootfs::default();
        let budget = LookupBudget { deadline: None, remaining: Cell::new(2) };
        let files = BudgetedFiles { files: &rootfs, budget: &budget };
        let answers: Vec<bool> = (0..3).map(|_| files.get(b"a").is_ok()).collect();
        assert_eq!(answers, [true, true, false]);
        let expired = LookupBudget { deadline: Some(Instant::now()), remaining: Cell::new(MAX_LOOKUPS) };
        let files = BudgetedFiles { files: &rootfs, budget: &expired };
        assert_eq!(files.get(b"a"), Err(UnknownReason::TooManyLookups(b"/a".to_vec())));
    }
}
