//! `ecr-preflight declare --from FILE` and `--prefix PREFIX`: declares runtimes for many repositories, after one
//! confirmation of all changes.
//!
//! Nothing is written before every repository was found and read. A repository that already declares what is asked for is
//! not written, so an interrupted command goes on where it stopped if it is run again.

use std::collections::HashMap;
use std::io::{IsTerminal, Write, stderr};

use aws_sdk_ecr::config::retry::RetryConfig;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::change::{confirm, conflict_note, format_tag_value};
use super::declaration_file::{RequestedDeclaration, read_declaration_file};
use super::repository_argument::{MAX_CONCURRENT_READS, parse_repository};
use crate::aws::Aws;
use crate::aws::default_connector;
use crate::cli::context::{endpoint_url, load_aws_with};
use crate::cli::error::CliError;
use crate::cli::terminal::StyledOutput;
use crate::declare::{declaration_value, write_declaration};
use crate::name::Repository;
use crate::registry::RegistryError;
use crate::registry::ecr::{EcrRegistry, EcrRepository, listing};
use crate::runtime::Runtime;
use crate::verdict::Verdict;

/// How often a throttled call is tried. With the SDK's adaptive retries, the client also slows down before its calls.
const MAX_ATTEMPTS: u32 = 10;

/// How many missing repositories are named.
const MAX_NAMED_REPOSITORIES: usize = 20;

/// A repository, and what to write to it.
#[derive(Debug)]
struct DeclarationChange {
    repository: Repository,
    before: Option<String>,
    /// `None` removes the declaration.
    after: Option<String>,
}

/// The clients of the regions, and the repositories of the configured one.
struct RepositoryFinder {
    default_region: Aws,
    other_regions: HashMap<String, Aws>,
}

/// Which repositories get which runtimes.
#[derive(Debug)]
pub(super) enum BulkSelection {
    /// What a file lists; `-` is standard input.
    File(String),
    /// All whose names begin with this, the same runtimes; none removes the declaration.
    Prefix(String, Vec<Runtime>),
}

/// The declarations of many repositories.
#[derive(Debug)]
pub(super) struct BulkDeclaration {
    pub(super) selection: BulkSelection,
    /// Whether the changes are written without asking.
    pub(super) is_confirmed: bool,
    /// Whether the changes are only shown.
    pub(super) is_dry_run: bool,
}

impl BulkDeclaration {
    pub(super) async fn run<E: Write>(
        self,
        key: &str,
        out: &mut impl Write,
        err: &mut StyledOutput<E>,
    ) -> Result<Verdict, CliError> {
        let mut finder = RepositoryFinder { default_region: load_paced_aws(None).await, other_regions: HashMap::new() };
        let requested: Vec<(Repository, Vec<Runtime>)> = match self.selection {
            BulkSelection::File(file) => finder.find_repositories(read_declaration_file(&file)?).await?,
            BulkSelection::Prefix(prefix, runtimes) => {
                let found = finder.list_repositories().await?.into_iter();
                found.filter(|one| one.name().starts_with(&prefix)).map(|one| (one, runtimes.clone())).collect()
            }
        };
        if requested.is_empty() {
            let message = "nothing was written: no repository is selected";
            return Err(CliError::Command { source: message.into(), hint: None, is_usage: false });
        }
        let changes = finder.read_changes(key, requested, out, err).await?;
        if changes.is_empty() || self.is_dry_run {
            return Ok(Verdict::Runs);
        }
        if !self.is_confirmed {
            let noun = if changes.len() == 1 { "this declaration" } else { "these declarations" };
            if !confirm(&format!("Write {noun}?"), out, err)? {
                return Ok(Verdict::Unknown);
            }
        }
        finder.write_changes(key, &changes, !self.is_confirmed, out, err).await?;
        Ok(Verdict::Runs)
    }
}

async fn load_paced_aws(region: Option<String>) -> Aws {
    let retries = RetryConfig::adaptive().with_max_attempts(MAX_ATTEMPTS);
    load_aws_with(region, default_connector(), Some(retries)).await
}

impl RepositoryFinder {
    /// Returns the configuration for the region of a repository.
    fn aws(&self, repository: &Repository) -> &Aws {
        self.other_regions.get(repository.region()).unwrap_or(&self.default_region)
    }

    fn registry(&self, repository: &Repository) -> EcrRepository {
        EcrRegistry::new(self.aws(repository), endpoint_url("ECR")).repository(repository)
    }

    async fn list_repositories(&self) -> Result<Vec<Repository>, CliError> {
        let region = self.default_region.region().ok_or(CliError::NoRegion)?;
        let client = self.default_region.ecr_client(endpoint_url("ECR"));
        Ok(listing::list_repositories(&client, None, region).try_collect().await?)
    }

    /// Finds the repositories of a file. Those that are named by a URI or an ARN are found when they are read.
    async fn find_repositories(
        &mut self,
        requested: Vec<RequestedDeclaration>,
    ) -> Result<Vec<(Repository, Vec<Runtime>)>, CliError> {
        let parsed: Vec<Option<Repository>> =
            requested.iter().map(|one| parse_repository(&one.repository)).collect::<Result<_, _>>()?;
        let needs_list = parsed.iter().any(Option::is_none);
        let listed = if needs_list { self.list_repositories().await? } else { Vec::new() };
        let by_name: HashMap<&str, &Repository> = listed.iter().map(|one| (one.name(), one)).collect();
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for (one, parsed) in requested.into_iter().zip(parsed) {
            match parsed.or_else(|| by_name.get(one.repository.as_str()).copied().cloned()) {
                Some(repository) => found.push((repository, one.runtimes)),
                None => missing.push(one.repository),
            }
        }
        if !missing.is_empty() {
            return Err(missing_error(&missing, self.default_region.region().unwrap_or_default()));
        }
        for (repository, _) in &found {
            let region = repository.region();
            if self.default_region.region() != Some(region) && !self.other_regions.contains_key(region) {
                let aws = load_paced_aws(Some(region.to_owned())).await;
                self.other_regions.insert(region.to_owned(), aws);
            }
        }
        Ok(found)
    }

    /// Reads the present declarations, and prints and returns what differs from the requested ones.
    async fn read_changes<E: Write>(
        &self,
        key: &str,
        requested: Vec<(Repository, Vec<Runtime>)>,
        out: &mut impl Write,
        err: &mut StyledOutput<E>,
    ) -> Result<Vec<DeclarationChange>, CliError> {
        let count = requested.len();
        if stderr().is_terminal() {
            err.write_status(&format!("reading the declarations of {count} repositories…"))?;
        }
        let read = async |(repository, runtimes): (Repository, Vec<Runtime>)| {
            let before = self.registry(&repository).fetch_resource_tag(key).await?;
            Ok::<_, RegistryError>((repository, runtimes, before))
        };
        let mut read = stream::iter(requested).map(read).buffered(MAX_CONCURRENT_READS);
        let (mut changes, mut notes) = (Vec::new(), Vec::new());
        while let Some((repository, runtimes, before)) = read.try_next().await? {
            let after = (!runtimes.is_empty()).then(|| declaration_value(&runtimes));
            notes.extend(conflict_note(&runtimes).filter(|note| !notes.contains(note)));
            if before != after {
                let (name, shown) = (repository.name(), format_tag_value(after.as_deref()));
                writeln!(out, "{name}: {key}: {} → {shown}", format_tag_value(before.as_deref()))?;
                changes.push(DeclarationChange { repository, before, after });
            }
        }
        notes.iter().try_for_each(|note| err.write_note(note))?;
        let unchanged = count - changes.len();
        writeln!(out, "{} of {count} to write, {unchanged} already as requested", changes.len())?;
        Ok(changes)
    }

    /// Writes the changes, one after the other, and stops at the first error.
    async fn write_changes<E: Write>(
        &self,
        key: &str,
        changes: &[DeclarationChange],
        was_shown: bool,
        out: &mut impl Write,
        err: &mut StyledOutput<E>,
    ) -> Result<(), CliError> {
        for (written, change) in changes.iter().enumerate() {
            if let Err(error) = self.write_change(key, change, was_shown).await {
                let (name, count) = (change.repository.name(), changes.len());
                writeln!(err, "written: {written} of {count}; stopped at {name}; run the command again to continue")?;
                return Err(error);
            }
        }
        writeln!(out, "written: {}", changes.len())?;
        Ok(())
    }

    async fn write_change(&self, key: &str, change: &DeclarationChange, was_shown: bool) -> Result<(), CliError> {
        let DeclarationChange { repository, before, after } = change;
        // The user confirmed the change that was shown, and the tag may have changed since then.
        if was_shown && self.registry(repository).fetch_resource_tag(key).await? != *before {
            return Err(CliError::DeclarationChanged);
        }
        let client = self.aws(repository).ecr_client(endpoint_url("ECR"));
        Ok(write_declaration(&client, repository, key, after.as_deref()).await?)
    }
}

fn missing_error(missing: &[String], region: &str) -> CliError {
    let shown = missing.iter().take(MAX_NAMED_REPOSITORIES).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = missing.len().saturating_sub(MAX_NAMED_REPOSITORIES);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let noun = if missing.len() == 1 { "a repository does" } else { "repositories do" };
    let source = format!("nothing was written: {noun} not exist in {region}: {shown}{more}");
    let hint = "a name refers to the account and region of the AWS CLI; use URIs or ARNs for others".to_owned();
    CliError::Command { source: source.into(), hint: Some(hint), is_usage: false }
}
