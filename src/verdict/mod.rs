//! Intent against image: for each intended runtime, whether it runs, fails or cannot be told.
//!
//! Pure and total: no clock, no environment, no registry. Does not know how a finding is worded for people.

mod fault;
mod names;
mod rules;
mod seen;
mod twins;

use serde::{Deserialize, Serialize};

use self::rules::list;
use crate::exec::Processor;
use crate::inspect::{Inspection, Site};
use crate::intent::{Declared, Intent, Source, Unreadable};
use crate::name::Digest;
use crate::oci::{Content, Entry, Image, Single};
use crate::platform::Platform;
use crate::runtime::{Fit, Runtime};
pub use fault::{Code, Fault, Trouble};
pub use seen::fault as fault_of;

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
pub enum Subject {
    /// An intended runtime.
    Runtime(Runtime),
    /// The image's own label: the platform that it claims.
    Label(Platform),
    /// A word of a declaration that could not be read.
    Declaration(Unreadable),
}

/// The answer for one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub subject: Subject,
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
    pub intended: Vec<Declared>,
    /// One finding for each subject.
    pub findings: Vec<Finding>,
}

/// Holds an image, and what was seen of its programs, against its intent.
#[must_use]
pub fn judge(intent: &Intent, image: &Image, inspections: &[Inspection]) -> Judgement {
    let intended = intended(intent, image);
    let runtimes: Vec<Runtime> = intended.iter().map(|declared| declared.runtime).collect();
    let held = |wanted: &Runtime| runtime(*wanted, &runtimes, image, inspections);
    let mut findings: Vec<Finding> = runtimes.iter().map(held).collect();
    findings.extend(intent.unreadable.iter().map(unreadable));
    if findings.is_empty() {
        findings.extend(labels(image, inspections));
    }
    let worst = findings.iter().map(|finding| finding.verdict).max();
    Judgement { verdict: worst.unwrap_or(Verdict::Undeclared), intended, findings }
}

/// What an image is held against: what is declared, unless its tag names one architecture, as those do that are pushed
/// beside an index, and it is sound there.
fn intended(intent: &Intent, image: &Image) -> Vec<Declared> {
    let by_tag = |runtime| Declared { runtime, declared_by: Source::ImageTag };
    match intent.hint {
        None => intent.declared.clone(),
        // The tag says nothing of the operating system, and need not mean Linux.
        Some(hint) if !intent.is_declared() => {
            let platforms = image.platforms();
            let is_foreign =
                !platforms.is_empty() && platforms.iter().all(|platform| hint.fit(platform) == Fit::OtherOs);
            if is_foreign { Vec::new() } else { vec![by_tag(hint)] }
        }
        Some(hint) => {
            let there = |declared: &Declared| {
                let service = declared.runtime.profile().service;
                Runtime::of(service, hint.profile().architecture).unwrap_or(hint)
            };
            let mut runtimes: Vec<Runtime> = intent.declared.iter().map(there).collect();
            runtimes.dedup();
            // Which runtimes are meant is a question of labels: what a program does there, is not asked here.
            let is_sound = |wanted: &Runtime| runtime(*wanted, &runtimes, image, &[]).verdict == Verdict::Runs;
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
pub fn unread(intent: &Intent, reason: &str) -> Judgement {
    let image = Image {
        digest: Digest::of(b""),
        media_type: String::new(),
        content: Content::Unreadable(reason.to_owned()),
        label: None,
    };
    judge(intent, &image, &[])
}

/// One intended runtime, of all these.
fn runtime(runtime: Runtime, intended: &[Runtime], image: &Image, inspections: &[Inspection]) -> Finding {
    let mut finding = Finding::sound(Subject::Runtime(runtime));
    match &image.content {
        Content::Single(single) => {
            finding.single(runtime, single, seen::of(inspections, single, Site::of(runtime)));
        }
        Content::Index(entries) if !runtime.profile().service.takes_an_index() => {
            let evidence = format!("it is an index ({}), not a single image", list(entries));
            finding.fail(Code::IndexRefused, None, evidence);
        }
        Content::Index(entries) => finding.index(runtime, intended, entries, inspections),
        Content::Attestation => finding.attestation(),
        Content::Unreadable(reason) => finding.doubt(reason.clone()),
        Content::Artifact(kind) => finding.doubt(format!("it is no image but `{kind}`")),
    }
    finding
}

/// How many entries of an index are named that contradict themselves: one build made them all, and one remedy mends
/// them all.
const MAX_LABELS: usize = 8;

/// Without an intent, an image is held against its own label.
fn labels(image: &Image, inspections: &[Inspection]) -> Vec<Finding> {
    match &image.content {
        Content::Attestation => {
            let mut finding = Finding::sound(Subject::Label(Platform::default()));
            finding.attestation();
            vec![finding]
        }
        Content::Index(entries) => {
            let held = |entry: &Entry| {
                let mut finding = Finding::sound(Subject::Label(entry.platform.clone()));
                finding.descriptor(entry);
                let seen = entry.single().and_then(|single| label(single, &entry.platform, inspections));
                finding.own_label(entry.single(), &entry.platform, seen);
                finding.twins(entry, entries, seen, |_| true);
                finding
            };
            entries.iter().map(held).filter(|finding| finding.verdict == Verdict::Fails).take(MAX_LABELS).collect()
        }
        // A label that could not be read may have declared a runtime.
        Content::Unreadable(reason) | Content::Single(Single { unread: Some(reason), .. }) => {
            let mut finding = Finding::sound(Subject::Label(Platform::default()));
            finding.doubt(reason.clone());
            vec![finding]
        }
        Content::Single(single) => {
            let mut finding = Finding::sound(Subject::Label(single.platform.clone()));
            finding.own_label(Some(single), &single.platform, label(single, &single.platform, inspections));
            Some(finding).filter(|finding| finding.verdict == Verdict::Fails).into_iter().collect()
        }
        Content::Artifact(_) => Vec::new(),
    }
}

/// What was seen of an image on the processor that its own label claims, started by a container runtime.
fn label<'a>(single: &Single, platform: &Platform, inspections: &'a [Inspection]) -> Option<&'a Inspection> {
    let processor = Processor::of(platform.architecture()).filter(|_| platform.os() == "linux")?;
    seen::of(inspections, single, Some(Site { processor, is_lambda: false }))
}

fn unreadable(word: &Unreadable) -> Finding {
    let mut finding = Finding::sound(Subject::Declaration(word.clone()));
    // The fault is the declaration's, not the image's: whether that runs is not known.
    let evidence = format!("{} declares `{}`, which names no runtime", word.declared_by.title(), word.error.word);
    finding.faults.push(Fault { code: Code::IntentUnreadable, platform: None, evidence, trouble: None });
    finding.doubt("where it is meant to run is not readable".to_owned());
    finding
}

impl Finding {
    fn sound(subject: Subject) -> Self {
        Self { subject, verdict: Verdict::Runs, faults: Vec::new(), unknown: Vec::new() }
    }

    fn fail(&mut self, code: Code, platform: Option<&Platform>, evidence: String) {
        self.verdict = Verdict::Fails;
        self.faults.push(Fault { code, platform: platform.cloned(), evidence, trouble: None });
    }

    fn doubt(&mut self, reason: String) {
        self.verdict = self.verdict.max(Verdict::Unknown);
        self.unknown.push(reason);
    }
}
