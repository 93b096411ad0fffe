//! What an image really does when it is started: its layers are read, from the highest down, until that is known.
//!
//! Does not run anything, and does not judge. Where no answer can be had, the reason is kept; only a registry that fails
//! makes it fail.

mod inspection;
mod cache;
mod layers;
mod wanted;
mod patience;
mod question;

use std::time::Instant;

pub use cache::Cache;
pub use inspection::{Inspection, Seen, Site};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;

use crate::layers::Stack;
use crate::oci::{Image, Single};
use crate::registry::{Registry, RegistryError};
use crate::runtime::Runtime;
use crate::settings::Limits;
use layers::{Layers, is_over};
use question::{Asked, Question};
use wanted::{labelled, wanted};

/// As many images of one index are inspected. With one declared runtime it is one; without any, each platform that Linux
/// has on the two processors.
const MAX_INSPECTED: usize = 8;

/// How many images of one index are inspected beside each other.
const BESIDE: usize = 2;

/// What inspections are done with.
#[derive(Debug)]
pub struct Inspector {
    /// How much of layers is read and remembered.
    pub limits: Limits,
    /// What is known of layers.
    pub cache: Cache,
    /// How many layers are read beside each other.
    width: usize,
    /// As many turns to read one.
    turns: Semaphore,
}

impl Inspector {
    /// With these limits, and a cache for so many bytes.
    #[must_use]
    pub fn new(limits: Limits, cache: usize) -> Self {
        // Inflating is what takes the time, and each layer is inflated by one thread. More than a few would hold too
        // much of the network's bytes and of the decoders' windows at once.
        let width = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).clamp(1, 4);
        Self { limits, cache: Cache::new(cache), width, turns: Semaphore::new(width) }
    }

    /// Inspects what a verdict on these runtimes depends on; without any, each platform against its own label.
    ///
    /// # Errors
    /// Where the registry fails, as a retry may mend.
    pub async fn inspect(
        &self,
        registry: &impl Registry,
        image: &Image,
        runtimes: &[Runtime],
        deadline: Option<Instant>,
    ) -> Result<Vec<Inspection>, RegistryError> {
        let inspected = wanted(runtimes, image).into_iter().enumerate().map(async |(at, (single, sites))| {
            let seen = if at < MAX_INSPECTED {
                // Whether a host starts programs of 32 bits is not declared anywhere.
                self.look(registry, single, &sites, None, deadline).await?
            } else {
                let reason = format!("only {MAX_INSPECTED} images of an index are inspected");
                sites.iter().map(|_| Seen::Nothing(reason.clone())).collect()
            };
            let inspection = |(site, seen)| Inspection::new(single, site, seen);
            Ok(sites.into_iter().zip(seen).map(inspection).collect::<Vec<_>>())
        });
        let inspected: Vec<_> = stream::iter(inspected).buffered(BESIDE).try_collect().await?;
        Ok(inspected.concat())
    }

    /// Inspects every image for Linux that was read, each on a processor of the family that its label claims, which
    /// starts programs of 32 bits too: what its program is made for is the question, and not where it is to run.
    ///
    /// # Errors
    /// Where the registry fails, as a retry may mend.
    pub async fn programs(
        &self,
        registry: &impl Registry,
        image: &Image,
        deadline: Option<Instant>,
    ) -> Result<Vec<Inspection>, RegistryError> {
        let inspected = labelled(image).into_iter().map(async |(single, site)| {
            let seen = self.look(registry, single, &[site], Some(true), deadline).await?.pop();
            Ok(seen.map(|seen| Inspection::new(single, site, seen)))
        });
        let inspected: Vec<_> = stream::iter(inspected).buffered(BESIDE).try_collect().await?;
        Ok(inspected.into_iter().flatten().collect())
    }

    /// What stands in the place of inspections that could not be made, because …
    #[must_use]
    pub fn untold(image: &Image, runtimes: &[Runtime], reason: &str) -> Vec<Inspection> {
        let untold = |(single, sites): (&Single, Vec<Site>)| {
            let seen = Seen::Nothing(reason.to_owned());
            let inspection = |site| Inspection::new(single, site, seen.clone());
            sites.into_iter().map(inspection).collect::<Vec<_>>()
        };
        wanted(runtimes, image).into_iter().flat_map(untold).collect()
    }

    /// One image on several sites: its layers are read once for all.
    async fn look(
        &self,
        registry: &impl Registry,
        single: &Single,
        sites: &[Site],
        compat: Option<bool>,
        deadline: Option<Instant>,
    ) -> Result<Vec<Seen>, RegistryError> {
        let all = |seen: Seen| sites.iter().map(|_| seen.clone()).collect();
        if let Some(reason) = single.unread.as_ref().or(single.gap.as_ref()) {
            return Ok(all(Seen::Unread(reason.clone())));
        }
        if let Some(reason) = &single.process.odd {
            return Ok(all(Seen::Nothing(reason.clone())));
        }
        let question = Question::new(&single.process, deadline);
        let mut layers = Layers::new(registry, self, &single.layers, deadline);
        let mut stack = Stack::default();
        let mut is_complete = false;
        loop {
            if is_over(deadline) {
                return Ok(all(Seen::Late));
            }
            let asked: Vec<Asked> = sites.iter().map(|site| question.ask(&stack, *site, compat)).collect();
            // Whoever was asked until then may have left off for no other reason.
            if is_over(deadline) && asked.iter().any(|asked| !matches!(asked, Asked::Settled(Seen::Launches(..)))) {
                return Ok(all(Seen::Late));
            }
            let is_open = asked.iter().any(|asked| matches!(asked, Asked::Open(_)));
            if is_complete || !is_open {
                return Ok(asked.into_iter().map(|asked| asked.or_else(None)).collect());
            }
            let next = within(deadline, layers.next()).await;
            let added = match next.unwrap_or(Ok(Some(Err(Seen::Late))))? {
                Some(Ok(names)) => stack.push(names, &self.limits).map_err(|bound| Seen::Unread(bound.to_string())),
                Some(Err(seen)) => Err(seen),
                None => {
                    is_complete = true;
                    let completed = within(deadline, completed(stack, self.limits, deadline)).await;
                    let Some((known, done)) = completed else { return Ok(all(Seen::Late)) };
                    stack = known;
                    done.map_err(Seen::Unread)
                }
            };
            if let Err(seen) = added {
                return Ok(asked.into_iter().map(|asked| asked.or_else(Some(&seen))).collect());
            }
        }
    }
}

impl Asked {
    /// The answer, or why there is none: this, where it is given, else the question's own reason.
    fn or_else(self, without: Option<&Seen>) -> Seen {
        match self {
            Self::Settled(seen) => seen,
            Self::Open(own) => without.cloned().unwrap_or(Seen::Nothing(own)),
        }
    }
}

/// Lays the layers out, where that is needed, on a thread of its own.
async fn completed(mut stack: Stack, limits: Limits, deadline: Option<Instant>) -> (Stack, Result<(), String>) {
    let laying = tokio::task::spawn_blocking(move || {
        let done = stack.complete_while(&limits, &|| !is_over(deadline)).map_err(|error| error.to_string());
        (stack, done)
    });
    laying.await.unwrap_or_else(|error| (Stack::default(), Err(error.to_string())))
}

/// What a future gives before the deadline.
async fn within<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline.into(), future).await.ok(),
        None => Some(future.await),
    }
}
