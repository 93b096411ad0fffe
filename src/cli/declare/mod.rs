//! `ecr-preflight declare REPOSITORY RUNTIME…`: declares runtimes by a repository's resource tag, after confirmation.

mod change;
pub(super) mod repository_argument;
mod declaration_file;
mod bulk;
mod list;
mod suggest;

use std::io::Write;

use clap::Args;

use self::bulk::{BulkDeclaration, BulkSelection};
use self::change::{confirm, conflict_note, format_tag_value};
use self::list::DeclareListFormat;
use self::repository_argument::find_repository;
use super::context::{endpoint_url, load_settings};
use super::error::CliError;
use super::runtime_argument::RuntimeParser;
use super::terminal::StyledOutput;
use crate::declare::{declaration_value, write_declaration};
use crate::registry::ecr::EcrRegistry;
use crate::runtime::Runtime;
use crate::verdict::Verdict;

/// Declare where the images of a repository run, or list the declarations.
///
/// The declaration is a resource tag of the repository. Its key is `intended-runtime`, unless the setting
/// `PREFLIGHT_DECLARATION_KEY` names another. The change is shown first. It is written after you confirm it, or with --yes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub(super) struct DeclareArguments {
    /// The name, URI or ARN of a repository in Amazon ECR. A name refers to the account and region of the AWS CLI.
    #[arg(required_unless_present_any = ["list", "suggest", "from", "prefix"])]
    repository: Option<String>,
    /// All runtimes that the images are meant for. They replace the previous declaration.
    #[arg(value_name = "RUNTIME", value_delimiter = ',', value_parser = RuntimeParser, required_unless_present_any = ["list", "suggest", "from", "prefix", "remove"])]
    runtimes: Vec<Runtime>,
    /// Declare what FILE lists: in each line a repository and its runtimes. `-` reads standard input.
    ///
    /// `-` in place of the runtimes removes the declaration. A repository without runtimes is left as it is, and `#` begins
    /// a comment. All changes are shown and confirmed together. If the command is interrupted, run it again: what is
    /// written already is skipped.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["repository", "runtimes", "remove", "prefix"])]
    from: Option<String>,
    /// Declare the same runtimes for all repositories of the region whose names begin with PREFIX.
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Remove the declaration.
    #[arg(long, conflicts_with = "runtimes")]
    remove: bool,
    /// Write the change without confirmation.
    #[arg(long, short)]
    yes: bool,
    /// Show the change, but do not write it.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// List the declarations of the region's repositories, or of those whose names begin with PREFIX.
    #[arg(long, value_name = "PREFIX", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["repository", "runtimes", "from", "prefix", "remove", "yes", "dry_run"])]
    list: Option<String>,
    /// Print what `--from` reads, for the region's repositories, or for those whose names begin with PREFIX: the runtimes of
    /// what runs their images.
    ///
    /// Reads the same as the command `consumers`, and needs its permissions. Where a declaration is not certain to suit every
    /// image that runs, and where the repository has one, the line is a comment.
    #[arg(long, value_name = "PREFIX", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["repository", "runtimes", "from", "prefix", "remove", "yes", "dry_run", "list"])]
    suggest: Option<String>,
    /// The output format of the list.
    #[arg(long, value_enum, default_value_t = DeclareListFormat::Text, conflicts_with_all = ["repository", "from", "prefix", "suggest"])]
    format: DeclareListFormat,
}

const USAGE: &str = "ecr-preflight declare <REPOSITORY> <RUNTIME>... [--yes | --dry-run]
       ecr-preflight declare <REPOSITORY> --remove [--yes | --dry-run]
       ecr-preflight declare --from <FILE> [--yes | --dry-run]
       ecr-preflight declare --prefix <PREFIX> <RUNTIME>... [--yes | --dry-run]
       ecr-preflight declare --list [<PREFIX>] [--format <FORMAT>]
       ecr-preflight declare --suggest [<PREFIX>]";

const EXAMPLES: &str = "\
Examples:
  ecr-preflight declare team/app ecs/arm64 apprunner
  ecr-preflight declare 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app lambda/arm64 --yes
  ecr-preflight declare team/app --remove --dry-run
  ecr-preflight declare --list team/ --format json
  ecr-preflight declare --list --format tsv > runtimes.tsv     # edit the file, then:
  ecr-preflight declare --from runtimes.tsv
  ecr-preflight declare --suggest > runtimes.tsv               # read the file, then use --from
  ecr-preflight declare --prefix team/ ecs/amd64 --dry-run

Permissions:
  ecr:ListTagsForResource   to read the declaration
  ecr:TagResource           to write it
  ecr:UntagResource         with --remove
  ecr:DescribeRepositories  to find a repository by its name, with --list, --suggest,
                            --from and --prefix
  those of `consumers`      with --suggest

Exit codes:
  0   the declarations are set as requested, or were only shown
  2   you declined the change, --list found a declaration that is invalid or unreadable, or
      --suggest could not read everything
  3   an error occurred, or the change could not be confirmed
  64  the command line or a setting is wrong";

/// The prefix of tag keys that AWS reserves: "Tag restrictions" in the ECR user guide.
const RESERVED_KEY_PREFIX: &str = "aws:";

pub(super) async fn run<E: Write>(
    arguments: DeclareArguments,
    out: &mut impl Write,
    err: &mut StyledOutput<E>,
) -> Result<Verdict, CliError> {
    let key = load_settings()?.check.declaration_key;
    if let Some(prefix) = arguments.list {
        return list::run(&key, &prefix, arguments.format, out, err).await;
    }
    if let Some(prefix) = arguments.suggest {
        // The future that reads all services is large.
        return Box::pin(suggest::run(&key, &prefix, out, err)).await;
    }
    if key.to_ascii_lowercase().starts_with(RESERVED_KEY_PREFIX) {
        return Err(CliError::ReservedTagKey(key));
    }
    let selection = match (&arguments.from, &arguments.prefix) {
        (Some(file), _) => Some(BulkSelection::File(file.clone())),
        (None, Some(prefix)) => Some(BulkSelection::Prefix(prefix.clone(), arguments.all_runtimes()?)),
        (None, None) => None,
    };
    if let Some(selection) = selection {
        let bulk = BulkDeclaration { selection, is_confirmed: arguments.yes, is_dry_run: arguments.dry_run };
        return bulk.run(&key, out, err).await;
    }
    let (aws, repository) = find_repository(arguments.repository.as_deref().unwrap_or_default()).await?;
    let registry = EcrRegistry::new(&aws, endpoint_url("ECR")).repository(&repository);
    let before = registry.fetch_resource_tag(&key).await?;
    let after = (!arguments.remove).then(|| declaration_value(&arguments.runtimes));
    conflict_note(&arguments.runtimes).iter().try_for_each(|note| err.write_note(note))?;
    let (name, shown_after) = (repository.name(), format_tag_value(after.as_deref()));
    if before == after {
        writeln!(out, "{name}: {key}: {shown_after}: nothing to change")?;
        return Ok(Verdict::Runs);
    }
    writeln!(out, "{name}: {key}: {} → {shown_after}", format_tag_value(before.as_deref()))?;
    if arguments.dry_run {
        return Ok(Verdict::Runs);
    }
    if !arguments.yes {
        if !confirm(&format!("Write this to {}?", repository.arn()), out, err)? {
            return Ok(Verdict::Unknown);
        }
        // The user confirmed the change that was shown, and the tag may have changed since then.
        if registry.fetch_resource_tag(&key).await? != before {
            return Err(CliError::DeclarationChanged);
        }
    }
    let client = aws.ecr_client(endpoint_url("ECR"));
    write_declaration(&client, &repository, &key, after.as_deref()).await?;
    writeln!(out, "written")?;
    Ok(Verdict::Runs)
}

impl DeclareArguments {
    /// Returns the runtimes of a command without REPOSITORY: the first one is in its place.
    fn all_runtimes(&self) -> Result<Vec<Runtime>, CliError> {
        let first = self.repository.as_deref().map(str::parse::<Runtime>).transpose();
        let usage = |message: String| CliError::Command { source: message.into(), hint: None, is_usage: true };
        let first = first.map_err(|error| usage(error.to_string()))?;
        let runtimes: Vec<Runtime> = first.into_iter().chain(self.runtimes.iter().copied()).collect();
        match (runtimes.is_empty(), self.remove) {
            (true, false) => Err(usage("--prefix needs at least one runtime, or --remove".to_owned())),
            (false, true) => Err(usage("--remove takes no runtimes".to_owned())),
            _ => Ok(runtimes),
        }
    }
}
