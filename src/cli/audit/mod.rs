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
mod stop;
mod walk;
mod via_lambda;
mod table;
mod sheet;
mod summary;
mod missing;
mod nowhere;
mod circumstances;
mod news;
mod output;
mod requests;
mod settings;
mod arguments;
mod error;

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

pub(super) use self::arguments::Arguments;
use self::arguments::Format;
use self::census::{Census, Counts, Scope};
pub(super) use self::error::Error;
use self::missing::Missing;
use self::pace::Pace;
use self::progress::Progress;
use self::requests::Requests;
use self::results::Results;
use self::summary::Summary;
use self::via_lambda::{Via, Way};
use self::walk::{Asking, End};
use super::page::Heading;
use super::print::Printer;
use super::screen::Screen;
use super::{destination, near};
use crate::aws::{Aws, connector};
use crate::lambda::notify::Notifier;
use crate::lambda::notify::sns::SnsTopic;
use crate::registry::ecr::Ecr;
use crate::runtime::Runtime;
use crate::settings::Settings;
use crate::verdict::Verdict;

pub(super) async fn run<O: Write, E: Write>(
    arguments: Arguments,
    out: &mut Screen<O>,
    err: &mut Screen<E>,
) -> Result<Verdict, super::Error> {
    let mut settings = super::settings()?;
    arguments.inspect.apply(&mut settings.rules);
    let topic = if arguments.notify { Some(settings.topic.clone().ok_or(Error::NoTopic)?) } else { None };
    let runtimes = Some(arguments.runtimes.as_slice()).filter(|runtimes| !runtimes.is_empty());
    let mut results = opened(&arguments, &settings, runtimes.unwrap_or_default())?;

    let requests = Requests::over(connector());
    let aws = super::aws_over(arguments.region.clone(), requests.connector(), Some(Pace::retries())).await;
    let ecr = Ecr::new(&aws, super::endpoint("ECR"));
    let region = ecr.client().config().region().map(ToString::to_string).ok_or(super::Error::NoRegion)?;
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
        asking.walk(census, &mut results, &mut progress).await.map_err(Error::Walk)?
    };
    let done = progress.end();
    // Either way it goes on from here with the same command.
    let was_interrupted = matches!(end, End::Interrupted | End::Broken(_));
    let (is_cut, mut early) = ended(end, &results, &scope, &counts, err)?;
    let missing = Missing::new(done, is_cut, was_interrupted);

    if arguments.no_follow {
        let images = summary::counted(done.answered, "image");
        let group = log_group(&arguments);
        writeln!(out, "{images} handed to the function; its answers go to the log group {group}")?;
        if let Some(error) = early {
            writeln!(out, "interrupted: {} were listed by then", summary::counted(counts.found.get(), "image"))?;
            return Err(error.into());
        }
        return Ok(if missing.is_any() { Verdict::Unknown } else { Verdict::Runs });
    }
    if !was_interrupted {
        results.begin().map_err(Error::Walk)?;
    }
    let mut pipe = Pipe::default();
    pipe.write(output::print(&mut results, &arguments, out))?;
    let (requests, throttled) = (requests.count(), pace.throttled());
    let summary = Summary { results: &results, counts: &counts, done, requests, throttled, was_interrupted };
    // Programs read standard output; people get the summary beside it.
    pipe.write(if arguments.format == Format::Table { summary.write(out) } else { summary.write(err) })?;
    if results.tally.lines() == 0
        && let Some(error) = early.take()
    {
        return Err(error.into());
    }
    let when = circumstances::when(SystemTime::now());
    let (facts, notes) = (circumstances::facts(&scope, results.settings()), missing.sentences());
    let heading = Heading { when: when.as_deref(), settings: &facts, notes: &notes, key: &settings.rules.key };
    output::write(&mut results, &arguments, &heading)?;
    if let Some(error) = early {
        return Err(error.into());
    }
    let verdict = verdict(&results, missing);
    if let (Some(topic), Some(message)) = (topic, news::message(&mut results, missing)?) {
        let printer = Printer::default();
        (&printer).send(&message).await.map_err(Error::from)?;
        let shown = if arguments.format == Format::Table { &mut *out as &mut dyn Write } else { &mut *err };
        pipe.write(writeln!(shown, "\n{}", printer.printed()))?;
        let sns = SnsTopic::new(aws.sns_client(super::endpoint("SNS")), topic);
        match (sns.send(&message).await.map_err(|error| super::Error::from(Error::from(error))), verdict) {
            // That something fails is more than that nobody was told.
            (Err(error), Verdict::Fails) => err.error(None, &error, near::hint(&error).await.as_deref())?,
            (sent, _) => sent?,
        }
    }
    pipe.end()?;
    Ok(verdict)
}

/// The file of results, and every other one that is written at the end, if they can be.
fn opened(arguments: &Arguments, settings: &Settings, runtimes: &[Runtime]) -> Result<Results, super::Error> {
    let words = if arguments.via_lambda {
        format!("function={}", arguments.stack)
    } else {
        settings::words(&settings.rules, runtimes)
    };
    let files = [("--results", &arguments.results), ("--csv", &arguments.csv), ("--html", &arguments.html)];
    destination::distinct(&files.map(|(name, path)| (name, path.as_deref())))?;
    let results = match &arguments.results {
        Some(path) => Results::open(path, arguments.fresh, words),
        None => Results::temporary(words),
    }
    .map_err(Error::from)?;
    [&arguments.csv, &arguments.html].into_iter().flatten().try_for_each(|path| writable(path))?;
    Ok(results)
}

/// Whether something was not listed, and the error that an audit ends with before all is asked.
fn ended<E: Write>(
    end: End,
    results: &Results,
    scope: &Scope,
    counts: &Counts,
    err: &mut Screen<E>,
) -> Result<(bool, Option<Error>), super::Error> {
    match end {
        End::Unlisted(error) if results.tally.lines() == 0 => Err(error.into()),
        End::Unlisted(error) => {
            let error = Error::Unlisted(error);
            let hint = error.hint();
            err.error(None, &error.into(), hint.as_deref())?;
            Ok((true, None))
        }
        End::Complete if counts.in_scope.get() == 0 => {
            let (what, hint) = nowhere::said(scope, counts);
            Err(Error::Nowhere { what, hint }.into())
        }
        End::Complete => Ok((false, None)),
        End::Interrupted => Ok((false, Some(Error::Interrupted))),
        End::Broken(error) => Ok((false, Some(error.into()))),
    }
}

/// What the exit code says.
fn verdict(results: &Results, missing: Missing) -> Verdict {
    if results.tally.of(Verdict::Fails) > 0 {
        Verdict::Fails
    } else if results.tally.of(Verdict::Unknown) > 0 || missing.is_any() {
        Verdict::Unknown
    } else {
        Verdict::Runs
    }
}

/// Says at the beginning what could not be written at the end.
fn writable(path: &Path) -> Result<(), super::Error> {
    let unwritten = |source| super::Error::Unwritten { path: path.display().to_string(), source };
    destination::check(path).map_err(unwritten)
}

/// That the reader of what is printed has seen enough, as `| head` does, is said at the end: files are still to be written.
#[derive(Debug, Default)]
struct Pipe(Option<io::Error>);

impl Pipe {
    fn write(&mut self, written: io::Result<()>) -> io::Result<()> {
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.0 = Some(error);
                Ok(())
            }
            written => written,
        }
    }

    fn end(self) -> io::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
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
