//! How many times the walk waits for the network: round trips that stand one after another.

use std::time::Duration;

use serde_json::{Value, json};

use super::{REPOSITORY, pushed, settings, walk};
use crate::support::aws::{Call, FakeAws};
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, config, promising};

/// Long enough that requests which are made together overlap.
const DELAY: Duration = Duration::from_millis(50);

/// The longest chain of requests of which each was made after the one before it was answered.
fn sequential(calls: &[Call]) -> usize {
    let mut calls: Vec<_> = calls.iter().map(|call| (call.ended.expect("it was answered"), call.began)).collect();
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

/// Makes an image.
type Make = fn(&Builder) -> Value;

/// A repository for these runtimes with this image under a tag, every answer late, and what the walk asked of it.
async fn walked(make: Make, tag: &str, runtimes: &str, depth: &str, delay: Duration) -> Vec<Call> {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let image = make(&layout);
    let digest = layout.tag(tag, &image);
    aws.push(REPOSITORY, &layout);
    aws.tag_resource(REPOSITORY, "intended-runtime", runtimes);
    aws.delay(delay);
    walk(&aws, settings(&[("PREFLIGHT_INSPECT", depth)]), pushed(&digest, tag)).await.unwrap();
    aws.calls()
}

fn single(layout: &Builder) -> Value {
    layout.image("amd64")
}

fn index(layout: &Builder) -> Value {
    let child = |architecture| promising(&layout.image(architecture), "linux", architecture);
    layout.index(&[child("amd64"), child("arm64")])
}

fn amd64_alone(layout: &Builder) -> Value {
    layout.index(&[promising(&layout.image("amd64"), "linux", "amd64")])
}

/// An index that is for amd64 by all that it says, and whose program is for arm64.
fn lying(layout: &Builder) -> Value {
    let layer = layout.layer(OCI_GZIP, &elf::program("arm64"));
    let image = layout.manifest(&config("linux", "amd64", json!({})), &[layer]);
    layout.index(&[promising(&image, "linux", "amd64")])
}

#[tokio::test]
async fn each_kind_of_image_takes_its_number_of_round_trips() {
    let rows: [(&str, Make, &str, &str, usize, &str); 15] = [
        ("a single image that runs", single, "ecs/amd64", "configs", 3, ""),
        ("a single image that fails", single, "ecs/arm64", "configs", 4, "Publish"),
        ("a single image that runs, labels alone", single, "ecs/amd64", "labels", 3, ""),
        ("an index that is believed and runs", index, "ecs/amd64", "labels", 1, ""),
        ("an index that is believed and fails", amd64_alone, "ecs/arm64", "labels", 2, "Publish"),
        ("an index that runs", index, "ecs/amd64 ecs/arm64", "configs", 4, ""),
        ("an index that fails at a first glance", amd64_alone, "ecs/arm64", "configs", 2, "Publish"),
        ("an index that is refused whatever it holds", index, "lambda/amd64", "configs", 2, "Publish"),
        ("an index of which one platform is missing", amd64_alone, "ecs/amd64 ecs/arm64", "configs", 5, "Publish"),
        // A static program in the highest layer. Further layers take two more for as many as are fetched together.
        ("a single image whose program starts", single, "ecs/amd64", "binaries", 5, ""),
        ("a single image whose program fails", single, "ecs/arm64", "binaries", 6, "Publish"),
        ("an index whose programs start", index, "ecs/amd64 ecs/arm64", "binaries", 6, ""),
        ("an index whose program fails", lying, "ecs/amd64", "binaries", 7, "Publish"),
        ("an index of which nothing is inspected", amd64_alone, "ecs/arm64", "binaries", 2, "Publish"),
        ("an index that is refused at any depth", index, "lambda/amd64", "binaries", 2, "Publish"),
    ];
    for (what, make, runtimes, depth, expected, last) in rows {
        let calls = patiently(expected, async |delay| walked(make, "v1", runtimes, depth, delay).await).await;
        let actions: Vec<&str> = calls.iter().map(|call| call.action.as_str()).collect();
        assert_eq!(sequential(&calls), expected, "{what}: {actions:?}");
        assert!(last.is_empty() != actions.contains(&"Publish"), "{what}: {actions:?}");
    }
}

/// Walks again, with longer delays, where it took more round trips: a machine that is busy elsewhere may part what is
/// asked together, but never joins what is not.
async fn patiently(expected: usize, walk: impl AsyncFn(Duration) -> Vec<Call>) -> Vec<Call> {
    let mut calls = walk(DELAY).await;
    for factor in [4, 16] {
        if sequential(&calls) > expected {
            calls = walk(DELAY * factor).await;
        }
    }
    calls
}

#[tokio::test]
async fn the_repository_tags_are_read_beside_the_manifest() {
    let walk = async |delay| {
        let calls = walked(single, "v1", "ecs/amd64", "configs", delay).await;
        let first = |call: &Call| call.action == "BatchGetImage" || call.action == "ListTagsForResource";
        calls.into_iter().filter(first).collect()
    };
    let calls = patiently(1, walk).await;
    assert_eq!((calls.len(), sequential(&calls)), (2, 1));
}

#[tokio::test]
async fn a_tag_that_declares_a_runtime_itself_spares_the_repository_tags() {
    for (tag, asks) in [("v1-ecs-amd64", false), ("v1-apprunner", false), ("v1-amd64", true), ("v1", true)] {
        let calls = walked(single, tag, "apprunner", "labels", Duration::ZERO).await;
        assert_eq!(calls.iter().any(|call| call.action == "ListTagsForResource"), asks, "{tag}");
    }
}

#[tokio::test]
async fn what_the_event_itself_rules_out_makes_no_request() {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let digest = layout.tag("v1", &layout.helm());
    aws.push(REPOSITORY, &layout);
    let with = |field: &str, value: &str| {
        let mut event = pushed(&digest, "v1");
        event["detail"][field] = value.into();
        event
    };
    let mut helm = with("manifest-media-type", "application/vnd.oci.image.manifest.v1+json");
    helm["detail"]["artifact-media-type"] = "application/vnd.cncf.helm.config.v1+json".into();
    for (event, ignored) in [
        (helm, "artifact"),
        (with("image-tag", ""), "untagged"),
        (with("image-tag", "preflight-fail-apprunner-3c949327e325"), "verdict-tag"),
        (with("image-tag", &format!("sha256-{}.sig", digest.hex())), "artifact"),
        (with("action-type", "DELETE"), "not-an-arrival"),
    ] {
        let report = walk(&aws, settings(&[]), event).await.unwrap();
        assert_eq!(report.ignored.map(ecr_preflight::event::IgnoreReason::as_str), Some(ignored));
    }
    assert!(aws.calls().is_empty());
}
