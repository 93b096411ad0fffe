//! `ecr-preflight check IMAGE…`: images, before or after their push.
//!
//! Does not write anywhere but to its outputs.

mod checker;
mod printer;
mod json;
mod sarif;
mod junit;
mod platforms;

use std::io::Write;

use clap::{Args, ValueEnum};
use futures_util::{StreamExt, stream};

use self::checker::{CheckFailure, Checker};
pub(super) use self::json::ERROR_SCHEMA;
use self::printer::CheckPrinter;
pub use self::sarif::report_to_sarif;
use super::image_ref::ImageArgument;
use super::image_source::{self, ImageOpener};
use super::suggest;
use super::terminal::StyledOutput;
use crate::cli::error::CliError;
use crate::runtime::Runtime;
use crate::verdict::Verdict;

/// Check images against the runtimes that they are meant for.
///
/// Without --runtime, what an image's tag, its repository's resource tag or its label declares counts.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckArguments {
    /// `oci:DIR[:TAG|@DIGEST]` for an OCI image layout, `oci-archive:FILE[:TAG|@DIGEST]` for a tar archive of one,
    /// `docker-archive:FILE[:[REPOSITORY:]TAG]` for what `docker save` writes, the URI of an image in Amazon ECR, or
    /// `HOST[:PORT]/REPO[:TAG][@DIGEST]` for one in any other registry, with docker's credentials; without HOST, Docker
    /// Hub.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Where they are meant to run; may be given several times.
    #[arg(long = "runtime", value_name = "RUNTIME", value_parser = crate::cli::context::parse_runtime)]
    runtimes: Vec<Runtime>,
    /// Say on standard error how much was read, and how long it took.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    inspect: crate::cli::context::InspectArguments,
    /// Show what each image holds, platform by platform, and what its programs are made for, whatever the runtime.
    #[arg(long, conflicts_with = "runtimes")]
    platforms: bool,
    /// What to print.
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    format: CheckFormat,
    /// Where SARIF shows findings: the file that the images are built from, as a path from the top of the repository.
    #[arg(long, value_name = "FILE", default_value = "Dockerfile")]
    dockerfile: String,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    /// For people.
    Text,
    /// For programs: one object, schema `ecr-preflight/1`; of several images, one on each line.
    Json,
    /// For code scanning, GitHub's for example: one SARIF 2.1.0 log.
    Sarif,
    /// For CI servers: one `JUnit` report, a test suite for each image.
    Junit,
}

const EXAMPLES: &str = "\
Examples:
  ecr-preflight check oci:image:v1 --runtime ecs/arm64 --runtime apprunner
  ecr-preflight check oci:image@sha256:3c949327… --runtime lambda/amd64 --format json
  ecr-preflight check docker-archive:image.tar --runtime ecs/amd64
  ecr-preflight check 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1
  ecr-preflight check public.ecr.aws/docker/library/busybox:1.37 --runtime ecs/arm64
  ecr-preflight check oci-archive:api.tar oci-archive:worker.tar --runtime ecs/arm64 --format sarif
  ecr-preflight check --platforms grafana/grafana:11.4.0

Exit code: 1 if any image fails; else 2 if any could not be told or read; else 0;
64 if the command line or a setting is wrong, and then nothing is checked";

/// How many images are read beside each other: enough that one slow registry does not hold up the rest, and few enough
/// that each gets on. How many layers are read at a time is the inspector's to bound.
const MAX_CONCURRENT_IMAGES: usize = 4;

pub(super) async fn run<O: Write, E: Write>(
    arguments: CheckArguments,
    out: &mut StyledOutput<O>,
    err: &mut StyledOutput<E>,
) -> Result<Verdict, CliError> {
    let mut rules = crate::cli::context::load_settings()?.check;
    arguments.inspect.apply(&mut rules);
    let asked = Some(arguments.runtimes.as_slice()).filter(|runtimes| !runtimes.is_empty());
    let (sources, inspector) = (ImageOpener::default(), crate::cli::context::build_inspector(&rules));
    let checker = Checker { inspector: &inspector, rules: &rules, runtimes: asked };
    if arguments.platforms && !matches!(arguments.format, CheckFormat::Text | CheckFormat::Json) {
        return Err(CliError::UnsupportedFormat);
    }
    // All of them before the first is read: what is mistyped is no verdict on an image.
    let named: Vec<_> = arguments
        .images
        .iter()
        .map(|reference| parse_image_reference(reference, &arguments))
        .collect::<Result<_, _>>()?;
    let mut printer = CheckPrinter::new(&arguments, out, err);
    let checks = named.into_iter().map(async |(reference, argument)| {
        let found = match sources.open(reference, argument).await {
            Ok(source) if arguments.platforms => checker.check_platforms(&source).await,
            Ok(source) => checker.check(&source).await,
            Err(error) => Err(error),
        };
        let found = match found {
            Ok(answer) => Ok(answer),
            Err(error) => Err(CheckFailure { hint: suggest::find_hint(&error).await, error }),
        };
        (reference, found)
    });
    let mut checks = std::pin::pin!(stream::iter(checks).buffered(MAX_CONCURRENT_IMAGES));
    while let Some((reference, found)) = checks.next().await {
        printer.add(reference, found)?;
    }
    printer.finish()
}

/// What a reference names; the error says which reference it is of, where there are several.
fn parse_image_reference<'a>(reference: &'a str, among: &CheckArguments) -> Result<(&'a str, ImageArgument), CliError> {
    let named = image_source::parse_image_argument(reference).map_err(|error| {
        let is_said = among.images.len() == 1 || error.to_string().contains(reference);
        if is_said {
            error
        } else {
            CliError::ForReference { reference: reference.to_owned(), source: Box::new(error) }
        }
    });
    Ok((reference, named?))
}
