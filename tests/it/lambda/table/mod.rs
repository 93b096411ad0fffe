//! Pushes with a table: what runs their images, what their tags pointed at before, and what was reported.

mod changes;
mod consumers;
mod failing_table;
mod notifications;
mod tag_history;
mod take_census;

use std::time::{SystemTime, UNIX_EPOCH};

use ecr_preflight::aws::default_connector;
use ecr_preflight::consumer::{Consumer, ConsumerPlatform, ConsumerService, PlatformSource, StartOverride};
use ecr_preflight::name::Digest;
use ecr_preflight::runtime::Runtime;
use ecr_preflight::settings::Settings;
use ecr_preflight::table::{CensusRecord, StoredConsumers, Table};
use serde_json::Value;

use super::{REPOSITORY, clients, push_event, settings};
use crate::support::aws::FakeAws;
use crate::support::layout::{Builder, with_platform};

/// The registry of the account.
const REGISTRY: &str = "123456789012.dkr.ecr.us-west-2.amazonaws.com";

const TABLE: (&str, &str) = ("PREFLIGHT_TABLE", "preflight");
const ON: (&str, &str) = ("PREFLIGHT_CONSUMERS", "on");
const REQUIRED: (&str, &str) = ("PREFLIGHT_CONSUMERS", "required");

/// The present time, in seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The settings of a function that uses consumers.
fn with_consumers() -> Settings {
    settings(&[TABLE, ON])
}

/// An AWS with the images `amd64` and `arm64` and the index `both`, under tags of these names.
struct World {
    aws: FakeAws,
    amd64: Digest,
    arm64: Digest,
    both: Digest,
}

impl World {
    fn new() -> Self {
        let (aws, mut layout) = (FakeAws::start(), Builder::new());
        let images = ["amd64", "arm64"].map(|architecture| layout.image(architecture));
        let amd64 = layout.tag("amd64", &images[0]);
        let arm64 = layout.tag("arm64", &images[1]);
        let children = [with_platform(&images[0], "linux", "amd64"), with_platform(&images[1], "linux", "arm64")];
        let index = layout.index(&children);
        let both = layout.tag("both", &index);
        aws.push(REPOSITORY, &layout);
        Self { aws, amd64, arm64, both }
    }

    /// Stores what a census found that ended this many seconds ago.
    async fn store_census(&self, consumers: Vec<Consumer>, seconds_ago: u64) {
        store_census(&self.aws, consumers, seconds_ago).await;
    }

    /// Moves the tag to the image, and returns the event of the push at this second.
    fn push(&self, tag: &str, digest: &Digest, second: u32) -> Value {
        self.aws.tag(REPOSITORY, tag, digest.as_str());
        let mut event = push_event(digest, tag);
        event["time"] = format!("2026-11-16T01:{:02}:{:02}Z", second / 60, second % 60).into();
        event["id"] = format!("event-{second}").into();
        event
    }

    /// The texts of the messages that were sent.
    fn messages(&self) -> Vec<Value> {
        let message = |call: &crate::support::aws::Call| -> Value {
            serde_json::from_str(call.body["Message"].as_str().unwrap()).unwrap()
        };
        self.aws.calls_of("Publish").iter().map(message).collect()
    }

    /// The first lines of the messages that were sent.
    fn headlines(&self) -> Vec<String> {
        let first = |message: &Value| message["default"].as_str().unwrap().lines().next().unwrap().to_owned();
        self.messages().iter().map(first).collect()
    }
}

/// Stores what a census found that ended this many seconds ago, as the census does.
async fn store_census(aws: &FakeAws, consumers: Vec<Consumer>, seconds_ago: u64) {
    let table = Table::new(clients(default_connector()).dynamodb_client(Some(aws.url())), "preflight".to_owned());
    table.replace_consumers(&StoredConsumers::new(), &consumers, |_| true, |_| true, now()).await.unwrap();
    let record = CensusRecord { ended: now() - seconds_ago, services: Vec::new() };
    table.write_census_record(&record).await.unwrap();
}

/// Stores a service on amd64 that runs `team/app:v1`.
pub fn store_consumer(aws: &FakeAws) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let web = consumer("prod/web", Runtime::EcsAmd64, PlatformSource::RuntimePlatform, "v1");
    runtime.block_on(store_census(aws, vec![web], 60));
}

/// What runs `team/app` with this tag.
fn consumer(name: &str, runtime: Runtime, source: PlatformSource, tag: &str) -> Consumer {
    let service = name.split('/').next_back().unwrap();
    Consumer {
        service: ConsumerService::Ecs,
        name: name.to_owned(),
        arn: format!("arn:aws:ecs:us-west-2:123456789012:service/{name}"),
        definition: format!("{service}:7"),
        container: "app".to_owned(),
        image: format!("{REGISTRY}/{REPOSITORY}:{tag}"),
        digest: None,
        platform: ConsumerPlatform::Known(runtime, source),
        start: StartOverride::default(),
    }
}
