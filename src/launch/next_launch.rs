//! A process that may launch another program, and what it launches.

use super::message::MessageSource;
use crate::exec::{ExecOutcome, ExitReason, StartPrediction};
use crate::rootfs::{ExecError, FilesystemView, UnknownReason};

/// What starts a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Launcher {
    /// The container runtime.
    ContainerRuntime,
    /// A program that starts another one, by the name of its project.
    Wrapper(&'static str),
    /// A shell with a command string.
    Shell,
    /// AWS Lambda, which starts the image's extensions.
    LambdaExtensions,
    /// A shell that runs this script.
    Script(Vec<u8>),
}

/// A process that may launch another program.
#[derive(Debug, Clone)]
pub(super) struct LaunchedProcess<'a> {
    pub(super) view: FilesystemView<'a>,
    /// The `PATH`.
    pub(super) search_path: Option<Vec<u8>>,
    pub(super) argv: Vec<Vec<u8>>,
}

/// The next launch.
#[derive(Debug)]
pub(super) struct NextLaunch<'a> {
    pub(super) launcher: Launcher,
    pub(super) message_source: MessageSource,
    pub(super) process: LaunchedProcess<'a>,
    /// Whether the user changes. Root may do everything that the new user may; nothing else is known about it.
    pub(super) is_other_user: bool,
    /// Whether all arguments are known, so that the program can be followed too.
    pub(super) is_complete: bool,
    /// Whether the launcher runs further commands afterwards.
    pub(super) has_more_commands: bool,
    /// The result, if it does not depend on the program: an unread layer, or an error of the launcher.
    pub(super) start: Option<StartPrediction>,
}

impl<'a> NextLaunch<'a> {
    pub(super) fn new(launcher: Launcher, message_source: MessageSource, process: LaunchedProcess<'a>) -> Self {
        Self {
            launcher,
            message_source,
            process,
            is_other_user: false,
            is_complete: true,
            has_more_commands: false,
            start: None,
        }
    }

    /// Returns the launch with an error of the launcher instead of a start.
    pub(super) fn exiting(self, reason: ExitReason, path: Vec<u8>, message: Option<String>) -> Self {
        let outcome = ExecOutcome::Exits { reason, path, chain: Vec::new() };
        Self { start: Some(StartPrediction { outcome, message }), ..self }
    }

    /// Returns the launch if a condition holds, and marks it unknown if the condition depends on an unread layer.
    pub(super) fn provided_that(self, condition: Result<bool, ExecError>) -> Option<Self> {
        match condition {
            Ok(holds) => holds.then_some(self),
            Err(ExecError::Unknown(reason @ UnknownReason::LayerNotRead(_))) => {
                Some(Self { start: Some(StartPrediction::unknown(reason)), ..self })
            }
            Err(_) => None,
        }
    }
}
