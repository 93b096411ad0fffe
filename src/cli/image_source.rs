//! Opens images in OCI layouts, archives, Amazon ECR and other registries.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use tokio::sync::Mutex;

use super::context::{endpoint_url, load_aws, registry_connector};
use super::error::CliError;
use super::image_ref::{ImageArgument, STANDARD_INPUT, SavedImageName};
use super::suggest::TAG_MOVED_HINT;
use super::temporary_archive::{STANDARD_INPUT_NAME, copy_standard_input, save_docker_image};
use crate::aws::Aws;
use crate::name::{Digest, RemoteRepository, Repository, Selector};
use crate::registry::archive::ImageArchive;
use crate::registry::distribution::DistributionRepository;
use crate::registry::ecr::{EcrRegistry, EcrRepository};
use crate::registry::layout_index::LayoutIndex;
use crate::registry::oci_layout::OciLayout;
use crate::registry::{BlobReader, Lookup, Manifest, Registry, RegistryError};
use crate::text::sanitize_quoted;

/// How many names of images a hint lists.
const MAX_NAMES: usize = 20;

/// A registry of any kind.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one for each image")]
pub(super) enum AnyRegistry {
    OciLayout(OciLayout),
    Archive(ImageArchive),
    Ecr(EcrRepository),
    Distribution(DistributionRepository),
}

/// One image, and the registry that holds it.
#[derive(Debug)]
pub(super) struct ImageSource {
    /// The reference as given on the command line.
    pub(super) reference: String,
    pub(super) registry: AnyRegistry,
    pub(super) selector: Selector,
    /// The repository, if it is one of Amazon ECR.
    pub(super) repository: Option<Repository>,
    /// The hint if the image does not exist.
    hint: Option<String>,
    /// The file of the archive, if it was created for this check. It is deleted with the source.
    _temporary_file: Option<NamedTempFile>,
}

/// Opens images. The clients of a region, and with them its credentials, are loaded once and shared.
#[derive(Debug)]
pub(super) struct ImageOpener {
    clients_by_region: Mutex<HashMap<String, Aws>>,
    /// Whether no progress is shown.
    is_quiet: bool,
}

impl ImageOpener {
    pub(super) fn new(is_quiet: bool) -> Self {
        Self { clients_by_region: Mutex::default(), is_quiet }
    }

    /// Opens the registry that holds the image. Whether the image exists is only known when its manifest is read. Fails
    /// if a layout or archive cannot be read, or the reference may mean several images.
    pub(super) async fn open(&self, reference: &str, argument: ImageArgument) -> Result<ImageSource, CliError> {
        let (mut ecr_repository, mut temporary_file) = (None, None);
        let (registry, selector, hint) = match argument {
            ImageArgument::OciLayout { directory, selector } => {
                let (directory, repository) = split_repository(directory);
                let layout = OciLayout::open(&directory, None)?;
                let hint = list_names("layout", layout.index().tags());
                let selector =
                    choose_image_in(reference, layout.index(), repository.as_deref(), selector, hint.as_ref())?;
                (AnyRegistry::OciLayout(layout), selector, hint)
            }
            ImageArgument::OciArchive { file, selector } => {
                let (file, repository) = split_repository(file);
                let archive = open_archive(&file, &mut temporary_file, ImageArchive::open_oci)?;
                let hint = list_names("archive", archive.index().tags());
                let selector =
                    choose_image_in(reference, archive.index(), repository.as_deref(), selector, hint.as_ref())?;
                (AnyRegistry::Archive(archive), selector, hint)
            }
            ImageArgument::DockerArchive { file, name } => {
                let archive = open_archive(&file, &mut temporary_file, ImageArchive::open_docker)?;
                let hint = list_names("archive", archive.index().display_names());
                let selector = match name {
                    None => choose_image(reference, archive.index(), None, hint.as_ref())?,
                    Some(SavedImageName { repository, tag }) => {
                        let mut found = archive.index().find_by_tag(repository.as_deref(), &tag);
                        let is_ambiguous = found.len() > 1;
                        let error = || choice_error(reference, is_ambiguous, hint.as_ref());
                        found.pop().filter(|_| !is_ambiguous).ok_or_else(error)?
                    }
                };
                (AnyRegistry::Archive(archive), selector, hint)
            }
            ImageArgument::DockerDaemon { name } => {
                let file = temporary_file.insert(save_docker_image(&name, self.is_quiet).await?);
                let archive = ImageArchive::open_docker(file.path())?;
                let selector = choose_image(reference, archive.index(), None, None)?;
                (AnyRegistry::Archive(archive), selector, None)
            }
            ImageArgument::Ecr { repository, selector } => {
                let registry = self.open_ecr(&repository).await;
                ecr_repository = Some(repository);
                (AnyRegistry::Ecr(registry), selector, None)
            }
            ImageArgument::OtherRegistry { repository, selector } => {
                let registry = DistributionRepository::new(repository, registry_connector());
                let hint = matches!(selector, Selector::DigestAndTag(..)).then(|| TAG_MOVED_HINT.to_owned());
                (AnyRegistry::Distribution(registry), selector, hint)
            }
        };
        let (reference, repository) = (reference.to_owned(), ecr_repository);
        Ok(ImageSource { reference, registry, selector, repository, hint, _temporary_file: temporary_file })
    }

    async fn open_ecr(&self, repository: &Repository) -> EcrRepository {
        let mut regions = self.clients_by_region.lock().await;
        let region = repository.region();
        if !regions.contains_key(region) {
            regions.insert(region.to_owned(), load_aws(Some(region.to_owned())).await);
        }
        EcrRegistry::new(&regions[region], endpoint_url("ECR")).repository(repository)
    }
}

/// Opens an archive: for `-`, a copy of standard input.
fn open_archive(
    file: &Path,
    temporary: &mut Option<NamedTempFile>,
    open: impl Fn(&Path) -> Result<ImageArchive, RegistryError>,
) -> Result<ImageArchive, CliError> {
    if file.as_os_str() != STANDARD_INPUT {
        return Ok(open(file)?);
    }
    let file = temporary.insert(copy_standard_input()?);
    open(file.path()).map_err(|error| match error {
        RegistryError::File { source, .. } => {
            RegistryError::File { path: STANDARD_INPUT_NAME.to_owned(), source }.into()
        }
        error => error.into(),
    })
}

impl ImageSource {
    /// Returns the repository, if it is in a registry other than Amazon ECR.
    pub(super) fn remote_repository(&self) -> Option<&RemoteRepository> {
        match &self.registry {
            AnyRegistry::Distribution(registry) => Some(registry.name()),
            _ => None,
        }
    }

    pub(super) fn not_found_error(&self) -> CliError {
        CliError::ImageNotFound { reference: self.reference.clone(), hint: self.hint.clone() }
    }
}

/// Returns the requested image of a layout or an archive, or the only one.
fn choose_image(
    reference: &str,
    images: &LayoutIndex,
    requested: Option<Selector>,
    hint: Option<&String>,
) -> Result<Selector, CliError> {
    let error = || choice_error(reference, !images.is_empty(), hint);
    requested.or_else(|| images.sole_image()).ok_or_else(error)
}

/// Returns the requested image, which may be in a repository, or the only one.
fn choose_image_in(
    reference: &str,
    images: &LayoutIndex,
    repository: Option<&str>,
    requested: Option<Selector>,
    hint: Option<&String>,
) -> Result<Selector, CliError> {
    match (repository, requested) {
        (_, Some(Selector::Tag(tag))) => {
            let mut found = images.find_by_tag(repository, &tag);
            let is_ambiguous = found.len() > 1;
            // A single image is found by its tag, also if its listed digest is invalid, which is reported then.
            let found = if repository.is_some() { found.pop() } else { Some(Selector::Tag(tag)) };
            found.filter(|_| !is_ambiguous).ok_or_else(|| choice_error(reference, is_ambiguous, hint))
        }
        (Some(_), None) => Err(choice_error(reference, false, hint)),
        (_, requested) => choose_image(reference, images, requested, hint),
    }
}

fn choice_error(reference: &str, is_ambiguous: bool, hint: Option<&String>) -> CliError {
    let (reference, hint) = (reference.to_owned(), hint.cloned());
    if is_ambiguous {
        CliError::AmbiguousImage { reference, hint }
    } else {
        CliError::ImageNotFound { reference, hint }
    }
}

/// Splits the repository off a path that does not exist: `DIR:docker.io/library/app`, whose tag was split off before.
/// As in skopeo, the path ends at the first colon.
fn split_repository(path: PathBuf) -> (PathBuf, Option<String>) {
    let name = path.to_str().filter(|_| !path.exists()).and_then(|text| text.split_once(':'));
    match name.map(|(path, repository)| (PathBuf::from(path), repository.to_owned())) {
        Some((path, repository)) if path.exists() => (path, Some(repository)),
        _ => (path, None),
    }
}

/// Lists the first [`MAX_NAMES`] names, sanitized; `None` if there are none.
fn list_names(place: &str, names: impl Iterator<Item = impl AsRef<str>>) -> Option<String> {
    let mut names: Vec<String> = names.map(|name| sanitize_quoted(name.as_ref())).collect();
    let more = names.len().saturating_sub(MAX_NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.truncate(MAX_NAMES);
    (!names.is_empty()).then(|| format!("choose an image in the {place}: {}{more}", names.join(", ")))
}

/// Delegates a call to the registry inside an [`AnyRegistry`].
macro_rules! delegate {
    ($self:ident, $registry:ident => $call:expr) => {
        match $self {
            AnyRegistry::OciLayout($registry) => $call,
            AnyRegistry::Archive($registry) => $call,
            AnyRegistry::Ecr($registry) => $call,
            AnyRegistry::Distribution($registry) => $call,
        }
    };
}

impl Registry for AnyRegistry {
    async fn fetch_manifests(&self, selectors: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        delegate!(self, registry => registry.fetch_manifests(selectors).await)
    }

    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        delegate!(self, registry => registry.fetch_blob(digest, limit).await)
    }

    async fn open_blob(&self, digest: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        delegate!(self, registry => registry.open_blob(digest).await)
    }

    fn is_blob_file_missing(&self, digest: &Digest) -> bool {
        delegate!(self, registry => registry.is_blob_file_missing(digest))
    }

    async fn fetch_resource_tags(&self, declaration_key: &str) -> Result<Vec<(String, String)>, RegistryError> {
        delegate!(self, registry => registry.fetch_resource_tags(declaration_key).await)
    }
}
