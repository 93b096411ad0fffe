//! `ecr-preflight audit` checks the images that a registry of Amazon ECR already contains.
//!
//! The images are listed ([`lister`]), checked here ([`runner`]) or by the deployed function ([`via_lambda`]), and written
//! to a file ([`results_file`]) at the same time. At the end the file is read again, printed ([`output`]) and summarized
//! ([`summary`], [`notification`]), with what runs each image if that was read before ([`region_consumers`]). No image gets a
//! verdict tag.

mod arguments;
mod scope;
mod throttle;
mod error;
mod region_consumers;
mod lister;
mod results_index;
mod result_line;
mod finding_filter;
mod results_file;
mod progress;
mod runner;
mod read_consumers;
mod via_lambda;
mod use_summary;
mod summary;
mod table_cells;
mod table;
mod output;
mod notification;

use std::io::{self, ErrorKind, Write};
use std::rc::Rc;
use std::time::SystemTime;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;

pub(super) use self::arguments::AuditArguments;
use self::arguments::AuditFormat;
use self::error::{AuditEnd, AuditError};
use self::finding_filter::FindingFilter;
use self::lister::ImageLister;
use self::progress::AuditProgress;
use self::read_consumers::read_region_consumers;
use self::results_file::ResultsFile;
use self::runner::AuditRunner;
use self::scope::{AuditScope, ListingCounts};
use self::summary::AuditSummary;
use self::throttle::{AdaptiveLimiter, CountingConnector};
use self::use_summary::UseSummary;
use super::config::Configuration;
use super::context::{build_inspector, endpoint_url, load_aws_with, load_settings};
use super::error::CliError;
use super::image_outcome::ImageOutcome;
use super::page::PageHeading;
use super::preview::NotificationPreview;
use super::suggest;
use super::terminal::StyledOutput;
use crate::aws::{Aws, default_connector};
use crate::lambda::notify::{Message, Notifier, SnsTopic};
use crate::registry::ecr::EcrRegistry;
use crate::verdict::Verdict;

pub(super) async fn run<O: Write, E: Write>(
    arguments: AuditArguments,
    out: &mut StyledOutput<O>,
    err: &mut StyledOutput<E>,
) -> Result<Verdict, CliError> {
    let mut settings = load_settings()?;
    arguments.inspect.apply(&mut settings.check);
    let configuration = arguments.config.load(err)?;
    let topic = if arguments.notify { Some(settings.topic_arn.clone().ok_or(AuditError::NoTopic)?) } else { None };
    let runtimes = Some(arguments.runtimes.as_slice()).filter(|runtimes| !runtimes.is_empty());
    let today = configuration.waivers.today;
    let filter = FindingFilter::new(configuration.waivers.clone(), arguments.baseline.as_deref(), err)?;
    let mut results = output::open_outputs(&arguments, &settings, runtimes.unwrap_or_default(), filter)?;

    if arguments.consumers {
        results.consumers = Some(Rc::new(Box::pin(read_region_consumers(arguments.region.clone(), err)).await?));
    }
    let consumers = results.consumers.clone();
    let requests = CountingConnector::new(default_connector());
    let retries = Some(AdaptiveLimiter::retry_config());
    let aws = load_aws_with(arguments.region.clone(), SharedHttpConnector::new(requests.clone()), retries).await;
    let ecr = EcrRegistry::new(&aws, endpoint_url("ECR"));
    let region = ecr.client().config().region().map(ToString::to_string).ok_or(CliError::NoRegion)?;
    let (counts, limiter) = (ListingCounts::default(), AdaptiveLimiter::new(arguments.concurrency));
    let scope = AuditScope::new(&arguments, region, &settings.check);
    let consumers = consumers.as_deref();
    let lister = ImageLister { ecr: &ecr, limiter: &limiter, scope: &scope, counts: &counts, consumers };
    let mut progress = AuditProgress::new(&counts, &mut *err);
    let end = if arguments.via_lambda {
        Box::pin(via_lambda::run(&arguments, &aws, lister, &mut results, &mut progress)).await
    } else {
        let runner = AuditRunner {
            lister,
            inspector: &build_inspector(&settings.check),
            settings: &settings.check,
            runtimes,
            today,
            concurrency: usize::from(arguments.concurrency),
        };
        runner.run(&mut results, &mut progress).await.map_err(AuditError::ResultsIo)?
    };
    let totals = progress.finish();
    let (requests, throttle_count) = (requests.count(), limiter.throttle_count.get());
    // In both cases the same command resumes from here.
    let was_interrupted = matches!(end, AuditEnd::Interrupted | AuditEnd::ViaLambdaFailed(_));
    let (is_listing_incomplete, mut early) = handle_end(end, &results, &scope, &counts, err)?;
    let in_use = UseSummary::build(&mut results).map_err(AuditError::ResultsIo)?;
    let counts = &counts;
    let summary =
        AuditSummary { counts, totals, requests, throttle_count, is_listing_incomplete, was_interrupted, in_use };

    if arguments.no_follow {
        let images = summary::format_count(totals.checked, "image");
        writeln!(out, "{images} sent to the function; its log group is {}", arguments.log_group())?;
        if let Some(error) = early {
            writeln!(out, "{}", summary::format_interruption(counts))?;
            return Err(error.into());
        }
        return Ok(if summary.is_complete() { Verdict::Runs } else { Verdict::Unknown });
    }
    if !was_interrupted {
        results.prepare_for_append().map_err(AuditError::ResultsIo)?;
    }
    let mut broken_pipe = Ok(());
    defer_broken_pipe(output::print_results(&mut results, &arguments, out), &mut broken_pipe)?;
    let (has_table, is_quiet) = (arguments.format == AuditFormat::Table, err.is_quiet());
    // Programs read the other formats from standard output.
    let shown = if has_table { &mut *out as &mut dyn Write } else { &mut *err };
    if has_table || !is_quiet {
        let written = write_summary(&summary, &results, &configuration, &scope, shown);
        defer_broken_pipe(written, &mut broken_pipe)?;
    }
    if results.index.counts.images == 0
        && let Some(error) = early.take()
    {
        return Err(error.into());
    }
    let checked_at = scope::format_time(SystemTime::now());
    let heading = PageHeading {
        checked_at: checked_at.as_deref(),
        settings: &scope::describe_run(&scope, &results.settings),
        notes: &summary.gap_sentences(),
        declaration_key: &settings.check.declaration_key,
        docs_url: settings.check.docs_url.as_deref(),
    };
    output::write_files(&mut results, &arguments, &heading)?;
    let wrote = output::format_written_files(&results, &arguments);
    if !wrote.is_empty() {
        defer_broken_pipe(write_status(has_table, out, err, &format!("wrote {wrote}")), &mut broken_pipe)?;
    }
    if let Some(error) = early {
        return Err(error.into());
    }
    let verdict = overall_verdict(&results, &summary);
    if let (Some(topic), Some(message)) = (topic, notification::build_message(&mut results, &summary)?) {
        let preview = NotificationPreview::default();
        (&preview).send(&message).await.map_err(AuditError::from)?;
        defer_broken_pipe(write_status(has_table, out, err, &format!("\n{}", preview.text())), &mut broken_pipe)?;
        match (notify(&aws, topic, &message).await, verdict) {
            // A failing image matters more than a failed notification.
            (Err(error), Verdict::Fails) => {
                err.write_error(None, &error, suggest::find_hint(&error).await.as_deref())?;
            }
            (sent, _) => sent?,
        }
    }
    broken_pipe?;
    Ok(verdict)
}

/// Writes a status beside the results: to standard output only if these are for people.
fn write_status<O: Write, E: Write>(
    has_table: bool,
    out: &mut StyledOutput<O>,
    err: &mut StyledOutput<E>,
    status: &str,
) -> io::Result<()> {
    if has_table { out.write_status(status) } else { err.write_status(status) }
}

/// Returns whether the list of repositories is incomplete, and the error of an audit that ended before all images were
/// checked.
fn handle_end<E: Write>(
    end: AuditEnd,
    results: &ResultsFile,
    scope: &AuditScope,
    counts: &ListingCounts,
    err: &mut StyledOutput<E>,
) -> Result<(bool, Option<AuditError>), CliError> {
    match end {
        AuditEnd::ListingFailed(error) if results.index.counts.images == 0 => Err(error.into()),
        AuditEnd::ListingFailed(error) => {
            let error = AuditError::ListingFailed(error);
            let hint = error.hint();
            err.write_error(None, &error.into(), hint.as_deref())?;
            Ok((true, None))
        }
        AuditEnd::Complete if counts.repositories_in_scope.get() == 0 => {
            let (message, hint) = scope::describe_empty_scope(scope, counts);
            Err(AuditError::EmptyScope { message, hint }.into())
        }
        AuditEnd::Complete => Ok((false, None)),
        AuditEnd::Interrupted => Ok((false, Some(AuditError::Interrupted))),
        AuditEnd::ViaLambdaFailed(error) => Ok((false, Some(error.into()))),
    }
}

/// Writes the summary and, after a complete audit of all repositories, the waivers that matched nothing: one of them may be
/// for an image that any other audit leaves out.
fn write_summary(
    summary: &AuditSummary<'_>,
    results: &ResultsFile,
    configuration: &Configuration,
    scope: &AuditScope,
    mut out: &mut dyn Write,
) -> io::Result<()> {
    summary.write(results, &mut out)?;
    if !summary.is_complete() || !scope.is_whole_registry() {
        return Ok(());
    }
    let used: Vec<usize> = results.filter.used_waivers.iter().copied().collect();
    configuration.describe_unused(&used).iter().try_for_each(|sentence| writeln!(out, "{sentence}"))
}

/// Returns the verdict for the exit code.
fn overall_verdict(results: &ResultsFile, summary: &AuditSummary<'_>) -> Verdict {
    let has_unread_consumers = summary.in_use.as_ref().is_some_and(UseSummary::is_incomplete);
    if results.index.counts.of_outcome(ImageOutcome::Fails) > 0 {
        Verdict::Fails
    } else if results.index.counts.of_outcome(ImageOutcome::Unknown) > 0
        || !summary.is_complete()
        || has_unread_consumers
    {
        Verdict::Unknown
    } else {
        Verdict::Runs
    }
}

async fn notify(aws: &Aws, topic: String, message: &Message) -> Result<(), CliError> {
    let topic = SnsTopic::new(aws.sns_client(endpoint_url("SNS")), topic);
    Ok(topic.send(message).await.map_err(AuditError::from)?)
}

/// Moves a broken pipe, as `| head` causes it, to `deferred`, because files are still to be written.
fn defer_broken_pipe(written: io::Result<()>, deferred: &mut io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => *deferred = Err(error),
        written => written?,
    }
    Ok(())
}
