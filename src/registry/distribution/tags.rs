//! The tags of a repository.
//!
//! Does not read more of them than it is told to.

use serde::Deserialize;

use super::fault::Fault;
use super::{Distribution, in_time};
use crate::name::Tag;
use crate::registry::{Answer, MAX_MANIFEST, RegistryError, pieces};

/// How many tags a page is to hold; registries are free to send fewer.
const PAGE: usize = 1000;

/// The body of an answer: OCI distribution specification 1.1, "Listing Tags".
#[derive(Deserialize)]
struct Listed {
    /// `null` where there are none, as some registries have it.
    tags: Option<Vec<String>>,
}

impl Distribution {
    /// The tags, as many pages as said, as the registry orders them. What cannot be a tag is left out.
    ///
    /// # Errors
    /// Where the registry does not list them.
    pub async fn tags(&self, pages: usize) -> Result<Vec<String>, RegistryError> {
        in_time(self.pages(pages)).await.map_err(|fault| self.error(fault, None))
    }

    async fn pages(&self, pages: usize) -> Result<Vec<String>, Fault> {
        let mut tags: Vec<String> = Vec::new();
        for _ in 0..pages {
            // Tags are of characters that need no escape.
            let after = tags.last().map_or_else(String::new, |last| format!("&last={last}"));
            let reply = self.asker.get(&format!("tags/list?n={PAGE}{after}"), "application/json").await?;
            let Some(reply) = reply else { break };
            let is_last = !reply.has_more();
            let Ok(Answer::Found(body)) = pieces::whole(reply.body, MAX_MANIFEST).await else {
                return Err(Fault::failed("the list of tags broke off, or is too long"));
            };
            let listed =
                serde_json::from_slice::<Listed>(&body).map_err(|_| Fault::failed("the list of tags is none"))?;
            let before = tags.len();
            tags.extend(listed.tags.unwrap_or_default().into_iter().filter(|tag| tag.parse::<Tag>().is_ok()));
            if is_last || tags.len() == before {
                break;
            }
        }
        Ok(tags)
    }
}
