//! Explains a result in a few words for a title, and why the image was checked for a runtime.

use super::model::{FaultReport, Report, RuntimeReport};
use super::text::format_headline;
use crate::intent::DeclarationSource;
use crate::verdict::{FaultCode, FindingSubject, Verdict};

/// Formats the headline with the cause of the first result that is not good.
pub(super) fn format_title(report: &Report) -> String {
    let headline = format_headline(report);
    find_cause(report).map_or(headline.clone(), |cause| format!("{headline}: {cause}"))
}

/// Returns the first cause; `None` for images that start or are not checked.
pub(super) fn find_cause(report: &Report) -> Option<String> {
    let runtime = report.runtimes().find(|runtime| runtime.verdict == report.verdict)?;
    match report.verdict {
        Verdict::Fails => runtime.faults.first().map(|fault| describe_fault(fault, runtime)),
        Verdict::Unknown => {
            runtime.faults.first().map(|fault| fault.evidence.clone()).or(runtime.unknown.first().cloned())
        }
        Verdict::Runs | Verdict::Undeclared | Verdict::Ignored => None,
    }
}

fn describe_fault(fault: &FaultReport, runtime: &RuntimeReport) -> String {
    let (FaultCode::WrongArchitecture, FindingSubject::Runtime(runtime), Some(platform)) =
        (fault.code, &runtime.subject, &fault.platform)
    else {
        return fault.evidence.clone();
    };
    let (found, profile) = (platform.architecture(), runtime.profile());
    // Most titles name the architecture already.
    if profile.title.contains(profile.architecture) {
        format!("the image is {found}, not {}", profile.architecture)
    } else {
        format!("the image is {found}, {} is {}", profile.title, profile.architecture)
    }
}

/// Explains why the image was checked for the runtime and how to change that, with names and commands between backticks;
/// `None` if the user chose the runtime on the command line.
pub(super) fn explain_declaration(report: &Report, runtime: &RuntimeReport) -> Option<String> {
    let source = declaration_source(report, runtime)?;
    let key = &report.declaration_key;
    let repository = report.arrival.as_ref().map_or("REPOSITORY", |arrival| &arrival.repository);
    let declare = format!("`ecr-preflight declare {repository} RUNTIME`");
    let name = runtime.subject.name().replace('`', "'");
    Some(match source {
        DeclarationSource::CommandLine => return None,
        DeclarationSource::ImageTag => {
            format!("the image's tag declares `{name}`; to change that, push the image under another tag")
        }
        DeclarationSource::RepositoryTag => {
            format!("the repository's tag `{key}` declares `{name}`; to change that: {declare}")
        }
        DeclarationSource::Label => {
            format!("the image's label `{key}` declares `{name}`; to change that, change `LABEL` in the Dockerfile")
        }
        DeclarationSource::Default => {
            format!("nothing is declared, and `{name}` is the default setting; to declare another runtime: {declare}")
        }
    })
}

fn declaration_source(report: &Report, runtime: &RuntimeReport) -> Option<DeclarationSource> {
    match &runtime.subject {
        FindingSubject::Runtime(subject) => {
            let declared = report.intended.iter().flatten().find(|declared| declared.runtime == *subject);
            declared.map(|declared| declared.declared_by)
        }
        FindingSubject::Declaration(invalid) => Some(invalid.declared_by),
        FindingSubject::DeclaredPlatform(_) => None,
    }
}
