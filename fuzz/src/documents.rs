//! Manifests, indexes and configs, and the report of a whole image.
//!
//! Does not know what the verdict should be.

use std::time::Duration;

use ecr_preflight::check::{ImageOrigin, InspectContext, check_image};
use ecr_preflight::cli;
use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::log::today;
use ecr_preflight::lambda::notify;
use ecr_preflight::oci as image;
use ecr_preflight::oci::{Image, ImageContent, ImageReadOptions, IndexChild, PlatformImage};
use ecr_preflight::platform::Platform;
use ecr_preflight::report::{self, Report};
use ecr_preflight::runtime::Runtime;
use ecr_preflight::settings::LayerLimits;
use ecr_preflight::settings::{CheckSettings, InspectionLimits};
use ecr_preflight::verdict::Verdict;
use serde_json::Value;
use tokio::runtime::Runtime as Executor;

use super::parts::Parts;
use super::plain::{assert_card, assert_line, assert_text};

thread_local! {
    static EXECUTOR: Executor = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
}

/// What a future gives, on this thread.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    EXECUTOR.with(|executor| executor.block_on(future))
}

/// The image that the input describes, looked at as far as its configs.
pub fn manifest(input: &[u8]) {
    let parts = Parts::read(input);
    let read = |compare_children, platforms: Option<&[Platform]>| {
        let options = ImageReadOptions { compare_children, platforms, label_key: "intended-runtime" };
        wait(image::read_image(&parts, &parts.manifest, options)).expect("a registry in memory never fails")
    };
    let arm64 = [Runtime::EcsArm64.platform()];
    let declared = read(false, Some(&arm64));
    assert_eq!(read(false, Some(&arm64)), declared, "read twice");
    for image in [declared, read(true, None), read(true, Some(&[]))] {
        check(&image);
    }
}

fn check(image: &Image) {
    assert_line(&image.media_type);
    if let Some(label) = &image.runtime_label {
        assert_line(label);
        assert!(label.chars().count() <= 256 && !label.trim().is_empty());
    }
    image.platforms().iter().for_each(|platform| assert_line(&platform.to_string()));
    match &image.content {
        ImageContent::Single(single) => check_single(single),
        ImageContent::Index(entries) => {
            assert!(entries.len() <= 200);
            for entry in entries {
                match &entry.child {
                    IndexChild::Read(single) => check_single(single),
                    IndexChild::Unavailable(reason) => assert_line(reason),
                    IndexChild::NotRead => {}
                }
            }
        }
        ImageContent::Unreadable(reason) => assert_line(reason),
        ImageContent::Artifact(_) | ImageContent::Attestation => {}
    }
}

fn check_single(single: &PlatformImage) {
    assert!(single.layers.len() <= 500 && single.shown_command.len() <= 16);
    assert!(single.process.argv.len() <= 1000 && single.process.volumes.len() <= 100);
    single.shown_command.iter().for_each(|word| assert_line(word));
    assert!(single.shown_command.iter().all(|word| word.chars().count() <= 120));
    single
        .config_error
        .iter()
        .chain(&single.layers_error)
        .chain(&single.process.invalid_reason)
        .for_each(|reason| assert_line(reason));
}

/// A config alone, of an image without layers.
pub fn config(input: &[u8]) {
    const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[],
        "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"@0","size":0}}"#;
    let parts = Parts::read(&[b"\n", input, b"\n%%\n", MANIFEST.as_bytes()].concat());
    let amd64 = [Runtime::EcsAmd64.platform()];
    let options = ImageReadOptions { compare_children: true, platforms: Some(&amd64), label_key: "intended-runtime" };
    check(&wait(image::read_image(&parts, &parts.manifest, options)).expect("a registry in memory never fails"));
    report_of(&parts);
}

/// The whole way from an image to all faces of its report.
pub fn report(input: &[u8]) {
    report_of(&Parts::read(input));
}

/// Small enough that a fuzzer meets them.
const LIMITS: LayerLimits = LayerLimits {
    bytes: 64 * 1024,
    ratio: 20,
    ratio_from: 16 * 1024,
    window: 1024 * 1024,
    entries: 100,
    total_entries: 150,
    path: 200,
    depth: 20,
    memory: 32 * 1024,
    record: 2048,
};

fn report_of(parts: &Parts) {
    let rules = CheckSettings {
        // One transfer fits, but not always two.
        limits: InspectionLimits {
            layers: LIMITS,
            cache_bytes: 64 * 1024,
            total_memory: 6 * 1024 * 1024,
            ..InspectionLimits::default()
        },
        ..CheckSettings::default()
    };
    for asked in [Some([Runtime::EcsAmd64, Runtime::LambdaArm64].as_slice()), None] {
        let inspector = Inspector::new(&rules.limits);
        let by = InspectContext { inspector: &inspector, time_left: Duration::MAX, is_repeated: false };
        let selector = parts.selector();
        let origin = ImageOrigin::from_reference("oci:image:v1", &selector);
        let found = match wait(check_image(parts, &origin, asked, &rules, by, today())) {
            Ok(found) => found,
            Err(error) => panic!("a registry in memory never fails: {error}"),
        };
        if let Some(manifest) = &found.manifest {
            let platforms: Option<Vec<Platform>> =
                asked.map(|runtimes| runtimes.iter().map(|runtime| runtime.platform()).collect());
            let options = ImageReadOptions {
                compare_children: true,
                platforms: platforms.as_deref(),
                label_key: &rules.declaration_key,
            };
            check(&wait(image::read_image(parts, manifest, options)).expect("the image was read a moment ago"));
        }
        faces(&found.report);
    }
}

/// A message of SNS holds no more, with all its bodies.
const MESSAGE: usize = 256 * 1024;

/// A result for each fault, of a rule that is there, and every text of it fit to be shown.
fn assert_sarif(report: &Report) {
    let text = cli::report_to_sarif(report, "oci:image:v1", "Dockerfile");
    assert_text(&text);
    let log: Value = serde_json::from_str(&text).expect("and JSON is read again");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("a log has rules");
    let results = run["results"].as_array().expect("a log has results");
    assert!(results.len() >= report.faults().count(), "{text}");
    for result in results {
        let rule = result["ruleIndex"].as_u64().and_then(|index| rules.get(usize::try_from(index).ok()?));
        assert_eq!(rule.map(|rule| &rule["id"]), Some(&result["ruleId"]), "{text}");
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap_or_default()), "{text}");
    }
}

fn faces(report: &Report) {
    let json = serde_json::to_string_pretty(report).expect("a report is JSON");
    let value: Value = serde_json::from_str(&json).expect("and JSON is read again");
    assert_eq!(serde_json::to_value(report).ok().as_ref(), Some(&value));
    assert_eq!(value["schema"], "ecr-preflight/1");
    assert_text(&json);
    assert_sarif(report);
    assert_text(&report::format_text(report));
    assert_line(&report::format_headline(report));
    assert_card(&report::slack_card(report));
    let message = notify::build_message(report);
    let bodies: usize = message.bodies.iter().map(|(_, body)| body.len()).sum();
    assert!(bodies <= MESSAGE, "{bodies}");
    assert!(message.subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()) && message.subject.len() < 100);
    assert!(report.verdict != Verdict::Fails || report.faults().next().is_some(), "what fails has a reason");
    assert!(report.verdict != Verdict::Runs || report.faults().next().is_none(), "what runs has no fault");
}
