//! Who runs an image, and what is unknown about it: the member `inUse` of the lines that `audit --consumers` prints.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::consumer::{Consumer, ConsumerService};
use crate::text::sanitize;

/// The longest name of a service, in characters: none is longer.
const MAX_SERVICE_CHARS: usize = 40;

/// The consumers of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageUse {
    /// Those that were found.
    #[serde(default)]
    pub(super) by: Vec<ImageUser>,
    /// The services that were not read completely in the region of the image: they may run it, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) not_read: Vec<String>,
}

/// A consumer. The names of a file are not validated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct ImageUser {
    pub(super) service: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) container: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) definition: String,
}

impl ImageUse {
    /// Names each consumer once, without its containers: `prod/web`.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let users = self.by.iter().filter(|user| seen.insert((user.service.as_str(), user.short_name())));
        users.map(ImageUser::short_name).collect()
    }

    /// Whether no consumer was found, but one may exist.
    pub(super) fn is_unknown(&self) -> bool {
        self.by.is_empty() && !self.not_read.is_empty()
    }

    /// Joins the names. If nothing was found and something may exist, `unknown` is returned.
    pub(super) fn join_names(&self, separator: &str, unknown: &str) -> String {
        if self.is_unknown() { unknown.to_owned() } else { self.names().join(separator) }
    }
}

impl ImageUser {
    /// Returns the name, or that of the definition if only this is known.
    pub(super) fn short_name(&self) -> &str {
        if self.name.is_empty() { &self.definition } else { &self.name }
    }

    /// Returns the name of the service in a sentence.
    pub(super) fn service_title(&self) -> String {
        service_title(&self.service)
    }
}

impl From<&Consumer> for ImageUser {
    fn from(consumer: &Consumer) -> Self {
        let Consumer { name, container, definition, .. } = consumer.clone();
        Self { service: service_name(consumer.service), name, container, definition }
    }
}

/// Returns the name of a service in JSON.
pub(super) fn service_name(service: ConsumerService) -> String {
    match serde_json::to_value(service) {
        Ok(serde_json::Value::String(name)) => name,
        _ => unreachable!("a service is a string in JSON"),
    }
}

/// Returns the title of a service; one of a later version has its name.
fn service_title(name: &str) -> String {
    match serde_json::from_value::<ConsumerService>(name.into()) {
        Ok(service) => service.title().to_owned(),
        Err(_) => sanitize(name, MAX_SERVICE_CHARS),
    }
}

/// The services that were not read completely, by region.
#[derive(Debug, Default)]
pub(super) struct UnreadServices(BTreeSet<(String, String)>);

impl UnreadServices {
    /// How many pairs of a region and a service are kept: some regions, with all services.
    const MAX_PAIRS: usize = 100;

    /// Adds what is unknown about an image in this region.
    pub(super) fn add(&mut self, region: &str, image_use: &ImageUse) {
        for service in &image_use.not_read {
            if self.0.len() < Self::MAX_PAIRS {
                self.0.insert((sanitize(region, MAX_SERVICE_CHARS), service_title(service)));
            }
        }
    }

    /// Returns a sentence for each region.
    pub(super) fn sentences(&self) -> Vec<String> {
        let regions: BTreeSet<&str> = self.0.iter().map(|(region, _)| region.as_str()).collect();
        let sentence = |region: &str| {
            let services = self.0.iter().filter(|(found, _)| found == region).map(|(_, service)| service.as_str());
            let services = services.collect::<Vec<_>>().join(", ");
            let place = if region.is_empty() { String::new() } else { format!(" in {region}") };
            format!("The consumers of {services}{place} are unknown or incomplete: an image without one may be in use.")
        };
        regions.into_iter().map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(service: &str, name: &str, container: &str) -> ImageUser {
        ImageUser {
            service: service.to_owned(),
            name: name.to_owned(),
            container: container.to_owned(),
            definition: "definition".to_owned(),
        }
    }

    #[test]
    fn consumers_are_named_once() {
        let by = vec![
            user("ecs", "prod/web", "app"),
            user("ecs", "prod/web", "proxy"),
            user("ecs", "", "app"),
            user("lambda", "resize", ""),
        ];
        let known = ImageUse { by, not_read: vec!["batch".to_owned()] };
        assert_eq!(known.join_names(" ", "?"), "prod/web definition resize");
        for (not_read, expected) in [(vec![], ""), (vec!["batch".to_owned()], "?")] {
            assert_eq!(ImageUse { by: Vec::new(), not_read }.join_names(" ", "?"), expected);
        }
    }

    #[test]
    fn unread_services_are_named_by_region() {
        let mut unread = UnreadServices::default();
        for (region, not_read) in [("us-west-2", "ecs"), ("us-west-2", "apprunner"), ("eu-west-1", "la\nter")] {
            unread.add(region, &ImageUse { by: Vec::new(), not_read: vec![not_read.to_owned()] });
        }
        assert_eq!(
            unread.sentences(),
            [
                "The consumers of la ter in eu-west-1 are unknown or incomplete: an image without one may be in use.",
                "The consumers of AWS App Runner, Amazon ECS in us-west-2 are unknown or incomplete: an image without one may be in use.",
            ]
        );
    }
}
