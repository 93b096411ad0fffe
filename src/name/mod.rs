//! Digests, tags, repositories, and the selector of an image. Each is validated once, when it is parsed.

mod digest;
mod tag;
mod selector;
mod repository;
mod ecr_image;
#[cfg(feature = "cli")]
mod remote_repository;

pub use digest::{Digest, DigestError};
pub use ecr_image::EcrImage;
#[cfg(feature = "cli")]
pub use remote_repository::{RemoteRepository, RemoteRepositoryError};
#[cfg(feature = "consumers")]
pub(crate) use repository::partition;
pub use repository::{Repository, RepositoryError, repository_arn};
pub use selector::Selector;
pub use tag::{Tag, TagError, VERDICT_TAG_PREFIX};
