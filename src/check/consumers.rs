//! Checks an image as each of its consumers runs it.

use std::collections::BTreeSet;
use std::time::Instant;

use super::programs::{InspectContext, inspect_programs};
use crate::consumer::{ConsumerGroup, RelevantConsumers};
use crate::event::ArrivalKind;
use crate::intent::Intent;
use crate::oci::Image;
use crate::registry::{Registry, RegistryError};
use crate::report::{Report, ReportContext};
use crate::settings::InspectionDepth;
use crate::verdict::{self, Verdict};

/// What the checks of an image for its consumers depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConsumerCheck<'a> {
    pub(super) image: &'a Image,
    /// What is declared for the image, without its consumers.
    pub(super) declared: &'a Intent,
    pub(super) context: ReportContext<'a>,
    pub(super) depth: InspectionDepth,
    pub(super) inspection: InspectContext<'a>,
    pub(super) deadline: Option<Instant>,
    /// Whether services could not be read that may run the image.
    pub(super) is_incomplete: bool,
}

impl ConsumerCheck<'_> {
    /// Adds the results for the consumers to the report. A bound consumer counts like a declaration: the image must suit
    /// each. Related ones count only if nothing else says where the image runs, and one that it suits is enough: the others
    /// may run images under other tags.
    pub(super) async fn add_to(
        &self,
        report: &mut Report,
        registry: &impl Registry,
        relevant: &RelevantConsumers,
    ) -> Result<(), RegistryError> {
        // If something runs this tag on an unknown platform, consumers of other tags prove nothing. The same holds for an image
        // that a consumer no longer runs.
        let is_arrival = self.context.arrival.is_none_or(|arrival| arrival.how != ArrivalKind::Consumer);
        let is_related =
            relevant.bound.is_empty() && !relevant.is_bound_unknown && !self.declared.is_declared() && is_arrival;
        let groups = if is_related { &relevant.related } else { &relevant.bound };
        let mut results = Vec::new();
        for group in groups {
            // The future that inspects an image is large.
            results.push((Box::pin(self.check_group(registry, group, groups)).await?, group));
        }
        if is_related {
            let best = results.iter().map(|(result, _)| result.verdict).min();
            results.retain(|(result, _)| Some(result.verdict) == best);
            // The image may suit a consumer that is unknown. If its tag names an architecture, it is probably one of several that
            // are combined into an index.
            let may_suit_another = relevant.omitted > 0
                || relevant.unknown > 0
                || self.is_incomplete
                || self.declared.architecture_hint.is_some();
            if best == Some(Verdict::Fails) && may_suit_another {
                return Ok(());
            }
        }
        for (result, group) in results {
            report.add_consumer_result(result, group, !is_related);
        }
        report.find_consumer_conflict();
        Ok(())
    }

    /// Checks the image as one group of consumers runs it.
    async fn check_group(
        &self,
        registry: &impl Registry,
        group: &ConsumerGroup,
        all: &[ConsumerGroup],
    ) -> Result<Report, RegistryError> {
        let mut image = self.image.clone();
        image.change_processes(|process| group.start().apply(process));
        let intent = Intent::from_consumer(group.runtime);
        let inspections =
            inspect_programs(registry, &image, &intent, self.depth, self.inspection, self.deadline).await?;
        let judgement = verdict::judge(&intent, &image, &inspections);
        let suits_declaration = self.suits_others(group, all);
        let context = ReportContext { consumer: Some(group.first()), suits_declaration, ..self.context };
        Ok(Report::from_judgement(context, Some(&image), &inspections, &judgement))
    }

    /// Returns whether the image has the platform for everything but this group: what is declared or, if nothing is, the other
    /// consumers. `None` if there is nothing to compare with.
    fn suits_others(&self, group: &ConsumerGroup, all: &[ConsumerGroup]) -> Option<bool> {
        let suits = |intent: &Intent| verdict::has_platform_for(intent, self.image);
        if !self.declared.candidates().is_empty() {
            return Some(suits(self.declared));
        }
        let mut others = all.iter().filter(|other| other.runtime != group.runtime).peekable();
        if others.peek().is_some() {
            let suited: Vec<bool> = others.map(|other| suits(&Intent::from_consumer(other.runtime))).collect();
            // If it suits only some of them, nothing shows which are right.
            return suited.iter().all(|suits| *suits == suited[0]).then_some(suited[0]);
        }
        // Several that agree are hardly all wrong. The containers of one definition are one opinion.
        let consumers = all.iter().flat_map(|group| &group.consumers);
        let opinions: BTreeSet<(&str, &str)> =
            consumers.map(|consumer| (consumer.name.as_str(), consumer.definition.as_str())).collect();
        (opinions.len() > 1).then_some(false)
    }
}
