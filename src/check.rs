//! One image looked at: its intent, what it says it is, what its programs do, and how these agree.
//!
//! Does not tell anybody, nor mark anything.

use std::time::{Duration, Instant};

use crate::event::Ignored;
use crate::inspect::{Inspection, Inspector, Seen};
use crate::intent::{Intent, Source};
use crate::name::Selector;
use crate::oci as image;
use crate::oci::{Content, Image, Want};
use crate::registry::{self, Answer, Manifest, Registry, RegistryError};
use crate::report::{Place, Report};
use crate::runtime::Runtime;
use crate::settings::Depth;
use crate::settings::Rules;
use crate::text::error_chain;
use crate::verdict::{self, Judgement, Verdict};

/// What came of looking at one image.
#[derive(Debug)]
pub enum Look {
    /// It was judged; as far as it could be read.
    #[allow(missing_docs, reason = "the names say it")]
    Judged { judgement: Judgement, image: Option<Image>, inspections: Vec<Inspection>, manifest: Option<Manifest> },
    /// It is not for this program to judge.
    Ignored(Ignored, Option<Image>),
}

/// How programs are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Inspect<'a> {
    /// By what.
    pub inspector: &'a Inspector,
    /// The time that there is for it.
    pub left: Duration,
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
    rules: &Rules,
    by: Inspect<'_>,
) -> Result<Look, RegistryError> {
    let began = Instant::now();
    let intent = match (asked, selector.tag().filter(|_| rules.image_tags)) {
        (Some(runtimes), _) => Intent::given(runtimes),
        (None, Some(tag)) => Intent::of_tag(tag),
        (None, None) => Intent::default(),
    };
    // The repository's declaration is read beside the manifest, not after it.
    let declaration = async { if intent.is_declared() { Ok(None) } else { registry.resource_tag(&rules.key).await } };
    let which = std::slice::from_ref(selector);
    let (answers, declared) = tokio::join!(registry::manifests(registry, which), declaration);
    // Where both fail, what the image's own call says counts, whichever was first.
    let mut answers = answers?;
    let intent = intent.or(Source::RepositoryTag, declared?.as_deref());
    let manifest = match answers.pop() {
        Some(Answer::Found(manifest)) => manifest,
        Some(Answer::Moved) => return Ok(Look::Ignored(Ignored::Superseded, None)),
        Some(Answer::Absent) | None => return Ok(Look::Ignored(Ignored::Deleted, None)),
        Some(Answer::Refused(reason)) => {
            let intent = intent.or_default(&rules.default_runtimes);
            let judgement = verdict::unread(&intent, &reason);
            return Ok(Look::Judged { judgement, image: None, inspections: Vec::new(), manifest: None });
        }
    };
    let runtimes = if intent.is_declared() { intent.candidates() } else { Vec::new() };
    let want = Want { depth: rules.depth, runtimes: &runtimes, label: &rules.key };
    let image = image::read(registry, &manifest, want).await?;
    let intent = intent.or(Source::Label, image.label.as_deref()).or_default(&rules.default_runtimes);
    Ok(match &image.content {
        Content::Artifact(_) => Look::Ignored(Ignored::Artifact, Some(image)),
        // By digest alone, an attestation is where it belongs; under a tag, something else should be.
        Content::Attestation if selector.tag().is_none() => Look::Ignored(Ignored::Attestation, Some(image)),
        _ => {
            let deadline = began.checked_add(by.left.min(Duration::from_secs(rules.bounds.seconds)));
            let candidates = intent.candidates();
            // Where a declaration cannot be read, nothing depends on what the image starts.
            let is_wanted = rules.depth == Depth::Binaries && (!candidates.is_empty() || !intent.is_declared());
            let inspections = if is_wanted {
                match by.inspector.inspect(registry, &image, &candidates, deadline).await {
                    // What fails by its labels alone is told now: a retry may find out no more than that.
                    Err(error)
                        if !matches!(error, RegistryError::NoRepository { .. })
                            && verdict::judge(&intent, &image, &[]).verdict == Verdict::Fails =>
                    {
                        Inspector::untold(&image, &candidates, &error_chain(&error))
                    }
                    inspected => inspected?,
                }
            } else {
                Vec::new()
            };
            let judgement = verdict::judge(&intent, &image, &inspections);
            Look::Judged { judgement, image: Some(image), inspections, manifest: Some(manifest) }
        }
    })
}

impl Look {
    /// Whether it is worth telling, but something of the image was not to be had: it may be on its way out.
    pub(crate) fn lacks_a_part(&self) -> bool {
        let Self::Judged { judgement, image: Some(image), inspections, .. } = self else { return false };
        let is_lost = |inspection: &Inspection| matches!(inspection.seen, Seen::Lost(_));
        let is_news = matches!(judgement.verdict, Verdict::Unknown | Verdict::Fails);
        is_news && (image.lacks_a_part() || inspections.iter().any(is_lost))
    }

    /// What there is to say of it.
    #[must_use]
    pub fn report(&self, place: Place<'_>) -> Report {
        match self {
            Self::Judged { judgement, image, inspections, .. } => {
                Report::judged(place, image.as_ref(), inspections, judgement)
            }
            Self::Ignored(why, image) => Report::ignored(place, image.as_ref(), *why),
        }
    }
}
