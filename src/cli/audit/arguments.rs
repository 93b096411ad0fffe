//! What `audit` can be told.
//!
//! Does not do it.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};

use crate::runtime::Runtime;

/// Check the images that a registry of Amazon ECR already holds.
///
/// Without --runtime, what an image's tags, its repository's resource tag or its label declare counts. Tags of one image that
/// declare nothing share one answer.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(in crate::cli) struct AuditArguments {
    /// Only repositories whose names begin so.
    #[arg(long)]
    pub(super) prefix: Option<String>,
    /// Only this repository; may be given several times.
    #[arg(long = "repository", value_name = "NAME", conflicts_with = "prefix")]
    pub(super) repositories: Vec<String>,
    /// Only repositories with this resource tag; given several times, all of them must be there.
    #[arg(long = "where", value_name = "KEY=VALUE", value_parser = parse_key_value)]
    pub(super) resource_tags: Vec<(String, String)>,
    /// So many images of each repository, those that were pushed last.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_NEWEST, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(super) newest: usize,
    /// Every tagged image.
    #[arg(long, conflicts_with = "newest")]
    pub(super) all: bool,
    /// The region of the registry; without it, that of the environment or the profile.
    #[arg(long)]
    pub(super) region: Option<String>,
    /// Where all of them are meant to run, whatever they declare; may be given several times.
    #[arg(long = "runtime", value_name = "RUNTIME", value_parser = crate::cli::context::parse_runtime)]
    pub(super) runtimes: Vec<Runtime>,
    #[command(flatten)]
    pub(super) inspect: crate::cli::context::InspectArguments,
    /// Keep the results in this file, one report a line; what it holds already is not asked about again.
    #[arg(long, value_name = "FILE")]
    pub(super) results: Option<PathBuf>,
    /// Begin the file of results anew.
    #[arg(long, requires = "results")]
    pub(super) fresh: bool,
    /// Write a sheet of all results, a row for each image and runtime.
    #[arg(long, value_name = "FILE")]
    pub(super) csv: Option<PathBuf>,
    /// Write a page of all results, for a browser.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// What to print.
    #[arg(long, value_enum, default_value_t = AuditFormat::Table)]
    pub(super) format: AuditFormat,
    /// Show in the table what is sound, too.
    #[arg(long)]
    pub(super) all_rows: bool,
    /// How many images to ask about at once; fewer while the service throttles.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CONCURRENCY, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) concurrency: u16,
    /// Have the deployed function ask: this tool only lists the images, hands them to it as events, and reads its answers
    /// from its log. The function's settings count then.
    #[arg(long, conflicts_with_all = ["runtimes", "no_exec", "concurrency"])]
    pub(super) via_lambda: bool,
    /// The function's stack, for --via-lambda; its log is /aws/lambda/STACK.
    #[arg(long, value_name = "STACK", default_value = "ecr-preflight", requires = "via_lambda")]
    pub(super) stack: String,
    /// How many events a second at most, for --via-lambda; fewer where the bus refuses them.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_EVENTS_PER_SECOND, requires = "via_lambda", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) rate: u32,
    /// Do not wait for the answers, for --via-lambda: they are in the function's log.
    #[arg(long, requires = "via_lambda", conflicts_with_all = ["results", "csv", "html", "notify"])]
    pub(super) no_follow: bool,
    /// How many seconds to wait where no further answer comes, for --via-lambda.
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_TIMEOUT_SECONDS, requires = "via_lambda")]
    pub(super) timeout: u64,
    /// Tell the topic of the setting `PREFLIGHT_TOPIC_ARN` what was found, in one message; nothing where there is nothing.
    #[arg(long)]
    pub(super) notify: bool,
}

/// What runs is most often among the last images; older ones are there for going back.
const DEFAULT_NEWEST: usize = 10;

/// With calls of some 20 milliseconds, 16 make at most 800 a second: less than the half of what `BatchGetImage` (2000 a
/// second) and `GetDownloadUrlForLayer` (3000) allow an account by default, so that deployments beside it still pull.
const DEFAULT_CONCURRENCY: u16 = 16;

/// Each event makes some five calls of the function's to Amazon ECR, two of them `BatchGetImage`: a twentieth of what that
/// allows. Lambda needs as many invocations at once as a second has events, times the seconds that one takes.
const DEFAULT_EVENTS_PER_SECOND: u32 = 50;

/// As long as the function may take for one image.
const DEFAULT_TIMEOUT_SECONDS: u64 = 300;

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AuditFormat {
    /// For people: what fails or cannot be told, and a summary.
    Table,
    /// For programs: every report, one a line.
    Jsonl,
    /// For spreadsheets: every image and runtime.
    Csv,
}

const EXAMPLES: &str = "\
Examples:
  ecr-preflight audit --prefix team/ --results team.jsonl
  ecr-preflight audit --all --where env=prod --results prod.jsonl --csv prod.csv
  ecr-preflight audit --repository team/app --runtime lambda/arm64 --no-exec
  ecr-preflight audit --all --via-lambda --results all.jsonl --html all.html

A file of results is written as answers come. Interrupted or killed, the same command goes on with
what is missing, and asks again about what could not be read.

Exit code: 0 nothing fails; 1 something fails; 2 nothing fails, but something could not be told or read; 64 the command line or a setting is wrong; 130 interrupted";

fn parse_key_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
