//! The table and the topic of a history. Their calls are slow and fail at random, before or after they took effect, like
//! those of `FakeEcr`, which also decides which of them fail.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ecr_preflight::aws::service_error::CallError;
use ecr_preflight::consumer::{
    Consumer, ConsumerLookup, ConsumerPlatform, ConsumerService, KnownConsumers, PlatformSource, StartOverride,
};
use ecr_preflight::lambda::image_table::ImageTable;
use ecr_preflight::lambda::notify::{Message, Notifier};
use ecr_preflight::name::Repository;
use ecr_preflight::runtime::Runtime;
use ecr_preflight::table::{NotifiedState, TagMoment, TagRecord};

use super::super::fake_ecr::FakeEcr;
use super::oracle::ConsumerKind;
use super::sent::Sent;
use super::table_state::TableState;
use crate::lambda::REPOSITORY;

/// What the invocations of a history share.
#[derive(Debug)]
pub struct World {
    pub ecr: Rc<FakeEcr>,
    table: RefCell<TableState>,
    /// What the census found: the consumers of the tag `CONSUMED_TAG`.
    pub consumers: RefCell<Vec<ConsumerKind>>,
    /// The messages that the topic accepted.
    pub sent: RefCell<Vec<Sent>>,
    /// The time of the simulation.
    pub step: Cell<usize>,
    /// The deliveries whose last lookup of consumers failed, whose message is recorded, and whose calls to the table failed.
    pub lookups_failed: RefCell<Vec<usize>>,
    pub recorded: RefCell<Vec<usize>>,
    pub table_failed: RefCell<Vec<usize>>,
}

/// The tag that consumers run.
pub const CONSUMED_TAG: &str = "v1";

impl World {
    pub fn new(ecr: Rc<FakeEcr>) -> Self {
        Self {
            ecr,
            table: RefCell::default(),
            consumers: RefCell::default(),
            sent: RefCell::default(),
            step: Cell::default(),
            lookups_failed: RefCell::default(),
            recorded: RefCell::default(),
            table_failed: RefCell::default(),
        }
    }

    fn consumers_in(&self, repository: &Repository) -> Vec<Consumer> {
        let consumer = |kind: &ConsumerKind| Consumer {
            service: ConsumerService::Ecs,
            name: format!("prod/{}", kind.name()),
            arn: format!("arn:aws:ecs:us-west-2:123456789012:service/prod/{}", kind.name()),
            definition: kind.name().to_owned(),
            container: "app".to_owned(),
            image: format!("{repository}:{CONSUMED_TAG}"),
            digest: None,
            platform: match kind {
                ConsumerKind::Amd64 => ConsumerPlatform::Known(Runtime::EcsAmd64, PlatformSource::RuntimePlatform),
                ConsumerKind::Arm64 => ConsumerPlatform::Known(Runtime::EcsArm64, PlatformSource::RuntimePlatform),
                ConsumerKind::Unknown => ConsumerPlatform::unknown("instances may have either architecture"),
            },
            start: StartOverride::default(),
        };
        self.consumers.borrow().iter().map(consumer).collect()
    }

    /// Whether the current call to the table fails.
    fn table_fails(&self) -> bool {
        let fails = self.ecr.fails();
        if fails {
            self.table_failed.borrow_mut().push(self.ecr.current.get());
        }
        fails
    }

    /// Makes a call that has this effect.
    async fn write<T>(&self, effect: impl FnOnce(&mut TableState) -> T) -> Result<T, CallError> {
        self.ecr.call().await;
        if self.table_fails() {
            return Err(failed("dynamodb:UpdateItem"));
        }
        let result = effect(&mut self.table.borrow_mut());
        self.ecr.call().await;
        // The item is written, but the response is lost.
        if self.table_fails() { Err(failed("dynamodb:UpdateItem")) } else { Ok(result) }
    }
}

fn failed(action: &'static str) -> CallError {
    CallError { action, resource: "the table or topic".to_owned(), problem: "failed", source: "by lot".into() }
}

/// The table and the topic, as an invocation uses them.
#[derive(Debug, Clone)]
pub struct WorldHandle(pub Rc<World>);

impl ImageTable for WorldHandle {
    async fn look_up(&self, repository: &Repository, _now: u64) -> Result<ConsumerLookup, CallError> {
        assert_eq!(repository.name(), REPOSITORY);
        let world = &self.0;
        world.ecr.call().await;
        let consumers = world.consumers_in(repository);
        world.ecr.call().await;
        let delivery = world.ecr.current.get();
        world.lookups_failed.borrow_mut().retain(|known| *known != delivery);
        if !world.table_fails() {
            return Ok(ConsumerLookup::Known(KnownConsumers { consumers, ..KnownConsumers::default() }));
        }
        world.lookups_failed.borrow_mut().push(delivery);
        if world.ecr.below(2) == 0 {
            return Ok(ConsumerLookup::Failed("the census has not run lately".to_owned()));
        }
        Err(failed("dynamodb:Query"))
    }

    async fn record_tag(&self, reference: &str, moment: &TagMoment) -> Result<TagRecord, CallError> {
        self.0.write(|table| table.record_tag(reference, moment)).await
    }

    async fn record_notified(&self, reference: &str, notified: &NotifiedState) -> Result<(), CallError> {
        self.0
            .write(|table| {
                table.record_notified(reference, notified);
                self.0.recorded.borrow_mut().push(self.0.ecr.current.get());
            })
            .await
    }

    async fn resolve(&self, reference: &str, digest: &str, event_id: &str) -> Result<bool, CallError> {
        self.0
            .write(|table| {
                self.0.recorded.borrow_mut().push(self.0.ecr.current.get());
                table.resolve(reference, digest, event_id)
            })
            .await
    }
}

impl Notifier for WorldHandle {
    async fn send(&self, message: &Message) -> Result<(), CallError> {
        let World { ecr, sent, step, .. } = &*self.0;
        ecr.call().await;
        if ecr.fails() {
            return Err(failed("sns:Publish"));
        }
        sent.borrow_mut().push(Sent::parse(message, ecr.current.get(), step.get()));
        ecr.call().await;
        // The message is sent, but the response is lost.
        if ecr.fails() { Err(failed("sns:Publish")) } else { Ok(()) }
    }
}
