//! `ecr-preflight check IMAGE…`: checks images before or after their push.

mod gate;
mod format_argument;
mod checker;
mod target;
mod task_definition;
mod junit;
mod sarif;
mod printer;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::{StreamExt, stream};

use self::checker::{CheckFailure, CheckRecord, Checker};
use self::format_argument::{CheckFormat, FormatArgument, FormatParser};
use self::gate::GateArguments;
pub(super) use self::printer::ERROR_SCHEMA;
use self::printer::{CheckDocument, CheckPrinter};
pub use self::sarif::report_to_sarif;
use self::target::{CheckTarget, list_targets};
use self::task_definition::{ContainerList, list_containers};
use super::config::ConfigArguments;
use super::context::{ExitStatus, InspectArguments, build_inspector, load_settings};
use super::error::CliError;
use super::hub_note::{HUB_HINT, docker_hub_note, means_docker_hub};
use super::image_source::ImageOpener;
use super::output_file::{check_writable, ensure_distinct};
use super::runtime_argument::RuntimeParser;
use super::suggest::find_hint;
use super::temporary_archive::is_in_docker_engine;
use super::terminal::StyledOutput;
use crate::runtime::Runtime;
use crate::text::sanitize_quoted;

/// Check whether images will start on the runtimes that they are meant for.
///
/// Prints a report for each image: what it is, whether it starts, and how to fix it if it does not. Without --runtime, an
/// image is checked against the runtimes that its tag, its repository's resource tag or its label declares. If none is
/// declared, the image fails only if its metadata contradicts its content.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckArguments {
    /// The images: local, or in a registry. See "Image references" below. Default: those in the configuration file.
    #[arg(value_name = "IMAGE")]
    images: Vec<String>,
    /// A runtime that the images are meant for, for example `ecs/arm64`. May be given several times, or as a list with
    /// commas.
    #[arg(long = "runtime", visible_alias = "platform", value_name = "RUNTIME", value_delimiter = ',', value_parser = RuntimeParser)]
    runtimes: Vec<Runtime>,
    /// Check the images of the containers in this ECS task definition, each on its platform and with its command: the input
    /// of `aws ecs register-task-definition`, or the output of `terraform show -json`. May be given several times.
    #[arg(long = "task-definition", value_name = "FILE", conflicts_with_all = ["images", "runtimes", "platforms"])]
    task_definitions: Vec<PathBuf>,
    #[command(flatten)]
    inspect: InspectArguments,
    #[command(flatten)]
    gate: GateArguments,
    #[command(flatten)]
    config: ConfigArguments,
    /// List the platforms of each image and of the programs in it, without checking runtimes.
    #[arg(long, conflicts_with = "runtimes")]
    platforms: bool,
    /// The output format; `FORMAT=FILE` also writes a file. May be given several times, but only once without a file.
    #[arg(long = "format", value_name = "FORMAT[=FILE]", value_parser = FormatParser, default_value = "text")]
    formats: Vec<FormatArgument>,
    /// Write to FILE instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The file at which `--format sarif` shows findings, relative to the root of the git repository.
    #[arg(long, value_name = "FILE", default_value = "Dockerfile")]
    dockerfile: String,
}

impl CheckArguments {
    /// Returns the format of standard output, which is text if none is given, and the files to write. Before anything is
    /// read, checks that the files can be written and are different ones.
    fn outputs(&self) -> Result<(Option<CheckFormat>, Vec<FormatArgument>), CliError> {
        let usage = |message: &str| CliError::Command { source: message.into(), hint: None, is_usage: true };
        let (mut files, others): (Vec<_>, Vec<_>) = self.formats.iter().cloned().partition(|one| one.file.is_some());
        let format = match others[..] {
            [] => CheckFormat::Text,
            [FormatArgument { format, .. }] => format,
            _ => {
                return Err(usage(
                    "only one `--format` can be without a file: use `--format FORMAT=FILE` for the others",
                ));
            }
        };
        files.extend(self.output.iter().map(|file| FormatArgument { format, file: Some(file.clone()) }));
        let paths: Vec<(&'static str, Option<&Path>)> =
            files.iter().map(|one| (one.format.title(), one.file.as_deref())).collect();
        ensure_distinct(&paths)?;
        for path in paths.iter().filter_map(|(_, path)| *path) {
            check_writable(path).map_err(|source| CliError::FileWrite { path: path.display().to_string(), source })?;
        }
        Ok((Some(format).filter(|_| self.output.is_none()), files))
    }
}

const EXAMPLES: &str = "\
Examples:
  ecr-preflight check oci-archive:image.tar --runtime ecs/arm64
  ecr-preflight check oci:image:v1 --runtime ecs/arm64 --runtime apprunner
  ecr-preflight check docker-archive:image.tar --runtime lambda/amd64 --format json
  ecr-preflight check docker-daemon:app:v1 --runtime apprunner
  docker save app:v1 | ecr-preflight check docker-archive:- --runtime apprunner
  ecr-preflight check 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1
  ecr-preflight check public.ecr.aws/docker/library/busybox:1.37 --runtime ecs/arm64
  ecr-preflight check oci-archive:api.tar oci-archive:worker.tar --runtime ecs/arm64 --format sarif
  ecr-preflight check oci-archive:api.tar --runtime ecs/arm64 --format text --format sarif=api.sarif
  ecr-preflight check --platforms grafana/grafana:11.4.0

Image references:
  oci:DIR[:TAG|@DIGEST]                    an OCI image layout
  oci-archive:FILE[:TAG|@DIGEST]           a tar archive of an OCI image layout
  docker-archive:FILE[:[REPOSITORY:]TAG]   the output of `docker save`
  docker-daemon:NAME[:TAG]                 an image of the Docker engine
  [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]  an image in a registry

`-` as FILE is standard input. HOST defaults to Docker Hub, TAG to `latest`. Amazon ECR is read with the
credentials of the AWS CLI, other registries with those of docker.

Exit codes:
  0   every image runs, or no runtime is declared for it
  1   an image fails, by a fault that is not waived
  2   a result is unknown; with --strict, the start of an image is not verified; with
      --require-declaration, no runtime is declared for an image
  3   an image could not be read: a missing file, missing credentials, the network
  64  the command line or a setting is wrong; no image was checked

Of several images, 3 takes precedence over 1, and 1 over 2. After 3 the result is incomplete: other
images may fail as well.";

/// How many images are read at the same time: a slow registry hardly delays the others, and each still gets enough
/// bandwidth. The inspector limits how many layers are read at the same time.
const MAX_CONCURRENT_IMAGES: usize = 4;

pub(super) async fn run<O: Write, E: Write>(
    arguments: CheckArguments,
    out: &mut StyledOutput<O>,
    err: &mut StyledOutput<E>,
) -> Result<ExitStatus, CliError> {
    let mut settings = load_settings()?.check;
    arguments.inspect.apply(&mut settings);
    let (format, files) = arguments.outputs()?;
    let lists_platforms = |format| matches!(format, CheckFormat::Text | CheckFormat::Json);
    if arguments.platforms && !files.iter().map(|file| file.format).chain(format).all(lists_platforms) {
        return Err(CliError::UnsupportedFormat);
    }
    let configuration = arguments.config.load(err)?;
    let ContainerList { targets, is_incomplete } = if arguments.task_definitions.is_empty() {
        let targets = list_targets(&arguments.images, &arguments.runtimes, &configuration, err)?;
        ContainerList { targets, is_incomplete: false }
    } else {
        list_containers(&arguments.task_definitions, err)?
    };
    for target in &targets {
        if means_docker_hub(&target.reference, &target.argument)
            && let Some(note) = docker_hub_note(&target.reference)
        {
            err.write_note(&note)?;
        }
    }
    let (opener, inspector) = (ImageOpener::new(err.is_quiet()), build_inspector(&settings));
    let checker = Checker { inspector: &inspector, settings: &settings, waivers: &configuration.waivers };
    let records = targets.iter().map(async |target| {
        let CheckTarget { reference, argument, runtimes, container } = target;
        let consumer = container.as_ref().map(|container| &container.consumer);
        let is_hub = means_docker_hub(reference, argument);
        let runtimes = Some(runtimes.as_slice()).filter(|runtimes| !runtimes.is_empty());
        let open = opener.open(reference, argument.clone());
        // The future that reads an image is large.
        let result = Box::pin(async { checker.check(&open.await?, runtimes, consumer, arguments.platforms).await });
        let outcome = match result.await {
            Ok(image) => Ok(image),
            Err(error) => {
                let hint = if is_hub { find_hub_hint(reference, &error).await } else { find_hint(&error).await };
                Err(CheckFailure { error, hint })
            }
        };
        CheckRecord { reference, container: container.as_ref(), outcome }
    });
    let mut records = std::pin::pin!(stream::iter(records).buffered(MAX_CONCURRENT_IMAGES));
    let mut printer = CheckPrinter {
        format,
        document: CheckDocument {
            gate: arguments.gate,
            dockerfile: &arguments.dockerfile,
            is_only: targets.len() == 1,
        },
        configuration: &configuration,
        out,
        err,
        records: Vec::new(),
    };
    while let Some(record) = records.next().await {
        printer.add(record)?;
    }
    let status = printer.finish(&files)?;
    Ok(if is_incomplete { status.max(ExitStatus::Unknown) } else { status })
}

/// Returns the hint for a name without a registry, which may be that of an image of the Docker engine.
async fn find_hub_hint(reference: &str, error: &CliError) -> Option<String> {
    if is_in_docker_engine(reference).await {
        return Some(format!("`docker-daemon:{}` is the image of the Docker engine", sanitize_quoted(reference)));
    }
    find_hint(error).await.map(|hint| format!("{hint}; {HUB_HINT}"))
}
