//! The command line of `audit`.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};

use crate::cli::config::ConfigArguments;
use crate::cli::context::InspectArguments;
use crate::cli::runtime_argument::RuntimeParser;
use crate::runtime::Runtime;

/// Check the images that a registry of Amazon ECR already contains.
///
/// Without --runtime, each image is checked for the runtimes that its tags, its repository's resource tag or its label
/// declare. Tags of one image that declare nothing share one result.
///
/// Results are written to the results file as they arrive. After an interruption, the same command resumes with the images
/// that are missing or could not be read.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(in crate::cli) struct AuditArguments {
    /// Only repositories whose names begin with this prefix.
    #[arg(long)]
    pub(super) prefix: Option<String>,
    /// Only this repository; can be repeated.
    #[arg(long = "repository", value_name = "NAME", conflicts_with = "prefix")]
    pub(super) repositories: Vec<String>,
    /// Only repositories with this resource tag; if repeated, with all of them.
    #[arg(long = "where", value_name = "KEY=VALUE", value_parser = parse_key_value)]
    pub(super) resource_tags: Vec<(String, String)>,
    /// Only the N images of each repository that were pushed last.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_NEWEST, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(super) newest: usize,
    /// Every tagged image.
    #[arg(long, conflicts_with = "newest")]
    pub(super) all: bool,
    /// The region of the registry; by default that of the environment or the profile.
    #[arg(long)]
    pub(super) region: Option<String>,
    /// The runtime of all images, whatever they declare; can be repeated.
    #[arg(long = "runtime", visible_alias = "platform", value_name = "RUNTIME", value_delimiter = ',', value_parser = RuntimeParser)]
    pub(super) runtimes: Vec<Runtime>,
    #[command(flatten)]
    pub(super) inspect: InspectArguments,
    #[command(flatten)]
    pub(super) config: ConfigArguments,
    /// Keep the results in this file, one report a line. Images that it already contains are not checked again.
    #[arg(long, value_name = "FILE")]
    pub(super) results: Option<PathBuf>,
    /// Compare with the results file of an earlier audit: only new findings count. A finding is known if the same repository
    /// had the same fault on the same runtime.
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    /// Overwrite the results file.
    #[arg(long, requires = "results")]
    pub(super) fresh: bool,
    /// Write all results as CSV, a row for each image and runtime.
    #[arg(long, value_name = "FILE")]
    pub(super) csv: Option<PathBuf>,
    /// Write all results as an HTML page.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Also show what runs each image. This reads the services that `consumers` reads, in the region of the registry, with the
    /// same permissions. Verdicts do not change: `consumers --check` checks images for what runs them.
    #[arg(long)]
    pub(super) consumers: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t = AuditFormat::Table)]
    pub(super) format: AuditFormat,
    /// Show images without problems in the table or in Markdown, too.
    #[arg(long)]
    pub(super) all_rows: bool,
    /// How many images to check at once; fewer while AWS throttles.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CONCURRENCY, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) concurrency: u16,
    /// Let the deployed function check the images: this tool only lists them, sends them to the function as events, and
    /// reads the reports from its log. The function's settings apply.
    #[arg(long, conflicts_with_all = ["runtimes", "no_exec", "concurrency"])]
    pub(super) via_lambda: bool,
    /// The function's stack, for --via-lambda. Its log group is /aws/lambda/STACK.
    #[arg(long, value_name = "STACK", default_value = "ecr-preflight", requires = "via_lambda")]
    pub(super) stack: String,
    /// The highest number of events a second, for --via-lambda; fewer while the event bus refuses them.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_EVENTS_PER_SECOND, requires = "via_lambda", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) rate: u32,
    /// Do not wait for the reports, for --via-lambda: they stay in the function's log.
    #[arg(long, requires = "via_lambda", conflicts_with_all = ["results", "baseline", "csv", "html", "notify", "consumers"])]
    pub(super) no_follow: bool,
    /// How many seconds to wait for the next report, for --via-lambda.
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_TIMEOUT_SECONDS, requires = "via_lambda")]
    pub(super) timeout: u64,
    /// Send one message about failing and unknown images to the topic of the setting `PREFLIGHT_TOPIC_ARN`, if there are any.
    #[arg(long)]
    pub(super) notify: bool,
}

/// The images in use are usually among the last ones; older ones are kept to roll back.
const DEFAULT_NEWEST: usize = 10;

/// Calls take some 20 milliseconds, so 16 make at most 800 a second: less than half of what an account allows for
/// `BatchGetImage` (2000 a second) and `GetDownloadUrlForLayer` (3000) by default, so that deployments can still pull.
const DEFAULT_CONCURRENCY: u16 = 16;

/// For each event the function makes some five calls to Amazon ECR, two of them `BatchGetImage`: a twentieth of what an
/// account allows. Lambda needs as many concurrent executions as events a second times the duration of one in seconds.
const DEFAULT_EVENTS_PER_SECOND: u32 = 50;

/// The function's own timeout for one image.
const DEFAULT_TIMEOUT_SECONDS: u64 = 300;

/// The output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AuditFormat {
    /// For people: failing and unknown images, and a summary.
    Table,
    /// For programs: every report, one a line.
    Jsonl,
    /// For spreadsheets: every image and runtime.
    Csv,
    /// For issues and pull requests: failing and unknown images.
    Markdown,
}

impl AuditArguments {
    /// The function's log group, as the template names it.
    pub(super) fn log_group(&self) -> String {
        format!("/aws/lambda/{}", self.stack)
    }
}

const EXAMPLES: &str = "\
Examples:
  ecr-preflight audit --prefix team/ --results team.jsonl
  ecr-preflight audit --all --where env=prod --results prod.jsonl --csv prod.csv
  ecr-preflight audit --repository team/app --runtime lambda/arm64 --no-exec
  ecr-preflight audit --all --via-lambda --results all.jsonl --html all.html
  ecr-preflight audit --consumers --html in-use.html

Exit codes:
  0    no image fails
  1    an image fails, by a fault that is neither waived nor in the baseline
  2    no image fails, but one is unknown or could not be read; or with --consumers, a service
       could not be read completely
  3    an error ended the audit
  64   the command line or a setting is wrong
  130  interrupted";

fn parse_key_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
