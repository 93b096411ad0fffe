//! A batch of the queue shares the time of its invocation.

use std::cell::RefCell;
use std::time::Duration;

use ecr_preflight::aws::default_connector;
use ecr_preflight::lambda::response::Response;
use serde_json::{Value, json};

use super::{REPOSITORY, build_handler, push_event, settings};
use crate::support::aws::FakeAws;
use crate::support::layout::Builder;

thread_local! {
    static LINES: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
}

/// A second delivery follows an invocation that failed or was killed.
#[tokio::test]
async fn repeated_event_of_a_failing_image_reads_no_layers() {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let digest = layout.tag("v1", &layout.image("arm64"));
    aws.push(REPOSITORY, &layout);
    for (runtime, attempt, blobs, messages) in
        [("apprunner", 1, 2, 1), ("apprunner", 2, 1, 1), ("linux/arm64", 1, 2, 0), ("linux/arm64", 2, 2, 0)]
    {
        aws.tag_resource(REPOSITORY, "intended-runtime", runtime);
        let before = (aws.calls_of("Blob").len(), aws.calls_of("Publish").len());
        let record = json!({"messageId": "1", "body": push_event(&digest, "v1").to_string(), "eventSource": "aws:sqs",
            "attributes": {"ApproximateReceiveCount": attempt.to_string()}});
        let payload = serde_json::from_value(json!({"Records": [record]})).unwrap();
        let handler = build_handler(default_connector(), &aws, settings(&[]), |_| {});
        let response = handler.respond(payload, || Duration::from_secs(300)).await.unwrap();
        let Response::Batch(response) = response else { panic!("{response:?}") };
        assert!(response.batch_item_failures.is_empty(), "{response:?}");
        let after = (aws.calls_of("Blob").len() - before.0, aws.calls_of("Publish").len() - before.1);
        // The config, and the layer unless the verdict is known without it.
        assert_eq!(after, (blobs, messages), "{runtime} {attempt}");
    }
}

#[tokio::test]
async fn each_message_gets_its_share_of_the_time() {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let digests = ["amd64", "arm64"].map(|architecture| layout.tag(architecture, &layout.image(architecture)));
    aws.push(REPOSITORY, &layout);
    aws.tag_resource(REPOSITORY, "intended-runtime", "linux/amd64 linux/arm64");
    let record = |(id, tag): (usize, &str)| json!({"messageId": id.to_string(), "body": push_event(&digests[id], tag).to_string(), "eventSource": "aws:sqs"});
    let records: Vec<Value> = ["amd64", "arm64"].into_iter().enumerate().map(record).collect();
    let write = |line: &Value| LINES.with_borrow_mut(|lines| lines.push(line.clone()));
    // Reporting takes up to 30 seconds of a share: the first message gets half of the time, the second what is left.
    for (seconds, layers) in [(50, 1), (600, 2)] {
        let before = aws.calls_of("Blob").len();
        let handler = build_handler(default_connector(), &aws, settings(&[]), write);
        let payload = serde_json::from_value(json!({"Records": records})).unwrap();
        let response = handler.respond(payload, || Duration::from_secs(seconds)).await.unwrap();
        let Response::Batch(response) = response else { panic!("{response:?}") };
        assert!(response.batch_item_failures.is_empty(), "{response:?}");
        // The configs, and as many layers as there is time for.
        assert_eq!(aws.calls_of("Blob").len() - before, 2 + layers, "{seconds}");
    }
    let tags = LINES.with_borrow(|lines| lines.iter().map(|line| line["tag"].clone()).collect::<Vec<_>>());
    assert_eq!(tags, ["amd64", "arm64", "amd64", "arm64"]);
}
