//! What to do about a declaration: write it so that it can be read, or so that it fits the image.
//!
//! Does not touch what nobody declared.

use super::ReportContext;
use super::remedy::Remedy;
use crate::intent::{DeclarationSource, InvalidDeclaration};
use crate::runtime::{Runtime, Service};
use crate::verdict::{Fault, FindingSubject, Judgement};

/// Writes a declaration again, each word that cannot be read replaced by the nearest that can; where several are as
/// near, once for each.
pub(super) fn declaration_remedies(
    unreadable: &InvalidDeclaration,
    judgement: &Judgement,
    place: ReportContext<'_>,
) -> Vec<Remedy> {
    let readable = judgement.intended.iter().map(|declared| declared.runtime);
    let words = judgement.findings.iter().filter_map(|finding| match &finding.subject {
        FindingSubject::Declaration(word) => Some(word),
        FindingSubject::Runtime(_) | FindingSubject::DeclaredPlatform(_) => None,
    });
    let others: Vec<Runtime> =
        readable.chain(words.filter(|word| *word != unreadable).map(|word| word.error.nearest[0])).collect();
    let remedy = |nearest: &Runtime| {
        let mut runtimes: Vec<Runtime> = others.iter().copied().chain([*nearest]).collect();
        runtimes.sort();
        runtimes.dedup();
        let names: Vec<&str> = runtimes.iter().map(|runtime| runtime.profile().name).collect();
        declaration_remedy(unreadable.declared_by, &names.join(" "), *nearest, place)
    };
    unreadable.error.nearest.iter().map(remedy).collect()
}

/// Where a declaration of this source is written.
fn declaration_remedy(source: DeclarationSource, value: &str, nearest: Runtime, place: ReportContext<'_>) -> Remedy {
    let (title, key) = (nearest.profile().title, place.declaration_key);
    match (source, place.repository) {
        (DeclarationSource::RepositoryTag, Some(repository)) => {
            let arn = repository.arn();
            let command = format!("aws ecr tag-resource --resource-arn {arn} --tags \"Key={key},Value={value}\"");
            Remedy::with_command(format!("If {title} was meant, tag the repository"), command)
        }
        (DeclarationSource::Label, _) => Remedy::with_command(
            format!("If {title} was meant, label the image in its Dockerfile"),
            format!("LABEL {key}=\"{value}\""),
        ),
        _ => Remedy::advice_only(format!("If {title} was meant, declare `{value}`")),
    }
}

/// Runs an image on the architecture that it has, where the service offers that.
pub(super) fn change_runtime_remedy(
    runtime: Runtime,
    fault: &Fault,
    judgement: &Judgement,
    place: ReportContext<'_>,
) -> Option<Remedy> {
    let architecture = fault.platform.as_ref().filter(|platform| platform.os() == "linux")?.architecture();
    let service = runtime.profile().service;
    let is_new = |other: &Runtime| judgement.intended.iter().all(|declared| declared.runtime != *other);
    let other = Runtime::for_service(service, architecture).filter(is_new)?;
    let declared = judgement.intended.iter().find(|declared| declared.runtime == runtime);
    let declare = match declared.map(|declared| declared.declared_by) {
        Some(DeclarationSource::ImageTag) => {
            format!(", push it under a tag that says {}", other.profile().name.replace('/', "-"))
        }
        Some(DeclarationSource::Label) => format!(", label it {other}"),
        Some(DeclarationSource::RepositoryTag | DeclarationSource::Default) => {
            format!(", declare {other} for the repository")
        }
        Some(DeclarationSource::CommandLine) | None => String::new(),
    };
    let name = if architecture == "amd64" { "X86_64" } else { "ARM64" };
    match service {
        Service::Ecs => Some(Remedy::with_command(
            format!("Or run it as it is{declare}, and set in the task definition"),
            format!(r#""runtimePlatform": {{"cpuArchitecture": "{name}", "operatingSystemFamily": "LINUX"}}"#),
        )),
        Service::Lambda => {
            let (name, uri) = (name.to_lowercase(), place.image_uri());
            let command = format!(
                "aws lambda update-function-code --function-name NAME --image-uri {uri} --architectures {name}"
            );
            Some(Remedy::with_command(format!("Or run it as it is{declare}"), command))
        }
        Service::AppRunner | Service::Linux => None,
    }
}
