//! Responds to an invocation of the function for consumers: answers the question of a gate, or handles an event.

use std::time::Duration;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde_json::{Value, json};

use super::payload::ConsumersPayload;
use super::response::ConsumersResponse;
use super::take_census::CensusTaker;
use crate::consumer::ConsumerEvent;
use crate::date::Date;
use crate::event::{CENSUS_DETAIL_TYPE, OWN_SOURCE};
use crate::inspect::Inspector;
use crate::lambda::gate::{DeploymentReader, EcsHookAnswer, GateJudge, answer_ecs_hook, answer_hook, pass_hook};
use crate::name::Repository;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::text::error_chain;

/// Responds to invocations. Its fields are its dependencies.
#[derive(Debug)]
pub struct ConsumersHandler<OpenRegistry> {
    /// Opens a repository for reading.
    pub open_registry: OpenRegistry,
    /// Reads what deployments of Amazon ECS start.
    pub deployments: DeploymentReader,
    /// Takes the census; `None` if there is no table.
    pub census: Option<CensusTaker>,
    /// Inspects programs, and caches layers for later invocations.
    pub inspector: Inspector,
    /// The settings.
    pub settings: Settings,
    /// The region whose repositories are read; `None` for any region.
    pub region: Option<String>,
    /// The account whose events are handled; `None` for any account.
    pub account: Option<String>,
    /// Returns the present day in UTC, by which waivers expire.
    pub today: fn() -> Date,
    /// Writes the log line with the result and the metrics of an invocation.
    pub write_metrics: fn(&Value),
}

impl<R: Registry, OpenRegistry: Fn(&Repository) -> R> ConsumersHandler<OpenRegistry> {
    /// Responds to an invocation. `time_left` is the rest of its time.
    ///
    /// # Errors
    /// Returns why an event could not be handled; it is then delivered again. A hook always has an answer.
    pub async fn respond(&self, payload: ConsumersPayload, time_left: Duration) -> Result<ConsumersResponse, String> {
        match payload {
            ConsumersPayload::Hook(payload) => {
                let answer = answer_hook(&self.judge(), &payload, time_left, self.write_metrics).await;
                Ok(ConsumersResponse::Hook(Box::new(answer)))
            }
            ConsumersPayload::EcsHook(payload) => {
                let judge = self.judge();
                let answer = answer_ecs_hook(&judge, &self.deployments, &payload, time_left, self.write_metrics).await;
                Ok(ConsumersResponse::EcsHook(answer))
            }
            ConsumersPayload::Event(event) => {
                let result = Box::pin(self.handle_event(&event)).await;
                if let Err(error) = &result {
                    tracing::error!(event_id = event.id, error, "failed");
                }
                result.map(ConsumersResponse::Done)
            }
        }
    }

    /// Handles an event, and returns its log line.
    async fn handle_event(&self, event: &EventBridgeEvent<Value>) -> Result<Value, String> {
        let census = self.census.as_ref().ok_or("PREFLIGHT_TABLE is not set, so there is no census")?;
        let line = match (event.source.as_str(), event.detail_type.as_str()) {
            (OWN_SOURCE, CENSUS_DETAIL_TYPE) => {
                let summary = Box::pin(census.take()).await.map_err(|error| error_chain(&error))?;
                summary.log_line(self.settings.stack.as_deref())
            }
            _ => match ConsumerEvent::parse(event).map_err(|error| error_chain(&error))? {
                // Nothing can be read by it, and another attempt would not help.
                ConsumerEvent::Changed(changed) if !self.is_own(changed.arn()) => {
                    describe_foreign(event, changed.arn())
                }
                ConsumerEvent::Stopped(stopped) if !stopped.iter().all(|one| self.is_own(&one.task)) => {
                    describe_foreign(event, &stopped[0].task)
                }
                ConsumerEvent::Changed(changed) if changed.is_without_cluster() => {
                    let reason = format!("{} has the old format, which does not name the cluster", changed.arn());
                    json!({"level": "WARN", "message": reason, "event_id": event.id})
                }
                ConsumerEvent::Changed(changed) => {
                    let summary =
                        Box::pin(census.handle_change(&changed)).await.map_err(|error| error_chain(&error))?;
                    summary.log_line()
                }
                ConsumerEvent::Stopped(stopped) => {
                    Box::pin(census.handle_stopped(event.id.as_deref().unwrap_or_default(), &stopped))
                        .await
                        .map_err(|error| error_chain(&error))?
                }
                ConsumerEvent::Ignored(reason) => {
                    json!({"level": "INFO", "message": format!("ignored: {reason}"), "event_id": event.id})
                }
            },
        };
        (self.write_metrics)(&line);
        Ok(line)
    }

    /// Returns whether a resource is in the function's account and region. An event bus may forward events of others, whose
    /// resources cannot be read.
    fn is_own(&self, arn: &str) -> bool {
        let mut parts = arn.split(':').skip(3);
        let (region, account) = (parts.next(), parts.next());
        self.region.as_deref().is_none_or(|own| region == Some(own))
            && self.account.as_deref().is_none_or(|own| account == Some(own))
    }

    fn judge(&self) -> GateJudge<'_, OpenRegistry> {
        GateJudge {
            open_registry: &self.open_registry,
            inspector: &self.inspector,
            settings: &self.settings,
            region: self.region.as_deref(),
            today: (self.today)(),
        }
    }
}

/// Returns the log line of an event about a resource of another account or region.
fn describe_foreign(event: &EventBridgeEvent<Value>, arn: &str) -> Value {
    let message = format!("ignored: {arn} is of another account or region");
    json!({"level": "INFO", "message": message, "event_id": event.id})
}

/// Responds to an invocation of a function whose settings are invalid. A gate lets everything pass.
///
/// # Errors
/// Returns the error of the settings for any other payload.
pub fn respond_without_settings(payload: &ConsumersPayload, error: &str) -> Result<ConsumersResponse, String> {
    tracing::error!(error, "the settings are invalid, so nothing is checked");
    match payload {
        ConsumersPayload::EcsHook(_) => Ok(ConsumersResponse::EcsHook(EcsHookAnswer::SUCCEEDED)),
        ConsumersPayload::Hook(payload) => {
            Ok(ConsumersResponse::Hook(Box::new(pass_hook(payload, "the settings of the gate are invalid"))))
        }
        ConsumersPayload::Event(_) => Err(error.to_owned()),
    }
}
