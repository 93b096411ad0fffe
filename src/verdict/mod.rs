//! The verdict: for each intended runtime, whether the image runs, fails, or whether that is unknown.
//!
//! Pure functions without clock, environment or registry. [`report`](crate::report) formats the findings for people.

mod fault;
mod finding;
mod exec_faults;
mod rules;
mod index_rules;
mod wrong_side;

pub use exec_faults::detect_exec_fault;
pub use fault::{FailedProgram, Fault, FaultCode, FaultInfo};
pub use finding::{Finding, FindingSubject, Judgement, Verdict};
pub use wrong_side::WrongSide;

use self::exec_faults::find_inspection;
use self::index_rules::format_platforms;
use crate::inspect::{Inspection, InspectionTarget};
use crate::intent::{DeclarationSource, DeclaredRuntime, Intent, InvalidDeclaration};
use crate::name::Digest;
use crate::oci::{Image, ImageContent, IndexEntry, PlatformImage, RefusedBy};
use crate::platform::Platform;
use crate::runtime::{Compatibility, Runtime};

/// The maximum number of faulty index entries that are reported. They come from one build, and one remedy fixes all.
const MAX_PLATFORM_FINDINGS: usize = 8;

/// Judges an image by the inspections of its programs, for every intended runtime or, without any, for the platform
/// that it declares.
pub fn judge(intent: &Intent, image: &Image, inspections: &[Inspection]) -> Judgement {
    let intended = resolve_intended(intent, image);
    let runtimes: Vec<Runtime> = intended.iter().map(|declared| declared.runtime).collect();
    let mut findings: Vec<Finding> =
        runtimes.iter().map(|runtime| judge_runtime(*runtime, image, inspections)).collect();
    if findings.iter().any(|finding| finding.verdict == Verdict::Fails) {
        withdraw_contested_faults(&mut findings, &intent.repository_runtimes, image, inspections);
    }
    findings.extend(intent.invalid.iter().map(judge_invalid_declaration));
    if findings.is_empty() {
        findings.extend(judge_declared_platforms(image, inspections));
    }
    // Without a declared runtime, findings that do not stop the image are warnings.
    let best = if intended.is_empty() { Verdict::Undeclared } else { Verdict::Runs };
    let worst = findings.iter().map(|finding| finding.verdict).filter(|verdict| *verdict > Verdict::Runs).max();
    Judgement { verdict: worst.unwrap_or(best), intended, findings }
}

/// Returns whether an image has the platform of all these runtimes, whatever else they require.
pub fn has_platform_for(intent: &Intent, image: &Image) -> bool {
    use FaultCode::{PlatformMissing, WrongArchitecture, WrongOs};
    let is_suitable = |finding: &Finding| {
        let is_wrong = |fault: &Fault| matches!(fault.code, WrongArchitecture | PlatformMissing | WrongOs);
        finding.verdict != Verdict::Unknown && !finding.faults.iter().any(is_wrong)
    };
    // AWS Lambda refuses an index as a whole, so its platforms are compared here.
    let has_child = |runtime: Runtime| match &image.content {
        ImageContent::Index(_) => {
            image.platforms().iter().any(|platform| runtime.compatibility_with(platform) == Compatibility::Compatible)
        }
        _ => true,
    };
    let judgement = judge(intent, image, &[]);
    judgement.findings.iter().all(is_suitable) && judgement.runtimes().into_iter().all(has_child)
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
            let runs = |runtime: &Runtime| judge_runtime(*runtime, image, &[]).verdict == Verdict::Runs;
            if !runtimes.is_empty() && runtimes.iter().all(runs) {
                runtimes.into_iter().map(by_tag).collect()
            } else {
                intent.declared.clone()
            }
        }
    }
}

/// Turns faults into unknown results if the repository declares other runtimes than the image tag and the image runs on
/// all of them: it is unknown which declaration is outdated.
fn withdraw_contested_faults(
    findings: &mut [Finding],
    repository_runtimes: &[Runtime],
    image: &Image,
    inspections: &[Inspection],
) {
    let runs = |runtime: &Runtime| judge_runtime(*runtime, image, inspections).verdict == Verdict::Runs;
    if repository_runtimes.is_empty() || !repository_runtimes.iter().all(runs) {
        return;
    }
    let titles: Vec<&str> = repository_runtimes.iter().map(|runtime| runtime.profile().title).collect();
    let reason = format!(
        "the image's tag and the repository's tag declare different runtimes, and the image runs on the repository's: {}",
        titles.join(", ")
    );
    for finding in findings.iter_mut().filter(|finding| finding.verdict == Verdict::Fails) {
        finding.verdict = Verdict::Unknown;
        finding.is_contested = true;
        finding.unknown.extend(finding.faults.drain(..).map(|fault| fault.evidence));
        finding.unknown.push(reason.clone());
    }
}

fn judge_runtime(runtime: Runtime, image: &Image, inspections: &[Inspection]) -> Finding {
    let mut finding = Finding::new(FindingSubject::Runtime(runtime));
    finding.check_refusal(runtime.profile().service, None, image.refusal.as_ref());
    // If the document is an index to some and a manifest to others, its contents prove nothing.
    if image.refusal.as_ref().is_some_and(|refusal| refusal.refused_by <= RefusedBy::ContainerRuntimes) {
        return finding;
    }
    match &image.content {
        ImageContent::Single(single) => {
            let inspection = find_inspection(inspections, single, InspectionTarget::for_runtime(runtime));
            finding.record_inspection(inspection);
            finding.check_single(runtime, single, inspection);
        }
        ImageContent::Index(entries) if !runtime.profile().service.accepts_index() => {
            let evidence = format!("it is an index ({}), not a single image", format_platforms(entries));
            finding.add_fault(FaultCode::IndexRefused, None, evidence);
        }
        ImageContent::Index(entries) => finding.check_index(runtime, entries, inspections),
        ImageContent::Attestation => finding.reject_attestation(),
        ImageContent::Unreadable(reason) => finding.add_unknown(reason),
        ImageContent::Artifact(kind) => {
            let kind = if kind.is_empty() { String::new() } else { format!(": `{kind}`") };
            finding.add_fault(FaultCode::NotAnImage, None, format!("its manifest is that of an artifact{kind}"));
        }
    }
    finding
}

/// Judges an image without an intent by the platforms that it declares. Those without a fault or a warning have no finding.
fn judge_declared_platforms(image: &Image, inspections: &[Inspection]) -> Vec<Finding> {
    let judge = |platform: &Platform, check: &dyn Fn(&mut Finding)| {
        let mut finding = Finding::new(FindingSubject::DeclaredPlatform(platform.clone()));
        check(&mut finding);
        finding
    };
    let find = |single: &PlatformImage, platform: &Platform| -> Option<&Inspection> {
        find_inspection(inspections, single, InspectionTarget::for_platform(platform))
    };
    let mut findings = match &image.content {
        ImageContent::Attestation => vec![judge(&Platform::default(), &Finding::reject_attestation)],
        ImageContent::Index(entries) => {
            let check = |entry: &IndexEntry, finding: &mut Finding| {
                let inspection = entry.image().and_then(|single| find(single, &entry.platform));
                finding.record_inspection(inspection);
                finding.check_descriptor(entry, inspection);
                if let Some(single) = entry.image() {
                    finding.check_own_program(single, &entry.platform, inspection);
                }
                finding.check_identical_layers(entry, entries, inspection, inspections);
            };
            entries.iter().map(|entry| judge(&entry.platform, &|finding| check(entry, finding))).collect()
        }
        // The unread config may declare a runtime in a label.
        ImageContent::Unreadable(reason) | ImageContent::Single(PlatformImage { config_error: Some(reason), .. }) => {
            vec![judge(&Platform::default(), &|finding| finding.add_unknown(reason))]
        }
        ImageContent::Single(single) => {
            let platform = &single.platform;
            let check = |finding: &mut Finding| {
                let inspection = find(single, platform);
                finding.record_inspection(inspection);
                finding.check_own_program(single, platform, inspection);
            };
            vec![judge(platform, &check)]
        }
        ImageContent::Artifact(_) => Vec::new(),
    };
    findings.retain(|finding| finding.verdict != Verdict::Runs || !finding.warnings.is_empty());
    findings.truncate(MAX_PLATFORM_FINDINGS);
    findings
}

fn judge_invalid_declaration(invalid: &InvalidDeclaration) -> Finding {
    let mut finding = Finding::new(FindingSubject::Declaration(invalid.clone()));
    // The verdict is not `Fails`: the declaration is wrong, and whether the image runs is unknown.
    let evidence =
        format!("{} declares `{}`, which is not a known runtime", invalid.declared_by.title(), invalid.error.word);
    finding.faults.push(Fault {
        code: FaultCode::InvalidDeclaration,
        platform: None,
        evidence,
        failed_program: None,
        message: None,
    });
    finding.add_unknown("the declared runtime is unknown");
    finding
}
