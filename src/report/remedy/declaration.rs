//! Remedies for a declaration: correct its spelling, or change it to suit the image.

use crate::intent::{DeclarationSource, InvalidDeclaration};
use crate::report::model::{Remedy, ReportContext};
use crate::runtime::{Runtime, Service};
use crate::verdict::{Fault, FindingSubject, Judgement};

/// Replaces each unknown word of a declaration by the nearest runtime. If several are equally near, there is one remedy for
/// each.
pub(super) fn declaration_remedies(
    invalid: &InvalidDeclaration,
    judgement: &Judgement,
    context: ReportContext<'_>,
) -> Vec<Remedy> {
    let valid = judgement.intended.iter().map(|declared| declared.runtime);
    let words = judgement.findings.iter().filter_map(|finding| match &finding.subject {
        FindingSubject::Declaration(word) => Some(word),
        FindingSubject::Runtime(_) | FindingSubject::DeclaredPlatform(_) => None,
    });
    let others: Vec<Runtime> =
        valid.chain(words.filter(|word| *word != invalid).map(|word| word.error.nearest[0])).collect();
    let remedy = |nearest: &Runtime| {
        let mut runtimes: Vec<Runtime> = others.iter().copied().chain([*nearest]).collect();
        runtimes.sort();
        runtimes.dedup();
        let names: Vec<&str> = runtimes.iter().map(|runtime| runtime.profile().name).collect();
        declaration_remedy(invalid.declared_by, &names.join(" "), *nearest, context)
    };
    invalid.error.nearest.iter().map(remedy).collect()
}

/// Changes a declaration at its source.
fn declaration_remedy(source: DeclarationSource, value: &str, nearest: Runtime, context: ReportContext<'_>) -> Remedy {
    let (title, key) = (nearest.profile().title, context.declaration_key);
    match (source, context.repository) {
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

/// Runs an image on the architecture that it has, if the service offers that.
pub(super) fn change_runtime_remedy(
    runtime: Runtime,
    fault: &Fault,
    judgement: &Judgement,
    context: ReportContext<'_>,
) -> Option<Remedy> {
    let architecture = fault.platform.as_ref().filter(|platform| platform.os() == "linux")?.architecture();
    let service = runtime.profile().service;
    let is_new = |other: &Runtime| judgement.intended.iter().all(|declared| declared.runtime != *other);
    let other = Runtime::for_service(service, architecture).filter(is_new)?;
    let declared = judgement.intended.iter().find(|declared| declared.runtime == runtime);
    let declare = match declared.map(|declared| declared.declared_by) {
        Some(DeclarationSource::ImageTag) => {
            format!(": push it under a tag with {}", other.profile().name.replace('/', "-"))
        }
        Some(DeclarationSource::Label) => format!(": label it {other}"),
        Some(DeclarationSource::RepositoryTag | DeclarationSource::Default) => {
            format!(": declare {other} for the repository")
        }
        Some(DeclarationSource::CommandLine) | None => String::new(),
    };
    let name = if architecture == "amd64" { "X86_64" } else { "ARM64" };
    match service {
        Service::Ecs => Some(Remedy::with_command(
            format!("Or keep the image{declare}, and set in the task definition"),
            format!(r#""runtimePlatform": {{"cpuArchitecture": "{name}", "operatingSystemFamily": "LINUX"}}"#),
        )),
        Service::Lambda => {
            let (name, uri) = (name.to_lowercase(), context.image_uri());
            let command = format!(
                "aws lambda update-function-code --function-name NAME --image-uri {uri} --architectures {name}"
            );
            Some(Remedy::with_command(
                format!("Or keep the image{declare}, and change the function's architecture"),
                command,
            ))
        }
        Service::AppRunner | Service::Linux => None,
    }
}
