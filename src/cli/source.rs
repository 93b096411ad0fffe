//! Where images are read: any place that the argument IMAGE can name, opened.
//!
//! Does not judge what it finds there.

use tokio::sync::Mutex;

use super::Error;
use super::choice::Choice;
use super::image::ImageArgument;
use super::local;
use crate::aws::Aws;
use crate::name::{Digest, Repository, Selector};
use crate::registry::archive::Archive;
use crate::registry::distribution::Distribution;
use crate::registry::ecr::Ecr;
use crate::registry::ecr::EcrRepository;
use crate::registry::oci_layout::Layout;
use crate::registry::{Answer, Manifest, Registry, RegistryError, Stream};

/// Any registry.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one for each image")]
pub(super) enum AnyRegistry {
    Layout(Layout),
    Archive(Archive),
    Ecr(EcrRepository),
    Remote(Distribution),
}

/// One image, and where it is.
#[derive(Debug)]
pub(super) struct Source {
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
pub(super) fn named(reference: &str) -> Result<ImageArgument, Error> {
    let argument = reference.parse();
    if let Some(misnamed) = local::misnamed(reference, argument.as_ref().ok()) {
        return Err(misnamed.into());
    }
    Ok(argument?)
}

/// Opens images. What is expensive to have is shared by all of them: the credentials of a region are looked up once.
#[derive(Debug, Default)]
pub(super) struct Sources {
    regions: Mutex<Vec<(String, Aws)>>,
}

impl Sources {
    /// Opens the place that holds the image; whether it is there is seen later.
    ///
    /// # Errors
    /// Where a file of its place cannot be read, or it may mean several images.
    pub(super) async fn open(&self, reference: &str, argument: ImageArgument) -> Result<Source, Error> {
        let source = |registry, selector, hint| Source {
            reference: reference.to_owned(),
            registry,
            selector,
            repository: None,
            hint,
        };
        Ok(match argument {
            ImageArgument::Layout { directory, selector } => {
                let layout = Layout::open(&directory, None)?;
                let choice = Choice::of_layout(reference, "layout", layout.listed());
                let (selector, hint) = (choice.selector(selector)?, choice.into_hint());
                source(AnyRegistry::Layout(layout), selector, hint)
            }
            ImageArgument::OciArchive { file, selector } => {
                let archive = Archive::oci(&file)?;
                let choice = Choice::of_layout(reference, "archive", archive.listed());
                let (selector, hint) = (choice.selector(selector)?, choice.into_hint());
                source(AnyRegistry::Archive(archive), selector, hint)
            }
            ImageArgument::DockerArchive { file, name } => {
                let archive = Archive::docker(&file)?;
                let choice = Choice::of_archive(reference, archive.listed());
                let (selector, hint) = (choice.named(name.as_ref())?, choice.into_hint());
                source(AnyRegistry::Archive(archive), selector, hint)
            }
            ImageArgument::Ecr { repository, selector } => {
                let registry = AnyRegistry::Ecr(self.ecr(&repository).await);
                Source { repository: Some(repository), ..source(registry, selector, None) }
            }
            ImageArgument::Remote { repository, selector } => {
                let registry = Distribution::new(repository, super::far());
                let may_have_moved = "its tag may point at another image by now: without it, the digest alone counts";
                let hint = matches!(selector, Selector::Both(..)).then(|| may_have_moved.to_owned());
                source(AnyRegistry::Remote(registry), selector, hint)
            }
        })
    }

    async fn ecr(&self, repository: &Repository) -> EcrRepository {
        let mut regions = self.regions.lock().await;
        let region = repository.region();
        let known = regions.iter().position(|(known, _)| known == region);
        let at = known.unwrap_or(regions.len());
        if known.is_none() {
            regions.push((region.to_owned(), super::aws(Some(region.to_owned())).await));
        }
        Ecr::new(&regions[at].1, super::endpoint("ECR")).open(repository)
    }
}

impl Source {
    pub(super) fn absent(&self) -> Error {
        Error::Absent { reference: self.reference.clone(), hint: self.hint.clone() }
    }
}

/// The same question to whichever it is.
macro_rules! ask {
    ($self:ident, $registry:ident => $question:expr) => {
        match $self {
            AnyRegistry::Layout($registry) => $question,
            AnyRegistry::Archive($registry) => $question,
            AnyRegistry::Ecr($registry) => $question,
            AnyRegistry::Remote($registry) => $question,
        }
    };
}

impl Registry for AnyRegistry {
    async fn manifests(&self, which: &[Selector]) -> Result<Vec<Answer<Manifest>>, RegistryError> {
        ask!(self, registry => registry.manifests(which).await)
    }

    async fn blob(&self, digest: &Digest, limit: usize) -> Result<Answer<Vec<u8>>, RegistryError> {
        ask!(self, registry => registry.blob(digest, limit).await)
    }

    async fn stream(&self, digest: &Digest) -> Result<Answer<Stream>, RegistryError> {
        ask!(self, registry => registry.stream(digest).await)
    }

    async fn resource_tag(&self, key: &str) -> Result<Option<String>, RegistryError> {
        ask!(self, registry => registry.resource_tag(key).await)
    }
}
