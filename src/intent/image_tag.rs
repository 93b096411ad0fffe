//! Parses the words of an image tag that declare runtimes or hint at an architecture.

use crate::name::Tag;
use crate::platform::ARCHITECTURE_ALIASES;
use crate::runtime::{Runtime, Service, normalize_architecture};

/// First words of branch names. A tag that is a branch name describes a change, not where the image runs.
const BRANCH_PREFIXES: [&str; 12] =
    ["fix", "bugfix", "hotfix", "feature", "feat", "chore", "test", "revert", "remove", "docs", "ci", "refactor"];

/// Words in the names of tools that build or run programs for another architecture.
const CROSS_BUILD_WORDS: [&str; 4] = ["cross", "qemu", "toolchain", "sysroot"];

/// The characters between the words of a tag.
const SEPARATORS: [char; 3] = ['.', '-', '_'];

/// Parses a tag. Returns the runtimes that it declares (`1.4.2-ecs-arm64`, `v1-apprunner`), otherwise the Linux runtime
/// of the architecture at its end (`1.4-arm64`).
pub(super) fn parse_image_tag(tag: &Tag) -> (Vec<Runtime>, Option<Runtime>) {
    let lower = tag.as_str().to_ascii_lowercase();
    let words = split_words(&lower);
    let mut runtimes = Vec::new();
    if !words.first().is_some_and(|first| BRANCH_PREFIXES.contains(first)) {
        for at in 0..words.len() {
            runtimes.extend(parse_service(&words[at..]));
        }
        if words.last() == Some(&"apprunner") {
            runtimes.push(Runtime::AppRunner);
        }
    }
    let hint = if runtimes.is_empty() { detect_architecture_hint(&words) } else { None };
    (runtimes, hint)
}

/// Splits a tag at its separators, but not inside of an architecture like `x86_64`.
fn split_words(tag: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = tag;
    while !rest.is_empty() {
        let is_whole_word =
            |word: &&str| rest.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(SEPARATORS));
        let alias = ARCHITECTURE_ALIASES.iter().map(|(alias, ..)| *alias).find(is_whole_word);
        let end = alias.map_or_else(|| rest.find(SEPARATORS).unwrap_or(rest.len()), str::len);
        words.push(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    words
}

/// Returns the runtimes of a service at the start of these words and the architectures that follow it. The service
/// `linux` is ignored: in `1.4-linux-arm64`, it is part of a platform.
fn parse_service(words: &[&str]) -> Vec<Runtime> {
    let service = words.first().and_then(|word| Service::from_name(word));
    let Some(service) = service.filter(|service| *service != Service::Linux) else { return Vec::new() };
    let is_express = words.starts_with(&["ecs", "express"]);
    let architectures = words[1 + usize::from(is_express)..].iter().map_while(|word| normalize_architecture(word));
    architectures.filter_map(|architecture| Runtime::for_service(service, architecture)).collect()
}

/// Returns the runtime that the last word hints at, unless the tag names several architectures or a cross-build tool.
fn detect_architecture_hint(words: &[&str]) -> Option<Runtime> {
    let last = normalize_architecture(words.last()?)?;
    let is_other = |word: &&str| normalize_architecture(word).is_some_and(|other| other != last);
    if words.iter().any(|word| is_other(word) || CROSS_BUILD_WORDS.contains(word)) {
        return None;
    }
    Runtime::for_service(Service::Linux, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(tag: &str) -> (String, Option<Runtime>) {
        let (runtimes, hint) = parse_image_tag(&tag.parse().unwrap());
        (runtimes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), hint)
    }

    #[test]
    fn services_with_architectures_declare_runtimes() {
        for (tag, runtimes) in [
            ("1.4.2-ecs-arm64", "ecs/arm64"),
            ("ecs-arm64", "ecs/arm64"),
            ("prod-lambda-x86_64-7", "lambda/amd64"),
            ("prod_lambda_x86-64", "lambda/amd64"),
            ("v1-apprunner", "apprunner"),
            ("apprunner", "apprunner"),
            ("v1-apprunner-amd64-rc.1", "apprunner"),
            ("V1-ECS-ARM64", "ecs/arm64"),
            ("fargate.aarch64.9", "ecs/arm64"),
            ("ecs-express-amd64", "ecs/amd64"),
            ("ecs-amd64-arm64", "ecs/amd64 ecs/arm64"),
            ("ecs-arm64-apprunner", "ecs/arm64 apprunner"),
        ] {
            assert_eq!(parse(tag), (runtimes.to_owned(), None), "{tag}");
        }
    }

    #[test]
    fn architecture_at_the_end_is_a_hint() {
        for (tag, hint) in [
            ("1.4-arm64", "linux/arm64"),
            ("1.4-x86_64", "linux/amd64"),
            ("amd64", "linux/amd64"),
            ("1.4-linux-arm64", "linux/arm64"),
            ("v2_aarch64", "linux/arm64"),
            ("feature-x-arm64", "linux/arm64"),
            ("fix-ecs-arm64", "linux/arm64"),
        ] {
            assert_eq!(parse(tag), (String::new(), hint.parse().ok()), "{tag}");
        }
    }

    #[test]
    fn other_tags_declare_nothing() {
        let versions = "latest v1 arm farm64 1.4-arm64-slim x86_64x x86_64-aarch64 cross-aarch64 _ a--b";
        let services =
            "ecs lambda ecs-timeout-arm feature-apprunner apprunner-cleanup fix-ecs-timeout fix-ecs-arm64-bug";
        for tag in versions.split(' ').chain(services.split(' ')) {
            assert_eq!(parse(tag), (String::new(), None), "{tag}");
        }
    }
}
