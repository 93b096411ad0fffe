//! A name without a registry means an image in Docker Hub, but its user may mean Amazon ECR.

use std::path::Path;

use super::image_ref::ImageArgument;
use crate::name::Repository;
use crate::text::sanitize_quoted;

/// Variables that only users of AWS set.
const AWS_VARIABLES: [&str; 6] = [
    "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
];

/// A valid account, to be replaced.
const EXAMPLE_ACCOUNT: &str = "123456789012";

/// Added to the hint if such an image cannot be read.
pub(super) const HUB_HINT: &str = "a name without a registry means Docker Hub";

/// Whether the reference names no registry, so that Docker Hub is asked. `docker://` and `docker.io/` name it.
pub(super) fn means_docker_hub(reference: &str, argument: &ImageArgument) -> bool {
    let ImageArgument::OtherRegistry { repository, .. } = argument else { return false };
    repository.is_docker_hub() && !reference.starts_with("docker://") && !reference.contains("docker.io/")
}

/// The note about such a reference, if this machine looks configured for AWS. It takes no calls.
pub(super) fn docker_hub_note(reference: &str) -> Option<String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let has_file = || variable("HOME").is_some_and(|home| Path::new(&home).join(".aws/config").exists());
    if !AWS_VARIABLES.iter().any(|name| variable(name).is_some()) && !has_file() {
        return None;
    }
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    // The host depends on the partition of the region.
    let example = region.and_then(|region| Repository::new(EXAMPLE_ACCOUNT, &region, "app").ok());
    let host = example.map_or_else(
        || "ACCOUNT.dkr.ecr.REGION.amazonaws.com".to_owned(),
        |example| example.to_string().trim_end_matches("/app").replace(EXAMPLE_ACCOUNT, "ACCOUNT"),
    );
    let reference = sanitize_quoted(reference);
    Some(format!(
        "`{reference}` names no registry, so it is read from Docker Hub; an image in Amazon ECR is `{host}/{reference}`"
    ))
}
