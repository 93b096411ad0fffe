//! What a repository declares of where its images run: how it is written, and the writing.
//!
//! Does not ask whether it may, nor touch any other tag. What is written is what the command line has shown.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::Tag;

use crate::name::Repository;
use crate::registry::RegistryError;
use crate::registry::ecr::to_registry_error;
use crate::runtime::{Runtime, Service};

/// One change of a repository's resource tag: its value before and after; none where it is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct DeclarationChange {
    pub before: Option<String>,
    pub after: Option<String>,
}

impl DeclarationChange {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_noop(&self) -> bool {
        self.before == self.after
    }
}

/// The value that declares these runtimes: their names, each once, in the order of [`crate::runtime::RUNTIMES`], so that
/// the same declaration is always the same text. All of them together stay within ECR's 256 characters; a test holds
/// every set of them to that, and to being read back.
#[must_use]
pub fn declaration_value(runtimes: &[Runtime]) -> String {
    let mut runtimes = runtimes.to_vec();
    runtimes.sort();
    runtimes.dedup();
    let names: Vec<&str> = runtimes.iter().map(|runtime| runtime.profile().name).collect();
    names.join(" ")
}

/// Two of these runtimes that no image suits, where there are any: Lambda takes a single image and no index, and a single
/// image has one architecture.
#[must_use]
pub fn find_conflict(runtimes: &[Runtime]) -> Option<(Runtime, Runtime)> {
    let lambda = |runtime: &&Runtime| runtime.profile().service == Service::Lambda;
    runtimes.iter().filter(lambda).find_map(|one| {
        let is_other = |other: &&Runtime| other.profile().architecture != one.profile().architecture;
        runtimes.iter().find(is_other).map(|other| (*one, *other))
    })
}

/// Sets the repository's resource tag of this key, or removes it.
///
/// # Errors
/// [`RegistryError::Denied`] without `ecr:TagResource` or `ecr:UntagResource`, [`RegistryError::NoRepository`], else
/// [`RegistryError::Failed`]: then it is not known whether it was written.
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
    let tag = Tag::builder().key(key).value(value).build().expect("it has a key and a value");
    let request = client.tag_resource().resource_arn(&arn).tags(tag);
    request.send().await.map(drop).map_err(|error| to_registry_error("ecr:TagResource", arn, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::{DeclarationSource, Intent};
    use crate::runtime::RUNTIMES;

    /// The most that a tag's value holds, in characters: `Tag` of the ECR API reference.
    const MAX_VALUE: usize = 256;

    #[test]
    fn every_set_of_runtimes_is_read_back_as_it_was_written() {
        for set in 1_u32..1 << RUNTIMES.len() {
            let wanted: Vec<Runtime> =
                RUNTIMES.iter().enumerate().filter(|(at, _)| set & 1 << at != 0).map(|(_, p)| p.runtime).collect();
            let backwards: Vec<Runtime> = wanted.iter().rev().chain(&wanted).copied().collect();
            let text = declaration_value(&backwards);
            assert!(text.len() <= MAX_VALUE, "{text}");
            assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c)), "{text}");
            let intent = Intent::default().or_declared_by(DeclarationSource::RepositoryTag, Some(&text));
            assert_eq!(intent.candidates(), wanted, "{text}");
            assert!(intent.invalid.is_empty(), "{text}");
        }
    }

    #[test]
    fn what_no_image_suits_is_known() {
        for (runtimes, odd) in [
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
            assert_eq!(found, odd, "{runtimes}");
        }
    }
}
