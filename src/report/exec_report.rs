//! What was seen of an image's programs, as the report's JSON has it.
//!
//! Does not judge it.

use serde::Serialize;

use crate::exec::ExecOutcome;
use crate::inspect::{Inspection, InspectionOutcome};
use crate::launch::Launch;
use crate::platform::Platform;
use crate::text::sanitize;

/// What is started of one image on one processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecReport {
    /// What the image claims to be.
    pub platform: Platform,
    /// What it was to start on.
    pub host: Platform,
    /// Its entrypoint and command.
    pub argv: Vec<String>,
    /// What comes of it.
    pub outcome: ExecReportOutcome,
    /// The kernel's answer in C's name, where nothing starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<&'static str>,
    /// The path that it says it of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What is opened on the way: programs, interpreters, loaders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// Why it could not be told, or what the started program starts in its turn could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether that is because the layers could not be read, or not in time. Not in the JSON: the reason is.
    #[serde(skip)]
    pub is_layer_unread: bool,
}

/// What comes of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum ExecReportOutcome {
    Starts,
    Fails,
    Unknown,
}

/// As much of a command line is shown, in words and in characters of each; and as many paths. A message holds all of it
/// twice, for each of some images, and SNS takes 256 KiB.
const MAX_ARGS: usize = 16;
const MAX_ARG_CHARS: usize = 120;
pub(super) const MAX_CHAIN: usize = 24;
pub(super) const MAX_REASON: usize = 300;

/// Why nothing is known where the time is up.
pub(super) const TIMED_OUT: &str = "its layers could not be read in the time there is";

impl ExecReport {
    pub(super) fn new(inspection: &Inspection) -> Self {
        let mut started = Self {
            platform: inspection.platform.clone(),
            host: Platform::linux(inspection.target.processor.architecture()),
            argv: inspection.argv.iter().take(MAX_ARGS).map(|word| sanitize(word, MAX_ARG_CHARS)).collect(),
            outcome: ExecReportOutcome::Unknown,
            errno: None,
            path: None,
            chain: Vec::new(),
            reason: None,
            is_layer_unread: matches!(
                inspection.outcome,
                InspectionOutcome::Unreadable(_) | InspectionOutcome::TimedOut
            ),
        };
        match &inspection.outcome {
            InspectionOutcome::Undetermined(reason)
            | InspectionOutcome::Unavailable(reason)
            | InspectionOutcome::Unreadable(reason) => {
                started.reason = Some(sanitize(reason, MAX_REASON));
            }
            InspectionOutcome::TimedOut => started.reason = Some(TIMED_OUT.to_owned()),
            InspectionOutcome::Launches(launches, _) => launches.iter().for_each(|launch| started.add_launch(launch)),
        }
        started.chain.truncate(MAX_CHAIN);
        started
    }

    /// One start after those before it.
    fn add_launch(&mut self, launch: &Launch) {
        let text = |path: &Vec<u8>| sanitize(&String::from_utf8_lossy(path), MAX_ARG_CHARS);
        match &launch.start.outcome {
            ExecOutcome::Starts { chain, .. } => {
                self.outcome = ExecReportOutcome::Starts;
                self.chain.extend(chain.iter().map(text));
            }
            ExecOutcome::Fails { errno, path, chain } => {
                self.outcome = ExecReportOutcome::Fails;
                self.errno = Some(errno.name());
                self.path = Some(text(path));
                self.chain.extend(chain.iter().map(text));
            }
            // Something starts; what that starts in its turn, is not told.
            ExecOutcome::Unknown { reason, chain } => {
                self.reason = Some(sanitize(&reason.to_string(), MAX_REASON));
                self.chain.extend(chain.iter().map(text));
            }
        }
    }
}
