//! `ecr-preflight audit`: the same checks for the images that a registry of Amazon ECR already holds.
//!
//! Does not mark anything, and tells people once, if at all. Images are listed ([`census`]), asked about ([`walk`]) and
//! written down ([`results`]) at the same time; what is printed is read from there at the end.

mod sharing;
mod pace;
mod patient;
mod census;
mod row;
mod tally;
mod results;
mod progress;
mod walk;
mod via_lambda;
mod table;
mod sheet;
mod summary;
mod news;
mod output;
mod requests;
mod settings;
mod arguments;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

pub(super) use self::arguments::Arguments;
use self::arguments::Format;
use self::census::{Census, Counts, Scope};
use self::pace::Pace;
use self::progress::Progress;
use self::requests::Requests;
use self::results::{Results, ResultsError};
use self::summary::Summary;
use self::via_lambda::{FollowError, Via, ViaError, Way};
use self::walk::{Asking, End};
use super::print::Printer;
use super::screen::Screen;
use crate::aws::{Aws, connector};
use crate::log;
use crate::notify::Notifier;
use crate::notify::sns::SnsTopic;
use crate::verdict::Verdict;

/// What keeps an audit from beginning, or from being told.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Results(#[from] ResultsError),
    #[error("{} cannot be written", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("nobody would be told: PREFLIGHT_TOPIC_ARN is not set")]
    NoTopic,
    #[error("no region is set")]
    NoRegion,
    #[error(transparent)]
    Notify(#[from] crate::notify::NotifyError),
    #[error(transparent)]
    Via(#[from] ViaError),
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Results(ResultsError::Settings { .. }) => {
                "use the same settings, another file, or `--fresh` to begin anew"
            }
            Self::Results(ResultsError::Foreign { .. } | ResultsError::ForeignEnd { .. }) => {
                "it was left as it is; name another file"
            }
            Self::Via(ViaError::Follow(FollowError::NoGroup { .. })) => "name the function's stack by `--stack`",
            Self::Via(ViaError::Silent { .. }) => {
                "look at the function's log and alarms; `--patience` waits longer, and a lower `--rate` asks more slowly"
            }
            Self::NoTopic => "set it to the ARN of the topic that the function tells",
            Self::NoRegion => "name it by `--region`, AWS_REGION or the profile",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

pub(super) async fn run<O: Write, E: Write>(
    arguments: Arguments,
    out: &mut Screen<O>,
    err: &mut Screen<E>,
) -> Result<Verdict, super::Error> {
    let mut settings = super::settings()?;
    arguments.inspect.apply(&mut settings.rules);
    let topic = if arguments.notify { Some(settings.topic.clone().ok_or(Error::NoTopic)?) } else { None };
    let runtimes = Some(arguments.runtimes.as_slice()).filter(|runtimes| !runtimes.is_empty());
    let words = if arguments.via_lambda {
        format!("function={}", arguments.stack)
    } else {
        settings::words(&settings.rules, runtimes.unwrap_or_default())
    };
    let mut results = match &arguments.results {
        Some(path) => Results::open(path, arguments.fresh, words),
        None => Results::temporary(words),
    }
    .map_err(Error::from)?;
    [&arguments.csv, &arguments.html].into_iter().flatten().try_for_each(|path| output::writable(path))?;

    let requests = Requests::over(connector());
    let aws = super::aws_over(arguments.region.clone(), requests.connector(), Some(Pace::retries())).await;
    let ecr = aws.ecr(super::endpoint("ECR"));
    let region = ecr.client().config().region().map(ToString::to_string).ok_or(Error::NoRegion)?;
    let (counts, pace) = (Counts::default(), Pace::new(arguments.concurrency));
    let scope = Scope {
        region,
        prefix: arguments.prefix.clone().unwrap_or_default(),
        names: arguments.repositories.clone(),
        tagged: arguments.tagged.clone(),
        newest: (!arguments.all).then_some(arguments.newest),
        // The function has settings of its own.
        are_tags_silent: runtimes.is_some() || !(settings.rules.image_tags || arguments.via_lambda),
    };
    let census = Census { ecr: &ecr, pace: &pace, scope: &scope, counts: &counts };
    let mut progress = Progress::new(&counts, &mut *err);
    let end = if arguments.via_lambda {
        let mut via = Via::new(way(&arguments, &aws));
        Box::pin(via.walk(census, &mut results, &mut progress)).await
    } else {
        let inspector = super::inspector(&settings.rules);
        let width = usize::from(arguments.concurrency);
        let asking = Asking { ecr: &ecr, pace: &pace, inspector: &inspector, rules: &settings.rules, runtimes, width };
        asking.walk(census, &mut results, &mut progress).await?
    };
    let done = progress.end();
    // Either way it goes on from here with the same command.
    let was_interrupted = matches!(end, End::Interrupted | End::Broken(_));
    let mut early = None;
    let is_unlisted = match end {
        End::Unlisted(error) if results.tally.lines() == 0 => return Err(error.into()),
        End::Unlisted(error) => {
            writeln!(err, "error: not all repositories were listed: {}", log::chain(&error))?;
            true
        }
        End::Interrupted => {
            early = Some(Error::Interrupted);
            false
        }
        End::Broken(error) => {
            early = Some(error.into());
            false
        }
        End::Complete => false,
    };

    if arguments.no_follow {
        writeln!(
            out,
            "{} handed to the function; its answers go to the log group {}",
            summary::counted(done.answered, "image"),
            log_group(&arguments)
        )?;
        if let Some(error) = early {
            writeln!(out, "interrupted: {} were listed by then", summary::counted(counts.found.get(), "image"))?;
            return Err(error.into());
        }
        let is_whole = done.unread == 0 && !is_unlisted;
        return Ok(if is_whole { Verdict::Runs } else { Verdict::Unknown });
    }
    output::print(&mut results, &arguments, out)?;
    let (requests, throttled) = (requests.count(), pace.throttled());
    let summary = Summary { results: &results, counts: &counts, done, requests, throttled, was_interrupted };
    // Programs read standard output; people get the summary beside it.
    if arguments.format == Format::Table { summary.write(out) } else { summary.write(err) }?;
    output::write(&mut results, &arguments, &settings.rules.key)?;
    if let Some(error) = early {
        return Err(error.into());
    }
    if let (Some(topic), Some(message)) = (topic, news::message(&mut results)?) {
        let printer = Printer::default();
        (&printer).send(&message).await.map_err(Error::from)?;
        let shown = if arguments.format == Format::Table { &mut *out as &mut dyn Write } else { err };
        writeln!(shown, "\n{}", printer.printed())?;
        let sns = SnsTopic::new(aws.sns_client(super::endpoint("SNS")), topic);
        sns.send(&message).await.map_err(Error::from)?;
    }
    let tally = &results.tally;
    Ok(if tally.of(Verdict::Fails) > 0 {
        Verdict::Fails
    } else if tally.of(Verdict::Unknown) > 0 || done.unread > 0 || is_unlisted {
        Verdict::Unknown
    } else {
        Verdict::Runs
    })
}

/// Where the function writes, as the template has it.
fn log_group(arguments: &Arguments) -> String {
    format!("/aws/lambda/{}", arguments.stack)
}

/// How the deployed function is asked.
fn way(arguments: &Arguments, aws: &Aws) -> Way {
    let logs =
        (!arguments.no_follow).then(|| (aws.logs_client(super::endpoint("CLOUDWATCH_LOGS")), log_group(arguments)));
    Way {
        events: aws.events_client(super::endpoint("EVENTBRIDGE")),
        logs,
        rate: f64::from(arguments.rate),
        patience: Duration::from_secs(arguments.patience),
    }
}
