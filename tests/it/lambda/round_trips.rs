//! How many sequential round trips an event takes.

use std::time::Duration;

use serde_json::{Value, json};

use super::{REPOSITORY, handle, push_event, settings};
use crate::support::aws::{Call, FakeAws};
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, config, with_platform};

/// Long enough for concurrent requests to overlap.
const DELAY: Duration = Duration::from_millis(50);

/// The longest chain of requests: each was made after the response to the previous one.
fn longest_chain(calls: &[Call]) -> usize {
    let mut calls: Vec<_> = calls.iter().map(|call| (call.ended.expect("it had a response"), call.began)).collect();
    calls.sort();
    let mut last = None;
    calls
        .into_iter()
        .filter(|(ended, began)| {
            last.is_none_or(|last| last <= *began) && {
                last = Some(*ended);
                true
            }
        })
        .count()
}

/// Builds an image.
type Make = fn(&Builder) -> Value;

/// The calls for the push of an image, with delayed responses.
async fn calls_of_push(make: Make, tag: &str, runtimes: &str, depth: &str, delay: Duration) -> Vec<Call> {
    calls_with(&[("PREFLIGHT_INSPECT", depth)], make, tag, runtimes, delay).await
}

/// The same with these settings.
async fn calls_with(variables: &[(&str, &str)], make: Make, tag: &str, runtimes: &str, delay: Duration) -> Vec<Call> {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let image = make(&layout);
    let digest = layout.tag(tag, &image);
    aws.push(REPOSITORY, &layout);
    aws.tag_resource(REPOSITORY, "intended-runtime", runtimes);
    aws.set_delay(delay);
    handle(&aws, settings(variables), push_event(&digest, tag)).await.unwrap();
    aws.calls()
}

fn single(layout: &Builder) -> Value {
    layout.image("amd64")
}

fn index(layout: &Builder) -> Value {
    let child = |architecture| with_platform(&layout.image(architecture), "linux", architecture);
    layout.index(&[child("amd64"), child("arm64")])
}

fn index_of_amd64(layout: &Builder) -> Value {
    layout.index(&[with_platform(&layout.image("amd64"), "linux", "amd64")])
}

/// An index for amd64 whose program is for arm64.
fn mismatched(layout: &Builder) -> Value {
    let layer = layout.layer(OCI_GZIP, &elf::program("arm64"));
    let image = layout.manifest(&config("linux", "amd64", json!({})), &[layer]);
    layout.index(&[with_platform(&image, "linux", "amd64")])
}

/// A kind of image, what is declared for it, the depth of inspections, the number of round trips, and the last call.
type Row = (&'static str, Make, &'static str, &'static str, usize, &'static str);

const ROWS: [Row; 15] = [
    ("a single image that runs", single, "ecs/amd64", "config", 3, ""),
    ("a single image that fails", single, "ecs/arm64", "config", 4, "Publish"),
    ("a single image that runs, labels alone", single, "ecs/amd64", "manifest", 3, ""),
    ("an index that is believed and runs", index, "ecs/amd64", "manifest", 1, ""),
    ("an index that is believed and fails", index_of_amd64, "ecs/arm64", "manifest", 2, "Publish"),
    ("an index that runs", index, "ecs/amd64 ecs/arm64", "config", 4, ""),
    ("an index that fails at a first glance", index_of_amd64, "ecs/arm64", "config", 2, "Publish"),
    ("an index that is refused whatever it holds", index, "lambda/amd64", "config", 2, "Publish"),
    ("an index that lacks one platform", index_of_amd64, "ecs/amd64 ecs/arm64", "config", 5, "Publish"),
    // A static program in the top layer. More layers take two more round trips for each group that is fetched
    // together.
    ("a single image whose program starts", single, "ecs/amd64", "program", 5, ""),
    ("a single image whose program fails", single, "ecs/arm64", "program", 6, "Publish"),
    ("an index whose programs start", index, "ecs/amd64 ecs/arm64", "program", 6, ""),
    ("an index whose program fails", mismatched, "ecs/amd64", "program", 7, "Publish"),
    ("an index that is not inspected", index_of_amd64, "ecs/arm64", "program", 2, "Publish"),
    ("an index that is refused at any depth", index, "lambda/amd64", "program", 2, "Publish"),
];

#[tokio::test]
async fn round_trips_per_kind_of_image() {
    for (what, make, runtimes, depth, expected, last) in ROWS {
        let calls =
            with_longer_delays(expected, async |delay| calls_of_push(make, "v1", runtimes, depth, delay).await).await;
        let actions: Vec<&str> = calls.iter().map(|call| call.action.as_str()).collect();
        assert_eq!(longest_chain(&calls), expected, "{what}: {actions:?}");
        assert!(last.is_empty() != actions.contains(&"Publish"), "{what}: {actions:?}");
    }
}

/// The table is read while the manifest is, and written while the layers or the config are. That a message was sent is written
/// after it.
#[tokio::test]
async fn table_adds_a_round_trip_only_where_nothing_else_is_read() {
    for (what, make, runtimes, depth, expected, last) in ROWS {
        let variables = [("PREFLIGHT_INSPECT", depth), ("PREFLIGHT_CONSUMERS", "on"), ("PREFLIGHT_TABLE", "preflight")];
        let push = async |delay| {
            let mut calls = calls_with(&variables, make, "v1", runtimes, delay).await;
            let of_table = |calls: &[Call]| calls.iter().filter(|call| call.action == "UpdateItem").count();
            assert_eq!(of_table(&calls), if last.is_empty() { 1 } else { 2 }, "{what}");
            if let Some(sent) = calls.iter().find(|call| call.action == "Publish").and_then(|call| call.ended) {
                calls.retain(|call| call.action != "UpdateItem" || call.began < sent);
            }
            calls
        };
        // Without anything else to read, the table is waited for.
        let reads_nothing =
            depth == "manifest" && what.starts_with("an index") || expected == 2 && what.starts_with("an index");
        let expected = expected + usize::from(reads_nothing);
        let calls = with_longer_delays(expected, push).await;
        let actions: Vec<&str> = calls.iter().map(|call| call.action.as_str()).collect();
        assert_eq!(longest_chain(&calls), expected, "{what}: {actions:?}");
    }
}

/// Tries again with longer delays if there were more round trips: a busy machine may separate concurrent requests, but
/// never merges sequential ones.
async fn with_longer_delays(expected: usize, push: impl AsyncFn(Duration) -> Vec<Call>) -> Vec<Call> {
    let mut calls = push(DELAY).await;
    for factor in [4, 16, 40] {
        if longest_chain(&calls) > expected {
            calls = push(DELAY * factor).await;
        }
    }
    calls
}

#[tokio::test]
async fn repository_tags_are_read_with_the_manifest() {
    let push = async |delay| {
        let calls = calls_of_push(single, "v1", "ecs/amd64", "config", delay).await;
        let first = |call: &Call| call.action == "BatchGetImage" || call.action == "ListTagsForResource";
        calls.into_iter().filter(first).collect()
    };
    let calls = with_longer_delays(1, push).await;
    assert_eq!((calls.len(), longest_chain(&calls)), (2, 1));
}

/// The repository's tag is read even if the image tag declares a runtime, because the two may disagree.
#[tokio::test]
async fn every_push_reads_repository_tags_once() {
    for tag in ["v1-ecs-amd64", "v1-apprunner", "v1-amd64", "v1"] {
        let calls = calls_of_push(single, tag, "apprunner", "manifest", Duration::ZERO).await;
        let reads = calls.iter().filter(|call| call.action == "ListTagsForResource").count();
        assert_eq!(reads, 1, "{tag}");
    }
}

#[tokio::test]
async fn events_ignored_by_content_make_no_request() {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let digest = layout.tag("v1", &layout.helm());
    aws.push(REPOSITORY, &layout);
    let with = |field: &str, value: &str| {
        let mut event = push_event(&digest, "v1");
        event["detail"][field] = value.into();
        event
    };
    let mut helm = with("manifest-media-type", "application/vnd.oci.image.manifest.v1+json");
    helm["detail"]["artifact-media-type"] = "application/vnd.cncf.helm.config.v1+json".into();
    for (event, ignored) in [
        (helm, "artifact"),
        (with("image-tag", ""), "untagged"),
        (with("image-tag", "preflight-fail-apprunner-3c949327e3253c94"), "verdict-tag"),
        (with("image-tag", &format!("sha256-{}.sig", digest.hex())), "artifact"),
        (with("action-type", "DELETE"), "not-an-arrival"),
    ] {
        let report = handle(&aws, settings(&[]), event).await.unwrap();
        assert_eq!(report.ignored.map(ecr_preflight::event::IgnoreReason::as_str), Some(ignored));
    }
    assert!(aws.calls().is_empty());
}
