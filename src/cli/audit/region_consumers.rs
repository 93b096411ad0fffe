//! What runs images in the region of an audit, and which of its images that are.
//!
//! An image is in use if a consumer runs it now, names its digest, or names its tag, so that the next start uses it. The
//! results file does not contain consumers: they are read by each run, and added when a result is read.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use crate::census::{Census, NotRead, SERVICES};
use crate::cli::image_use::{ImageUse, ImageUser, service_name};
use crate::cli::stored_report::{StoredArrival, StoredReport};
use crate::name::{Digest, EcrImage, Repository, Tag};

/// The consumers of a region.
#[derive(Debug)]
pub(super) struct RegionConsumers {
    /// The region that was read.
    pub(super) region: String,
    /// What could not be read.
    pub(super) not_read: Vec<NotRead>,
    /// Those of images in Amazon ECR.
    users: Vec<ImageUser>,
    images: RefCell<HashMap<Repository, UsedImages>>,
}

/// The positions of the consumers of a repository's images.
#[derive(Debug, Default)]
struct UsedImages {
    by_digest: HashMap<Digest, BTreeSet<usize>>,
    /// Those that name a tag, until the listing says which image has it.
    by_tag: HashMap<Tag, BTreeSet<usize>>,
}

impl RegionConsumers {
    /// Creates the index of what was read in a region.
    pub(super) fn new(census: Census, region: &str) -> Self {
        let (mut users, mut images) = (Vec::new(), HashMap::<Repository, UsedImages>::new());
        for consumer in &census.consumers {
            let Some(EcrImage { repository, tag, digest }) = EcrImage::parse(&consumer.image) else { continue };
            let used = images.entry(repository).or_default();
            for digest in [&consumer.digest, &digest].into_iter().flatten() {
                used.by_digest.entry(digest.clone()).or_default().insert(users.len());
            }
            // If there is a digest, too, it decides.
            if let Some(tag) = tag.filter(|_| digest.is_none()) {
                used.by_tag.entry(tag).or_default().insert(users.len());
            }
            users.push(ImageUser::from(consumer));
        }
        Self { region: region.to_owned(), not_read: census.not_read, users, images: RefCell::new(images) }
    }

    /// Records which image has these tags now. The tags of an earlier result may have moved since.
    pub(super) fn record_tags(&self, repository: &Repository, digest: &Digest, tags: &[Tag]) {
        if let Some(used) = self.images.borrow_mut().get_mut(repository) {
            for tag in tags {
                if let Some(positions) = used.by_tag.remove(tag) {
                    used.by_digest.entry(digest.clone()).or_default().extend(positions);
                }
            }
        }
    }

    /// Returns the number of consumers of images in Amazon ECR.
    pub(super) fn count(&self) -> usize {
        self.users.len()
    }

    /// Returns the positions of the consumers of an image.
    pub(super) fn positions(&self, report: &StoredReport) -> BTreeSet<usize> {
        let images = self.images.borrow();
        let Some(used) = report.repository().and_then(|repository| images.get(&repository)) else {
            return BTreeSet::new();
        };
        let StoredArrival { digest, tag, also_tagged, .. } = &report.arrival;
        let digests = [digest, &report.image.digest].into_iter().filter_map(|digest| digest.parse().ok());
        let tags = [tag].into_iter().chain(also_tagged).filter_map(|tag| tag.parse().ok());
        let by_digest = digests.filter_map(|digest: Digest| used.by_digest.get(&digest));
        let by_tag = tags.filter_map(|tag: Tag| used.by_tag.get(&tag));
        by_digest.chain(by_tag).flatten().copied().collect()
    }

    /// Returns the consumers of an image, and what is unknown.
    pub(super) fn find_use(&self, report: &StoredReport) -> ImageUse {
        let positions = self.positions(report);
        // Tasks of a service that run different images have one entry each.
        let mut seen = BTreeSet::new();
        let users = positions.iter().map(|position| &self.users[*position]).filter(|user| seen.insert(*user));
        let by = users.cloned().collect();
        let is_unread = |service| {
            report.arrival.region != self.region || self.not_read.iter().any(|failure| failure.service == service)
        };
        let not_read = SERVICES.into_iter().filter(|service| is_unread(*service)).map(service_name).collect();
        ImageUse { by, not_read }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::{Consumer, ConsumerPlatform, ConsumerService, StartOverride};
    use crate::report::SCHEMA;

    const HOST: &str = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app";

    fn consumers(image: &str, running: Option<&Digest>) -> RegionConsumers {
        let consumer = Consumer {
            service: ConsumerService::Ecs,
            name: "prod/web".to_owned(),
            arn: String::new(),
            definition: "web".to_owned(),
            container: "app".to_owned(),
            image: image.to_owned(),
            digest: running.cloned(),
            platform: ConsumerPlatform::unknown("a reason"),
            start: StartOverride::default(),
        };
        RegionConsumers::new(Census { consumers: vec![consumer], not_read: Vec::new(), not_stored: None }, "us-west-2")
    }

    fn report(region: &str, name: &str, digest: &Digest, tags: [&str; 2]) -> StoredReport {
        let line = serde_json::json!({"schema": SCHEMA, "verdict": "runs", "arrival": {"account": "123456789012",
            "region": region, "repository": name, "digest": digest, "tag": tags[0], "alsoTagged": [tags[1]]}});
        StoredReport::parse(line.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn images_are_found_by_digest_or_tag() {
        let (digest, other) = (Digest::of(b"image"), Digest::of(b"other"));
        for (image, running, expected) in [
            (format!("{HOST}:v1"), None, true),
            (format!("{HOST}:latest"), None, true),
            (HOST.to_owned(), None, true),
            (format!("{HOST}:v2"), None, false),
            (format!("{HOST}:v2"), Some(&digest), true),
            // The tag has moved since the start: the next start uses this image.
            (format!("{HOST}:v1"), Some(&other), true),
            (format!("{HOST}@{digest}"), None, true),
            (format!("{HOST}:v2@{digest}"), None, true),
            (format!("{HOST}:v1@{other}"), None, false),
            (format!("{HOST}:v1@{other}"), Some(&other), false),
            (format!("{HOST}-2:v1"), Some(&digest), false),
            ("busybox:v1".to_owned(), Some(&digest), false),
            (HOST.replace("us-west-2", "us-east-1") + ":v1", Some(&digest), false),
        ] {
            let found =
                consumers(&image, running).find_use(&report("us-west-2", "team/app", &digest, ["v1", "latest"]));
            assert_eq!((found.by.len(), found.not_read.is_empty()), (usize::from(expected), true), "{image}");
        }
    }

    #[test]
    fn listing_decides_which_image_has_a_tag() {
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let consumers = consumers(&format!("{HOST}:v1"), None);
        let is_used = |digest, tags| !consumers.find_use(&report("us-west-2", "team/app", digest, tags)).by.is_empty();
        assert!(is_used(&old, ["v1", "x"]));
        let repository = Repository::new("123456789012", "us-west-2", "team/app").unwrap();
        consumers.record_tags(&repository, &new, &["v1".parse().unwrap(), "v1-ecs-arm64".parse().unwrap()]);
        assert!(!is_used(&old, ["v1", "x"]), "an earlier result");
        assert!(is_used(&new, ["v1", "x"]) && is_used(&new, ["v1-ecs-arm64", "x"]), "each result of the image");
    }

    #[test]
    fn nothing_is_known_about_other_regions() {
        let found = consumers(HOST, None).find_use(&report("us-east-1", "team/app", &Digest::of(b""), ["v1", "x"]));
        assert!(found.is_unknown());
        assert_eq!(found.not_read, ["ecs", "lambda", "apprunner", "batch", "agentcore"]);
    }
}
