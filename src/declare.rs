//! Writes a repository's declaration of intended runtimes, a resource tag. The caller asks for confirmation first.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::Tag;

use crate::name::Repository;
use crate::registry::RegistryError;
use crate::registry::ecr::to_registry_error;
use crate::runtime::{RUNTIMES, Runtime, Service};

/// Returns the value that declares these runtimes: their names, each once, in the order of
/// [`RUNTIMES`]. The names of all runtimes fit into the 256 characters that ECR allows.
pub fn declaration_value(runtimes: &[Runtime]) -> String {
    let declared = RUNTIMES.iter().filter(|profile| runtimes.contains(&profile.runtime));
    declared.map(|profile| profile.name).collect::<Vec<_>>().join(" ")
}

/// Finds two runtimes that no image can satisfy together: Lambda does not accept an index of several architectures.
pub fn find_conflict(runtimes: &[Runtime]) -> Option<(Runtime, Runtime)> {
    let is_lambda = |runtime: &&Runtime| runtime.profile().service == Service::Lambda;
    runtimes.iter().filter(is_lambda).find_map(|lambda| {
        let conflicts = |other: &&Runtime| other.profile().architecture != lambda.profile().architecture;
        runtimes.iter().find(conflicts).map(|other| (*lambda, *other))
    })
}

/// Sets the repository's resource tag with this key, or removes it if there is no value.
///
/// # Errors
/// Returns [`RegistryError::Denied`] without `ecr:TagResource` or `ecr:UntagResource`,
/// [`RegistryError::RepositoryNotFound`], or [`RegistryError::Failed`] if it is unknown whether the tag was written.
pub async fn write_declaration(
    client: &Client,
    repository: &Repository,
    key: &str,
    value: Option<&str>,
) -> Result<(), RegistryError> {
    let arn = repository.arn();
    let Some(value) = value else {
        let request = client.untag_resource().resource_arn(&arn).tag_keys(key);
        return request.send().await.map(drop).map_err(|error| to_registry_error("ecr:UntagResource", arn, error));
    };
    let tag = Tag::builder().key(key).value(value).build().expect("key and value are set");
    let request = client.tag_resource().resource_arn(&arn).tags(tag);
    request.send().await.map(drop).map_err(|error| to_registry_error("ecr:TagResource", arn, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::{DeclarationSource, Intent};

    #[test]
    fn every_set_of_runtimes_fits_and_parses_back() {
        for set in 1_u32..1 << RUNTIMES.len() {
            let expected: Vec<Runtime> =
                RUNTIMES.iter().enumerate().filter(|(at, _)| set & 1 << at != 0).map(|(_, p)| p.runtime).collect();
            let backwards: Vec<Runtime> = expected.iter().rev().chain(&expected).copied().collect();
            let text = declaration_value(&backwards);
            // The longest value of a tag, in characters: `Tag` in the Amazon ECR API reference.
            assert!(text.len() <= 256, "{text}");
            assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c)), "{text}");
            let intent = Intent::default().or_declared_by(DeclarationSource::RepositoryTag, Some(&text));
            assert_eq!(intent.candidates(), expected, "{text}");
            assert!(intent.invalid.is_empty(), "{text}");
        }
    }

    #[test]
    fn conflicting_runtimes_are_found() {
        for (runtimes, expected) in [
            ("lambda/amd64 lambda/arm64", Some(("lambda/amd64", "lambda/arm64"))),
            ("ecs/arm64 lambda/amd64", Some(("lambda/amd64", "ecs/arm64"))),
            ("apprunner lambda/arm64", Some(("lambda/arm64", "apprunner"))),
            ("ecs/arm64 lambda/arm64", None),
            ("apprunner lambda/amd64 linux/amd64", None),
            ("ecs/amd64 ecs/arm64 apprunner", None),
            ("lambda/arm64", None),
        ] {
            let parsed: Vec<Runtime> = runtimes.split(' ').map(|word| word.parse().unwrap()).collect();
            let found = find_conflict(&parsed).map(|(one, other)| (one.profile().name, other.profile().name));
            assert_eq!(found, expected, "{runtimes}");
        }
    }
}
