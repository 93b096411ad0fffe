//! `ecr-preflight audit`: the same checks for the images that a registry of Amazon ECR already holds.
//!
//! Does not mark anything, and tells people once, if at all. Images are listed ([`census`]), asked about ([`walk`]) and
//! written down ([`results`]) at the same time; what is printed is read from there at the end.

mod tag_groups;
mod throttle;
mod throttled_registry;
mod lister;
mod row;
mod results_index;
mod results_file;
mod progress;
mod signals;
mod runner;
mod via_lambda;
mod table;
mod csv_output;
mod summary;
mod missing;
mod empty_scope;
mod run_description;
mod notification;
mod output;
mod counting_connector;
mod run_settings;
mod arguments;
mod error;

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

pub(super) use self::arguments::AuditArguments;
use self::arguments::AuditFormat;
use self::counting_connector::CountingConnector;
use self::error::AuditError;
use self::lister::{AuditScope, ImageLister, ListingCounts};
use self::missing::AuditGaps;
use self::progress::AuditProgress;
use self::results_file::ResultsFile;
use self::runner::{AuditEnd, AuditRunner};
use self::summary::AuditSummary;
use self::throttle::AdaptiveLimiter;
use self::via_lambda::{ViaLambda, ViaLambdaOptions};
use super::page::PageHeading;
use super::preview::NotificationPreview;
use super::terminal::StyledOutput;
use super::{output_file, suggest};
use crate::aws::{Aws, default_connector};
use crate::lambda::notify::{Notifier, SnsTopic};
use crate::registry::ecr::EcrRegistry;
use crate::runtime::Runtime;
use crate::settings::Settings;
use crate::verdict::Verdict;

pub(super) async fn run<O: Write, E: Write>(
    arguments: AuditArguments,
    out: &mut StyledOutput<O>,
    err: &mut StyledOutput<E>,
) -> Result<Verdict, crate::cli::error::CliError> {
    let mut settings = crate::cli::context::load_settings()?;
    arguments.inspect.apply(&mut settings.check);
    let topic = if arguments.notify { Some(settings.topic_arn.clone().ok_or(AuditError::NoTopic)?) } else { None };
    let runtimes = Some(arguments.runtimes.as_slice()).filter(|runtimes| !runtimes.is_empty());
    let mut results = open_outputs(&arguments, &settings, runtimes.unwrap_or_default())?;

    let requests = CountingConnector::new(default_connector());
    let aws = crate::cli::context::load_aws_with(
        arguments.region.clone(),
        requests.connector(),
        Some(AdaptiveLimiter::retry_config()),
    )
    .await;
    let ecr = EcrRegistry::new(&aws, crate::cli::context::endpoint_url("ECR"));
    let region =
        ecr.client().config().region().map(ToString::to_string).ok_or(crate::cli::error::CliError::NoRegion)?;
    let (counts, pace) = (ListingCounts::default(), AdaptiveLimiter::new(arguments.concurrency));
    let scope = AuditScope {
        region,
        prefix: arguments.prefix.clone().unwrap_or_default(),
        repositories: arguments.repositories.clone(),
        resource_tags: arguments.resource_tags.clone(),
        newest: (!arguments.all).then_some(arguments.newest),
        // The function has settings of its own.
        ignores_tag_declarations: runtimes.is_some() || !(settings.check.read_image_tags || arguments.via_lambda),
    };
    let census = ImageLister { ecr: &ecr, limiter: &pace, scope: &scope, counts: &counts };
    let mut progress = AuditProgress::new(&counts, &mut *err);
    let end = if arguments.via_lambda {
        let mut via = ViaLambda::new(via_lambda_options(&arguments, &aws));
        Box::pin(via.run(census, &mut results, &mut progress)).await
    } else {
        let inspector = crate::cli::context::build_inspector(&settings.check);
        let width = usize::from(arguments.concurrency);
        let asking = AuditRunner {
            ecr: &ecr,
            limiter: &pace,
            inspector: &inspector,
            rules: &settings.check,
            runtimes,
            concurrency: width,
        };
        asking.run(census, &mut results, &mut progress).await.map_err(AuditError::ResultsIo)?
    };
    let done = progress.finish();
    // Either way it goes on from here with the same command.
    let was_interrupted = matches!(end, AuditEnd::Interrupted | AuditEnd::ViaLambdaFailed(_));
    let (is_cut, mut early) = handle_end(end, &results, &scope, &counts, err)?;
    let missing = AuditGaps::new(done, is_cut, was_interrupted);

    if arguments.no_follow {
        let images = summary::format_count(done.checked, "image");
        let group = log_group_name(&arguments);
        writeln!(out, "{images} handed to the function; its answers go to the log group {group}")?;
        if let Some(error) = early {
            writeln!(
                out,
                "interrupted: {} were listed by then",
                summary::format_count(counts.images_found.get(), "image")
            )?;
            return Err(error.into());
        }
        return Ok(if missing.is_any() { Verdict::Unknown } else { Verdict::Runs });
    }
    if !was_interrupted {
        results.prepare_for_append().map_err(AuditError::ResultsIo)?;
    }
    let mut pipe = DeferredPipeError::default();
    pipe.check(output::print_results(&mut results, &arguments, out))?;
    let (requests, throttled) = (requests.count(), pace.throttle_count());
    let summary = AuditSummary {
        results: &results,
        counts: &counts,
        totals: done,
        requests,
        throttle_count: throttled,
        was_interrupted,
    };
    // Programs read standard output; people get the summary beside it.
    pipe.check(if arguments.format == AuditFormat::Table { summary.write(out) } else { summary.write(err) })?;
    if results.index.line_count() == 0
        && let Some(error) = early.take()
    {
        return Err(error.into());
    }
    let when = run_description::format_time(SystemTime::now());
    let (facts, notes) = (run_description::describe_run(&scope, results.settings()), missing.sentences());
    let heading = PageHeading {
        checked_at: when.as_deref(),
        settings: &facts,
        notes: &notes,
        key: &settings.check.declaration_key,
        docs_url: settings.check.docs_url.as_deref(),
    };
    output::write_files(&mut results, &arguments, &heading)?;
    if let Some(error) = early {
        return Err(error.into());
    }
    let verdict = overall_verdict(&results, missing);
    if let (Some(topic), Some(message)) = (topic, notification::build_message(&mut results, missing)?) {
        let printer = NotificationPreview::default();
        (&printer).send(&message).await.map_err(AuditError::from)?;
        let shown = if arguments.format == AuditFormat::Table { &mut *out as &mut dyn Write } else { &mut *err };
        pipe.check(writeln!(shown, "\n{}", printer.text()))?;
        let sns = SnsTopic::new(aws.sns_client(crate::cli::context::endpoint_url("SNS")), topic);
        match (
            sns.send(&message).await.map_err(|error| crate::cli::error::CliError::from(AuditError::from(error))),
            verdict,
        ) {
            // That something fails is more than that nobody was told.
            (Err(error), Verdict::Fails) => {
                err.write_error(None, &error, suggest::find_hint(&error).await.as_deref())?
            }
            (sent, _) => sent?,
        }
    }
    pipe.finish()?;
    Ok(verdict)
}

/// The file of results, and every other one that is written at the end, if they can be.
fn open_outputs(
    arguments: &AuditArguments,
    settings: &Settings,
    runtimes: &[Runtime],
) -> Result<ResultsFile, crate::cli::error::CliError> {
    let words = if arguments.via_lambda {
        format!("function={}", arguments.stack)
    } else {
        run_settings::describe_settings(&settings.check, runtimes)
    };
    let files = [("--results", &arguments.results), ("--csv", &arguments.csv), ("--html", &arguments.html)];
    output_file::ensure_distinct(&files.map(|(name, path)| (name, path.as_deref())))?;
    let results = match &arguments.results {
        Some(path) => ResultsFile::open(path, arguments.fresh, words),
        None => ResultsFile::create_temporary(words),
    }
    .map_err(AuditError::from)?;
    [&arguments.csv, &arguments.html].into_iter().flatten().try_for_each(|path| ensure_writable(path))?;
    Ok(results)
}

/// Whether something was not listed, and the error that an audit ends with before all is asked.
fn handle_end<E: Write>(
    end: AuditEnd,
    results: &ResultsFile,
    scope: &AuditScope,
    counts: &ListingCounts,
    err: &mut StyledOutput<E>,
) -> Result<(bool, Option<AuditError>), crate::cli::error::CliError> {
    match end {
        AuditEnd::ListingFailed(error) if results.index.line_count() == 0 => Err(error.into()),
        AuditEnd::ListingFailed(error) => {
            let error = AuditError::ListingFailed(error);
            let hint = error.hint();
            err.write_error(None, &error.into(), hint.as_deref())?;
            Ok((true, None))
        }
        AuditEnd::Complete if counts.repositories_in_scope.get() == 0 => {
            let (what, hint) = empty_scope::describe_empty_scope(scope, counts);
            Err(AuditError::EmptyScope { what, hint }.into())
        }
        AuditEnd::Complete => Ok((false, None)),
        AuditEnd::Interrupted => Ok((false, Some(AuditError::Interrupted))),
        AuditEnd::ViaLambdaFailed(error) => Ok((false, Some(error.into()))),
    }
}

/// What the exit code says.
fn overall_verdict(results: &ResultsFile, missing: AuditGaps) -> Verdict {
    if results.index.verdict_count(Verdict::Fails) > 0 {
        Verdict::Fails
    } else if results.index.verdict_count(Verdict::Unknown) > 0 || missing.is_any() {
        Verdict::Unknown
    } else {
        Verdict::Runs
    }
}

/// Says at the beginning what could not be written at the end.
fn ensure_writable(path: &Path) -> Result<(), crate::cli::error::CliError> {
    let unwritten = |source| crate::cli::error::CliError::FileWrite { path: path.display().to_string(), source };
    output_file::check_writable(path).map_err(unwritten)
}

/// That the reader of what is printed has seen enough, as `| head` does, is said at the end: files are still to be written.
#[derive(Debug, Default)]
struct DeferredPipeError(Option<io::Error>);

impl DeferredPipeError {
    fn check(&mut self, written: io::Result<()>) -> io::Result<()> {
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.0 = Some(error);
                Ok(())
            }
            written => written,
        }
    }

    fn finish(self) -> io::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Where the function writes, as the template has it.
fn log_group_name(arguments: &AuditArguments) -> String {
    format!("/aws/lambda/{}", arguments.stack)
}

/// How the deployed function is asked.
fn via_lambda_options(arguments: &AuditArguments, aws: &Aws) -> ViaLambdaOptions {
    let logs = (!arguments.no_follow)
        .then(|| (aws.logs_client(crate::cli::context::endpoint_url("CLOUDWATCH_LOGS")), log_group_name(arguments)));
    ViaLambdaOptions {
        events: aws.events_client(crate::cli::context::endpoint_url("EVENTBRIDGE")),
        logs,
        events_per_second: f64::from(arguments.rate),
        timeout: Duration::from_secs(arguments.timeout),
    }
}
