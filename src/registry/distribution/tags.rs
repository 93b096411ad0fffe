//! The tags of a repository.
//!
//! Does not read more of them than it is told to.

use serde::Deserialize;

use super::error::DistributionError;
use super::{DistributionRepository, with_timeout};
use crate::name::Tag;
use crate::registry::{Lookup, MAX_MANIFEST, RegistryError, body};

/// How many tags a page is to hold; registries are free to send fewer.
const TAGS_PER_PAGE: usize = 1000;

/// The body of an answer: OCI distribution specification 1.1, "Listing Tags".
#[derive(Deserialize)]
struct WireTagList {
    /// `null` where there are none, as some registries have it.
    tags: Option<Vec<String>>,
}

impl DistributionRepository {
    /// The tags, as many pages as said, as the registry orders them. What cannot be a tag is left out.
    ///
    /// # Errors
    /// Where the registry does not list them.
    pub async fn list_tags(&self, pages: usize) -> Result<Vec<String>, RegistryError> {
        with_timeout(self.fetch_tag_pages(pages)).await.map_err(|fault| self.to_registry_error(fault, None))
    }

    async fn fetch_tag_pages(&self, pages: usize) -> Result<Vec<String>, DistributionError> {
        let mut tags: Vec<String> = Vec::new();
        for _ in 0..pages {
            // Tags are of characters that need no escape.
            let after = tags.last().map_or_else(String::new, |last| format!("&last={last}"));
            let reply = self.client.get(&format!("tags/list?n={TAGS_PER_PAGE}{after}"), "application/json").await?;
            let Some(reply) = reply else { break };
            let is_last = !reply.has_next_page();
            let Ok(Lookup::Found(body)) = body::read_body(reply.body, MAX_MANIFEST).await else {
                return Err(DistributionError::failure("the list of tags broke off, or is too long"));
            };
            let listed = serde_json::from_slice::<WireTagList>(&body)
                .map_err(|_| DistributionError::failure("the list of tags is none"))?;
            let before = tags.len();
            tags.extend(listed.tags.unwrap_or_default().into_iter().filter(|tag| tag.parse::<Tag>().is_ok()));
            if is_last || tags.len() == before {
                break;
            }
        }
        Ok(tags)
    }
}
