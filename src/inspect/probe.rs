//! Predicts what the entrypoint and command of an image start, from the files that are known so far.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Instant;

use super::deadline;
use super::extensions::find_failing_extension;
use super::inspection::{InspectionOutcome, InspectionTarget};
use super::setup::ProcessSetup;
use crate::errno::Errno;
use crate::exec::{ExecOutcome, Host, StartPrediction, diagnose_failure, resolve_working_directory};
use crate::launch::{Launch, Launcher, may_be_added_by_host, predict_launches};
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
    budget: LookupBudget,
}

/// What an inspection finds out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InspectionGoal {
    /// Whether the image starts on its hosts.
    Start,
    /// What the image's program is built for, on a host that also starts 32-bit programs. Permissions do not matter.
    Program,
}

pub(super) enum ProbeResult {
    /// An outcome that no lower layer can change.
    Settled(InspectionOutcome),
    /// The outcome depends on a lower layer. If there is none, it is unknown for this reason.
    NeedsLowerLayer(String),
}

impl ProbeResult {
    /// Creates the result for a process of which it is unknown whether the container runtime refuses it.
    fn for_unknown_setup(reason: &UnknownReason) -> Self {
        match reason {
            UnknownReason::LayerNotRead(_) => Self::NeedsLowerLayer(reason.to_string()),
            UnknownReason::MountRefusedByContainerd { .. } | UnknownReason::VolumeRefusedByDocker(_) => {
                Self::Settled(InspectionOutcome::HostDependent(reason.clone()))
            }
            _ => Self::Settled(InspectionOutcome::Undetermined(reason.to_string())),
        }
    }
}

impl<'a> EntrypointProbe<'a> {
    pub(super) fn new(process: &'a ProcessConfig, deadline: Option<Instant>) -> Self {
        let argv = process.argv.iter().map(|word| word.clone().into_bytes()).collect();
        let budget = LookupBudget { deadline, remaining: Cell::new(MAX_LOOKUPS) };
        Self { process, argv, budget }
    }

    /// Predicts what starts on a target with these files.
    pub(super) fn run(&self, files: &dyn FileTree, target: InspectionTarget, goal: InspectionGoal) -> ProbeResult {
        let files = &BudgetedFiles { files, budget: &self.budget };
        let (mounts, unread_volume) = self.resolve_mounts(files);
        let setup = ProcessSetup::new(self.process, files, &mounts, target.is_lambda);
        if let (Some(refusal), InspectionGoal::Start) = (setup.refusal, goal) {
            return ProbeResult::Settled(if target.is_lambda {
                // Lambda has a default user: developer guide, "Create a Lambda function using a container image".
                let reason = format!("{}, and Lambda is not documented to refuse that", refusal.describe());
                InspectionOutcome::Undetermined(reason)
            } else {
                InspectionOutcome::Refused(refusal)
            });
        }
        let user = if target.is_lambda { User::NonRoot } else { setup.user };
        let working_directory = setup.working_directory;
        let unknown_setup = setup.unknown.filter(|_| goal == InspectionGoal::Start);
        let unknown_setup = match unknown_setup {
            Some(UnknownReason::LayerNotRead(_) | UnknownReason::MountRefusedByContainerd { .. }) => unknown_setup,
            _ if target.is_lambda || goal == InspectionGoal::Program => unknown_setup,
            _ => self.find_refused_volume(files).or(unknown_setup),
        };
        let view = FilesystemView { files, working_directory, user, mounts };
        // No image or service declares whether its hosts start 32-bit programs.
        let runs_32_bit = (goal == InspectionGoal::Program).then_some(true);
        let mut host = Host { processor: target.processor, runs_32_bit };
        let search_path = self.process.path.as_deref().map(str::as_bytes);
        let mut launches = predict_launches(&view, host, &self.argv, search_path);
        // These variables name code that runs before the first program and may start any other program.
        if self.process.has_startup_variables {
            let is_wrapper = launches.len() > 1;
            launches.truncate(1);
            let reason = match (self.process.has_preload, is_wrapper) {
                (true, _) => Some("LD_PRELOAD or LD_AUDIT loads other code into the program"),
                (false, true) => Some("a variable, for example BASH_ENV, may make shells run other commands first"),
                (false, false) => None,
            };
            launches[0].not_followed = reason.map(str::to_owned).or(launches[0].not_followed.take());
        }
        let runs_node = |launch: &Launch| launch.launcher == Launcher::Wrapper("node");
        if self.process.has_node_hooks && launches.last().is_some_and(runs_node) {
            launches.pop();
            let node = launches.last_mut().expect("Node.js itself was started");
            node.not_followed = Some("NODE_OPTIONS loads other code into Node.js".to_owned());
        }
        if let Some(ExecOutcome::Unknown { reason: reason @ UnknownReason::Program32Bit(_), .. }) =
            launches.last().map(|launch| &launch.start.outcome)
        {
            // Whatever hosts there are, they either start 32-bit programs or not.
            let predict = |runs_32_bit| {
                let host = Host { runs_32_bit: Some(runs_32_bit), ..host };
                predict_launches(&view, host, &self.argv, search_path)
            };
            let fails = |launches: &[Launch]| launches.last().is_some_and(|last| last.start.outcome.is_failure());
            let supported = predict(true);
            if !fails(&supported) || !fails(&predict(false)) {
                let is_unread = |launch: &Launch| {
                    matches!(launch.start.outcome, ExecOutcome::Unknown { reason: UnknownReason::LayerNotRead(_), .. })
                };
                return if supported.last().is_some_and(is_unread) {
                    ProbeResult::NeedsLowerLayer(reason.to_string())
                } else {
                    ProbeResult::Settled(InspectionOutcome::HostDependent(reason.clone()))
                };
            }
            launches = supported;
            // Hosts print different messages.
            launches.iter_mut().for_each(|launch| launch.start.message = None);
            host.runs_32_bit = Some(true);
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
                // A relative path in a mount is unknown whatever the layers have.
                let reason = unknown_setup.as_ref().or(setup.mounted_directory.as_ref()).unwrap_or(reason);
                ProbeResult::NeedsLowerLayer(reason.to_string())
            }
            ExecOutcome::Unknown { reason, .. } if launches.len() == 1 => {
                let is_limit = matches!(reason, UnknownReason::TooManyLookups(_));
                let outcome = if is_limit { InspectionOutcome::Unreadable } else { InspectionOutcome::Undetermined };
                ProbeResult::Settled(outcome(reason.to_string()))
            }
            // The path may turn out to be in a volume.
            ExecOutcome::Fails { .. } | ExecOutcome::Exits { .. } if unread_volume.is_some() => {
                ProbeResult::NeedsLowerLayer(unread_volume.map_or_else(String::new, |reason| reason.to_string()))
            }
            ExecOutcome::Starts { .. } | ExecOutcome::Unknown { .. } if let Some(reason) = unknown_setup => {
                ProbeResult::for_unknown_setup(&reason)
            }
            ExecOutcome::Starts { .. } | ExecOutcome::Unknown { .. }
                if let Some(settled) = probe_extensions(&view, host, target, goal) =>
            {
                settled
            }
            outcome => {
                let cause = diagnose_failure(&view, host, outcome);
                ProbeResult::Settled(InspectionOutcome::Launches(launches, cause))
            }
        }
    }

    /// Returns the first volume that Docker Engine 20.10 certainly refuses: at a file ("not a directory"), below one, or
    /// in `/proc` ("cannot be mounted because it is inside /proc" of runc).
    fn find_refused_volume(&self, files: &dyn FileTree) -> Option<UnknownReason> {
        let view = FilesystemView::new(files);
        let is_refused = |volume: &&String| {
            let path = format!("/{}", volume.trim_start_matches('/'));
            path.split('/').find(|part| !part.is_empty()) == Some("proc")
                || match view.resolve(path.as_bytes()) {
                    Ok(found) => !matches!(found.node, Node::Directory(_)),
                    Err(error) => error == ExecError::Errno(Errno::NotDirectory),
                }
        };
        let volume = self.process.volumes.iter().find(is_refused)?;
        Some(UnknownReason::VolumeRefusedByDocker(volume.clone().into_bytes()))
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

/// Returns the result for the extensions of a Lambda image, or `None` if they do not matter or all start.
fn probe_extensions(
    view: &FilesystemView<'_>,
    host: Host,
    target: InspectionTarget,
    goal: InspectionGoal,
) -> Option<ProbeResult> {
    if !target.is_lambda || goal == InspectionGoal::Program {
        return None;
    }
    Some(match find_failing_extension(view, host) {
        Ok(None) => return None,
        Ok(Some(launch)) => {
            let cause = diagnose_failure(view, host, &launch.start.outcome);
            ProbeResult::Settled(InspectionOutcome::Launches(vec![launch], cause))
        }
        Err(reason @ UnknownReason::LayerNotRead(_)) => ProbeResult::NeedsLowerLayer(reason.to_string()),
        Err(reason) => {
            ProbeResult::Settled(InspectionOutcome::Undetermined(format!("the extensions of Lambda: {reason}")))
        }
    })
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

    fn list(&self, directory: &[u8], limit: usize) -> Result<BTreeSet<Vec<u8>>, UnknownReason> {
        self.files.list(directory, limit)
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
