//! Explains which declaration made the check, and what to declare if nothing is declared.

use super::model::{Report, RuntimeReport};
use crate::intent::DeclarationSource;
use crate::runtime::{Runtime, Service};
use crate::verdict::FindingSubject;

/// Suggests a declaration that suits the image, for an image without one.
pub(super) fn suggest_declaration(report: &Report) -> String {
    let platforms = report.image.iter().flat_map(|image| &image.platforms).filter(|platform| platform.os() == "linux");
    let runtimes = platforms.filter_map(|platform| Runtime::for_service(Service::Ecs, platform.architecture()));
    let mut names: Vec<String> = runtimes.map(|runtime| runtime.to_string()).collect();
    names.dedup();
    let example = if names.is_empty() {
        String::new()
    } else {
        format!(", for example with `{}={}`", report.declaration_key, names.join(" "))
    };
    let first = match &report.consumer {
        Some(consumer) => format!("Say on which architecture it runs in the {}", consumer.service.definition_title()),
        None => "Pass `--runtime`".to_owned(),
    };
    format!("{first}, or declare where the image runs: tag the repository or label the image{example}")
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
        DeclarationSource::CommandLine | DeclarationSource::Consumer => return None,
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
