//! Opens images in OCI layouts, archives, Amazon ECR and other registries.

use std::path::PathBuf;

use tokio::sync::Mutex;

use super::context::{endpoint_url, load_aws, registry_connector};
use super::error::CliError;
use super::image_ref::{ImageArgument, SavedImageName};
use super::scheme_check;
use super::suggest::TAG_MOVED_HINT;
use crate::aws::Aws;
use crate::name::{Digest, Repository, Selector};
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
}

/// Parses a reference without reading an image or contacting a registry.
///
/// # Errors
/// [`CliError::Image`] if the reference is invalid, [`CliError::WrongScheme`] if it names a local image with a wrong or
/// missing scheme.
pub(super) fn parse_image_argument(reference: &str) -> Result<ImageArgument, CliError> {
    let argument = reference.parse();
    if let Some(error) = scheme_check::detect_wrong_scheme(reference, argument.as_ref().ok()) {
        return Err(error.into());
    }
    Ok(argument?)
}

/// Opens images. The clients of a region, and with them its credentials, are loaded once and shared.
#[derive(Debug, Default)]
pub(super) struct ImageOpener {
    clients_by_region: Mutex<Vec<(String, Aws)>>,
}

impl ImageOpener {
    /// Opens the registry that holds the image. Whether the image exists is only known when its manifest is read.
    ///
    /// # Errors
    /// If a layout or archive cannot be read, or the reference may mean several images.
    pub(super) async fn open(&self, reference: &str, argument: ImageArgument) -> Result<ImageSource, CliError> {
        let source = |registry, selector, hint| ImageSource {
            reference: reference.to_owned(),
            registry,
            selector,
            repository: None,
            hint,
        };
        Ok(match argument {
            ImageArgument::OciLayout { directory, selector } => {
                let (directory, repository) = split_repository(directory);
                let layout = OciLayout::open(&directory, None)?;
                let choice = ImageChoice::by_tag(reference, "layout", layout.index());
                let (selector, hint) = (choice.select_in(repository.as_deref(), selector)?, choice.hint);
                source(AnyRegistry::OciLayout(layout), selector, hint)
            }
            ImageArgument::OciArchive { file, selector } => {
                let (file, repository) = split_repository(file);
                let archive = ImageArchive::open_oci(&file)?;
                let choice = ImageChoice::by_tag(reference, "archive", archive.index());
                let (selector, hint) = (choice.select_in(repository.as_deref(), selector)?, choice.hint);
                source(AnyRegistry::Archive(archive), selector, hint)
            }
            ImageArgument::DockerArchive { file, name } => {
                let archive = ImageArchive::open_docker(&file)?;
                let choice = ImageChoice::by_name(reference, archive.index());
                let (selector, hint) = (choice.select_by_name(name.as_ref())?, choice.hint);
                source(AnyRegistry::Archive(archive), selector, hint)
            }
            ImageArgument::Ecr { repository, selector } => {
                let registry = AnyRegistry::Ecr(self.open_ecr(&repository).await);
                ImageSource { repository: Some(repository), ..source(registry, selector, None) }
            }
            ImageArgument::OtherRegistry { repository, selector } => {
                let registry = DistributionRepository::new(repository, registry_connector());
                let hint = matches!(selector, Selector::DigestAndTag(..)).then(|| TAG_MOVED_HINT.to_owned());
                source(AnyRegistry::Distribution(registry), selector, hint)
            }
        })
    }

    async fn open_ecr(&self, repository: &Repository) -> EcrRepository {
        let mut regions = self.clients_by_region.lock().await;
        let region = repository.region();
        let known = regions.iter().position(|(known, _)| known == region);
        let at = known.unwrap_or(regions.len());
        if known.is_none() {
            regions.push((region.to_owned(), load_aws(Some(region.to_owned())).await));
        }
        EcrRegistry::new(&regions[at].1, endpoint_url("ECR")).repository(repository)
    }
}

impl ImageSource {
    pub(super) fn not_found_error(&self) -> CliError {
        CliError::ImageNotFound { reference: self.reference.clone(), hint: self.hint.clone() }
    }
}

/// Selects one image of a layout or an archive; errors list the names that it holds.
struct ImageChoice<'a> {
    reference: &'a str,
    images: &'a LayoutIndex,
    hint: Option<String>,
}

impl<'a> ImageChoice<'a> {
    /// For an OCI layout or an archive of one, whose images are named by tags.
    fn by_tag(reference: &'a str, place: &str, images: &'a LayoutIndex) -> Self {
        Self { reference, images, hint: list_names(place, &images.tags().map(str::to_owned).collect::<Vec<_>>()) }
    }

    /// For an archive of `docker save`, whose images are named by repository and tag.
    fn by_name(reference: &'a str, images: &'a LayoutIndex) -> Self {
        Self { reference, images, hint: list_names("archive", &images.display_names().collect::<Vec<_>>()) }
    }

    /// Returns the requested image, or the only one.
    fn select(&self, requested: Option<Selector>) -> Result<Selector, CliError> {
        let selected = requested.or_else(|| self.images.sole_image());
        selected.ok_or_else(|| self.error(!self.images.is_empty()))
    }

    /// Returns the requested image, which may be in a repository, or the only one.
    fn select_in(&self, repository: Option<&str>, requested: Option<Selector>) -> Result<Selector, CliError> {
        match (repository, requested) {
            (_, Some(Selector::Tag(tag))) => {
                let mut found = self.images.find_by_tag(repository, &tag);
                let is_ambiguous = found.len() > 1;
                // A single image is found by its tag, also if its listed digest is invalid, which is reported then.
                let found = if repository.is_some() { found.pop() } else { Some(Selector::Tag(tag)) };
                found.filter(|_| !is_ambiguous).ok_or_else(|| self.error(is_ambiguous))
            }
            (Some(_), None) => Err(self.error(false)),
            (_, requested) => self.select(requested),
        }
    }

    /// Returns the image of this name, or the only one.
    fn select_by_name(&self, name: Option<&SavedImageName>) -> Result<Selector, CliError> {
        let Some(SavedImageName { repository, tag }) = name else { return self.select(None) };
        let mut found = self.images.find_by_tag(repository.as_deref(), tag);
        let is_ambiguous = found.len() > 1;
        found.pop().filter(|_| !is_ambiguous).ok_or_else(|| self.error(is_ambiguous))
    }

    fn error(&self, is_ambiguous: bool) -> CliError {
        let (reference, hint) = (self.reference.to_owned(), self.hint.clone());
        if is_ambiguous {
            CliError::AmbiguousImage { reference, hint }
        } else {
            CliError::ImageNotFound { reference, hint }
        }
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
fn list_names(place: &str, names: &[String]) -> Option<String> {
    let more = names.len().saturating_sub(MAX_NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let listed: Vec<String> = names.iter().take(MAX_NAMES).map(|name| sanitize_quoted(name)).collect();
    (!listed.is_empty()).then(|| format!("choose an image in the {place}: {}{more}", listed.join(", ")))
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

    async fn fetch_resource_tag(&self, key: &str) -> Result<Option<String>, RegistryError> {
        delegate!(self, registry => registry.fetch_resource_tag(key).await)
    }
}
