//! Handles a task that stopped: has the images of its containers checked, each as the container ran it.

use serde_json::{Value, json};

use super::announce::{Announcement, announce, is_at_home};
use super::take_census::{CensusError, CensusTaker, log_not_stored};
use crate::aws::service_error::service_error_code;
use crate::census::{Census, CensusCache, read_stopped};
use crate::consumer::{Consumer, StoppedContainer};
use crate::event::STOPPED_DETAIL_TYPE;
use crate::lambda::log::unix_time;
use crate::lambda::stopped_task::StoppedTask;
use crate::name::{Digest, EcrImage};
use crate::table::TableCache;
use crate::text::error_chain;

/// For how long the same container is not checked again, in seconds: six hours. The result would be the same.
const CLAIM_SECONDS: u64 = 6 * 3600;

impl CensusTaker {
    /// Handles containers of one task that stopped, because of the event with this ID. Returns the log line. A service that
    /// starts its task again and again has each container checked once in [`CLAIM_SECONDS`].
    ///
    /// # Errors
    /// The table or the event bus failed.
    pub async fn handle_stopped(&self, event_id: &str, all: &[StoppedContainer]) -> Result<Value, CensusError> {
        let now = unix_time().as_secs();
        let mut stopped = Vec::new();
        for container in all {
            if self.table.claim(&describe_run(container), event_id, now, CLAIM_SECONDS).await? {
                stopped.push(container.clone());
            }
        }
        let task = all.first().map_or("", |container| container.task.as_str());
        if stopped.is_empty() {
            let message = format!("{task} stopped; its images were checked a short time ago");
            return Ok(json!({"level": "INFO", "message": message, "task": task, "checked": 0}));
        }
        let stopped = stopped.as_slice();
        let store = TableCache { table: &self.table, now };
        let census = read_stopped(&self.aws, stopped, self.endpoint, &CensusCache::default(), &store).await;
        log_not_stored(&census);
        let Census { consumers, not_read, .. } = census;
        for failure in not_read {
            // Another attempt may read it, unless the service refused.
            if service_error_code(&failure.source).is_none_or(|code| code.contains("Throttl")) {
                return Err(CensusError::NotRead(failure));
            }
            // It is unknown what started, and only a wrong platform can be certain.
            tracing::warn!(error = error_chain(&failure), "the task definition was not read");
        }
        let announcements: Vec<Announcement> = consumers
            .iter()
            .filter_map(|consumer| {
                let container = stopped.iter().find(|container| container.container == consumer.container)?;
                announce_stopped(consumer, container)
            })
            .collect();
        announce(&self.events, &announcements).await?;
        Ok(json!({
            "level": "INFO",
            "message": format!("{task} stopped; images to check: {}", announcements.len()),
            "task": task,
            "checked": announcements.len(),
        }))
    }
}

/// Returns what identifies a run of a container for its claim.
fn describe_run(container: &StoppedContainer) -> String {
    let StoppedContainer { task_definition, container: name, image, digest, architecture, override_command, .. } =
        container;
    let digest = digest.as_ref().map(Digest::as_str);
    json!([task_definition, name, image, digest, architecture, override_command]).to_string()
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
