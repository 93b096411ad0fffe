//! Takes the census: reads what runs images, and writes it to the table.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::announce::{Run, announce, announce_images};
use crate::aws::Aws;
use crate::aws::service_error::{CallError, service_error_code};
use crate::census::{Census, NotRead, SERVICES, read_consumers};
use crate::consumer::{Consumer, ConsumerService};
use crate::lambda::log::{directive, milliseconds, unix_time};
use crate::table::{CensusRecord, ServiceRecord, StoredConsumer, Table, TableCache};
use crate::text::{error_chain, sanitize};

/// The longest reason why a service was not read that is kept, in characters.
const MAX_PROBLEM: usize = 300;

/// The most consumers whose images are checked because of one census. The images of others are checked at their next push.
const MAX_ANNOUNCED: usize = 100;

/// Takes the census. Its fields are its dependencies.
#[derive(Debug)]
pub struct CensusTaker {
    /// The clients, within the rates of the services.
    pub aws: Aws,
    /// Returns the endpoint of a service, by its name in `AWS_ENDPOINT_URL_NAME`, if it is not that of the region.
    pub endpoint: fn(&str) -> Option<String>,
    /// The table.
    pub table: Table,
    /// Sends events to the function that checks images.
    pub events: aws_sdk_eventbridge::Client,
}

/// A census that did not end.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the variants")]
pub enum CensusError {
    #[error(transparent)]
    Table(#[from] CallError),
    #[error(transparent)]
    NotRead(NotRead),
    #[error("no service could be read completely: {0}")]
    NothingRead(String),
}

/// What a census found and wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "tests create it")]
pub struct CensusSummary {
    /// How many consumers were found.
    pub found: usize,
    /// How many of them are new or different.
    pub changed: usize,
    /// How many are gone.
    pub deleted: usize,
    /// What could not be read.
    pub not_read: Vec<String>,
    /// How long it took.
    pub duration: Duration,
}

impl CensusTaker {
    /// Takes a census. If a service could not be read completely, its stored consumers are kept.
    ///
    /// # Errors
    /// The table failed, or no service could be read completely.
    pub async fn take(&self) -> Result<CensusSummary, CensusError> {
        let (started, began) = (Instant::now(), unix_time().as_secs());
        let (stored, last, cache) = tokio::try_join!(
            self.table.read_stored_consumers(),
            self.table.read_last_census(),
            self.table.read_cache()
        )?;
        let store = TableCache { table: &self.table, now: began };
        let census = read_consumers(&self.aws, &SERVICES, self.endpoint, &cache, &store, &|_| {}).await;
        log_not_stored(&census);
        let Census { consumers, not_read, .. } = census;
        let services = SERVICES.map(|service| record_service(service, &not_read, &last, began));
        if services.iter().all(|record| record.problem.is_some()) {
            let problems = services.into_iter().filter_map(|record| record.problem);
            return Err(CensusError::NothingRead(problems.collect::<Vec<_>>().join("; ")));
        }
        let is_complete = |service: ConsumerService| {
            services.iter().any(|record| record.service == service && record.problem.is_none())
        };
        // These were read again after this census had read them.
        let newer: BTreeSet<String> = self.table.read_changes_since(began).await?.into_iter().collect();
        let found: Vec<Consumer> = consumers.into_iter().filter(|consumer| !newer.contains(&consumer.arn)).collect();
        let count = found.len();
        let is_read = |known: &StoredConsumer| is_complete(known.service) && !newer.contains(&known.arn);
        let changes = self.table.replace_consumers(&stored, &found, is_read, is_complete, began).await?;
        let problems = services.iter().filter_map(|record| {
            record.problem.as_ref().map(|problem| format!("{}: {problem}", record.service.title()))
        });
        let not_read = problems.collect();
        let record = CensusRecord { ended: unix_time().as_secs(), services: services.to_vec() };
        self.table.write_census_record(&record).await?;
        // Events may be lost, and AWS Batch and AgentCore send none. In the first census, everything is new.
        if last.ended > 0 {
            let runs: Vec<Run> =
                changes.changed.iter().map(Run::from).chain(changes.deleted.iter().map(Run::from)).collect();
            announce(&self.events, &announce_images(&runs[..runs.len().min(MAX_ANNOUNCED)])).await?;
        }
        Ok(CensusSummary {
            found: count,
            changed: changes.changed.len(),
            deleted: changes.deleted.len(),
            not_read,
            duration: started.elapsed(),
        })
    }
}

/// Logs that the cache is incomplete, if it is. What is missing is read again.
pub(super) fn log_not_stored(census: &Census) {
    if let Some(error) = &census.not_stored {
        tracing::error!(error = error_chain(error), "the cache is incomplete");
    }
}

/// Returns what is known about a service after a census that began at this time.
fn record_service(service: ConsumerService, not_read: &[NotRead], last: &CensusRecord, began: u64) -> ServiceRecord {
    let of_service = not_read.iter().filter(|failure| failure.service == service);
    let problem = of_service.into_iter().find(|failure| !is_not_offered(failure)).map(describe_problem);
    let before = last.services.iter().find(|record| record.service == service).and_then(|record| record.read);
    ServiceRecord { service, read: if problem.is_none() { Some(began) } else { before }, problem }
}

/// Returns whether the host name of the service does not resolve: then the service does not exist in the region. If name
/// resolution itself fails, the table cannot be read either, and the census ends with an error.
fn is_not_offered(failure: &NotRead) -> bool {
    error_chain(failure).contains("failed to lookup address information")
}

/// Describes a call that failed. Of an error of the service, only the code is kept: its text may name roles and resources.
fn describe_problem(failure: &NotRead) -> String {
    let source = failure.source.to_string();
    let reason = service_error_code(&failure.source).unwrap_or(&source);
    sanitize(&format!("{} failed: {reason}", failure.action), MAX_PROBLEM)
}

impl CensusSummary {
    /// Builds the log line of the census, with its metrics.
    pub fn log_line(&self, stack: Option<&str>) -> Value {
        let metrics = json!([
            {"Name": "Consumers", "Unit": "Count"},
            {"Name": "ServicesNotRead", "Unit": "Count"},
            {"Name": "CensusDuration", "Unit": "Milliseconds"},
        ]);
        let mut line = json!({
            "_aws": {"Timestamp": milliseconds(unix_time()), "CloudWatchMetrics": [directive(stack, None, &metrics)]},
            "level": if self.not_read.is_empty() { "INFO" } else { "WARN" },
            "message": format!("consumers: {} found, {} changed, {} gone", self.found, self.changed, self.deleted),
            "not_read": self.not_read,
            "Consumers": self.found,
            "ServicesNotRead": self.not_read.len(),
            "CensusDuration": milliseconds(self.duration),
        });
        if let Some(stack) = stack {
            line["stack"] = stack.into();
        }
        line
    }
}
