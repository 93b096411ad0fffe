//! The expected result of a check, independent of the code under test.

use std::collections::BTreeSet;

use super::super::images::Images;
use super::world::CONSUMED_TAG;

/// What runs an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConsumerKind {
    Amd64,
    Arm64,
    /// Its architecture is unknown.
    Unknown,
}

/// The sets of consumers that a tag may have.
pub const CONSUMERS: [&[ConsumerKind]; 5] = {
    use ConsumerKind::{Amd64, Arm64, Unknown};
    [&[Amd64], &[Arm64], &[Amd64, Arm64], &[Unknown], &[Arm64, Unknown]]
};

/// The tags that are pushed. Nothing but its consumers counts for one of them, unless the repository declares something. A
/// change of what runs one tag does not change the result for another.
pub const TAGS: [&str; 3] = [CONSUMED_TAG, "v1-ecs-arm64", "v1-apprunner"];

/// The same, most often that with consumers.
pub const PUSHED_TAGS: [&str; 5] = [CONSUMED_TAG, CONSUMED_TAG, CONSUMED_TAG, "v1-ecs-arm64", "v1-apprunner"];

impl ConsumerKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "web",
            Self::Arm64 => "api",
            Self::Unknown => "job",
        }
    }

    fn runtime(self) -> Option<&'static str> {
        match self {
            Self::Amd64 => Some("ecs/amd64"),
            Self::Arm64 => Some("ecs/arm64"),
            Self::Unknown => None,
        }
    }
}

/// The runtimes on which an image with this tag does not start, of those that are declared and those of its consumers. `None`
/// if there is nothing under the tag, or an artifact other than an image.
pub fn failing(
    images: &Images,
    digest: Option<&str>,
    tag: &str,
    declared: &str,
    consumers: &[ConsumerKind],
) -> Option<BTreeSet<String>> {
    let image = images.all.iter().find(|image| Some(image.digest.as_str()) == digest)?;
    if image.is_artifact() {
        return None;
    }
    let consumers = if tag == CONSUMED_TAG { consumers } else { &[] };
    let consumed: Vec<&str> = consumers.iter().filter_map(|consumer| consumer.runtime()).collect();
    let answers = image.answers(tag, declared).into_iter().chain(image.runs_on(&consumed.join(" ")));
    Some(answers.filter(|(_, runs)| !runs).map(|(runtime, _)| runtime).collect())
}

/// The consumers of a tag that do not start, if these are the runtimes on which its image does not.
pub fn affected(tag: &str, consumers: &[ConsumerKind], failing: Option<&BTreeSet<String>>) -> Vec<ConsumerKind> {
    let is_failing = |runtime: &str| tag == CONSUMED_TAG && failing.is_some_and(|failing| failing.contains(runtime));
    consumers.iter().filter(|consumer| consumer.runtime().is_some_and(is_failing)).copied().collect()
}
