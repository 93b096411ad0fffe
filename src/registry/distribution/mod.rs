//! A repository of any registry that speaks the OCI distribution API: Docker Hub, GHCR, ECR Public, one on loopback.
//!
//! Does not write, nor know resource tags: such registries have none. Plain HTTP is for loopback only. Addresses are
//! never part of an error: after a redirect they are bearer secrets.
//!
//! The protocol is written here, on the connector that all other requests go through. The crate oci-client (0.18) reads
//! manifests and errors without a bound, follows redirects to plain HTTP, refuses manifests of Docker's schema 1 and does
//! not tell a token service's refusal from none; none of it can be set.

mod ask;
mod credentials;
mod fault;
mod inward;
mod send;
mod sign;
mod tags;

use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use futures_util::{StreamExt, TryStreamExt, stream};

pub use self::fault::Fault;

use self::ask::{Asker, Reply};
use self::fault::Kind;
use super::{Answer, MANIFEST_TYPES, MAX_MANIFEST, Manifest, Registry, RegistryError, Stream, pieces};
use crate::name::{Digest, Remote, Selector};

/// How long one manifest or config may take with all that it needs: a token, redirects, attempts after failures.
const DEADLINE: Duration = Duration::from_mins(1);

/// How many manifests are fetched beside each other.
const WIDTH: usize = 4;

/// What is done: the action's name in the scopes of tokens (distribution, "Token Scope Documentation").
const ACTION: &str = "pull";

/// One repository, read as OCI distribution specification 1.1, "Pull", has it.
#[derive(Debug)]
pub struct Distribution {
    asker: Asker,
    repository: Remote,
}

impl Distribution {
    /// `http` sends every request; it must not follow redirects by itself. Credentials are docker's, where there are any.
    #[must_use]
    pub fn new(repository: Remote, http: SharedHttpConnector) -> Self {
        Self { asker: Asker::new(&repository, http), repository }
    }

    /// "Pulling manifests": by tag where one is named, so that a tag that points at another image by now is seen.
    async fn manifest(&self, selector: &Selector) -> Result<Answer<Manifest>, RegistryError> {
        let reference = match selector {
            Selector::Tag(tag) | Selector::Both(_, tag) => tag.as_str(),
            Selector::Digest(digest) => digest.as_str(),
        };
        let read = async {
            let accept = MANIFEST_TYPES.join(", ");
            let Some(reply) = self.asker.get(&format!("manifests/{reference}"), &accept).await? else {
                return Ok(Answer::Absent);
            };
            let named = reply.digest();
            let media_type =
                reply.media_type().filter(|name| MANIFEST_TYPES.contains(name)).unwrap_or_default().to_owned();
            match pieces::whole(reply.body, MAX_MANIFEST).await.map_err(|_| Fault::failed("the manifest broke off"))? {
                Answer::Found(bytes) => {
                    let digest = named.unwrap_or_else(|| Digest::of(&bytes));
                    Ok(Answer::Found(Manifest { digest, media_type, bytes }))
                }
                _ => Ok(Answer::Refused(format!("its manifest holds more than {MAX_MANIFEST} bytes"))),
            }
        };
        let answer = in_time(read).await.map_err(|fault| self.error(fault, None))?;
        Ok(match (answer, selector) {
            (Answer::Found(manifest), Selector::Both(digest, _)) if manifest.digest != *digest => Answer::Moved,
            // What was asked for by digest is held against that digest, whatever the registry names.
            (Answer::Found(manifest), Selector::Digest(digest)) => {
                Answer::Found(Manifest { digest: digest.clone(), ..manifest })
            }
            (answer, _) => answer,
        })
    }

    /// "Pulling blobs": the reply, its body still to come.
    async fn open(&self, digest: &Digest) -> Result<Option<Reply>, Fault> {
        self.asker.get(&format!("blobs/{digest}"), "*/*").await
    }

    fn error(&self, fault: Fault, blob: Option<&Digest>) -> RegistryError {
        let resource = self.repository.to_string();
        match (fault.kind(), blob) {
            (Kind::Transfer, Some(digest)) => {
                RegistryError::Transfer { digest: digest.clone(), reason: fault.to_string() }
            }
            (Kind::Denied, _) => RegistryError::Denied { action: ACTION, resource, source: fault.into() },
            (Kind::Missing, _) => RegistryError::NoRepository { action: ACTION, resource, source: fault.into() },
            (Kind::Failed | Kind::Transfer, _) => {
                RegistryError::Failed { action: ACTION, resource, source: fault.into() }
            }
        }
    }
}

impl Registry for Distribution {
    async fn manifests(&self, which: &[Selector]) -> Result<Vec<Answer<Manifest>>, RegistryError> {
        stream::iter(which.iter().map(|selector| self.manifest(selector))).buffered(WIDTH).try_collect().await
    }

    async fn blob(&self, digest: &Digest, limit: usize) -> Result<Answer<Vec<u8>>, RegistryError> {
        let read = async {
            match self.open(digest).await? {
                Some(reply) => pieces::whole(reply.body, limit).await.map_err(Fault::transfer),
                None => Ok(Answer::Absent),
            }
        };
        in_time(read).await.map_err(|fault| self.error(fault, Some(digest)))
    }

    async fn stream(&self, digest: &Digest) -> Result<Answer<Stream>, RegistryError> {
        let opened = in_time(self.open(digest)).await.map_err(|fault| self.error(fault, Some(digest)))?;
        Ok(opened.map_or(Answer::Absent, |reply| Answer::Found(pieces::stream(reply.body, crate::aws::PIECE))))
    }

    async fn resource_tag(&self, _: &str) -> Result<Option<String>, RegistryError> {
        Ok(None)
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let late = |_| Err(Fault::transfer(format!("it took more than {} s", DEADLINE.as_secs())));
    tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(late)
}
