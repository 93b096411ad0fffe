//! The inspection of an image's programs in the JSON of the report.

use serde::Serialize;

use crate::exec::ExecOutcome;
use crate::inspect::{Inspection, InspectionOutcome};
use crate::launch::Launch;
use crate::platform::Platform;
use crate::text::sanitize;

/// The limits for command lines, paths and reasons. A message contains them twice for each of several images, and SNS
/// accepts 256 KiB.
const MAX_ARGS: usize = 16;
const MAX_ARG_CHARS: usize = 120;
pub(super) const MAX_CHAIN: usize = 24;
pub(super) const MAX_REASON: usize = 300;

/// What one image starts on one processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecReport {
    /// The image's declared platform.
    pub platform: Platform,
    /// The platform of the host.
    pub host: Platform,
    /// The image's entrypoint and command.
    pub argv: Vec<String>,
    /// The result.
    pub outcome: ExecReportOutcome,
    /// The kernel's error as its C name, if the start fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<&'static str>,
    /// The path that the error is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The files that are opened: programs, interpreters, loaders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// Why the result is unknown, or what the started program starts next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether layers could not be read, or not in time. Not in the JSON, which contains the reason.
    #[serde(skip)]
    pub is_layer_unread: bool,
}

/// The result of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names explain themselves")]
pub enum ExecReportOutcome {
    Starts,
    Fails,
    Unknown,
}

impl ExecReport {
    pub(super) fn new(inspection: &Inspection) -> Self {
        let outcome = &inspection.outcome;
        let mut report = Self {
            platform: inspection.platform.clone(),
            host: Platform::linux(inspection.target.processor.architecture()),
            argv: inspection.argv.iter().take(MAX_ARGS).map(|word| sanitize(word, MAX_ARG_CHARS)).collect(),
            outcome: ExecReportOutcome::Unknown,
            errno: None,
            path: None,
            chain: Vec::new(),
            reason: outcome.unknown_reason().map(|reason| sanitize(reason, MAX_REASON)),
            is_layer_unread: matches!(outcome, InspectionOutcome::Unreadable(_) | InspectionOutcome::TimedOut),
        };
        inspection.launches().iter().for_each(|launch| report.add_launch(launch));
        report.chain.truncate(MAX_CHAIN);
        report
    }

    fn add_launch(&mut self, launch: &Launch) {
        let text = |path: &Vec<u8>| sanitize(&String::from_utf8_lossy(path), MAX_ARG_CHARS);
        let chain = match &launch.start.outcome {
            ExecOutcome::Starts { chain } => {
                self.outcome = ExecReportOutcome::Starts;
                chain
            }
            ExecOutcome::Fails { errno, path, chain } => {
                self.outcome = ExecReportOutcome::Fails;
                self.errno = Some(errno.name());
                self.path = Some(text(path));
                chain
            }
            // The outcome stays that of the previous program: it starts, but what it starts next is unknown.
            ExecOutcome::Unknown { reason, chain } => {
                self.reason = Some(sanitize(&reason.to_string(), MAX_REASON));
                chain
            }
        };
        self.chain.extend(chain.iter().map(text));
    }
}
