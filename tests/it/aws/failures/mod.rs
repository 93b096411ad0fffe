//! Every outward call, and everything that can go wrong with it: what the walk makes of it, how often it tried, and who
//! was told.

mod reading;
mod writing;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector};
use ecr_preflight::aws::connector;
use ecr_preflight::handler;
use ecr_preflight::report::Report;
use expect_test::Expect;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use super::{ARN, REPOSITORY, TOPIC, pushed, settings, walk_over};
use crate::support::aws::Fault::{self, *};
use crate::support::aws::{FakeAws, SECRET};
use crate::support::layout::Builder;

/// All that was logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What is pushed, and where.
struct Scene {
    image: fn(&Builder) -> Value,
    runtimes: &'static str,
    /// Whether there is a topic.
    is_told: bool,
    /// How far the image is looked at.
    depth: &'static str,
    /// The first call that fails, counted from 1, and the last.
    fails_from: usize,
    fails_to: usize,
}

impl Default for Scene {
    /// An arm64 image for App Runner alone.
    fn default() -> Self {
        let image = |layout: &Builder| layout.image("arm64");
        Self { image, runtimes: "apprunner", is_told: true, depth: "configs", fails_from: 1, fails_to: usize::MAX }
    }
}

/// One line of a table, `failure | outcome | attempts | messages that SNS took | mark`.
async fn line(scene: &Scene, action: &'static str, fault: Fault) -> String {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let image = (scene.image)(&layout);
    let image = layout.tag("v1", &image);
    aws.push(REPOSITORY, &layout);
    aws.tag_resource(REPOSITORY, "intended-runtime", scene.runtimes);
    aws.fail(action, scene.fails_from..=scene.fails_to, fault);
    let mut settings = settings(&[("PREFLIGHT_MARK", "always"), ("PREFLIGHT_DEPTH", scene.depth)]);
    settings.topic = settings.topic.filter(|_| scene.is_told);
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(log.clone()).finish();
    let logging = tracing::subscriber::set_default(subscriber);
    let http = if matches!(fault, Stalled) { impatient() } else { connector() };
    let outcome = walk_over(http, &aws, settings, pushed(&image, "v1")).await;
    drop(logging);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("SendRequest") || log.contains("attempt"), "the log is looked at");
    let said = said(&outcome);
    let messages = aws.calls_of("Publish");
    let texts = messages.iter().map(|call| call.body.to_string());
    for text in texts.chain([log, said.clone()]) {
        assert!(!text.contains(SECRET), "a presigned address shows in: {text}");
    }
    assert!(aws.calls_of("Elsewhere").is_empty(), "a redirect was followed");
    let attempts = aws.calls_of(action).len() + 1 - scene.fails_from;
    let told = messages.iter().filter(|call| call.status == Some(200)).count();
    let marked = aws.tags(REPOSITORY).iter().any(|tag| tag.starts_with("preflight-"));
    let marked = if marked { "marked" } else { "-" };
    format!("{fault:?} | {} | {attempts} | {told} | {marked}\n", masked(&said, &layout))
}

/// Waits half a second for an answer; the function's own waits for seconds.
fn impatient() -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().read_timeout(Duration::from_millis(500)).build();
    let connector = Connector::builder().connector_settings(settings).sleep_impl(TokioSleep::new());
    SharedHttpConnector::new(connector.build_http())
}

/// What came of it in a few words: the verdict and the reasons for it, or the error.
fn said(outcome: &Result<Report, handler::Error>) -> String {
    let report = match outcome {
        Ok(report) => report,
        Err(error) => return format!("Err: {}", ecr_preflight::log::chain(error)),
    };
    let ignored = report.ignored.map(|why| why.as_str().to_owned());
    let faults = report.faults().map(|fault| fault.code.as_str().to_owned());
    let unknown = report.runtimes().flat_map(|runtime| runtime.unknown.iter().cloned());
    // What is said of every image where programs are not looked at, tells nothing of a failure.
    let remarks = report.remarks.iter().filter(|remark| !remark.contains("that is turned off"));
    let uninspected = report.exec.iter().filter_map(|started| started.reason.clone());
    let reasons: Vec<String> =
        ignored.into_iter().chain(faults).chain(unknown).chain(uninspected).chain(remarks.cloned()).collect();
    let colon = if reasons.is_empty() { "" } else { ": " };
    format!("{}{colon}{}", report.verdict.as_str(), reasons.join("; "))
}

/// The same without what depends on the bytes of an image.
fn masked(said: &str, layout: &Builder) -> String {
    let mut said = said.replace(ARN, "ARN").replace(TOPIC, "TOPIC");
    while let Some(at) = said.find("sha256:") {
        said.replace_range(at..at + 7 + 64, "DIGEST");
    }
    for blob in std::fs::read_dir(layout.path().join("blobs/sha256")).unwrap() {
        let blob = blob.unwrap();
        let size = blob.metadata().unwrap().len();
        let name = blob.file_name().into_string().unwrap();
        said = said.replace(&name[..12], "SHORT").replace(&format!(" {size} bytes"), " ALL bytes");
        said = said.replace(&format!(" {} bytes", size / 2), " HALF bytes");
    }
    said
}

/// Holds the lines of these failures against a table.
async fn table(scene: &Scene, action: &'static str, faults: &[Fault], expected: Expect) {
    let mut table = String::new();
    for fault in faults {
        table += &line(scene, action, *fault).await;
    }
    expected.assert_eq(&table);
}

/// What any action of a service may answer.
const SERVER: [Fault; 8] = [
    Error(400, "AccessDeniedException"),
    Error(400, "ThrottlingException"),
    Error(400, "InvalidParameterException"),
    Error(400, "RepositoryNotFoundException"),
    Error(500, "ServerException"),
    Error(503, "ServiceUnavailable"),
    Dropped,
    Stalled,
];

#[tokio::test]
async fn what_fails_once_is_tried_again_and_leaves_no_trace() {
    let once = Scene { fails_to: 1, ..Scene::default() };
    let (throttled, broken) = (Error(400, "ThrottlingException"), Error(500, "ServerException"));
    for (action, faults) in [
        ("BatchGetImage", &[throttled, broken, Dropped, Truncated, Failure("ImageNotFound")][..]),
        ("ListTagsForResource", &[throttled, broken, Dropped, Truncated]),
        ("GetDownloadUrlForLayer", &[throttled, broken, Dropped, Truncated]),
        ("Blob", &[Error(403, "AccessDenied"), Dropped, Truncated, Corrupted, Holds(0)]),
        // The mark was set, though the answer was lost: the second attempt finds it there.
        ("PutImage", &[throttled, broken, Dropped, Truncated]),
        ("Publish", &[throttled, broken, Dropped]),
    ] {
        for fault in faults {
            let expected = format!("{fault:?} | fails: wrong-architecture | 2 | 1 | marked\n");
            assert_eq!(line(&once, action, *fault).await, expected, "{action}");
        }
    }
}

#[tokio::test]
async fn a_message_whose_receipt_is_lost_is_sent_again() {
    let once = Scene { fails_to: 1, ..Scene::default() };
    let line = line(&once, "Publish", Truncated).await;
    assert_eq!(line, "Truncated | fails: wrong-architecture | 2 | 2 | marked\n");
}
