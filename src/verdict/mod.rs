//! Intent against image: for each intended runtime, whether it runs, fails or cannot be told.
//!
//! Pure and total: no clock, no environment, no registry. Does not know how a finding is worded for people.

mod fault;
mod names;
mod rules;
mod exec_faults;
mod identical_layers;

use serde::{Deserialize, Serialize};

use self::rules::format_platforms;
use crate::exec::Processor;
use crate::inspect::{Inspection, InspectionTarget};
use crate::intent::{DeclarationSource, DeclaredRuntime, Intent, InvalidDeclaration};
use crate::name::Digest;
use crate::oci::{Image, ImageContent, IndexEntry, PlatformImage};
use crate::platform::Platform;
use crate::runtime::{Compatibility, Runtime};
pub use exec_faults::detect_exec_fault as fault_of;
pub use fault::{FailedProgram, Fault, FaultCode};

/// The answer, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is not for this program to judge.
    Ignored,
    /// Nobody has declared where it is to run, and it does not contradict itself.
    Undeclared,
    /// It starts wherever it is meant to run, as far as was looked.
    Runs,
    /// It could not be told.
    Unknown,
    /// It does not start.
    Fails,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindingSubject {
    /// An intended runtime.
    Runtime(Runtime),
    /// The image's own label: the platform that it claims.
    DeclaredPlatform(Platform),
    /// A word of a declaration that could not be read.
    Declaration(InvalidDeclaration),
}

/// The answer for one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub subject: FindingSubject,
    /// The answer: `Runs`, `Fails` or `Unknown`.
    pub verdict: Verdict,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// Why it could not be told.
    pub unknown: Vec<String>,
}

/// The answer for an image: the worst of its findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The worst verdict.
    pub verdict: Verdict,
    /// The runtimes that it was held against, and who declared them.
    pub intended: Vec<DeclaredRuntime>,
    /// One finding for each subject.
    pub findings: Vec<Finding>,
}

/// Holds an image, and what was seen of its programs, against its intent.
#[must_use]
pub fn judge(intent: &Intent, image: &Image, inspections: &[Inspection]) -> Judgement {
    let intended = resolve_intended(intent, image);
    let runtimes: Vec<Runtime> = intended.iter().map(|declared| declared.runtime).collect();
    let held = |wanted: &Runtime| judge_runtime(*wanted, &runtimes, image, inspections);
    let mut findings: Vec<Finding> = runtimes.iter().map(held).collect();
    findings.extend(intent.invalid.iter().map(judge_invalid_declaration));
    if findings.is_empty() {
        findings.extend(judge_declared_platforms(image, inspections));
    }
    let worst = findings.iter().map(|finding| finding.verdict).max();
    Judgement { verdict: worst.unwrap_or(Verdict::Undeclared), intended, findings }
}

/// What an image is held against: what is declared, unless its tag names one architecture, as those do that are pushed
/// beside an index, and it is sound there.
fn resolve_intended(intent: &Intent, image: &Image) -> Vec<DeclaredRuntime> {
    let by_tag = |runtime| DeclaredRuntime { runtime, declared_by: DeclarationSource::ImageTag };
    match intent.architecture_hint {
        None => intent.declared.clone(),
        // The tag says nothing of the operating system, and need not mean Linux.
        Some(hint) if !intent.is_declared() => {
            let platforms = image.platforms();
            let is_foreign = !platforms.is_empty()
                && platforms.iter().all(|platform| hint.compatibility_with(platform) == Compatibility::WrongOs);
            if is_foreign { Vec::new() } else { vec![by_tag(hint)] }
        }
        Some(hint) => {
            let there = |declared: &DeclaredRuntime| {
                let service = declared.runtime.profile().service;
                Runtime::for_service(service, hint.profile().architecture).unwrap_or(hint)
            };
            let mut runtimes: Vec<Runtime> = intent.declared.iter().map(there).collect();
            runtimes.dedup();
            // Which runtimes are meant is a question of labels: what a program does there, is not asked here.
            let is_sound = |wanted: &Runtime| judge_runtime(*wanted, &runtimes, image, &[]).verdict == Verdict::Runs;
            if !runtimes.is_empty() && runtimes.iter().all(is_sound) {
                runtimes.into_iter().map(by_tag).collect()
            } else {
                intent.declared.clone()
            }
        }
    }
}

/// The answer where not even the manifest could be had: unknown, for every intended runtime.
#[must_use]
pub fn judge_unread(intent: &Intent, reason: &str) -> Judgement {
    let image = Image {
        digest: Digest::of(b""),
        media_type: String::new(),
        content: ImageContent::Unreadable(reason.to_owned()),
        runtime_label: None,
    };
    judge(intent, &image, &[])
}

/// One intended runtime, of all these.
fn judge_runtime(runtime: Runtime, intended: &[Runtime], image: &Image, inspections: &[Inspection]) -> Finding {
    let mut finding = Finding::new(FindingSubject::Runtime(runtime));
    match &image.content {
        ImageContent::Single(single) => {
            finding.check_single(
                runtime,
                single,
                exec_faults::find_inspection(inspections, single, InspectionTarget::for_runtime(runtime)),
            );
        }
        ImageContent::Index(entries) if !runtime.profile().service.accepts_index() => {
            let evidence = format!("it is an index ({}), not a single image", format_platforms(entries));
            finding.add_fault(FaultCode::IndexRefused, None, evidence);
        }
        ImageContent::Index(entries) => finding.check_index(runtime, intended, entries, inspections),
        ImageContent::Attestation => finding.reject_attestation(),
        ImageContent::Unreadable(reason) => finding.add_unknown(reason.clone()),
        ImageContent::Artifact(kind) => finding.add_unknown(format!("it is no image but `{kind}`")),
    }
    finding
}

/// How many entries of an index are named that contradict themselves: one build made them all, and one remedy mends
/// them all.
const MAX_PLATFORM_FINDINGS: usize = 8;

/// Without an intent, an image is held against its own label.
fn judge_declared_platforms(image: &Image, inspections: &[Inspection]) -> Vec<Finding> {
    match &image.content {
        ImageContent::Attestation => {
            let mut finding = Finding::new(FindingSubject::DeclaredPlatform(Platform::default()));
            finding.reject_attestation();
            vec![finding]
        }
        ImageContent::Index(entries) => {
            let held = |entry: &IndexEntry| {
                let mut finding = Finding::new(FindingSubject::DeclaredPlatform(entry.platform.clone()));
                finding.check_descriptor(entry);
                let seen = entry.image().and_then(|single| find_own_inspection(single, &entry.platform, inspections));
                finding.check_own_program(entry.image(), &entry.platform, seen);
                finding.check_identical_layers(entry, entries, seen, |_| true);
                finding
            };
            entries
                .iter()
                .map(held)
                .filter(|finding| finding.verdict == Verdict::Fails)
                .take(MAX_PLATFORM_FINDINGS)
                .collect()
        }
        // A label that could not be read may have declared a runtime.
        ImageContent::Unreadable(reason) | ImageContent::Single(PlatformImage { config_error: Some(reason), .. }) => {
            let mut finding = Finding::new(FindingSubject::DeclaredPlatform(Platform::default()));
            finding.add_unknown(reason.clone());
            vec![finding]
        }
        ImageContent::Single(single) => {
            let mut finding = Finding::new(FindingSubject::DeclaredPlatform(single.platform.clone()));
            finding.check_own_program(
                Some(single),
                &single.platform,
                find_own_inspection(single, &single.platform, inspections),
            );
            Some(finding).filter(|finding| finding.verdict == Verdict::Fails).into_iter().collect()
        }
        ImageContent::Artifact(_) => Vec::new(),
    }
}

/// What was seen of an image on the processor that its own label claims, started by a container runtime.
fn find_own_inspection<'a>(
    single: &PlatformImage,
    platform: &Platform,
    inspections: &'a [Inspection],
) -> Option<&'a Inspection> {
    let processor = Processor::from_architecture(platform.architecture()).filter(|_| platform.os() == "linux")?;
    exec_faults::find_inspection(inspections, single, Some(InspectionTarget { processor, is_lambda: false }))
}

fn judge_invalid_declaration(word: &InvalidDeclaration) -> Finding {
    let mut finding = Finding::new(FindingSubject::Declaration(word.clone()));
    // The fault is the declaration's, not the image's: whether that runs is not known.
    let evidence = format!("{} declares `{}`, which names no runtime", word.declared_by.title(), word.error.word);
    finding.faults.push(Fault { code: FaultCode::InvalidDeclaration, platform: None, evidence, failed_program: None });
    finding.add_unknown("where it is meant to run is not readable".to_owned());
    finding
}

impl Finding {
    fn new(subject: FindingSubject) -> Self {
        Self { subject, verdict: Verdict::Runs, faults: Vec::new(), unknown: Vec::new() }
    }

    fn add_fault(&mut self, code: FaultCode, platform: Option<&Platform>, evidence: String) {
        self.verdict = Verdict::Fails;
        self.faults.push(Fault { code, platform: platform.cloned(), evidence, failed_program: None });
    }

    fn add_unknown(&mut self, reason: String) {
        self.verdict = self.verdict.max(Verdict::Unknown);
        self.unknown.push(reason);
    }
}
