//! Judges an image for every intended runtime or, without any, for the platform that it declares.

use super::exec_faults::find_inspection;
use super::fault::{Fault, FaultCode};
use super::finding::{Finding, FindingSubject, Judgement, Verdict};
use super::rules::format_platforms;
use crate::inspect::{Inspection, InspectionTarget};
use crate::intent::{DeclarationSource, DeclaredRuntime, Intent, InvalidDeclaration};
use crate::name::Digest;
use crate::oci::{Image, ImageContent, IndexEntry, PlatformImage, RefusedBy};
use crate::platform::Platform;
use crate::runtime::{Compatibility, Runtime};

/// The maximum number of faulty entries of an index that are reported. They come from one build, and one remedy fixes
/// all.
const MAX_PLATFORM_FINDINGS: usize = 8;

/// Judges an image by its intent and the inspections of its programs.
pub fn judge(intent: &Intent, image: &Image, inspections: &[Inspection]) -> Judgement {
    let intended = resolve_intended(intent, image);
    let runtimes: Vec<Runtime> = intended.iter().map(|declared| declared.runtime).collect();
    let mut findings: Vec<Finding> =
        runtimes.iter().map(|runtime| judge_runtime(*runtime, &runtimes, image, inspections)).collect();
    findings.extend(intent.invalid.iter().map(judge_invalid_declaration));
    if findings.is_empty() {
        findings.extend(judge_declared_platforms(image, inspections));
    }
    let worst = findings.iter().map(|finding| finding.verdict).max();
    Judgement { verdict: worst.unwrap_or(Verdict::Undeclared), intended, findings }
}

/// Judges an image whose manifest is unavailable: the verdict is unknown for every intended runtime.
pub fn judge_unread(intent: &Intent, reason: &str) -> Judgement {
    let image = Image {
        digest: Digest::of(b""),
        media_type: String::new(),
        content: ImageContent::Unreadable(reason.to_owned()),
        runtime_label: None,
        refusal: None,
    };
    judge(intent, &image, &[])
}

/// Returns the runtimes to judge by: the declared ones or, if the tag names an architecture, as tags of the single
/// images of an index do, the same services on that architecture, provided that the image runs there.
fn resolve_intended(intent: &Intent, image: &Image) -> Vec<DeclaredRuntime> {
    let by_tag = |runtime| DeclaredRuntime { runtime, declared_by: DeclarationSource::ImageTag };
    match intent.architecture_hint {
        None => intent.declared.clone(),
        // The tag does not name an operating system, and does not necessarily mean Linux.
        Some(hint) if !intent.is_declared() => {
            let platforms = image.platforms();
            let is_foreign = !platforms.is_empty()
                && platforms.iter().all(|platform| hint.compatibility_with(platform) == Compatibility::WrongOs);
            if is_foreign { Vec::new() } else { vec![by_tag(hint)] }
        }
        Some(hint) => {
            let with_hint = |declared: &DeclaredRuntime| {
                let service = declared.runtime.profile().service;
                Runtime::for_service(service, hint.profile().architecture).unwrap_or(hint)
            };
            let mut runtimes: Vec<Runtime> = intent.declared.iter().map(with_hint).collect();
            runtimes.dedup();
            // Which runtimes are meant depends only on declared platforms, not on the programs.
            let runs = |runtime: &Runtime| judge_runtime(*runtime, &runtimes, image, &[]).verdict == Verdict::Runs;
            if !runtimes.is_empty() && runtimes.iter().all(runs) {
                runtimes.into_iter().map(by_tag).collect()
            } else {
                intent.declared.clone()
            }
        }
    }
}

fn judge_runtime(runtime: Runtime, intended: &[Runtime], image: &Image, inspections: &[Inspection]) -> Finding {
    let mut finding = Finding::new(FindingSubject::Runtime(runtime));
    finding.check_refusal(runtime.profile().service, None, image.refusal.as_ref());
    // If the document is an index to some and a manifest to others, its contents prove nothing.
    if image.refusal.as_ref().is_some_and(|refusal| refusal.refused_by <= RefusedBy::ContainerRuntimes) {
        return finding;
    }
    match &image.content {
        ImageContent::Single(single) => {
            let inspection = find_inspection(inspections, single, InspectionTarget::for_runtime(runtime));
            finding.check_single(runtime, single, inspection);
        }
        ImageContent::Index(entries) if !runtime.profile().service.accepts_index() => {
            let evidence = format!("it is an index ({}), not a single image", format_platforms(entries));
            finding.add_fault(FaultCode::IndexRefused, None, evidence);
        }
        ImageContent::Index(entries) => finding.check_index(runtime, intended, entries, inspections),
        ImageContent::Attestation => finding.reject_attestation(),
        ImageContent::Unreadable(reason) => finding.add_unknown(reason),
        ImageContent::Artifact(kind) => finding.add_unknown(format!("not an image: `{kind}`")),
    }
    finding
}

/// Judges an image without an intent by the platforms that it declares.
fn judge_declared_platforms(image: &Image, inspections: &[Inspection]) -> Vec<Finding> {
    let new = |platform: &Platform| Finding::new(FindingSubject::DeclaredPlatform(platform.clone()));
    let find = |single: &PlatformImage, platform: &Platform| -> Option<&Inspection> {
        find_inspection(inspections, single, InspectionTarget::for_platform(platform))
    };
    match &image.content {
        ImageContent::Attestation => {
            let mut finding = new(&Platform::default());
            finding.reject_attestation();
            vec![finding]
        }
        ImageContent::Index(entries) => {
            let check = |entry: &IndexEntry| {
                let mut finding = new(&entry.platform);
                finding.check_descriptor(entry);
                let inspection = entry.image().and_then(|single| find(single, &entry.platform));
                if let Some(single) = entry.image() {
                    finding.check_own_program(single, &entry.platform, inspection);
                }
                finding.check_identical_layers(entry, entries, inspection, |_| true);
                finding
            };
            let findings = entries.iter().map(check).filter(|finding| finding.verdict == Verdict::Fails);
            findings.take(MAX_PLATFORM_FINDINGS).collect()
        }
        // The unread config may declare a runtime in a label.
        ImageContent::Unreadable(reason) | ImageContent::Single(PlatformImage { config_error: Some(reason), .. }) => {
            let mut finding = new(&Platform::default());
            finding.add_unknown(reason);
            vec![finding]
        }
        ImageContent::Single(single) => {
            let mut finding = new(&single.platform);
            finding.check_own_program(single, &single.platform, find(single, &single.platform));
            Some(finding).filter(|finding| finding.verdict == Verdict::Fails).into_iter().collect()
        }
        ImageContent::Artifact(_) => Vec::new(),
    }
}

fn judge_invalid_declaration(invalid: &InvalidDeclaration) -> Finding {
    let mut finding = Finding::new(FindingSubject::Declaration(invalid.clone()));
    // The verdict is not `Fails`: the declaration is wrong, and whether the image runs is unknown.
    let evidence =
        format!("{} declares `{}`, which is not a known runtime", invalid.declared_by.title(), invalid.error.word);
    finding.faults.push(Fault { code: FaultCode::InvalidDeclaration, platform: None, evidence, failed_program: None });
    finding.add_unknown("the declared runtime is unknown");
    finding
}
