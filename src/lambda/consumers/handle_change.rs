//! Handles the change of what runs an image: reads it again, writes it to the table, and has its images checked again.

use serde_json::{Value, json};

use super::announce::{Run, announce, announce_images};
use super::take_census::{CensusError, CensusTaker, log_not_stored};
use crate::census::{Census, CensusCache, read_one};
use crate::consumer::ChangedConsumer;
use crate::lambda::log::unix_time;
use crate::table::{StoredConsumer, TableCache};

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "tests create it")]
pub struct ChangeSummary {
    /// The ARN of what changed.
    pub arn: String,
    /// How many containers or functions run an image of Amazon ECR there now.
    pub found: usize,
    /// How many of them are new or different.
    pub changed: usize,
    /// How many images are checked again.
    pub checked: usize,
}

impl CensusTaker {
    /// Handles a change. Its images are checked again even if nothing is different from what is stored: the change may have been
    /// read before, by an attempt that could not have them checked.
    ///
    /// # Errors
    /// It could not be read, or the table or the event bus failed.
    pub async fn handle_change(&self, changed: &ChangedConsumer) -> Result<ChangeSummary, CensusError> {
        let now = unix_time().as_secs();
        let store = TableCache { table: &self.table, now };
        let census = read_one(&self.aws, changed, self.endpoint, &CensusCache::default(), &store).await;
        log_not_stored(&census);
        let Census { consumers, not_read, .. } = census;
        if let Some(failure) = not_read.into_iter().next() {
            return Err(CensusError::NotRead(failure));
        }
        // A census that began before must not overwrite what is written now.
        self.table.record_change(changed.arn(), now).await?;
        let stored = self.table.read_stored_consumers().await?;
        let mut runs: Vec<Run> = consumers.iter().map(Run::from).collect();
        let found = consumers.len();
        let is_read = |known: &StoredConsumer| known.arn == changed.arn();
        let written = self.table.replace_consumers(&stored, &consumers, is_read, |_| true, now).await?;
        // Faults of an image that nothing runs any more may be resolved.
        runs.extend(written.deleted.iter().map(Run::from));
        let announcements = announce_images(&runs);
        announce(&self.events, &announcements).await?;
        Ok(ChangeSummary {
            arn: changed.arn().to_owned(),
            found,
            changed: written.changed.len(),
            checked: announcements.len(),
        })
    }
}

impl ChangeSummary {
    /// Builds the log line of a change.
    pub fn log_line(&self) -> Value {
        json!({
            "level": "INFO",
            "message": format!("{} changed; images to check again: {}", self.arn, self.checked),
            "arn": self.arn,
            "found": self.found,
            "changed": self.changed,
            "checked": self.checked,
        })
    }
}
