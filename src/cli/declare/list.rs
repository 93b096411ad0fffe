//! `ecr-preflight declare --list`: what each repository of a region declares, as a table or as JSON.
//!
//! A repository whose tags cannot be read is reported; the others are still listed.

use std::io::Write;

use clap::ValueEnum;
use futures_util::TryStreamExt;
use serde::Serialize;
use textwrap::core::display_width;

use super::repository_argument::MAX_CONCURRENT_READS;
use crate::cli::context::{endpoint_url, load_aws};
use crate::cli::error::CliError;
use crate::cli::error_text::describe_error_in_line;
use crate::cli::hint::hint_for_registry_error;
use crate::cli::terminal::{StyledOutput, wrap_text};
use crate::intent::{DeclarationSource, Intent};
use crate::name::Repository;
use crate::registry::RegistryError;
use crate::registry::ecr::EcrRegistry;
use crate::registry::ecr::listing::list_repositories;
use crate::runtime::{Runtime, RuntimeError};
use crate::text::{escape_json_commands, sanitize, sanitize_quoted};
use crate::verdict::Verdict;

/// The width of the table, in columns: the default of most terminals.
const TABLE_WIDTH: usize = 80;

/// The widest column of names. A longer name gets its own line, to leave room for the declaration.
const MAX_NAME_WIDTH: usize = 44;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DeclareListFormat {
    /// A table for people.
    Text,
    /// One JSON object, schema `ecr-preflight-declarations/1`.
    Json,
    /// A repository and its runtimes in each line, separated by a tab: what `--from` reads.
    Tsv,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeclarationList<'a> {
    schema: &'static str,
    region: &'a str,
    key: &'a str,
    repositories: &'a [DeclarationEntry],
}

/// The declaration of one repository.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeclarationEntry {
    name: String,
    arn: String,
    uri: String,
    /// The tag's value; `null` if it is not set or could not be read.
    declared: Option<String>,
    runtimes: Vec<Runtime>,
    /// The words that are not known runtimes.
    unreadable: Vec<RuntimeError>,
    /// Why the tag could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl DeclarationEntry {
    fn new(repository: &Repository, declared: &Result<Option<String>, RegistryError>) -> Self {
        let value = declared.as_ref().ok().and_then(Option::as_deref);
        let intent = Intent::default().or_declared_by(DeclarationSource::RepositoryTag, value);
        Self {
            name: repository.name().to_owned(),
            arn: repository.arn(),
            uri: repository.to_string(),
            declared: value.map(str::to_owned),
            runtimes: intent.candidates(),
            unreadable: intent.invalid.into_iter().map(|invalid| invalid.error).collect(),
            error: declared.as_ref().err().map(|error| describe_error_in_line(error)),
        }
    }
}

impl DeclarationEntry {
    /// Formats the line for `declare --from`. What could not be read is a comment.
    fn to_tsv(&self) -> String {
        match (&self.error, &self.declared) {
            (Some(_), _) => format!("# {}\tits tags could not be read", self.name),
            (None, declared) => {
                format!("{}\t{}", self.name, sanitize(declared.as_deref().unwrap_or_default(), usize::MAX))
            }
        }
    }
}

pub(super) async fn run<E: Write>(
    key: &str,
    prefix: &str,
    format: DeclareListFormat,
    out: &mut impl Write,
    err: &mut StyledOutput<E>,
) -> Result<Verdict, CliError> {
    let aws = load_aws(None).await;
    let region = aws.region().ok_or(CliError::NoRegion)?;
    let (ecr, client) = (EcrRegistry::new(&aws, endpoint_url("ECR")), aws.ecr_client(endpoint_url("ECR")));
    let has_prefix = |repository: &Repository| std::future::ready(repository.name().starts_with(prefix));
    let read_entry = async |repository: Repository| {
        let declared = ecr.repository(&repository).fetch_resource_tag(key).await;
        Ok((DeclarationEntry::new(&repository, &declared), declared.err()))
    };
    // An error of the listing itself ends the command, because an incomplete list would look complete.
    let mut entries: Vec<(DeclarationEntry, Option<RegistryError>)> = list_repositories(&client, None, region)
        .try_filter(has_prefix)
        .map_ok(read_entry)
        .try_buffered(MAX_CONCURRENT_READS)
        .try_collect()
        .await?;
    entries.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    let (entries, errors): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
    let errors: Vec<RegistryError> = errors.into_iter().flatten().collect();
    match format {
        DeclareListFormat::Text if entries.is_empty() => {
            let prefix = match prefix {
                "" => String::new(),
                prefix => format!(" whose names begin with `{}`", sanitize_quoted(prefix)),
            };
            writeln!(out, "There are no repositories in {region}{prefix}.")?;
        }
        DeclareListFormat::Tsv => entries.iter().try_for_each(|entry| writeln!(out, "{}", entry.to_tsv()))?,
        DeclareListFormat::Text => write!(out, "{}", format_table(&entries, region, key))?,
        DeclareListFormat::Json => {
            let list = DeclarationList { schema: "ecr-preflight-declarations/1", region, key, repositories: &entries };
            let json = serde_json::to_string_pretty(&list).map_err(std::io::Error::from)?;
            writeln!(out, "{}", escape_json_commands(&json))?;
        }
    }
    let is_valid = errors.is_empty() && entries.iter().all(|entry| entry.unreadable.is_empty());
    // One hint for all: these errors usually have the same cause.
    let (hint, count) = (errors.first().and_then(hint_for_registry_error), errors.len());
    for (number, error) in (1..).zip(errors) {
        err.write_error(None, &error.into(), hint.as_deref().filter(|_| number == count))?;
    }
    Ok(if is_valid { Verdict::Runs } else { Verdict::Unknown })
}

/// Formats the declarations and their totals.
fn format_table(entries: &[DeclarationEntry], region: &str, key: &str) -> String {
    let widths = entries.iter().map(|entry| display_width(&entry.name)).filter(|width| *width <= MAX_NAME_WIDTH);
    let width = widths.max().unwrap_or_default().max("REPOSITORY".len());
    let mut lines = vec![format!("{:width$}  {}", "REPOSITORY", sanitize(&key.to_uppercase(), TABLE_WIDTH))];
    let (mut declared, mut undeclared, mut invalid, mut failed) = (0, 0, 0, 0);
    for entry in entries {
        let (count, cell) = match &entry.declared {
            _ if entry.error.is_some() => (&mut failed, "? its tags could not be read".to_owned()),
            None => (&mut undeclared, "-".to_owned()),
            Some(value) if entry.unreadable.is_empty() => (&mut declared, sanitize(value, usize::MAX)),
            Some(value) => (&mut invalid, format!("✗ \"{}\"", sanitize(value, usize::MAX))),
        };
        *count += 1;
        let mut name = entry.name.as_str();
        if display_width(name) > width {
            lines.push(name.to_owned());
            name = "";
        }
        for line in wrap_text(&cell, TABLE_WIDTH - width - 2) {
            lines.push(format!("{name:width$}  {line}"));
            name = "";
        }
        for error in &entry.unreadable {
            lines.extend(wrap_text(&error.to_string(), TABLE_WIDTH - 4).iter().map(|line| format!("    {line}")));
        }
    }
    let counts = [
        (declared, "declared"),
        (undeclared, "without a declaration"),
        (invalid, "with an invalid declaration"),
        (failed, "whose tags could not be read"),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} {kind}")).collect();
    let noun = if entries.len() == 1 { "repository" } else { "repositories" };
    let totals = format!("{} {noun} in {region}: {}", entries.len(), counts.join(", "));
    lines.push(String::new());
    lines.extend(wrap_text(&totals, TABLE_WIDTH));
    lines.join("\n") + "\n"
}
