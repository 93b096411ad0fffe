//! Where images are read: any place that the argument IMAGE can name, opened.
//!
//! Does not judge what it finds there.

use tokio::sync::Mutex;

use super::choice::ImageChoice;
use super::image_ref::ImageArgument;
use super::scheme_check;
use crate::aws::Aws;
use crate::cli::error::CliError;
use crate::name::{Digest, Repository, Selector};
use crate::registry::archive::ImageArchive;
use crate::registry::distribution::DistributionRepository;
use crate::registry::ecr::EcrRegistry;
use crate::registry::ecr::EcrRepository;
use crate::registry::oci_layout::OciLayout;
use crate::registry::{BlobReader, Lookup, Manifest, Registry, RegistryError};

/// Any registry.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one for each image")]
pub(super) enum AnyRegistry {
    OciLayout(OciLayout),
    Archive(ImageArchive),
    Ecr(EcrRepository),
    Distribution(DistributionRepository),
}

/// One image, and where it is.
#[derive(Debug)]
pub(super) struct ImageSource {
    /// As it was named.
    pub(super) reference: String,
    pub(super) registry: AnyRegistry,
    pub(super) selector: Selector,
    /// Where it is one of Amazon ECR.
    pub(super) repository: Option<Repository>,
    /// What may help where it is not there.
    hint: Option<String>,
}

/// What a reference names, as far as that is seen without reading an image or asking a registry.
///
/// # Errors
/// Where it names nothing, or by the wrong scheme something that lies on this machine.
pub(super) fn parse_image_argument(reference: &str) -> Result<ImageArgument, CliError> {
    let argument = reference.parse();
    if let Some(misnamed) = scheme_check::detect_wrong_scheme(reference, argument.as_ref().ok()) {
        return Err(misnamed.into());
    }
    Ok(argument?)
}

/// Opens images. What is expensive to have is shared by all of them: the credentials of a region are looked up once.
#[derive(Debug, Default)]
pub(super) struct ImageOpener {
    clients_by_region: Mutex<Vec<(String, Aws)>>,
}

impl ImageOpener {
    /// Opens the place that holds the image; whether it is there is seen later.
    ///
    /// # Errors
    /// Where a file of its place cannot be read, or it may mean several images.
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
                let layout = OciLayout::open(&directory, None)?;
                let choice = ImageChoice::from_layout(reference, "layout", layout.index());
                let (selector, hint) = (choice.select(selector)?, choice.into_hint());
                source(AnyRegistry::OciLayout(layout), selector, hint)
            }
            ImageArgument::OciArchive { file, selector } => {
                let archive = ImageArchive::open_oci(&file)?;
                let choice = ImageChoice::from_layout(reference, "archive", archive.index());
                let (selector, hint) = (choice.select(selector)?, choice.into_hint());
                source(AnyRegistry::Archive(archive), selector, hint)
            }
            ImageArgument::DockerArchive { file, name } => {
                let archive = ImageArchive::open_docker(&file)?;
                let choice = ImageChoice::from_docker_archive(reference, archive.index());
                let (selector, hint) = (choice.select_by_name(name.as_ref())?, choice.into_hint());
                source(AnyRegistry::Archive(archive), selector, hint)
            }
            ImageArgument::Ecr { repository, selector } => {
                let registry = AnyRegistry::Ecr(self.open_ecr(&repository).await);
                ImageSource { repository: Some(repository), ..source(registry, selector, None) }
            }
            ImageArgument::OtherRegistry { repository, selector } => {
                let registry = DistributionRepository::new(repository, crate::cli::context::registry_connector());
                let may_have_moved = "its tag may point at another image by now: without it, the digest alone counts";
                let hint = matches!(selector, Selector::DigestAndTag(..)).then(|| may_have_moved.to_owned());
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
            regions.push((region.to_owned(), crate::cli::context::load_aws(Some(region.to_owned())).await));
        }
        EcrRegistry::new(&regions[at].1, crate::cli::context::endpoint_url("ECR")).repository(repository)
    }
}

impl ImageSource {
    pub(super) fn not_found_error(&self) -> CliError {
        CliError::ImageNotFound { reference: self.reference.clone(), hint: self.hint.clone() }
    }
}

/// The same question to whichever it is.
macro_rules! ask {
    ($self:ident, $registry:ident => $question:expr) => {
        match $self {
            AnyRegistry::OciLayout($registry) => $question,
            AnyRegistry::Archive($registry) => $question,
            AnyRegistry::Ecr($registry) => $question,
            AnyRegistry::Distribution($registry) => $question,
        }
    };
}

impl Registry for AnyRegistry {
    async fn fetch_manifests(&self, which: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        ask!(self, registry => registry.fetch_manifests(which).await)
    }

    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        ask!(self, registry => registry.fetch_blob(digest, limit).await)
    }

    async fn open_blob(&self, digest: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        ask!(self, registry => registry.open_blob(digest).await)
    }

    async fn fetch_resource_tag(&self, key: &str) -> Result<Option<String>, RegistryError> {
        ask!(self, registry => registry.fetch_resource_tag(key).await)
    }
}
