//! The inspection of an image's programs in JSON: what starts, and the architecture that it is built for.

use serde::Serialize;

use crate::elf::ElfMachine;
use crate::exec::{DetectedProgram, ExecOutcome};
use crate::inspect::{Inspection, InspectionOutcome};
use crate::launch::Launch;
use crate::platform::Platform;
use crate::text::sanitize;
use crate::verdict::detect_exec_fault;

/// The limits for command lines, paths and reasons. A message contains them twice for each of several images, and SNS
/// accepts 256 KiB.
const MAX_ARGS: usize = 16;
const MAX_ARG_CHARS: usize = 120;
const MAX_CHAIN: usize = 24;
pub(super) const MAX_REASON: usize = 300;

/// What one image starts on one processor.
#[serde_with::skip_serializing_none]
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
    pub errno: Option<&'static str>,
    /// The path that the error is about.
    pub path: Option<String>,
    /// The files that are opened: programs, interpreters, loaders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// Why the result is unknown, or what the started program starts next.
    pub reason: Option<String>,
    /// Who starts this, if it is not what the image declares.
    pub consumer: Option<String>,
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
            reason: outcome.unknown_reason().map(|reason| sanitize(&reason, MAX_REASON)),
            consumer: None,
        };
        if matches!(outcome, InspectionOutcome::Refused(_)) {
            report.outcome = ExecReportOutcome::Fails;
        }
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
            ExecOutcome::Exits { path, chain, .. } => {
                self.outcome = ExecReportOutcome::Fails;
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

/// The last program that is certain to start.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgramReport {
    /// Whether it is known what the program is built for.
    pub outcome: ProgramOutcome,
    /// The platform that the program is built for.
    pub platform: Option<String>,
    /// Wrappers, scripts and their interpreters, and the program, in the order in which they start, without loaders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// Why the platform is unknown.
    pub reason: Option<String>,
}

/// Whether it is known what a program is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names explain themselves")]
pub enum ProgramOutcome {
    Known,
    Unknown,
    NotInspected,
}

impl ProgramReport {
    pub(super) fn new(inspection: &Inspection) -> Self {
        if let Some(reason) = inspection.outcome.unknown_reason() {
            return Self::unknown(&reason);
        }
        let last = inspection.launches().last();
        if let Some(DetectedProgram { machine, .. }) = last.and_then(|launch| launch.program.as_ref()) {
            let programs = inspection.launches().iter().filter_map(|launch| launch.program.as_ref());
            let chain = programs.flat_map(|program| &program.chain);
            let architecture = match machine {
                ElfMachine::Named(name) => Platform::linux(name).architecture().to_owned(),
                ElfMachine::Other(number) => format!("elf-{number}"),
            };
            return Self {
                outcome: ProgramOutcome::Known,
                platform: Some(format!("linux/{architecture}")),
                chain: chain.map(|path| sanitize(&String::from_utf8_lossy(path), MAX_REASON)).take(MAX_CHAIN).collect(),
                reason: None,
            };
        }
        let unknown = last.and_then(|launch| match &launch.start.outcome {
            ExecOutcome::Unknown { reason, .. } => Some(reason.to_string()),
            _ => None,
        });
        let fault = || detect_exec_fault(inspection, &inspection.platform, &[]).map(|fault| fault.evidence);
        Self::unknown(&unknown.or_else(fault).unwrap_or_else(|| "no known program is started".to_owned()))
    }

    fn unknown(reason: &str) -> Self {
        let reason = Some(sanitize(reason, MAX_REASON));
        Self { outcome: ProgramOutcome::Unknown, platform: None, chain: Vec::new(), reason }
    }

    pub(super) fn not_inspected(reason: &str) -> Self {
        Self { outcome: ProgramOutcome::NotInspected, ..Self::unknown(reason) }
    }

    /// Returns whether the program is built for the declared platform, or `None` if that is unknown. Variants of an
    /// architecture are not compared, because ELF headers do not name them.
    pub(super) fn matches_platform(&self, declared: &Platform) -> Option<bool> {
        let (_, architecture) = self.platform.as_deref()?.split_once('/')?;
        // Some hosts of an architecture start its 32-bit programs.
        let is_32_bit = matches!((declared.architecture(), architecture), ("amd64", "386") | ("arm64", "arm"));
        (!declared.architecture().is_empty() && !is_32_bit).then(|| declared.architecture() == architecture)
    }

    pub(super) fn describe(&self) -> String {
        let reason = self.reason.as_deref().unwrap_or_default();
        match self.outcome {
            ProgramOutcome::Unknown => format!("unknown: {reason}"),
            ProgramOutcome::NotInspected => format!("not inspected: {reason}"),
            ProgramOutcome::Known => {
                let path: Vec<&str> = self.chain.iter().chain(&self.platform).map(String::as_str).collect();
                path.join(" \u{2192} ")
            }
        }
    }
}
