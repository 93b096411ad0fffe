//! `ecr-preflight declare --list`: what each repository of a region declares, as a table or as JSON.
//!
//! A repository whose tags cannot be read is reported; the others are still listed.

use std::io::Write;

use clap::ValueEnum;
use futures_util::TryStreamExt;
use serde::Serialize;
use textwrap::core::display_width;

use crate::cli::context::{endpoint_url, load_aws};
use crate::cli::error::CliError;
use crate::cli::hint::hint_for_registry_error;
use crate::cli::terminal::{StyledOutput, wrap_text};
use crate::intent::{DeclarationSource, Intent};
use crate::name::Repository;
use crate::registry::ecr::EcrRegistry;
use crate::registry::ecr::listing::list_repositories;
use crate::registry::{Registry, RegistryError};
use crate::runtime::{Runtime, RuntimeError};
use crate::text::{error_chain, sanitize, sanitize_quoted};
use crate::verdict::Verdict;

/// How many repositories' tags are read at the same time. ECR does not publish a rate limit for `ListTagsForResource`:
/// "Service quotas" of its user guide lists only those of pushes and pulls. Four at a time are fast and rarely throttled,
/// and the client retries throttled calls.
const MAX_CONCURRENT_READS: usize = 4;

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
}

/// The declaration of one repository.
#[derive(Debug)]
struct DeclarationRow {
    repository: Repository,
    declared: Result<Option<String>, RegistryError>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeclarationList<'a> {
    schema: &'static str,
    region: &'a str,
    key: &'a str,
    repositories: Vec<DeclarationEntry<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeclarationEntry<'a> {
    name: &'a str,
    arn: String,
    uri: String,
    /// The tag's value; `null` if it is not set or could not be read.
    declared: Option<&'a str>,
    runtimes: Vec<Runtime>,
    unreadable: Vec<InvalidWord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct InvalidWord {
    word: String,
    nearest: Vec<Runtime>,
}

impl DeclarationRow {
    fn value(&self) -> Option<&str> {
        self.declared.as_ref().ok().and_then(Option::as_deref)
    }

    fn intent(&self) -> Intent {
        Intent::default().or_declared_by(DeclarationSource::RepositoryTag, self.value())
    }

    /// The words that are not known runtimes.
    fn invalid_words(&self) -> Vec<RuntimeError> {
        self.intent().invalid.into_iter().map(|invalid| invalid.error).collect()
    }

    fn to_entry(&self) -> DeclarationEntry<'_> {
        let word = |error: RuntimeError| InvalidWord { word: error.word, nearest: error.nearest };
        DeclarationEntry {
            name: self.repository.name(),
            arn: self.repository.arn(),
            uri: self.repository.to_string(),
            declared: self.value(),
            runtimes: self.intent().candidates(),
            unreadable: self.invalid_words().into_iter().map(word).collect(),
            error: self.declared.as_ref().err().map(|error| error_chain(error)),
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
    let read_row = async |repository: Repository| {
        let declared = ecr.repository(&repository).fetch_resource_tag(key).await;
        Ok(DeclarationRow { repository, declared })
    };
    // An error of the listing itself ends the command, because an incomplete list would look complete.
    let mut rows: Vec<DeclarationRow> = list_repositories(&client, None, region)
        .try_filter(has_prefix)
        .map_ok(read_row)
        .try_buffered(MAX_CONCURRENT_READS)
        .try_collect()
        .await?;
    rows.sort_by(|one, other| one.repository.name().cmp(other.repository.name()));
    match format {
        DeclareListFormat::Text if rows.is_empty() => {
            let prefix = match prefix {
                "" => String::new(),
                prefix => format!(" whose names begin with `{}`", sanitize_quoted(prefix)),
            };
            writeln!(out, "There are no repositories in {region}{prefix}.")?;
        }
        DeclareListFormat::Text => write!(out, "{}", format_table(&rows, region, key))?,
        DeclareListFormat::Json => {
            let repositories = rows.iter().map(DeclarationRow::to_entry).collect();
            let list = DeclarationList { schema: "ecr-preflight-declarations/1", region, key, repositories };
            writeln!(out, "{}", serde_json::to_string_pretty(&list).map_err(std::io::Error::from)?)?;
        }
    }
    let has_invalid = rows.iter().any(|row| !row.invalid_words().is_empty());
    let errors: Vec<RegistryError> = rows.into_iter().filter_map(|row| row.declared.err()).collect();
    let verdict = if errors.is_empty() && !has_invalid { Verdict::Runs } else { Verdict::Unknown };
    // One hint for all: these errors usually have the same cause.
    let (hint, count) = (errors.first().and_then(hint_for_registry_error), errors.len());
    for (number, error) in (1..).zip(errors) {
        err.write_error(None, &error.into(), hint.as_deref().filter(|_| number == count))?;
    }
    Ok(verdict)
}

/// Formats the rows and their totals.
fn format_table(rows: &[DeclarationRow], region: &str, key: &str) -> String {
    let widths = rows.iter().map(|row| display_width(row.repository.name())).filter(|width| *width <= MAX_NAME_WIDTH);
    let width = widths.max().unwrap_or_default().max("REPOSITORY".len());
    let mut lines = vec![format!("{:width$}  {}", "REPOSITORY", sanitize(&key.to_uppercase(), TABLE_WIDTH))];
    let (mut declared, mut undeclared, mut invalid, mut failed) = (0, 0, 0, 0);
    for row in rows {
        let invalid_words = row.invalid_words();
        let (count, cell) = match &row.declared {
            Ok(None) => (&mut undeclared, "-".to_owned()),
            Ok(Some(value)) if invalid_words.is_empty() => (&mut declared, sanitize(value, usize::MAX)),
            Ok(Some(value)) => (&mut invalid, format!("✗ \"{}\"", sanitize(value, usize::MAX))),
            Err(_) => (&mut failed, "? its tags could not be read".to_owned()),
        };
        *count += 1;
        let mut name = row.repository.name();
        if display_width(name) > width {
            lines.push(name.to_owned());
            name = "";
        }
        for line in wrap_text(&cell, TABLE_WIDTH - width - 2) {
            lines.push(format!("{name:width$}  {line}"));
            name = "";
        }
        for error in invalid_words {
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
    let noun = if rows.len() == 1 { "repository" } else { "repositories" };
    let totals = format!("{} {noun} in {region}: {}", rows.len(), counts.join(", "));
    lines.push(String::new());
    lines.extend(wrap_text(&totals, TABLE_WIDTH));
    lines.join("\n") + "\n"
}
