//! Handles a task that stopped: has the images of its containers checked, each as the container ran it.

use serde_json::{Value, json};

use super::announce::{Announcement, announce, is_at_home};
use super::take_census::{CensusError, CensusTaker};
use crate::census::{CensusCache, read_stopped};
use crate::consumer::{Consumer, StoppedContainer};
use crate::event::STOPPED_DETAIL_TYPE;
use crate::lambda::log::unix_time;
use crate::lambda::stopped_task::StoppedTask;
use crate::name::EcrImage;
use crate::table::TableCache;
use crate::text::error_chain;

impl CensusTaker {
    /// Handles containers of one task that stopped. Returns the log line.
    ///
    /// # Errors
    /// The event bus failed.
    pub async fn handle_stopped(&self, stopped: &[StoppedContainer]) -> Result<Value, CensusError> {
        let store = TableCache { table: &self.table, now: unix_time().as_secs() };
        let census = read_stopped(&self.aws, stopped, self.endpoint, &CensusCache::default(), &store).await;
        // Then it is unknown what started, and only a wrong platform can be certain.
        for failure in &census.not_read {
            tracing::warn!(error = error_chain(failure), "the task definition was not read");
        }
        let announcements: Vec<Announcement> = census
            .consumers
            .iter()
            .filter_map(|consumer| {
                let container = stopped.iter().find(|container| container.container == consumer.container)?;
                announce_stopped(consumer, container)
            })
            .collect();
        announce(&self.events, &announcements).await?;
        let task = stopped.first().map_or("", |container| container.task.as_str());
        Ok(json!({
            "level": "INFO",
            "message": format!("{task} stopped; {} images are checked", announcements.len()),
            "task": task,
            "checked": announcements.len(),
        }))
    }
}

/// Returns the event for a container; `None` if it is unknown where it ran, or if its image is in another account or region.
fn announce_stopped(consumer: &Consumer, container: &StoppedContainer) -> Option<Announcement> {
    consumer.runtime()?;
    let image = EcrImage::parse(&consumer.image).filter(|image| is_at_home(image, &consumer.arn))?;
    // What ran is the digest. The tag may have moved since.
    let digest = container.digest.clone().or(image.digest);
    let tag = image.tag.filter(|_| digest.is_none());
    let reason = container.reason.clone().or_else(|| container.stopped_reason.clone());
    let stopped = StoppedTask {
        consumer: consumer.clone(),
        task: container.task.clone(),
        exit_code: container.exit_code,
        reason,
    };
    Some(Announcement {
        detail_type: STOPPED_DETAIL_TYPE,
        image: EcrImage { tag, digest, ..image },
        arn: container.task.clone(),
        members: json!({ "stopped": stopped }),
    })
}
