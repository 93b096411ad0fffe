//! The record of the last census: when each service was read.

use serde::{Deserialize, Serialize};

use crate::consumer::{Consumer, ConsumerService};
use crate::date::format_rfc3339;

/// How often the census runs, in seconds: the schedule in `template.yaml`.
pub const CENSUS_PERIOD_SECONDS: u64 = 3600;

/// From this age on, in seconds, what was read counts as unknown: three periods.
const MAX_AGE_SECONDS: u64 = 3 * CENSUS_PERIOD_SECONDS;

/// The record of the last census.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs, reason = "callers create it")]
pub struct CensusRecord {
    /// When it ended, in seconds since 1970.
    pub ended: u64,
    /// Each service that is read.
    pub services: Vec<ServiceRecord>,
}

/// What the census knows about a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs, reason = "callers create it")]
pub struct ServiceRecord {
    /// The service.
    pub service: ConsumerService,
    /// When everything of it was read last, in seconds since 1970; `None` if it never was.
    pub read: Option<u64>,
    /// Why the last census did not read everything of it, if it did not.
    pub problem: Option<String>,
}

impl CensusRecord {
    /// Returns why nothing is known at this time, in seconds since 1970, if it is so.
    pub(super) fn describe_age(&self, now: u64) -> Option<String> {
        (now.saturating_sub(self.ended) > MAX_AGE_SECONDS)
            .then(|| format!("the census ran last at {}", format_rfc3339(self.ended)))
    }

    /// Describes the services whose consumers are not or not completely known.
    pub(super) fn describe_not_read(&self, now: u64) -> Vec<String> {
        let describe = |record: &ServiceRecord| {
            let title = record.service.title();
            match (&record.problem, record.read) {
                (None, Some(_)) => None,
                (Some(problem), Some(read)) if record.is_stale(now) => {
                    Some(format!("{title} was read last at {}: {problem}", format_rfc3339(read)))
                }
                (Some(problem), _) => Some(format!("{title}: {problem}")),
                (None, None) => Some(format!("{title} was not read yet")),
            }
        };
        self.services.iter().filter_map(describe).collect()
    }

    /// Returns whether what is stored of a consumer is too old to count: its service was not read completely for too long, nor
    /// was the consumer found, which was written at this time.
    pub(super) fn is_stale(&self, consumer: &Consumer, written: u64, now: u64) -> bool {
        let is_of = |record: &&ServiceRecord| record.service == consumer.service;
        now.saturating_sub(written) > MAX_AGE_SECONDS
            && self.services.iter().find(is_of).is_some_and(|record| record.is_stale(now))
    }
}

impl ServiceRecord {
    fn is_stale(&self, now: u64) -> bool {
        self.read.is_none_or(|read| now.saturating_sub(read) > MAX_AGE_SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_has_a_reason() {
        let now = 1_800_000_000;
        let fresh = now - CENSUS_PERIOD_SECONDS;
        let stale = now - MAX_AGE_SECONDS - 1;
        let refused = Some("access denied".to_owned());
        for (read, problem, expected) in [
            (Some(fresh), None, None),
            (Some(fresh), refused.clone(), Some("AWS Lambda: access denied")),
            (Some(stale), refused.clone(), Some("AWS Lambda was read last at 2027-01-15T04:59:59Z: access denied")),
            (None, refused, Some("AWS Lambda: access denied")),
            (None, None, Some("AWS Lambda was not read yet")),
        ] {
            let service = ServiceRecord { service: ConsumerService::Lambda, read, problem };
            let record = CensusRecord { ended: fresh, services: vec![service] };
            let found = record.describe_not_read(now);
            assert_eq!(found.first().map(String::as_str), expected, "{record:?}");
            assert_eq!(record.describe_age(now), None);
        }
        let record = CensusRecord { ended: stale, services: Vec::new() };
        assert_eq!(record.describe_age(now).as_deref(), Some("the census ran last at 2027-01-15T04:59:59Z"));
    }
}
