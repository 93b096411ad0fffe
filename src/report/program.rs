//! What a program of an image is made for, and what led to it.
//!
//! Does not say whether it starts anywhere.

use serde::Serialize;

use super::exec_report::{MAX_CHAIN, MAX_REASON, TIMED_OUT};
use crate::elf::ElfMachine;
use crate::exec::{DetectedProgram, ExecOutcome};
use crate::inspect::{Inspection, InspectionOutcome};
use crate::platform::Platform;
use crate::text::sanitize;
use crate::verdict;

/// What the last program is that is certain to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgramReport {
    /// Whether it is known.
    pub outcome: ProgramOutcome,
    /// What it is made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// What is started on the way: wrappers, scripts and what interprets them, the program. No loaders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// Why it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether it is known what a program is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum ProgramOutcome {
    Known,
    Unknown,
    NotLookedAt,
}

impl ProgramReport {
    pub(super) fn new(inspection: &Inspection) -> Self {
        let text = |path: &Vec<u8>| sanitize(&String::from_utf8_lossy(path), MAX_REASON);
        let (launches, last) = match &inspection.outcome {
            InspectionOutcome::Undetermined(reason)
            | InspectionOutcome::Unavailable(reason)
            | InspectionOutcome::Unreadable(reason) => return Self::unknown(reason),
            InspectionOutcome::TimedOut => return Self::unknown(TIMED_OUT),
            InspectionOutcome::Launches(launches, _) => (launches, inspection.last_launch()),
        };
        if let Some(DetectedProgram { machine, .. }) = last.and_then(|launch| launch.program.as_ref()) {
            let ways = launches.iter().filter_map(|launch| launch.program.as_ref()).flat_map(|made| &made.chain);
            let platform = match machine {
                ElfMachine::Named(name) => Platform::linux(name).architecture().to_owned(),
                ElfMachine::Other(number) => format!("elf-{number}"),
            };
            let chain = ways.map(text).take(MAX_CHAIN).collect();
            return Self {
                outcome: ProgramOutcome::Known,
                platform: Some(format!("linux/{platform}")),
                chain,
                reason: None,
            };
        }
        let unknown = last.and_then(|launch| match &launch.start.outcome {
            ExecOutcome::Unknown { reason, .. } => Some(reason.to_string()),
            ExecOutcome::Starts { .. } | ExecOutcome::Fails { .. } => None,
        });
        let fault = || verdict::fault_of(inspection, &inspection.platform, &[]).map(|fault| fault.evidence);
        Self::unknown(&unknown.or_else(fault).unwrap_or_else(|| "it starts nothing that is known".to_owned()))
    }

    fn unknown(reason: &str) -> Self {
        let reason = Some(sanitize(reason, MAX_REASON));
        Self { outcome: ProgramOutcome::Unknown, platform: None, chain: Vec::new(), reason }
    }

    pub(super) fn not_inspected(reason: &str) -> Self {
        Self { outcome: ProgramOutcome::NotLookedAt, ..Self::unknown(reason) }
    }

    /// Whether it is made for what its label says. Variants of an architecture do not stand in headers.
    pub(super) fn matches_platform(&self, label: &Platform) -> Option<bool> {
        let (_, architecture) = self.platform.as_deref()?.split_once('/')?;
        let is_narrow = matches!((label.architecture(), architecture), ("amd64", "386") | ("arm64", "arm"));
        // Some hosts of a family start its programs of 32 bits.
        (!label.architecture().is_empty() && !is_narrow).then(|| label.architecture() == architecture)
    }

    /// What is said of it in a table.
    pub(super) fn describe(&self) -> String {
        let reason = self.reason.as_deref().unwrap_or_default();
        match self.outcome {
            ProgramOutcome::Unknown => format!("unknown: {reason}"),
            ProgramOutcome::NotLookedAt => format!("not looked at: {reason}"),
            ProgramOutcome::Known => {
                let way: Vec<&str> = self.chain.iter().chain(&self.platform).map(String::as_str).collect();
                way.join(" \u{2192} ")
            }
        }
    }
}
