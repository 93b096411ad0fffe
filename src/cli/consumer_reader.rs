//! Reads consumers from AWS for the commands, with progress, and says what could not be read.

use std::cell::RefCell;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::aws_failure::AwsFailure;
use super::context::{endpoint_url, load_aws_with};
use super::error::CliError;
use super::terminal::StyledOutput;
use crate::aws::{Aws, default_connector};
use crate::census::{Census, CensusCache, NoStore, NotRead, PacedConnector, read_consumers};
use crate::consumer::ConsumerService;
use crate::text::sanitize;

/// How often a line is written without a terminal.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The longest answer of a service that is shown, in characters.
const MAX_ANSWER: usize = 200;

/// Loads the AWS configuration, with calls within the rates of the services.
pub(super) async fn load_paced_aws(region: Option<String>) -> Aws {
    let connector = PacedConnector::new(default_connector());
    load_aws_with(region, SharedHttpConnector::new(connector), None).await
}

/// Reads what runs images from these services.
///
/// # Errors
/// Every service refuses the caller: its credentials are missing, expired or wrong.
pub(super) async fn read_census<E: Write>(
    aws: &Aws,
    services: &[ConsumerService],
    err: &mut StyledOutput<E>,
) -> Result<Census, CliError> {
    let progress = ReadProgress::new(err);
    let census = read_consumers(aws, services, endpoint_url, &CensusCache::default(), &NoStore, &|count| {
        progress.show(&format!("reading what runs images: {count} found"));
    })
    .await;
    progress.finish();
    refuse_caller(census, services)
}

/// Returns an error if nothing could be read because of the caller.
fn refuse_caller(mut census: Census, services: &[ConsumerService]) -> Result<Census, CliError> {
    let is_of_caller = |failure: &NotRead| AwsFailure::find(failure).is_some_and(|found| found.is_of_caller());
    let is_refused = |service| census.not_read.iter().any(|one| one.service == service && is_of_caller(one));
    if !census.consumers.is_empty() || !services.iter().all(|service| is_refused(*service)) {
        return Ok(census);
    }
    let first = census.not_read.iter().position(is_of_caller).expect("a service refused the caller");
    let failure = census.not_read.swap_remove(first);
    let found = AwsFailure::find(&failure);
    let hint = found.as_ref().and_then(|found| found.hint(&failure));
    Err(CliError::Command { source: failure.into(), hint, is_usage: false })
}

/// Describes in one line what could not be read: `AWS Lambda: lambda:ListFunctions: access denied`.
pub(super) fn describe_not_read(failure: &NotRead, region: &str) -> String {
    let NotRead { service, action, count, resource, .. } = failure;
    let on = match (resource.as_str(), *count) {
        ("", 1) => String::new(),
        ("", count) => format!(" ({count} calls)"),
        (resource, 1) => format!(" of {}", sanitize(resource, MAX_ANSWER)),
        (resource, count) => format!(" of {} and {} more", sanitize(resource, MAX_ANSWER), count - 1),
    };
    format!("{}: {action}{on}: {}", service.title(), describe_reason(failure, region))
}

/// Describes why a call failed.
pub(super) fn describe_reason(failure: &NotRead, region: &str) -> String {
    let found = AwsFailure::find(failure);
    let may_be_missing = matches!(found, Some(AwsFailure::Unreachable(_) | AwsFailure::UnknownAccessKey));
    let problem = found.and_then(|found| found.problem());
    let problem = problem.unwrap_or_else(|| sanitize(&failure.source.to_string(), MAX_ANSWER));
    if may_be_missing { format!("{problem}; the service may not exist in {region}") } else { problem }
}

/// How far a command is: on a terminal a line that changes, otherwise a line from time to time.
pub(super) struct ReadProgress<'a, E> {
    bar: Option<ProgressBar>,
    err: RefCell<(&'a mut StyledOutput<E>, Instant)>,
}

impl<'a, E: Write> ReadProgress<'a, E> {
    pub(super) fn new(err: &'a mut StyledOutput<E>) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is valid");
        let bar = (!err.is_quiet() && stderr().is_terminal())
            .then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5)).with_style(style));
        Self { bar, err: RefCell::new((err, Instant::now())) }
    }

    pub(super) fn show(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
            bar.tick();
            return;
        }
        let (err, last_logged) = &mut *self.err.borrow_mut();
        if last_logged.elapsed() >= LOG_INTERVAL {
            *last_logged = Instant::now();
            // If standard error is closed, the results are all that is left.
            let _ = err.write_status(text);
        }
    }

    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
