//! Parses the words of an image tag that declare runtimes or hint at an architecture.
//!
//! A tag counts only if all its other words are neutral: versions, dates, commits, environments, build numbers. With any
//! other word it is free text, for example the name of a branch, and neither declares nor hints at anything.

use crate::name::Tag;
use crate::platform::ARCHITECTURE_ALIASES;
use crate::runtime::{Runtime, Service, normalize_architecture};

/// The characters between the words of a tag.
const SEPARATORS: [char; 3] = ['.', '-', '_'];

/// Words beside a declaration that do not change its meaning: environments, regions, branches and channels of releases, and
/// what build systems write before a number or a commit.
const NEUTRAL_WORDS: [&str; 86] = [
    "af", "alpha", "ap", "beta", "bld", "blue", "branch", "build", "ca", "canary", "candidate", "central", "cn",
    "commit", "daily", "demo", "dev", "devel", "develop", "development", "dirty", "east", "edge", "eu", "final", "ga",
    "git", "green", "head", "hotfix", "il", "int", "integration", "latest", "live", "local", "lts", "main", "master",
    "me", "milestone", "next", "nightly", "north", "northeast", "perf", "post", "prd", "pre", "preprod",
    "preproduction", "preview", "previous", "prod", "production", "qa", "rc", "rel", "release", "rev", "revision",
    "run", "sa", "sandbox", "sha", "sit", "snapshot", "south", "southeast", "stable", "stage", "staging", "stg", "tag",
    "test", "testing", "trunk", "tst", "uat", "unstable", "us", "v", "ver", "version", "weekly", "west",
];

/// Neutral words that begin the name of a branch rather than a release if they are the first word of a tag.
const BRANCH_PREFIXES: [&str; 3] = ["hotfix", "test", "testing"];

/// Words before and between the digits of a version: `v1`, `1rc2`, `b123`.
const VERSION_WORDS: [&str; 15] =
    ["a", "alpha", "b", "beta", "build", "dev", "m", "p", "post", "pre", "preview", "r", "rc", "sp", "v"];

/// Parses a tag. Returns the runtimes that it declares (`1.4.2-ecs-arm64`, `v1-apprunner`), otherwise the Linux runtime
/// of the architecture at its end (`1.4-arm64`).
pub(super) fn parse_image_tag(tag: &Tag) -> (Vec<Runtime>, Option<Runtime>) {
    let lower = tag.as_str().to_ascii_lowercase();
    let words = split_words(&lower);
    let (mut runtimes, mut rest) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < words.len() {
        let (declared, length) = parse_service(&words[at..]);
        if length == 0 {
            rest.push(words[at]);
        }
        runtimes.extend(declared);
        at += length.max(1);
    }
    if runtimes.is_empty() {
        (runtimes, detect_architecture_hint(&words))
    } else if are_neutral(&rest) {
        (runtimes, None)
    } else {
        (Vec::new(), None)
    }
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

/// Returns the runtimes of a service at the start of these words and the architectures that follow it, and how many words
/// they are. A service with one architecture needs none at the end of a tag. The service `linux` is ignored: in `1.4-linux-arm64`,
/// it is part of a platform.
fn parse_service(words: &[&str]) -> (Vec<Runtime>, usize) {
    let service = words.first().and_then(|word| Service::from_name(word));
    let Some(service) = service.filter(|service| *service != Service::Linux) else { return (Vec::new(), 0) };
    if let [only] = words
        && let Some(runtime) = Runtime::from_service_alone(only)
    {
        return (vec![runtime], 1);
    }
    let name_length = if words.starts_with(&["ecs", "express"]) { 2 } else { 1 };
    let architectures = words[name_length..].iter().map_while(|word| normalize_architecture(word));
    let runtimes: Vec<Runtime> =
        architectures.map_while(|architecture| Runtime::for_service(service, architecture)).collect();
    let length = if runtimes.is_empty() { 0 } else { name_length + runtimes.len() };
    (runtimes, length)
}

/// Returns the runtime of the platform (`linux-arm64-1.4`) or final architecture (`1.4-arm64`) between neutral words.
fn detect_architecture_hint(words: &[&str]) -> Option<Runtime> {
    let platform = words.iter().position(|word| *word == "linux");
    let (start, end) = platform.map_or((words.len().checked_sub(1)?, words.len()), |at| (at, at + 2));
    let architecture = normalize_architecture(words.get(end - 1)?)?;
    let rest = [&words[..start], &words[end..]].concat();
    if are_neutral(&rest) { Runtime::for_service(Service::Linux, architecture) } else { None }
}

fn are_neutral(words: &[&str]) -> bool {
    let is_branch = words.first().is_some_and(|first| BRANCH_PREFIXES.contains(first));
    !is_branch && words.iter().all(|word| is_neutral(word))
}

/// Returns whether a word says nothing about where an image runs: a listed word, a number, a version, a date or a commit.
fn is_neutral(word: &str) -> bool {
    NEUTRAL_WORDS.contains(&word) || is_version(word) || is_commit(word) || is_timestamp(word)
}

/// Returns whether a word is a number, perhaps with words of versions before its digits: `12`, `v2`, `1rc2`, `b123`. An
/// empty word is between two separators.
fn is_version(word: &str) -> bool {
    let mut letters = word.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty());
    word.is_empty() || word.ends_with(|c: char| c.is_ascii_digit()) && letters.all(|part| VERSION_WORDS.contains(&part))
}

/// Returns whether a word is a hash of a git commit, also from `git describe` (`g1a2b3c4`), or a SHA-256 digest.
fn is_commit(word: &str) -> bool {
    let is_hash = |hash: &str| {
        (7..=64).contains(&hash.len())
            && hash.bytes().all(|c| c.is_ascii_hexdigit())
            && hash.contains(|c: char| c.is_ascii_digit())
    };
    is_hash(word) || word.strip_prefix('g').is_some_and(is_hash)
}

/// Returns whether a word is a time, perhaps after a date: `20261127t101500z`, `101500z`.
fn is_timestamp(word: &str) -> bool {
    let digits = |part: &str| part.len() >= 2 && part.bytes().all(|c| c.is_ascii_digit());
    let word = word.strip_suffix('z').unwrap_or(word);
    digits(word) || word.split_once('t').is_some_and(|(date, time)| digits(date) && digits(time))
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
            ("v1-agentcore", "agentcore"),
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
