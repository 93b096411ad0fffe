//! What an image really does when it is started: its layers are read, from the highest down, until that is known.
//!
//! Does not run anything, and does not judge. Where no answer can be had, the reason is kept; only a registry that fails
//! makes it fail.

mod inspection;
mod cache;
mod layers;
mod plan;
mod lookup_budget;
mod probe;

use std::time::Instant;

pub use cache::LayerCache;
pub use inspection::{Inspection, InspectionOutcome, InspectionTarget};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;

use crate::layers::LayerStack;
use crate::oci::{Image, PlatformImage};
use crate::registry::{Registry, RegistryError};
use crate::runtime::Runtime;
use crate::settings::LayerLimits;
use layers::{LayerFetcher, is_past_deadline};
use plan::{plan_inspections, plan_program_inspections};
use probe::{EntrypointProbe, ProbeResult};

/// As many images of one index are inspected. With one declared runtime it is one; without any, each platform that Linux
/// has on the two processors.
const MAX_INSPECTED: usize = 8;

/// How many images of one index are inspected beside each other.
const IMAGE_CONCURRENCY: usize = 2;

/// What inspections are done with.
#[derive(Debug)]
pub struct Inspector {
    /// How much of layers is read and remembered.
    pub limits: LayerLimits,
    /// What is known of layers.
    pub cache: LayerCache,
    /// How many layers are read beside each other.
    concurrency: usize,
    /// As many turns to read one.
    permits: Semaphore,
}

impl Inspector {
    /// With these limits, and a cache for so many bytes.
    #[must_use]
    pub fn new(limits: LayerLimits, cache: usize) -> Self {
        // Inflating is what takes the time, and each layer is inflated by one thread. More than a few would hold too
        // much of the network's bytes and of the decoders' windows at once.
        let width = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).clamp(1, 4);
        Self { limits, cache: LayerCache::new(cache), concurrency: width, permits: Semaphore::new(width) }
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
        let inspected = plan_inspections(runtimes, image).into_iter().enumerate().map(async |(at, (single, sites))| {
            let seen = if at < MAX_INSPECTED {
                // Whether a host starts programs of 32 bits is not declared anywhere.
                self.inspect_single(registry, single, &sites, None, deadline).await?
            } else {
                let reason = format!("only {MAX_INSPECTED} images of an index are inspected");
                sites.iter().map(|_| InspectionOutcome::Undetermined(reason.clone())).collect()
            };
            let inspection = |(site, seen)| Inspection::new(single, site, seen);
            Ok(sites.into_iter().zip(seen).map(inspection).collect::<Vec<_>>())
        });
        let inspected: Vec<_> = stream::iter(inspected).buffered(IMAGE_CONCURRENCY).try_collect().await?;
        Ok(inspected.concat())
    }

    /// Inspects every image for Linux that was read, each on a processor of the family that its label claims, which
    /// starts programs of 32 bits too: what its program is made for is the question, and not where it is to run.
    ///
    /// # Errors
    /// Where the registry fails, as a retry may mend.
    pub async fn inspect_programs(
        &self,
        registry: &impl Registry,
        image: &Image,
        deadline: Option<Instant>,
    ) -> Result<Vec<Inspection>, RegistryError> {
        let inspected = plan_program_inspections(image).into_iter().map(async |(single, site)| {
            let seen = self.inspect_single(registry, single, &[site], Some(true), deadline).await?.pop();
            Ok(seen.map(|seen| Inspection::new(single, site, seen)))
        });
        let inspected: Vec<_> = stream::iter(inspected).buffered(IMAGE_CONCURRENCY).try_collect().await?;
        Ok(inspected.into_iter().flatten().collect())
    }

    /// What stands in the place of inspections that could not be made, because …
    #[must_use]
    pub fn undetermined_inspections(image: &Image, runtimes: &[Runtime], reason: &str) -> Vec<Inspection> {
        let untold = |(single, sites): (&PlatformImage, Vec<InspectionTarget>)| {
            let seen = InspectionOutcome::Undetermined(reason.to_owned());
            let inspection = |site| Inspection::new(single, site, seen.clone());
            sites.into_iter().map(inspection).collect::<Vec<_>>()
        };
        plan_inspections(runtimes, image).into_iter().flat_map(untold).collect()
    }

    /// One image on several sites: its layers are read once for all.
    async fn inspect_single(
        &self,
        registry: &impl Registry,
        single: &PlatformImage,
        sites: &[InspectionTarget],
        compat: Option<bool>,
        deadline: Option<Instant>,
    ) -> Result<Vec<InspectionOutcome>, RegistryError> {
        let all = |seen: InspectionOutcome| sites.iter().map(|_| seen.clone()).collect();
        if let Some(reason) = single.config_error.as_ref().or(single.layers_error.as_ref()) {
            return Ok(all(InspectionOutcome::Unreadable(reason.clone())));
        }
        if let Some(reason) = &single.process.invalid_reason {
            return Ok(all(InspectionOutcome::Undetermined(reason.clone())));
        }
        let question = EntrypointProbe::new(&single.process, deadline);
        let mut layers = LayerFetcher::new(registry, self, &single.layers, deadline);
        let mut stack = LayerStack::default();
        let mut is_complete = false;
        loop {
            if is_past_deadline(deadline) {
                return Ok(all(InspectionOutcome::TimedOut));
            }
            let asked: Vec<ProbeResult> = sites.iter().map(|site| question.run(&stack, *site, compat)).collect();
            // Whoever was asked until then may have left off for no other reason.
            if is_past_deadline(deadline)
                && asked.iter().any(|asked| !matches!(asked, ProbeResult::Settled(InspectionOutcome::Launches(..))))
            {
                return Ok(all(InspectionOutcome::TimedOut));
            }
            let is_open = asked.iter().any(|asked| matches!(asked, ProbeResult::NeedsLowerLayer(_)));
            if is_complete || !is_open {
                return Ok(asked.into_iter().map(|asked| asked.into_outcome(None)).collect());
            }
            let next = with_deadline(deadline, layers.next()).await;
            let added = match next.unwrap_or(Ok(Some(Err(InspectionOutcome::TimedOut))))? {
                Some(Ok(names)) => {
                    stack.push(names, &self.limits).map_err(|bound| InspectionOutcome::Unreadable(bound.to_string()))
                }
                Some(Err(seen)) => Err(seen),
                None => {
                    is_complete = true;
                    let completed = with_deadline(deadline, complete_stack(stack, self.limits, deadline)).await;
                    let Some((known, done)) = completed else { return Ok(all(InspectionOutcome::TimedOut)) };
                    stack = known;
                    done.map_err(InspectionOutcome::Unreadable)
                }
            };
            if let Err(seen) = added {
                return Ok(asked.into_iter().map(|asked| asked.into_outcome(Some(&seen))).collect());
            }
        }
    }
}

impl ProbeResult {
    /// The answer, or why there is none: this, where it is given, else the question's own reason.
    fn into_outcome(self, without: Option<&InspectionOutcome>) -> InspectionOutcome {
        match self {
            Self::Settled(seen) => seen,
            Self::NeedsLowerLayer(own) => without.cloned().unwrap_or(InspectionOutcome::Undetermined(own)),
        }
    }
}

/// Lays the layers out, where that is needed, on a thread of its own.
async fn complete_stack(
    mut stack: LayerStack,
    limits: LayerLimits,
    deadline: Option<Instant>,
) -> (LayerStack, Result<(), String>) {
    let laying = tokio::task::spawn_blocking(move || {
        let done =
            stack.complete_while_wanted(&limits, &|| !is_past_deadline(deadline)).map_err(|error| error.to_string());
        (stack, done)
    });
    laying.await.unwrap_or_else(|error| (LayerStack::default(), Err(error.to_string())))
}

/// What a future gives before the deadline.
async fn with_deadline<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline.into(), future).await.ok(),
        None => Some(future.await),
    }
}
