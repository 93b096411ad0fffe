//! Checks an image: reads it and its declared runtimes, inspects its programs, judges them and builds the report. The
//! Lambda function, `check` and `audit` all call [`check_image`].

mod ledger;
mod programs;
mod consumers;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use self::consumers::ConsumerCheck;
pub use self::ledger::ImageLedger;
pub use self::programs::InspectContext;
use self::programs::inspect_programs;
use crate::consumer::{Consumer, ConsumerLookup, RelevantConsumers};
use crate::date::Date;
use crate::event::{Arrival, IgnoreReason};
use crate::inspect::{Inspection, InspectionOutcome};
use crate::intent::{DeclarationSource, Intent};
use crate::name::{Digest, Repository, Selector, Tag};
use crate::oci::{self, Image, ImageContent, ImageReadOptions};
use crate::platform::Platform;
use crate::registry::{self, Lookup, Manifest, Registry, RegistryError};
use crate::report::{ConsumersReport, Report, ReportContext};
use crate::runtime::Runtime;
use crate::settings::{CheckSettings, InspectionDepth};
use crate::verdict::{self, Verdict};
use crate::waiver::{WaiverList, image_names, parse_waiver_tags};

/// The key of the resource tag that names who is responsible for a repository.
const OWNER_KEY: &str = "ecr-preflight:owner";

/// The media type of the layers of attestations.
const ATTESTATION_TYPE: &str = "application/vnd.in-toto+json";

/// The image to check, and its names in reports.
#[derive(Debug, Clone)]
pub struct ImageOrigin<'a> {
    /// The event that announced the image; `None` for a check from the command line.
    pub arrival: Option<&'a Arrival>,
    /// The reference that the user knows.
    pub reference: Cow<'a, str>,
    /// The ECR repository; `None` if the image is read from somewhere else.
    pub repository: Option<&'a Repository>,
    /// The repository in another registry, if the user may push to it.
    pub remote_repository: Option<&'a str>,
    /// What runs the image, if that is known. Its runtime, if it is known, is the one that counts; declarations only help to
    /// say which of the two is wrong.
    pub consumer: Option<&'a Consumer>,
    /// Selects the image in its repository, layout or archive.
    pub selector: &'a Selector,
}

impl<'a> From<&'a Arrival> for ImageOrigin<'a> {
    fn from(arrival: &'a Arrival) -> Self {
        Self {
            arrival: Some(arrival),
            reference: arrival.reference().into(),
            repository: Some(&arrival.repository),
            remote_repository: None,
            consumer: None,
            selector: &arrival.selector,
        }
    }
}

impl<'a> ImageOrigin<'a> {
    /// Creates the origin of an image outside Amazon ECR.
    pub fn from_reference(reference: &'a str, selector: &'a Selector) -> Self {
        let reference = reference.into();
        Self { arrival: None, reference, repository: None, remote_repository: None, consumer: None, selector }
    }
}

/// The result of a check.
#[derive(Debug)]
pub struct ImageCheck {
    /// The report.
    pub report: Report,
    /// The manifest; `None` if the image was ignored or its manifest could not be read.
    pub manifest: Option<Manifest>,
    /// Whether the verdict is `fails` or `unknown` and a part of the image was not found. The image may be in the
    /// middle of a deletion, so it should be checked again.
    pub has_missing_part: bool,
}

/// Checks an image. `requested_runtimes` come from the command line and replace all declarations; the repository's tags, also
/// its waivers, are not read then. `today` is the present day in UTC, by which waivers expire.
///
/// # Errors
/// Returns the registry's error if a retry may succeed. A permanent refusal becomes part of the report.
pub async fn check_image(
    registry: &impl Registry,
    origin: &ImageOrigin<'_>,
    requested_runtimes: Option<&[Runtime]>,
    settings: &CheckSettings,
    inspection: InspectContext<'_>,
    today: Date,
) -> Result<ImageCheck, RegistryError> {
    check_image_with(&(), registry, origin, requested_runtimes, settings, inspection, today).await
}

/// Checks an image, also as the consumers in the ledger run it, and records it there. See [`check_image`].
///
/// # Errors
/// Returns the registry's error if a retry may succeed. A permanent refusal becomes part of the report.
pub async fn check_image_with(
    ledger: &impl ImageLedger,
    registry: &impl Registry,
    origin: &ImageOrigin<'_>,
    requested_runtimes: Option<&[Runtime]>,
    settings: &CheckSettings,
    inspection: InspectContext<'_>,
    today: Date,
) -> Result<ImageCheck, RegistryError> {
    let timeout = Duration::from_secs(settings.limits.timeout_seconds).min(inspection.time_left);
    let deadline = Instant::now().checked_add(timeout);
    let of_consumer = origin.consumer.and_then(Consumer::runtime).map(Intent::from_consumer);
    let requested = requested_runtimes.map(Intent::from_command_line);
    let manifest = fetch_manifest_and_intent(registry, origin.selector, requested.as_ref(), settings);
    let (manifest, consumers) = tokio::join!(manifest, ledger.look_up_consumers());
    let (lookup, declared, resource_tags) = manifest?;
    let intent = of_consumer.as_ref().unwrap_or(&declared);
    let context = ReportContext {
        arrival: origin.arrival,
        owner: find_tag(&resource_tags, OWNER_KEY),
        consumer: origin.consumer,
        suits_declaration: None,
        reference: &origin.reference,
        repository: origin.repository,
        remote_repository: origin.remote_repository,
        tag: origin.selector.tag(),
        declaration_key: &settings.declaration_key,
        docs_url: settings.docs_url.as_deref(),
        is_platform_only: settings.depth < InspectionDepth::Program,
    };
    let ignored = |image: Option<&Image>, reason| ImageCheck {
        report: Report::from_ignored(context, image, reason),
        manifest: None,
        has_missing_part: false,
    };

    let manifest = match lookup {
        Lookup::Found(manifest) => manifest,
        Lookup::TagMoved => return Ok(ignored(None, IgnoreReason::Superseded)),
        Lookup::NotFound => return Ok(ignored(None, IgnoreReason::Deleted)),
        Lookup::Unavailable(reason) => {
            let intent = intent.clone().or_default(&settings.default_runtimes);
            let judgement = verdict::judge_unread(&intent, &reason);
            let report = Report::from_judgement(context, None, &[], &judgement);
            return Ok(ImageCheck { report, manifest: None, has_missing_part: false });
        }
    };

    let relevant = select_relevant(&consumers, origin, &manifest.digest);
    let mut runtimes = if intent.is_declared() { intent.candidates() } else { Vec::new() };
    runtimes.extend(relevant.bound.iter().chain(&relevant.related).map(|group| group.runtime));
    let of_indexes = runtimes.iter().filter(|runtime| runtime.profile().service.accepts_index());
    let platforms: Vec<Platform> = of_indexes.map(|runtime| runtime.platform()).collect();
    let options = ImageReadOptions {
        compare_children: settings.depth > InspectionDepth::Manifest,
        platforms: (!runtimes.is_empty()).then_some(&platforms),
        label_key: &settings.declaration_key,
    };
    // The ledger must not make a check longer, so it is written while something else is read.
    let reads_layers = settings.depth == InspectionDepth::Program;
    let image = oci::read_image(registry, &manifest, options);
    let mut image = if reads_layers {
        image.await?
    } else {
        let (image, ()) = tokio::join!(image, ledger.record(&manifest.digest, Vec::new()));
        image?
    };
    if let Some(consumer) = origin.consumer {
        image.change_processes(|process| consumer.start.apply(process));
    }
    let declared = declared.or_declared_by(DeclarationSource::Label, image.runtime_label.as_deref());
    let is_compared = of_consumer.is_some() && !declared.candidates().is_empty();
    let suits_declaration = is_compared.then(|| verdict::has_platform_for(&declared, &image));
    let is_requested = (requested.is_some() || of_consumer.is_some()) && origin.arrival.is_none();
    let intent = of_consumer.unwrap_or_else(|| declared.clone().or_default(&settings.default_runtimes));
    // Registries hold many artifacts, but who names one and a runtime expects an image.
    match &image.content {
        ImageContent::Artifact(_) if !is_requested => return Ok(ignored(Some(&image), IgnoreReason::Artifact)),
        // Only a tagged attestation is a fault.
        ImageContent::Attestation if origin.selector.tag().is_none() => {
            if !is_requested {
                return Ok(ignored(Some(&image), IgnoreReason::Attestation));
            }
            image.content = ImageContent::Artifact(ATTESTATION_TYPE.to_owned());
        }
        _ => {}
    }

    let inspections = inspect_programs(registry, &image, &intent, settings.depth, inspection, deadline);
    let inspections = if reads_layers {
        let platforms = image.platforms().into_iter().map(ToString::to_string).collect();
        let (inspections, ()) = tokio::join!(inspections, ledger.record(&image.digest, platforms));
        inspections?
    } else {
        inspections.await?
    };
    let judgement = verdict::judge(&intent, &image, &inspections);
    let is_missing = |inspection: &Inspection| matches!(inspection.outcome, InspectionOutcome::Unavailable(_));
    let has_missing_part = image.is_incomplete() || inspections.iter().any(is_missing);
    let context = ReportContext { suits_declaration, ..context };
    let mut report = Report::from_judgement(context, Some(&image), &inspections, &judgement);
    let depth = settings.depth;
    let is_incomplete = matches!(&consumers, ConsumerLookup::Known(known) if !known.not_read.is_empty());
    let check =
        ConsumerCheck { image: &image, declared: &declared, context, depth, inspection, deadline, is_incomplete };
    check.add_to(&mut report, registry, &relevant).await?;
    report.consumers = ConsumersReport::new(&consumers, &relevant);
    apply_waiver_tags(&mut report, origin, &resource_tags, today);
    Ok(ImageCheck {
        has_missing_part: has_missing_part && matches!(report.verdict, Verdict::Unknown | Verdict::Fails),
        report,
        manifest: Some(manifest),
    })
}

/// Selects the consumers that matter to the image.
fn select_relevant(lookup: &ConsumerLookup, origin: &ImageOrigin<'_>, digest: &Digest) -> RelevantConsumers {
    match (lookup, origin.repository) {
        (ConsumerLookup::Known(known), Some(repository)) => {
            RelevantConsumers::select(known.clone(), repository, origin.selector.tag(), digest)
        }
        _ => RelevantConsumers::default(),
    }
}

/// Returns the value of a resource tag.
fn find_tag<'a>(tags: &'a [(String, String)], key: &str) -> Option<&'a str> {
    tags.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
}

/// Applies the waivers among the repository's resource tags. One that is malformed waives nothing and becomes a remark.
fn apply_waiver_tags(report: &mut Report, origin: &ImageOrigin<'_>, resource_tags: &[(String, String)], today: Date) {
    let (waivers, errors) = parse_waiver_tags(resource_tags);
    if !waivers.is_empty() {
        let repository = origin.repository.map_or("", Repository::name);
        let names = image_names(&origin.reference, repository, origin.selector.tag().map_or("", Tag::as_str));
        report.apply_waivers(&WaiverList { waivers, today }, &names);
    }
    report.remarks.extend(errors.iter().map(ToString::to_string));
}

/// Reads the manifest and, unless the runtimes are known, the repository's resource tags. They are read even if
/// the image tag declares runtimes, because the two may disagree.
async fn fetch_manifest_and_intent(
    registry: &impl Registry,
    selector: &Selector,
    requested: Option<&Intent>,
    settings: &CheckSettings,
) -> Result<(Lookup<Manifest>, Intent, Vec<(String, String)>), RegistryError> {
    let intent = match (requested, selector.tag().filter(|_| settings.read_image_tags)) {
        (Some(requested), _) => requested.clone(),
        (None, Some(tag)) => Intent::from_tag(tag),
        (None, None) => Intent::default(),
    };
    let key = settings.declaration_key.as_str();
    let resource_tags =
        async { if requested.is_some() { Ok(Vec::new()) } else { registry.fetch_resource_tags(key).await } };
    let manifests = registry::fetch_verified_manifests(registry, std::slice::from_ref(selector));
    let (manifests, resource_tags) = tokio::join!(manifests, resource_tags);
    // If both calls fail, the error of the manifest is reported.
    let lookup = manifests?.pop().unwrap_or(Lookup::NotFound);
    let resource_tags = resource_tags?;
    let declaration = find_tag(&resource_tags, key);
    Ok((lookup, intent.or_declared_by(DeclarationSource::RepositoryTag, declaration), resource_tags))
}
