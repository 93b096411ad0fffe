//! What is known about the consumers of a repository, and which of them matter to one image.

use super::model::Consumer;
use super::start_override::StartOverride;
use crate::name::{Digest, EcrImage, Repository, Tag};
use crate::runtime::Runtime;

/// The most ways to run an image that are checked. Each may start another program.
const MAX_GROUPS: usize = 16;

/// Whether the consumers of a repository are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ConsumerLookup {
    /// Nobody asked.
    #[default]
    NotRead,
    /// They are these.
    Known(KnownConsumers),
    /// They could not be read, for this reason.
    Failed(String),
}

/// The consumers of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "callers create it")]
pub struct KnownConsumers {
    /// All consumers of the repository's images, with any tag.
    pub consumers: Vec<Consumer>,
    /// When they were read from AWS, in RFC 3339 format.
    pub as_of: Option<String>,
    /// The services that were not read, with the reasons.
    pub not_read: Vec<String>,
    /// How many more consumers there are, at least: too many, or known from too long ago.
    pub omitted: usize,
}

/// The consumers that matter to one image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RelevantConsumers {
    /// Those that name its tag or its digest: they start it next time.
    pub bound: Vec<ConsumerGroup>,
    /// Those that name another tag or digest of its repository: they probably start it after their next deployment.
    pub related: Vec<ConsumerGroup>,
    /// How many consumers there are whose architecture is unknown.
    pub unknown: usize,
    /// Whether one of those that name the tag or digest has an unknown architecture, or runs Windows.
    pub is_bound_unknown: bool,
    /// How many consumers are left out, because there are more ways to run the image than are checked.
    pub omitted: usize,
}

/// Consumers that run the image in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerGroup {
    /// Where they run it.
    pub runtime: Runtime,
    /// The consumers: at least one.
    pub consumers: Vec<Consumer>,
}

impl ConsumerGroup {
    /// Returns the consumer that the check of all is about.
    pub fn first(&self) -> &Consumer {
        &self.consumers[0]
    }

    /// Returns what all of them start.
    pub fn start(&self) -> &StartOverride {
        &self.first().start
    }
}

impl RelevantConsumers {
    /// Selects and groups the consumers that matter to the image with this tag and digest. Windows is left out.
    pub fn select(known: KnownConsumers, repository: &Repository, tag: Option<&Tag>, digest: &Digest) -> Self {
        let mut relevant = Self { omitted: known.omitted, ..Self::default() };
        for consumer in known.consumers {
            // A replica in another region has its own repository.
            let Some(image) = EcrImage::parse(&consumer.image).filter(|image| image.repository == *repository) else {
                continue;
            };
            let is_bound = match &image.digest {
                Some(pinned) => pinned == digest,
                None => tag.is_some() && image.tag.as_ref() == tag,
            };
            let Some(runtime) = consumer.runtime() else {
                relevant.unknown += usize::from(!consumer.is_windows());
                relevant.is_bound_unknown |= is_bound;
                continue;
            };
            let groups = if is_bound { &mut relevant.bound } else { &mut relevant.related };
            let is_full = groups.len() >= MAX_GROUPS;
            let is_same = |group: &&mut ConsumerGroup| group.runtime == runtime && *group.start() == consumer.start;
            match groups.iter_mut().find(is_same) {
                Some(group) => group.consumers.push(consumer),
                None if is_full => relevant.omitted += 1,
                None => groups.push(ConsumerGroup { runtime, consumers: vec![consumer] }),
            }
        }
        relevant
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::{ConsumerPlatform, ConsumerService, PlatformSource};

    fn consumer(image: &str, platform: ConsumerPlatform, command: &str) -> Consumer {
        Consumer {
            service: ConsumerService::Ecs,
            name: "prod/web".to_owned(),
            arn: String::new(),
            definition: "web".to_owned(),
            container: "app".to_owned(),
            image: image.to_owned(),
            digest: None,
            platform,
            start: StartOverride {
                command: command.split_whitespace().map(str::to_owned).collect(),
                ..StartOverride::default()
            },
        }
    }

    #[test]
    fn consumers_that_name_the_tag_or_digest_are_bound() {
        let digest = Digest::of(b"image");
        let host = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app";
        let repository = Repository::new("123456789012", "us-west-2", "team/app").unwrap();
        for (image, expected) in [
            (format!("{host}:v1"), "bound"),
            (format!("{host}@{digest}"), "bound"),
            (format!("{host}:old@{digest}"), "bound"),
            (format!("{host}:v1@{}", Digest::of(b"other")), "related"),
            (format!("{host}:v2"), "related"),
            (host.to_owned(), "related"),
            (host.replace("us-west-2", "us-east-1") + ":v1", "out"),
            (host.replace("team/app", "team/api") + ":v1", "out"),
            ("busybox:v1".to_owned(), "out"),
        ] {
            let platform = ConsumerPlatform::Known(Runtime::EcsArm64, PlatformSource::RuntimePlatform);
            let known = KnownConsumers { consumers: vec![consumer(&image, platform, "")], ..KnownConsumers::default() };
            let found = RelevantConsumers::select(known, &repository, Some(&"v1".parse().unwrap()), &digest);
            let found = match (found.bound.len(), found.related.len()) {
                (1, 0) => "bound",
                (0, 1) => "related",
                _ => "out",
            };
            assert_eq!(found, expected, "{image}");
        }
    }

    #[test]
    fn consumers_with_the_same_start_are_one_group() {
        let image = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1";
        let known = |runtime| ConsumerPlatform::Known(runtime, PlatformSource::RuntimePlatform);
        let mut consumers = vec![
            consumer(image, known(Runtime::EcsArm64), ""),
            consumer(image, known(Runtime::EcsArm64), ""),
            consumer(image, known(Runtime::EcsAmd64), ""),
            consumer(image, known(Runtime::EcsArm64), "worker"),
            consumer(image, ConsumerPlatform::unknown("a reason"), ""),
            consumer(image, ConsumerPlatform::Windows, ""),
        ];
        consumers.extend((0..20).map(|number| consumer(image, known(Runtime::EcsAmd64), &number.to_string())));
        let repository = Repository::new("123456789012", "us-west-2", "team/app").unwrap();
        let known = KnownConsumers { consumers, omitted: 2, ..KnownConsumers::default() };
        let found = RelevantConsumers::select(known, &repository, Some(&"v1".parse().unwrap()), &Digest::of(b""));
        let sizes: Vec<usize> = found.bound.iter().map(|group| group.consumers.len()).collect();
        assert_eq!((sizes.len(), &sizes[..4]), (MAX_GROUPS, &[2, 1, 1, 1][..]));
        assert_eq!((found.unknown, found.omitted), (1, 2 + 7));
    }
}
