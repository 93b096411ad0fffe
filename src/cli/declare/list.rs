//! `ecr-preflight declare --list`: what each repository of a region declares.
//!
//! Does not stop at a repository whose tags cannot be read: it is said, and the others are still listed.

use std::io::Write;

use clap::ValueEnum;
use futures_util::TryStreamExt;
use serde::Serialize;

use super::super::hint;
use super::table::format_table;
use crate::cli::error::CliError;
use crate::intent::{DeclarationSource, Intent};
use crate::name::Repository;
use crate::registry::ecr::EcrRegistry;
use crate::registry::ecr::listing::list_repositories;
use crate::registry::{Registry, RegistryError};
use crate::runtime::{Runtime, RuntimeError};
use crate::text::error_chain;
use crate::text::sanitize_quoted;
use crate::verdict::Verdict;

/// How many repositories' tags are read beside each other. ECR publishes no rate for `ListTagsForResource` ("Service
/// quotas" of its user guide lists those of pushes and pulls alone); four at a time are quick and seldom throttled, and
/// what is throttled, the client tries again.
const MAX_CONCURRENT_READS: usize = 4;

/// How the list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DeclareListFormat {
    /// For people: a table.
    Text,
    /// For programs: one object, schema `ecr-preflight-declarations/1`.
    Json,
}

/// What one repository declares.
#[derive(Debug)]
pub(super) struct DeclarationRow {
    pub(super) repository: Repository,
    pub(super) declared: Result<Option<String>, RegistryError>,
}

/// The list for programs.
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
    /// The tag's value; `null` where it is not set, or could not be read.
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
    fn intent(&self) -> Intent {
        Intent::default()
            .or_declared_by(DeclarationSource::RepositoryTag, self.declared.as_ref().ok().and_then(Option::as_deref))
    }

    /// The words that name no runtime.
    pub(super) fn invalid_words(&self) -> Vec<RuntimeError> {
        self.intent().invalid.into_iter().map(|unreadable| unreadable.error).collect()
    }

    fn to_entry(&self) -> DeclarationEntry<'_> {
        let intent = self.intent();
        let word = |error: RuntimeError| InvalidWord { word: error.word, nearest: error.nearest };
        DeclarationEntry {
            name: self.repository.name(),
            arn: self.repository.arn(),
            uri: self.repository.to_string(),
            declared: self.declared.as_ref().ok().and_then(Option::as_deref),
            runtimes: intent.candidates(),
            unreadable: self.invalid_words().into_iter().map(word).collect(),
            error: self.declared.as_ref().err().map(|error| error_chain(error)),
        }
    }
}

pub(super) async fn run(
    key: &str,
    prefix: &str,
    format: DeclareListFormat,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<Verdict, CliError> {
    let aws = crate::cli::context::load_aws(None).await;
    let region = aws.region().ok_or(CliError::NoRegion)?;
    let (ecr, client) = {
        let endpoint = || crate::cli::context::endpoint_url("ECR");
        (EcrRegistry::new(&aws, endpoint()), aws.ecr_client(endpoint()))
    };
    let wanted = |repository: &Repository| std::future::ready(repository.name().starts_with(prefix));
    let declared = async |repository: Repository| {
        let declared = ecr.repository(&repository).fetch_resource_tag(key).await;
        Ok(DeclarationRow { repository, declared })
    };
    let found = list_repositories(&client, None, region).try_filter(wanted);
    // An error of the listing itself ends it, and the rows before it are no list of the region.
    let mut rows: Vec<DeclarationRow> = found.map_ok(declared).try_buffered(MAX_CONCURRENT_READS).try_collect().await?;
    rows.sort_by(|one, other| one.repository.name().cmp(other.repository.name()));
    match format {
        DeclareListFormat::Text if rows.is_empty() && prefix.is_empty() => {
            writeln!(out, "There are no repositories in {region}.")?;
        }
        DeclareListFormat::Text if rows.is_empty() => {
            writeln!(
                out,
                "There are no repositories in {region} whose name begins with `{}`.",
                sanitize_quoted(prefix)
            )?;
        }
        DeclareListFormat::Text => write!(out, "{}", format_table(&rows, region, key))?,
        DeclareListFormat::Json => {
            let repositories = rows.iter().map(DeclarationRow::to_entry).collect();
            let listed = DeclarationList { schema: "ecr-preflight-declarations/1", region, key, repositories };
            writeln!(out, "{}", serde_json::to_string_pretty(&listed).map_err(std::io::Error::from)?)?;
        }
    }
    let errors: Vec<&RegistryError> = rows.iter().filter_map(|row| row.declared.as_ref().err()).collect();
    for error in &errors {
        writeln!(err, "error: {}", error_chain(*error))?;
    }
    // One hint for all: they mostly fail alike.
    if let Some(hint) = errors.first().and_then(|error| hint::hint_for_registry_error(error)) {
        writeln!(err, "\nhint: {hint}")?;
    }
    let is_unreadable = rows.iter().any(|row| !row.invalid_words().is_empty());
    Ok(if errors.is_empty() && !is_unreadable { Verdict::Runs } else { Verdict::Unknown })
}
