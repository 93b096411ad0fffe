//! A process of the function, with its own memory of the messages that it sent last.

use std::rc::Rc;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::handler::{DeliveryContext, EventHandler};
use ecr_preflight::lambda::log::today;
use ecr_preflight::lambda::recent::RecentMessages;
use ecr_preflight::name::Repository;
use ecr_preflight::settings::Settings;
use futures_util::future::LocalBoxFuture;
use serde_json::Value;

use super::super::fake_ecr::Handle;
use super::delivery::TimedEvent;
use super::history::Outcome;
use super::world::{World, WorldHandle};
use crate::lambda::TOPIC;

type Deliver = dyn Fn(EventBridgeEvent<Value>) -> LocalBoxFuture<'static, Outcome>;

/// A process of the function. It handles several deliveries at once, as if they were even more processes.
pub struct Process(Box<Deliver>);

impl Process {
    pub fn new(world: &Rc<World>, is_required: bool, verdict_tags: &str) -> Self {
        let variables = [
            ("PREFLIGHT_TOPIC_ARN", TOPIC),
            ("PREFLIGHT_TABLE", "preflight"),
            ("PREFLIGHT_CONSUMERS", if is_required { "required" } else { "on" }),
            ("PREFLIGHT_VERDICT_TAGS", verdict_tags),
            ("PREFLIGHT_INSPECT", "config"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings::from_variables(variables.into_iter()).unwrap();
        let (registry, tagger) = (Handle(Rc::clone(&world.ecr)), Handle(Rc::clone(&world.ecr)));
        let handler = Rc::new(EventHandler {
            open_registry: move |_: &Repository| registry.clone(),
            open_tagger: move |_: &Repository| tagger.clone(),
            notifier: Some(WorldHandle(Rc::clone(world))),
            region: None,
            account: None,
            table: Some(WorldHandle(Rc::clone(world))),
            recent_messages: RecentMessages::default(),
            inspector: Inspector::new(&settings.check.limits),
            settings,
            today,
            write_metrics: |_| {},
        });
        Self(Box::new(move |event| {
            let handler = Rc::clone(&handler);
            Box::pin(async move { handler.handle(&event, DeliveryContext::default()).await })
        }))
    }

    /// Delivers an event.
    pub fn deliver(&self, event: &TimedEvent) -> LocalBoxFuture<'static, Outcome> {
        (self.0)(serde_json::from_value(event.to_json()).unwrap())
    }
}
