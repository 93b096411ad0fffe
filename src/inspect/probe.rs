//! Predicts what the entrypoint and command of an image start, from the files that are known so far.

use std::cell::Cell;
use std::time::Instant;

use super::deadline;
use super::inspection::{InspectionOutcome, InspectionTarget};
use crate::errno::Errno;
use crate::exec::{ExecOutcome, Host, StartPrediction, diagnose_failure, resolve_working_directory};
use crate::launch::{may_be_added_by_host, predict_launches};
use crate::oci::ProcessConfig;
use crate::rootfs::{ExecError, FileTree, FilesystemView, Node, UnknownReason, User};

/// The directories that a container runtime may mount over: always `/proc`, `/sys` and `/dev` (OCI runtime
/// specification, "Default Filesystems"), and often the other two.
const RUNTIME_MOUNTS: [&[u8]; 5] = [b"proc", b"sys", b"dev", b"run", b"tmp"];

/// The maximum number of lookups for one image, on all its targets and after each of its layers. A start takes some
/// hundreds; a `PATH` of a megabyte whose directories are chains of links would take 10,000,000,000.
const MAX_LOOKUPS: u64 = 1_000_000;

/// Probe of an image's entrypoint, with a limit on lookups.
pub(super) struct EntrypointProbe<'a> {
    process: &'a ProcessConfig,
    argv: Vec<Vec<u8>>,
    user: User,
    budget: LookupBudget,
}

pub(super) enum ProbeResult {
    /// An outcome that no lower layer can change.
    Settled(InspectionOutcome),
    /// The outcome depends on a lower layer. If there is none, it is unknown for this reason.
    NeedsLowerLayer(String),
}

impl<'a> EntrypointProbe<'a> {
    pub(super) fn new(process: &'a ProcessConfig, deadline: Option<Instant>) -> Self {
        let argv = process.argv.iter().map(|word| word.clone().into_bytes()).collect();
        let budget = LookupBudget { deadline, remaining: Cell::new(MAX_LOOKUPS) };
        Self { process, argv, user: User::from_config(&process.user), budget }
    }

    /// Predicts what starts on a target with these files. `runs_32_bit` is whether the host starts 32-bit programs, if
    /// known.
    pub(super) fn run(&self, files: &dyn FileTree, target: InspectionTarget, runs_32_bit: Option<bool>) -> ProbeResult {
        let files = &BudgetedFiles { files, budget: &self.budget };
        let (mounts, unread_volume) = self.resolve_mounts(files);
        let working_directory = self.process.working_directory.as_bytes();
        let resolved = resolve_working_directory(files, &mounts, working_directory);
        let (working_directory, unknown_directory) = match resolved {
            Ok(path) => (Some(path), None),
            // The working directory does not matter if only absolute paths are looked up.
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
        // These variables name code that runs before the first program and may start any other program.
        if self.process.has_startup_variables {
            launches.truncate(1);
        }
        // A missing program is not a fault if the host adds it.
        if let Some(last) = launches.last_mut()
            && let ExecOutcome::Fails { errno: Errno::NoEntry, path, chain } = &last.start.outcome
            && chain.is_empty()
            && may_be_added_by_host(path, self.process.has_nvidia_variables)
        {
            last.start = StartPrediction::unknown(UnknownReason::AddedByHost(path.clone()));
        }
        let last = launches.last().expect("there is at least one launch");
        match &last.start.outcome {
            ExecOutcome::Unknown { reason: reason @ UnknownReason::LayerNotRead(_), .. } => {
                ProbeResult::NeedsLowerLayer(unknown_directory.as_ref().unwrap_or(reason).to_string())
            }
            ExecOutcome::Unknown { reason, .. } if launches.len() == 1 => {
                let is_limit = matches!(reason, UnknownReason::TooManyLookups(_));
                let outcome = if is_limit { InspectionOutcome::Unreadable } else { InspectionOutcome::Undetermined };
                ProbeResult::Settled(outcome(reason.to_string()))
            }
            // The path may turn out to be in a volume.
            ExecOutcome::Fails { .. } if unread_volume.is_some() => {
                ProbeResult::NeedsLowerLayer(unread_volume.map_or_else(String::new, |reason| reason.to_string()))
            }
            outcome => {
                let cause = diagnose_failure(&view, host, outcome);
                ProbeResult::Settled(InspectionOutcome::Launches(launches, cause))
            }
        }
    }

    /// Returns the resolved paths of all mounts, and the reason if the path of a volume depends on an unread layer.
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

/// The number of remaining lookups, and their deadline.
#[derive(Debug)]
struct LookupBudget {
    deadline: Option<Instant>,
    remaining: Cell<u64>,
}

/// File tree that fails when the lookup budget is used up.
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
    fn lookups_end_with_the_budget_and_at_the_deadline() {
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
