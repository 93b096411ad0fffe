//! Findings: the verdict, the faults and what is unknown about an image, for one runtime each.

use serde::{Deserialize, Serialize};

use super::fault::{Fault, FaultCode};
use crate::inspect::Inspection;
use crate::intent::{DeclaredRuntime, InvalidDeclaration};
use crate::platform::Platform;
use crate::runtime::Runtime;

/// The verdict, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Not checked: not an image, or not one that this program checks.
    Ignored,
    /// No runtime is declared, and the image does not contradict itself.
    Undeclared,
    /// The image starts on every intended runtime, to the extent that it was inspected.
    Runs,
    /// Whether the image starts could not be determined.
    Unknown,
    /// The image does not start.
    Fails,
}

impl Verdict {
    /// Returns the stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::Undeclared => "undeclared",
            Self::Runs => "runs",
            Self::Unknown => "unknown",
            Self::Fails => "fails",
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindingSubject {
    /// An intended runtime.
    Runtime(Runtime),
    /// The platform that the image itself declares; used if no runtime is declared.
    DeclaredPlatform(Platform),
    /// A word of a declaration that does not name a known runtime.
    Declaration(InvalidDeclaration),
}

impl FindingSubject {
    /// Returns the name in JSON, message attributes and verdict tags.
    pub fn name(&self) -> String {
        match self {
            Self::Runtime(runtime) => runtime.to_string(),
            Self::DeclaredPlatform(platform) => platform.to_string(),
            Self::Declaration(invalid) => invalid.error.word.clone(),
        }
    }

    /// Returns the name in a sentence.
    pub fn title(&self) -> String {
        match self {
            Self::Runtime(runtime) => runtime.profile().title.to_owned(),
            Self::DeclaredPlatform(platform) => format!("its declared platform, {platform}"),
            Self::Declaration(invalid) => format!("`{}`", invalid.error.word),
        }
    }
}

/// The result for one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What the finding is about.
    pub subject: FindingSubject,
    /// The verdict: `Runs`, `Fails` or `Unknown`.
    pub verdict: Verdict,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// What is wrong but does not stop the image: wrong metadata of a program that certainly starts.
    pub warnings: Vec<Fault>,
    /// Why the result is unknown.
    pub unknown: Vec<String>,
    /// Whether the image tag and the repository declare different runtimes, and the image runs on the repository's.
    pub is_contested: bool,
    /// Why the program was not followed to an answer; `None` if it was. The verdict is then that of the platform alone.
    pub not_verified: Option<String>,
}

impl Finding {
    pub(super) fn new(subject: FindingSubject) -> Self {
        let not_verified = Some("the program was not inspected".to_owned());
        Self {
            subject,
            verdict: Verdict::Runs,
            faults: Vec::new(),
            warnings: Vec::new(),
            unknown: Vec::new(),
            is_contested: false,
            not_verified,
        }
    }

    /// Returns whether the image certainly starts: every program is known, and each of them starts. They may start further
    /// programs.
    pub(super) fn certainly_starts(inspection: Option<&Inspection>) -> bool {
        inspection.is_some_and(|inspection| inspection.starts() == Some(true) && inspection.unknown_reason().is_none())
    }

    /// Records whether the program was followed to an answer, if it was inspected.
    pub(super) fn record_inspection(&mut self, inspection: Option<&Inspection>) {
        if let Some(inspection) = inspection {
            self.not_verified = inspection.not_verified_reason();
        }
    }

    pub(super) fn add_fault(&mut self, code: FaultCode, platform: Option<&Platform>, evidence: String) {
        self.push_fault(Fault { code, platform: platform.cloned(), evidence, failed_program: None, message: None });
    }

    pub(super) fn add_warning(&mut self, code: FaultCode, platform: &Platform, evidence: String) {
        let platform = Some(platform.clone());
        self.warnings.push(Fault { code, platform, evidence, failed_program: None, message: None });
    }

    pub(super) fn push_fault(&mut self, fault: Fault) {
        self.verdict = Verdict::Fails;
        self.faults.push(fault);
    }

    pub(super) fn add_unknown(&mut self, reason: impl Into<String>) {
        self.verdict = self.verdict.max(Verdict::Unknown);
        self.unknown.push(reason.into());
    }
}

/// The result for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The worst verdict of the findings.
    pub verdict: Verdict,
    /// The intended runtimes, and what declared them.
    pub intended: Vec<DeclaredRuntime>,
    /// One finding for each subject.
    pub findings: Vec<Finding>,
}

impl Judgement {
    /// Returns the intended runtimes.
    pub fn runtimes(&self) -> Vec<Runtime> {
        self.intended.iter().map(|declared| declared.runtime).collect()
    }
}
