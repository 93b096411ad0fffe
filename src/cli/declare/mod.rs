//! `ecr-preflight declare REPOSITORY RUNTIME…`: where a repository's images are meant to run, as its resource tag says.
//!
//! Does not write what it has not shown, nor without a yes.

mod list;
mod repository_argument;
mod table;

use std::io::{BufRead, IsTerminal, Read, Write, stdin};

use clap::Args;

use self::list::DeclareListFormat;
use self::repository_argument::RepositoryArgument;
use crate::cli::error::CliError;
use crate::declare::{DeclarationChange, declaration_value, find_conflict, write_declaration};
use crate::registry::Registry;
use crate::registry::ecr::EcrRegistry;
use crate::runtime::Runtime;
use crate::text::sanitize;
use crate::verdict::Verdict;

/// Declare where a repository's images are meant to run, by its resource tag; or list what is declared.
///
/// The tag's key is `intended-runtime`, or what the setting `PREFLIGHT_DECLARATION_KEY` says. What would change is shown first; it is
/// written after a yes at the terminal, or with --yes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub(super) struct DeclareArguments {
    /// A repository of Amazon ECR: its name, of the account and region that the AWS CLI would use, its URI, or its ARN.
    #[arg(required_unless_present = "list")]
    repository: Option<String>,
    /// Where its images are meant to run, all of them: what was declared before is replaced.
    #[arg(value_name = "RUNTIME", value_parser = crate::cli::context::parse_runtime, required_unless_present_any = ["list", "remove"])]
    runtimes: Vec<Runtime>,
    /// Remove the declaration.
    #[arg(long, conflicts_with = "runtimes")]
    remove: bool,
    /// Write without asking.
    #[arg(long, short)]
    yes: bool,
    /// Only show what would change.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// List what the account's repositories declare, or those whose name begins with PREFIX, and what of it cannot be
    /// read.
    #[arg(long, value_name = "PREFIX", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["repository", "runtimes", "remove", "yes", "dry_run"])]
    list: Option<String>,
    /// How to print the list.
    #[arg(long, value_enum, default_value_t = DeclareListFormat::Text, conflicts_with = "repository")]
    format: DeclareListFormat,
}

const USAGE: &str = "ecr-preflight declare <REPOSITORY> <RUNTIME>... [--yes | --dry-run]
       ecr-preflight declare <REPOSITORY> --remove [--yes | --dry-run]
       ecr-preflight declare --list [<PREFIX>] [--format <FORMAT>]";

const EXAMPLES: &str = "\
Examples:
  ecr-preflight declare team/app ecs/arm64 apprunner
  ecr-preflight declare 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app lambda/arm64 --yes
  ecr-preflight declare team/app --remove --dry-run
  ecr-preflight declare --list
  ecr-preflight declare --list team/ --format json

Permissions: ecr:ListTagsForResource, ecr:TagResource, and for --remove ecr:UntagResource, on the
repository; for --list, and where a name alone is given, ecr:DescribeRepositories

Exit code: 0 it is declared as said, or only shown; 2 it was not written, something that is listed
cannot be read, or an error; 64 the command line or a setting is wrong";

/// The longest answer that is read, in bytes; the rest of a longer one is a no.
const MAX_ANSWER_BYTES: u64 = 64;

/// The beginning of tag keys that AWS keeps for itself: "Tag restrictions" of the ECR user guide.
const RESERVED_KEY_PREFIX: &str = "aws:";

pub(super) async fn run(
    arguments: DeclareArguments,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<Verdict, CliError> {
    let key = crate::cli::context::load_settings()?.check.declaration_key;
    if let Some(prefix) = arguments.list {
        return list::run(&key, &prefix, arguments.format, out, err).await;
    }
    if key.to_ascii_lowercase().starts_with(RESERVED_KEY_PREFIX) {
        return Err(CliError::ReservedTagKey(key));
    }
    let place: RepositoryArgument = arguments.repository.as_deref().unwrap_or_default().parse()?;
    let (aws, repository) = place.resolve().await?;
    let client = aws.ecr_client(crate::cli::context::endpoint_url("ECR"));
    let registry = EcrRegistry::new(&aws, crate::cli::context::endpoint_url("ECR")).repository(&repository);
    let before = registry.fetch_resource_tag(&key).await?;
    let change =
        DeclarationChange { before, after: (!arguments.remove).then(|| declaration_value(&arguments.runtimes)) };
    let name = repository.name();
    if let Some((one, other)) = find_conflict(&arguments.runtimes) {
        writeln!(
            err,
            "note: no image suits both {one} and {other}: Lambda takes no index, and a single image has one"
        )?;
        writeln!(err, "      architecture; every image will be said to fail, unless its own tag declares otherwise")?;
    }
    if change.is_noop() {
        writeln!(out, "{name}: {key}: {}: nothing to change", format_tag_value(change.after.as_deref()))?;
        return Ok(Verdict::Runs);
    }
    let (was, will_be) = (format_tag_value(change.before.as_deref()), format_tag_value(change.after.as_deref()));
    writeln!(out, "{name}: {key}: {was} → {will_be}")?;
    if arguments.dry_run {
        return Ok(Verdict::Runs);
    }
    if !arguments.yes {
        if !stdin().is_terminal() {
            return Err(CliError::NoTerminal);
        }
        out.flush()?;
        write!(err, "Write this to {}? [y/N] ", repository.arn())?;
        err.flush()?;
        if !read_confirmation(&mut stdin().lock())? {
            writeln!(err, "nothing was written")?;
            return Ok(Verdict::Unknown);
        }
        // Somebody may have written meanwhile, and what was agreed to is what was shown.
        if registry.fetch_resource_tag(&key).await? != change.before {
            return Err(CliError::DeclarationChanged);
        }
    }
    write_declaration(&client, &repository, &key, change.after.as_deref()).await?;
    writeln!(out, "written")?;
    Ok(Verdict::Runs)
}

/// A tag's value as it stands between quotation marks, fit for a terminal.
fn format_tag_value(value: Option<&str>) -> String {
    value.map_or_else(|| "not set".to_owned(), |value| format!("\"{}\"", sanitize(value, usize::MAX)))
}

fn read_confirmation(input: &mut impl BufRead) -> std::io::Result<bool> {
    let mut line = String::new();
    input.take(MAX_ANSWER_BYTES).read_line(&mut line)?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for (answer, yes) in
            [("y\n", true), (" Yes \n", true), ("", false), ("\n", false), ("yep\n", false), ("n", false)]
        {
            assert_eq!(read_confirmation(&mut answer.as_bytes()).unwrap(), yes, "{answer:?}");
        }
    }
}
