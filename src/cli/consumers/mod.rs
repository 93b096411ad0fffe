//! `ecr-preflight consumers`: lists what runs the images of Amazon ECR in a region, and checks these images.

mod running_image;
mod image_check;
mod table;
mod document;

use std::io::Write;

use clap::{Args, ValueEnum};

use self::document::ConsumersDocument;
use self::image_check::ImageChecks;
use self::running_image::{RepositoryFilter, RunningImage};
use self::table::format_table;
use super::consumer_reader::{load_paced_aws, read_census};
use super::context::{ExitStatus, InspectArguments, load_settings};
use super::error::CliError;
use super::terminal::StyledOutput;
use crate::census::SERVICES;
use crate::consumer::ConsumerService;
use crate::text::escape_json_commands;

/// List what runs the images of Amazon ECR: services, tasks, functions, job definitions and agent runtimes.
///
/// Reads Amazon ECS, AWS Lambda, AWS App Runner, AWS Batch and Amazon Bedrock AgentCore in one region, at most at three
/// quarters of their published rates. With --check, also checks each image that runs, on the platform and with the command
/// of what runs it.
///
/// Services that could not be read are listed, too: what they run is unknown.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ConsumersArguments {
    /// Only what runs images of this repository: its name, URI or ARN.
    repository: Option<String>,
    /// Check each image that runs, with what its consumer starts.
    #[arg(long)]
    check: bool,
    /// Read only these services.
    #[arg(long, value_name = "SERVICE", value_enum, value_delimiter = ',')]
    services: Vec<ServiceArgument>,
    /// The region to read; by default that of the repository's URI or ARN, or of the environment or the profile.
    #[arg(long)]
    region: Option<String>,
    #[command(flatten)]
    inspect: InspectArguments,
    /// The output format.
    #[arg(long, value_enum, default_value_t = ConsumersFormat::Text)]
    format: ConsumersFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ConsumersFormat {
    /// A table for people.
    Text,
    /// One JSON object, schema `ecr-preflight/consumers/1`.
    Json,
}

/// A service that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ServiceArgument {
    /// Amazon ECS: services, and tasks that run without one.
    Ecs,
    /// AWS Lambda: the unpublished version of functions that are images.
    Lambda,
    /// AWS App Runner.
    #[value(name = "apprunner")]
    AppRunner,
    /// AWS Batch: active job definitions.
    Batch,
    /// Amazon Bedrock AgentCore: agent runtimes.
    #[value(name = "agentcore")]
    AgentCore,
}

impl From<ServiceArgument> for ConsumerService {
    fn from(argument: ServiceArgument) -> Self {
        match argument {
            ServiceArgument::Ecs => Self::Ecs,
            ServiceArgument::Lambda => Self::Lambda,
            ServiceArgument::AppRunner => Self::AppRunner,
            ServiceArgument::Batch => Self::Batch,
            ServiceArgument::AgentCore => Self::AgentCore,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  ecr-preflight consumers
  ecr-preflight consumers team/app --check
  ecr-preflight consumers --services ecs,lambda --region us-west-2 --format json

Permissions:
  Amazon ECS      ecs:ListClusters, ecs:ListServices, ecs:DescribeServices, ecs:ListTasks,
                  ecs:DescribeTasks, ecs:DescribeServiceRevisions, ecs:DescribeTaskDefinition
  AWS Lambda      lambda:ListFunctions, lambda:GetFunction
  AWS App Runner  apprunner:ListServices, apprunner:DescribeService
  AWS Batch       batch:DescribeJobDefinitions
  AgentCore       bedrock-agentcore:ListAgentRuntimes, bedrock-agentcore:GetAgentRuntime
  --check         ecr:BatchGetImage, ecr:GetDownloadUrlForLayer, ecr:ListTagsForResource

Exit codes:
  0   everything was read, and with --check, every image runs
  1   with --check: an image fails where it runs
  2   a service could not be read completely, or with --check, a result is unknown
  3   an error occurred; with --check, also an image that could not be read
  64  the command line or a setting is wrong";

pub(super) async fn run<O: Write, E: Write>(
    arguments: ConsumersArguments,
    out: &mut StyledOutput<O>,
    err: &mut StyledOutput<E>,
) -> Result<ExitStatus, CliError> {
    let mut settings = load_settings()?.check;
    arguments.inspect.apply(&mut settings);
    let filter = RepositoryFilter::new(arguments.repository.as_deref())?;
    let services: Vec<ConsumerService> = match arguments.services.as_slice() {
        [] => SERVICES.to_vec(),
        some => SERVICES.into_iter().filter(|one| some.iter().any(|given| *one == (*given).into())).collect(),
    };
    let aws = load_paced_aws(arguments.region.or_else(|| filter.region().map(str::to_owned))).await;
    let region = aws.region().ok_or(CliError::NoRegion)?;
    let census = read_census(&aws, &services, err).await?;
    let total = census.consumers.len();
    let images = RunningImage::collect(census.consumers);
    let elsewhere = total - images.len();
    let images: Vec<RunningImage> = images.into_iter().filter(|one| filter.matches(&one.image.repository)).collect();
    let checks = if arguments.check { Some(ImageChecks::run(&images, &settings, err).await?) } else { None };

    let document = ConsumersDocument::new(region, &images, checks.as_ref(), elsewhere, &census.not_read);
    match arguments.format {
        ConsumersFormat::Json => {
            let json = serde_json::to_string_pretty(&document).map_err(std::io::Error::from)?;
            writeln!(out, "{}", escape_json_commands(&json))?;
        }
        ConsumersFormat::Text => out.write_lines(&format_table(&document, &images, checks.as_ref()))?,
    }
    let checked = checks.as_ref().map_or(ExitStatus::Success, ImageChecks::exit_status);
    let listed = if census.not_read.is_empty() { ExitStatus::Success } else { ExitStatus::Unknown };
    Ok(checked.max(listed))
}
