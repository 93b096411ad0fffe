//! One image looked at: its intent, what it says it is, what its programs do, and how these agree.
//!
//! Does not tell anybody, nor mark anything.

use std::time::{Duration, Instant};

use crate::event::IgnoreReason;
use crate::inspect::{Inspection, InspectionOutcome, Inspector};
use crate::intent::{DeclarationSource, Intent};
use crate::name::Selector;
use crate::oci as image;
use crate::oci::{Image, ImageContent, ImageReadOptions};
use crate::platform::Platform;
use crate::registry::{self, Lookup, Manifest, Registry, RegistryError};
use crate::report::{Report, ReportContext};
use crate::runtime::Runtime;
use crate::settings::CheckSettings;
use crate::settings::Depth;
use crate::text::error_chain;
use crate::verdict::{self, Judgement, Verdict};

/// What came of looking at one image.
#[derive(Debug)]
pub enum ImageCheck {
    /// It was judged; as far as it could be read.
    #[allow(missing_docs, reason = "the names say it")]
    Judged { judgement: Judgement, image: Option<Image>, inspections: Vec<Inspection>, manifest: Option<Manifest> },
    /// It is not for this program to judge.
    Ignored(IgnoreReason, Option<Image>),
}

/// How programs are looked at.
#[derive(Debug, Clone, Copy)]
pub struct InspectContext<'a> {
    /// By what.
    pub inspector: &'a Inspector,
    /// The time that there is for it.
    pub time_left: Duration,
}

/// Looks at one image: its intent, what it says it is, what its programs do, and how these agree. `asked` are the runtimes
/// that a person named; without them, what the image and its repository declare counts.
///
/// # Errors
/// Where the registry fails; what it cannot hand out is a verdict.
pub async fn check_image(
    registry: &impl Registry,
    selector: &Selector,
    asked: Option<&[Runtime]>,
    rules: &CheckSettings,
    by: InspectContext<'_>,
) -> Result<ImageCheck, RegistryError> {
    let began = Instant::now();
    let intent = match (asked, selector.tag().filter(|_| rules.read_image_tags)) {
        (Some(runtimes), _) => Intent::from_command_line(runtimes),
        (None, Some(tag)) => Intent::from_tag(tag),
        (None, None) => Intent::default(),
    };
    // The repository's declaration is read beside the manifest, not after it.
    let declaration = async {
        if intent.is_declared() { Ok(None) } else { registry.fetch_resource_tag(&rules.declaration_key).await }
    };
    let which = std::slice::from_ref(selector);
    let (answers, declared) = tokio::join!(registry::fetch_verified_manifests(registry, which), declaration);
    // Where both fail, what the image's own call says counts, whichever was first.
    let mut answers = answers?;
    let intent = intent.or_declared_by(DeclarationSource::RepositoryTag, declared?.as_deref());
    let manifest = match answers.pop() {
        Some(Lookup::Found(manifest)) => manifest,
        Some(Lookup::TagMoved) => return Ok(ImageCheck::Ignored(IgnoreReason::Superseded, None)),
        Some(Lookup::NotFound) | None => return Ok(ImageCheck::Ignored(IgnoreReason::Deleted, None)),
        Some(Lookup::Unavailable(reason)) => {
            let intent = intent.or_default(&rules.default_runtimes);
            let judgement = verdict::judge_unread(&intent, &reason);
            return Ok(ImageCheck::Judged { judgement, image: None, inspections: Vec::new(), manifest: None });
        }
    };
    let runtimes = if intent.is_declared() { intent.candidates() } else { Vec::new() };
    let selecting = runtimes.iter().filter(|runtime| runtime.profile().service.accepts_index());
    let platforms: Vec<Platform> = selecting.map(|runtime| runtime.platform()).collect();
    let options = ImageReadOptions {
        compare_children: rules.depth > Depth::Manifest,
        platforms: (!runtimes.is_empty()).then_some(&platforms),
        label_key: &rules.declaration_key,
    };
    let image = image::read_image(registry, &manifest, options).await?;
    let intent = intent
        .or_declared_by(DeclarationSource::Label, image.runtime_label.as_deref())
        .or_default(&rules.default_runtimes);
    Ok(match &image.content {
        ImageContent::Artifact(_) => ImageCheck::Ignored(IgnoreReason::Artifact, Some(image)),
        // By digest alone, an attestation is where it belongs; under a tag, something else should be.
        ImageContent::Attestation if selector.tag().is_none() => {
            ImageCheck::Ignored(IgnoreReason::Attestation, Some(image))
        }
        _ => {
            let deadline = began.checked_add(by.time_left.min(Duration::from_secs(rules.limits.timeout_seconds)));
            let candidates = intent.candidates();
            // Where a declaration cannot be read, nothing depends on what the image starts.
            let is_wanted = rules.depth == Depth::Program && (!candidates.is_empty() || !intent.is_declared());
            let inspections = if is_wanted {
                match by.inspector.inspect(registry, &image, &candidates, deadline).await {
                    // What fails by its labels alone is told now: a retry may find out no more than that.
                    Err(error)
                        if !matches!(error, RegistryError::RepositoryNotFound { .. })
                            && verdict::judge(&intent, &image, &[]).verdict == Verdict::Fails =>
                    {
                        Inspector::undetermined_inspections(&image, &candidates, &error_chain(&error))
                    }
                    inspected => inspected?,
                }
            } else {
                Vec::new()
            };
            let judgement = verdict::judge(&intent, &image, &inspections);
            ImageCheck::Judged { judgement, image: Some(image), inspections, manifest: Some(manifest) }
        }
    })
}

impl ImageCheck {
    /// Whether it is worth telling, but something of the image was not to be had: it may be on its way out.
    pub(crate) fn has_missing_part(&self) -> bool {
        let Self::Judged { judgement, image: Some(image), inspections, .. } = self else { return false };
        let is_lost = |inspection: &Inspection| matches!(inspection.outcome, InspectionOutcome::Unavailable(_));
        let is_news = matches!(judgement.verdict, Verdict::Unknown | Verdict::Fails);
        is_news && (image.is_incomplete() || inspections.iter().any(is_lost))
    }

    /// What there is to say of it.
    #[must_use]
    pub fn report(&self, place: ReportContext<'_>) -> Report {
        match self {
            Self::Judged { judgement, image, inspections, .. } => {
                Report::from_judgement(place, image.as_ref(), inspections, judgement)
            }
            Self::Ignored(why, image) => Report::from_ignored(place, image.as_ref(), *why),
        }
    }
}
