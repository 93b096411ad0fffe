//! A pattern for the names of an image, in which `*` matches any text.

use std::str::FromStr;

/// A pattern like `team/legacy-*`. `*` is any text, also none and also with slashes; everything else is itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePattern(String);

/// The pattern is empty, or too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a pattern: expected the name of a repository or an image of 1 to {MAX_PATTERN_BYTES} bytes, with `*` for any text"
)]
pub struct PatternError;

/// The longest pattern: longer than any name in a registry, and short enough to match in no time.
const MAX_PATTERN_BYTES: usize = 1000;

impl ImagePattern {
    /// Returns the pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether one of the names matches completely.
    pub fn matches_any(&self, names: &[String]) -> bool {
        names.iter().any(|name| matches(&self.0, name))
    }
}

impl FromStr for ImagePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let is_valid = (1..=MAX_PATTERN_BYTES).contains(&text.len());
        if is_valid { Ok(Self(text.to_owned())) } else { Err(PatternError) }
    }
}

/// Matches a name. The parts between asterisks are found from left to right, each as early as possible.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(last)
}

/// Returns the names by which a pattern can name an image: the reference, the reference without its digest and without its
/// tag, and for an image in Amazon ECR also the repository's name alone and with the tag. `repository` and `tag` are empty
/// if they are unknown.
pub fn image_names(reference: &str, repository: &str, tag: &str) -> Vec<String> {
    let reference = reference.strip_prefix("docker://").unwrap_or(reference);
    let without_digest = reference.rfind("@sha256:").map_or(reference, |at| &reference[..at]);
    // A colon before a slash is that of a scheme or a port; the first colon of `oci:DIR` is not followed by a tag.
    let untagged = match without_digest.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') && !LOCAL_SCHEMES.contains(&before) => before,
        _ => without_digest,
    };
    let mut names = vec![reference.to_owned(), without_digest.to_owned(), untagged.to_owned()];
    if !repository.is_empty() {
        names.push(repository.to_owned());
        if !tag.is_empty() {
            names.push(format!("{repository}:{tag}"));
        }
    }
    names.dedup();
    names
}

/// The schemes of references to local images.
const LOCAL_SCHEMES: [&str; 4] = ["oci", "oci-archive", "docker-archive", "docker-daemon"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asterisk_is_any_text() {
        for (pattern, name, expected) in [
            ("team/app", "team/app", true),
            ("team/app", "team/app2", false),
            ("team/*", "team/app", true),
            ("team/*", "team/", true),
            ("team/*", "team/a/b:v1", true),
            ("team/*", "myteam/app", false),
            ("*/app", "team/app", true),
            ("*/app", "team/app2", false),
            ("*", "", true),
            ("**", "a", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("a*a", "a", false),
            ("*é*", "café:v1", true),
            ("te?m", "team", false),
            ("te[a]m", "team", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        assert!("".parse::<ImagePattern>().is_err() && "a".repeat(1001).parse::<ImagePattern>().is_err());
    }

    #[test]
    fn image_is_named_by_repository_and_reference() {
        let digest = format!("@sha256:{}", "0".repeat(64));
        let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app";
        let all = |reference: &str, repository: &str, tag: &str| image_names(reference, repository, tag).join(" ");
        assert_eq!(all(&format!("{uri}:v1"), "team/app", "v1"), format!("{uri}:v1 {uri} team/app team/app:v1"));
        let both = format!("docker://{uri}:v1{digest}");
        assert_eq!(all(&both, "team/app", ""), format!("{uri}:v1{digest} {uri}:v1 {uri} team/app"));
        for (reference, names) in [
            ("oci:events/images:v1", "oci:events/images:v1 oci:events/images"),
            ("oci:images", "oci:images"),
            ("oci-archive:image.tar", "oci-archive:image.tar"),
            ("localhost:5000/app", "localhost:5000/app"),
            ("localhost:5000/app:v1", "localhost:5000/app:v1 localhost:5000/app"),
            ("busybox", "busybox"),
            ("docker-daemon:app:v1", "docker-daemon:app:v1 docker-daemon:app"),
        ] {
            assert_eq!(all(reference, "", ""), names);
        }
    }
}
