//! Inspects images: fetches one layer after another, and probes the files after each, until the answer is known.

use std::time::Instant;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::RwLock;

use super::deadline;
use super::inspection::{Inspection, InspectionOutcome, InspectionTarget};
use super::layer_fetcher::{LayerFetcher, ReadMode, find_missing_layer};
use super::layer_reader::{LayerReader, LayerResult};
use super::limits_met::LimitsMet;
use super::plan::{plan_inspections, plan_program_inspections};
use super::probe::{EntrypointProbe, InspectionGoal, ProbeResult};
use crate::layers::{ApplyError, LayerStack, PullRefusal};
use crate::oci::{Image, ImageRefusal, PlatformImage, RefusedBy};
use crate::registry::{Registry, RegistryError};
use crate::runtime::Runtime;
use crate::settings::{InspectionLimits, LayerLimits};

/// The maximum number of images of one index that are inspected. One declared runtime needs one; without any, every
/// Linux platform of the two processors is inspected.
const MAX_INSPECTED: usize = 8;

/// The number of images of one index that are inspected at the same time.
const IMAGE_CONCURRENCY: usize = 2;

/// One image, the targets on which it is inspected, what is found out, and until when.
#[derive(Debug, Clone, Copy)]
struct InspectionTask<'a> {
    single: &'a PlatformImage,
    targets: &'a [InspectionTarget],
    goal: InspectionGoal,
    deadline: Option<Instant>,
}

/// Inspector of images with a cache of layers.
#[derive(Debug)]
pub struct Inspector {
    reader: LayerReader,
    limits_met: LimitsMet,
    /// Locked for reading by inspections that share the memory budget, and for writing by one that needs all of it.
    sharing: RwLock<()>,
}

impl Inspector {
    /// Creates an inspector with these limits and an empty cache.
    pub fn new(limits: &InspectionLimits) -> Self {
        Self { reader: LayerReader::new(limits), limits_met: LimitsMet::default(), sharing: RwLock::default() }
    }

    /// Inspects the images that a verdict on these runtimes depends on or, without runtimes, each on its declared
    /// platform.
    ///
    /// # Errors
    /// The registry fails, and a retry may succeed.
    pub async fn inspect(
        &self,
        registry: &impl Registry,
        image: &Image,
        runtimes: &[Runtime],
        deadline: Option<Instant>,
    ) -> Result<Vec<Inspection>, RegistryError> {
        let planned = plan_inspections(runtimes, image).into_iter().enumerate();
        let inspections = planned.map(async |(index, (single, targets))| {
            let mut refusal = None;
            let outcomes = if index < MAX_INSPECTED {
                self.inspect_unless_limited(registry, single, &targets, deadline, &mut refusal).await?
            } else {
                let reason = format!("only {MAX_INSPECTED} images of an index are inspected");
                targets.iter().map(|_| InspectionOutcome::Undetermined(reason.clone())).collect()
            };
            let inspection =
                |(target, outcome)| Inspection { refusal: refusal.clone(), ..Inspection::new(single, target, outcome) };
            Ok(targets.into_iter().zip(outcomes).map(inspection).collect::<Vec<_>>())
        });
        let inspections: Vec<_> = stream::iter(inspections).buffered(IMAGE_CONCURRENCY).try_collect().await?;
        Ok(inspections.concat())
    }

    /// Inspects every Linux image on a host of its declared architecture's family that also starts 32-bit programs, to
    /// find out what its program is built for, not where the image runs.
    ///
    /// # Errors
    /// The registry fails, and a retry may succeed.
    pub async fn inspect_programs(
        &self,
        registry: &impl Registry,
        image: &Image,
        deadline: Option<Instant>,
    ) -> Result<Vec<Inspection>, RegistryError> {
        let inspections = plan_program_inspections(image).into_iter().map(async |(single, target)| {
            let mut refusal = None;
            let goal = InspectionGoal::Program;
            let task = InspectionTask { single, targets: &[target], goal, deadline };
            let outcomes = self.inspect_single(registry, task, &mut refusal).await?;
            let inspection =
                |outcome| Inspection { refusal: refusal.clone(), ..Inspection::new(single, target, outcome) };
            Ok(outcomes.into_iter().next().map(inspection))
        });
        let inspections: Vec<_> = stream::iter(inspections).buffered(IMAGE_CONCURRENCY).try_collect().await?;
        Ok(inspections.into_iter().flatten().collect())
    }

    /// Creates undetermined inspections with this reason for an image whose layers could not be read.
    pub fn undetermined_inspections(image: &Image, runtimes: &[Runtime], reason: &str) -> Vec<Inspection> {
        let undetermined = |(single, targets): (&PlatformImage, Vec<InspectionTarget>)| {
            let outcome = InspectionOutcome::Undetermined(reason.to_owned());
            let inspection = |target| Inspection::new(single, target, outcome.clone());
            targets.into_iter().map(inspection).collect::<Vec<_>>()
        };
        plan_inspections(runtimes, image).into_iter().flat_map(undetermined).collect()
    }

    /// Inspects one image on several targets, except on those on which an earlier inspection met a limit.
    async fn inspect_unless_limited(
        &self,
        registry: &impl Registry,
        single: &PlatformImage,
        targets: &[InspectionTarget],
        deadline: Option<Instant>,
        refusal: &mut Option<ImageRefusal>,
    ) -> Result<Vec<InspectionOutcome>, RegistryError> {
        let known: Vec<_> =
            targets.iter().map(|target| self.limits_met.get((&single.digest, &single.process), *target)).collect();
        let open = targets.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(target, _)| *target);
        let open: Vec<InspectionTarget> = open.collect();
        if open.is_empty() {
            return Ok(known.into_iter().flatten().collect());
        }
        let task = InspectionTask { single, targets: &open, goal: InspectionGoal::Start, deadline };
        let outcomes = self.inspect_single(registry, task, refusal).await?;
        open.iter().zip(&outcomes).for_each(|(target, outcome)| {
            self.limits_met.record((&single.digest, &single.process), *target, outcome);
        });
        let mut outcomes = outcomes.into_iter();
        Ok(known.into_iter().filter_map(|known| known.or_else(|| outcomes.next())).collect())
    }

    /// Inspects one image. Stores why programs refuse the layers.
    ///
    /// If the memory budget is used up, everything that was read for the image is dropped, and the image is inspected
    /// again when no other one is. So the result does not depend on what else is inspected.
    async fn inspect_single(
        &self,
        registry: &impl Registry,
        task: InspectionTask<'_>,
        refusal: &mut Option<ImageRefusal>,
    ) -> Result<Vec<InspectionOutcome>, RegistryError> {
        let deadline = task.deadline;
        let timed_out = || Ok(vec![InspectionOutcome::TimedOut; task.targets.len()]);
        let Some(shared) = deadline::run_until(deadline, self.sharing.read()).await else { return timed_out() };
        let outcomes = self.inspect_layers(registry, task, ReadMode::Concurrent, refusal).await?;
        drop(shared);
        if let Some(outcomes) = outcomes {
            return Ok(outcomes);
        }
        let alone = async {
            let alone = self.sharing.write().await;
            // Threads whose inspection ended may still use memory.
            self.reader.budget.wait_until_unused().await;
            alone
        };
        let Some(_alone) = deadline::run_until(deadline, alone).await else { return timed_out() };
        let outcomes = self.inspect_layers(registry, task, ReadMode::Alone, refusal).await?;
        Ok(outcomes.expect("an inspection that is alone has an outcome"))
    }

    /// Inspects one image, and reads its layers only once. Stores why programs refuse the layers. Returns `None` if
    /// layers do not fit in the memory budget, unless they are read alone.
    async fn inspect_layers(
        &self,
        registry: &impl Registry,
        InspectionTask { single, targets, goal, deadline }: InspectionTask<'_>,
        mode: ReadMode,
        refusal: &mut Option<ImageRefusal>,
    ) -> Result<Option<Vec<InspectionOutcome>>, RegistryError> {
        let limits = self.reader.limits;
        *refusal = find_missing_layer(registry, &single.layers);
        let for_all = |outcome: InspectionOutcome| Ok(Some(vec![outcome; targets.len()]));
        if let Some(reason) = single.config_error.as_ref().or(single.layers_error.as_ref()) {
            return for_all(InspectionOutcome::Unreadable(reason.clone()));
        }
        if let Some(reason) = &single.process.invalid_reason {
            return for_all(InspectionOutcome::Undetermined(reason.clone()));
        }
        let probe = EntrypointProbe::new(&single.process, deadline);
        let mut layers = LayerFetcher::new(registry, &self.reader, &single.layers, mode, deadline);
        let mut stack = LayerStack::default();
        let mut is_complete = false;
        loop {
            if deadline::is_past(deadline) {
                return for_all(InspectionOutcome::TimedOut);
            }
            let results: Vec<ProbeResult> = targets.iter().map(|target| probe.run(&stack, *target, goal)).collect();
            // A probe that ran until the deadline may be unsettled only because it made no more lookups.
            let is_known =
                |result: &ProbeResult| matches!(result, ProbeResult::Settled(InspectionOutcome::Launches(..)));
            if deadline::is_past(deadline) && !results.iter().all(is_known) {
                return for_all(InspectionOutcome::TimedOut);
            }
            let is_settled = |result: &ProbeResult| matches!(result, ProbeResult::Settled(_));
            if is_complete || results.iter().all(is_settled) {
                return Ok(Some(results.into_iter().map(|result| result.into_outcome(None)).collect()));
            }
            let next = deadline::run_until(deadline, layers.next()).await;
            let next = next.unwrap_or_else(|| Ok(Some(LayerResult::unknown(InspectionOutcome::TimedOut))))?;
            if mode == ReadMode::Concurrent && next.as_ref().is_some_and(|next| next.is_out_of_memory) {
                return Ok(None);
            }
            let next = next.map(|LayerResult { layer, refusal: found, .. }| {
                *refusal = ImageRefusal::stronger(refusal.take(), found);
                layer
            });
            let added = match next {
                Some(Ok(layer)) => stack.push(layer, &limits).map_err(|error| note_apply_error(&error, refusal)),
                Some(Err(outcome)) => Err(outcome),
                None => {
                    is_complete = true;
                    let completion = deadline::run_until(deadline, complete_stack(stack, limits, deadline)).await;
                    let Some((completed, result)) = completion else { return for_all(InspectionOutcome::TimedOut) };
                    stack = completed;
                    result.map_err(|error| note_apply_error(&error, refusal))
                }
            };
            if let Err(outcome) = added {
                return Ok(Some(results.into_iter().map(|result| result.into_outcome(Some(&outcome))).collect()));
            }
        }
    }
}

impl ProbeResult {
    /// Returns the outcome of a settled probe, otherwise `unread` or the probe's own reason.
    fn into_outcome(self, unread: Option<&InspectionOutcome>) -> InspectionOutcome {
        match self {
            Self::Settled(outcome) => outcome,
            Self::NeedsLowerLayer(reason) => unread.cloned().unwrap_or(InspectionOutcome::Undetermined(reason)),
        }
    }
}

/// Completes the stack on a thread of its own, because merging layers may take long.
async fn complete_stack(
    mut stack: LayerStack,
    limits: LayerLimits,
    deadline: Option<Instant>,
) -> (LayerStack, Result<(), ApplyError>) {
    let thread = tokio::task::spawn_blocking(move || {
        let is_in_time = || !deadline::is_past(deadline);
        let result = stack.complete_cancellable(&limits, &is_in_time);
        (stack, result)
    });
    thread.await.unwrap_or_else(|error| (LayerStack::default(), Err(ApplyError::Uncertain(error.to_string()))))
}

/// Returns the outcome for layers that cannot be unpacked, and stores why container runtimes refuse them, if they do.
fn note_apply_error(error: &ApplyError, refusal: &mut Option<ImageRefusal>) -> InspectionOutcome {
    if let Some(PullRefusal { by_docker, .. }) = error.refusal() {
        let refused_by = if *by_docker { RefusedBy::ContainerdAndDocker } else { RefusedBy::Containerd };
        *refusal = ImageRefusal::stronger(refusal.take(), Some(ImageRefusal::new(refused_by, error.to_string())));
    }
    InspectionOutcome::Unreadable(error.to_string())
}
