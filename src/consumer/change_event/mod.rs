//! Events that announce a change of what runs images: a deployment, a changed function, a task that did not start.
//!
//! Of a change, only the ARN is taken: everything else is read from AWS, where it is documented and current. Of a task that
//! stopped, the event has what AWS soon forgets.

mod error;
mod stopped_container;
mod stopped_task;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde_json::Value;

pub use self::error::ConsumerEventError;
pub use self::stopped_container::StoppedContainer;
use self::stopped_task::TaskChange;
use super::changed_consumer::{ChangedConsumer, ChangedResource};
use crate::name::partition;
use crate::text::sanitize_quoted;

/// The names of the events of a deployment that change what runs: also when it ends, because another task definition is
/// then the only one, or the previous one again ("Amazon ECS service deployment state change events" in the Amazon ECS
/// developer guide).
const DEPLOYMENT_EVENTS: [&str; 3] =
    ["SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_DEPLOYMENT_FAILED"];

/// A parsed event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsumerEvent {
    /// A service or function may run another image, or may be deleted.
    Changed(ChangedConsumer),
    /// Containers of a task did not start, or stopped as one does that does not start: at least one.
    Stopped(Vec<StoppedContainer>),
    /// The event announces neither, for this reason.
    Ignored(String),
}

impl ConsumerEvent {
    /// Parses an event.
    ///
    /// # Errors
    /// Returns an error if it is an event of a known type, but malformed.
    pub fn parse(event: &EventBridgeEvent<Value>) -> Result<Self, ConsumerEventError> {
        match (event.source.as_str(), event.detail_type.as_str()) {
            ("aws.ecs", "ECS Deployment State Change") => {
                let name = event.detail["eventName"].as_str().ok_or(ConsumerEventError::Missing("eventName"))?;
                if !DEPLOYMENT_EVENTS.contains(&name) {
                    return Ok(Self::Ignored(format!("eventName is `{}`", sanitize_quoted(name))));
                }
                let is_service = |resource: &ChangedResource| matches!(resource, ChangedResource::EcsService { .. });
                require_resource(event, is_service)
            }
            ("aws.ecs", "ECS Task State Change") => Ok(match stopped_task::parse(event)? {
                TaskChange::Stopped(containers) => Self::Stopped(containers),
                TaskChange::Other(reason) => Self::Ignored(reason),
            }),
            // The documentation names the fields of the detail in two ways, and they are not needed.
            ("aws.apprunner", "AppRunner Service Operation Status Change" | "AppRunner Service Status Change") => {
                require_resource(event, |resource| *resource == ChangedResource::AppRunnerService)
            }
            ("aws.lambda", kind) => Ok(match find_function(event) {
                Some(function) => Self::Changed(function),
                None => {
                    Self::Ignored(format!("`{}` from `aws.lambda` does not name a function", sanitize_quoted(kind)))
                }
            }),
            (source, kind) => {
                let (source, kind) = (sanitize_quoted(source), sanitize_quoted(kind));
                Ok(Self::Ignored(format!("`{kind}` from `{source}`")))
            }
        }
    }
}

/// Returns the change of the first resource of the event that is of this kind.
fn require_resource(
    event: &EventBridgeEvent<Value>,
    is_wanted: impl Fn(&ChangedResource) -> bool,
) -> Result<ConsumerEvent, ConsumerEventError> {
    let found = find_resource(event, is_wanted);
    found
        .map(ConsumerEvent::Changed)
        .ok_or_else(|| ConsumerEventError::Resources { detail_type: event.detail_type.clone() })
}

fn find_resource(
    event: &EventBridgeEvent<Value>,
    is_wanted: impl Fn(&ChangedResource) -> bool,
) -> Option<ChangedConsumer> {
    let parsed = event.resources.iter().flatten().filter_map(|arn| ChangedConsumer::parse(arn));
    parsed.into_iter().find(|changed| is_wanted(changed.resource()))
}

/// Finds the function that an event of AWS Lambda is about. That AWS Lambda sends events is documented ("Lambda Function
/// state events in Amazon `EventBridge`" in the AWS Lambda developer guide), but not where they have the ARN. So each
/// place is tried that events of AWS services use, whatever the detail type.
fn find_function(event: &EventBridgeEvent<Value>) -> Option<ChangedConsumer> {
    let is_function = |changed: &ChangedConsumer| *changed.resource() == ChangedResource::Function;
    let of_detail = |name: &str| event.detail[name].as_str();
    let by_arn = |arn: &str| ChangedConsumer::parse(arn).filter(is_function);
    find_resource(event, |resource| *resource == ChangedResource::Function)
        .or_else(|| by_arn(of_detail("functionArn")?))
        .or_else(|| by_arn(of_detail("functionName")?))
        .or_else(|| {
            let (region, account) = (event.region.as_deref()?, event.account.as_deref()?);
            // A name, also with a version. Anything else does not result in the ARN of a function.
            let name = of_detail("functionName")?;
            by_arn(&format!("arn:{}:lambda:{region}:{account}:function:{name}", partition(region).0))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WEB: &str = "arn:aws:ecs:us-west-2:123456789012:service/prod/web";
    const SITE: &str = "arn:aws:apprunner:us-west-2:123456789012:service/site/8fe1e10304f84fd2b0df550fe98a71fa";
    const RESIZE: &str = "arn:aws:lambda:us-west-2:123456789012:function:resize";

    fn parse(source: &str, kind: &str, resources: &Value, detail: &Value) -> Result<ConsumerEvent, ConsumerEventError> {
        let event = json!({"source": source, "detail-type": kind, "account": "123456789012", "region": "us-west-2",
            "resources": resources, "detail": detail});
        ConsumerEvent::parse(&serde_json::from_value(event).unwrap())
    }

    #[test]
    fn only_the_arn_of_a_change_is_taken() {
        let deployment = "ECS Deployment State Change";
        let version = format!("{RESIZE}:7");
        let nothing = json!({});
        for (source, kind, resources, detail, expected) in [
            ("aws.ecs", deployment, json!([WEB]), json!({"eventName": "SERVICE_DEPLOYMENT_IN_PROGRESS"}), WEB),
            ("aws.ecs", deployment, json!([WEB]), json!({"eventName": "SERVICE_DEPLOYMENT_COMPLETED"}), WEB),
            ("aws.ecs", deployment, json!(["x", WEB]), json!({"eventName": "SERVICE_DEPLOYMENT_FAILED"}), WEB),
            ("aws.apprunner", "AppRunner Service Status Change", json!([SITE]), nothing.clone(), SITE),
            ("aws.apprunner", "AppRunner Service Operation Status Change", json!([SITE]), json!([1]), SITE),
            ("aws.lambda", "Lambda Function State Change", json!([RESIZE]), nothing.clone(), RESIZE),
            ("aws.lambda", "Anything", json!([version]), nothing, RESIZE),
            ("aws.lambda", "Anything", json!([]), json!({"functionArn": version}), RESIZE),
            ("aws.lambda", "Anything", json!([WEB]), json!({"functionName": "resize"}), RESIZE),
            ("aws.lambda", "Anything", json!(null), json!({"functionName": "resize:live"}), RESIZE),
            ("aws.lambda", "Anything", json!(null), json!({"functionName": RESIZE}), RESIZE),
        ] {
            let expected = ConsumerEvent::Changed(ChangedConsumer::parse(expected).unwrap());
            assert_eq!(parse(source, kind, &resources, &detail).unwrap(), expected, "{kind} {resources} {detail}");
        }
    }

    #[test]
    fn other_events_are_ignored() {
        let nothing = json!({});
        for (source, kind, resources, detail, expected) in [
            ("aws.ecr", "ECR Image Action", json!([]), nothing.clone(), "`ECR Image Action` from `aws.ecr`"),
            ("aws.ecs", "ECS Service Action", json!([WEB]), nothing.clone(), "`ECS Service Action` from `aws.ecs`"),
            (
                "custom",
                "ECS Deployment State Change",
                json!([WEB]),
                json!({"eventName": "SERVICE_DEPLOYMENT_COMPLETED"}),
                "`ECS Deployment State Change` from `custom`",
            ),
            (
                "aws.ecs",
                "ECS Deployment State Change",
                json!([WEB]),
                json!({"eventName": "SERVICE_STEADY_STATE"}),
                "eventName is `SERVICE_STEADY_STATE`",
            ),
            (
                "aws.lambda",
                "Other",
                json!([WEB]),
                json!({"functionName": "a b"}),
                "`Other` from `aws.lambda` does not name a function",
            ),
            ("aws.lambda", "Other", json!([]), json!("text"), "`Other` from `aws.lambda` does not name a function"),
        ] {
            let found = parse(source, kind, &resources, &detail).unwrap();
            assert_eq!(found, ConsumerEvent::Ignored(expected.to_owned()), "{kind} {resources} {detail}");
        }
    }

    #[test]
    fn malformed_events_of_known_types_are_errors() {
        let in_progress = json!({"eventName": "SERVICE_DEPLOYMENT_IN_PROGRESS"});
        for (source, kind, resources, detail, expected) in [
            ("aws.ecs", "ECS Deployment State Change", json!([WEB]), json!({}), "the event has no `eventName`"),
            ("aws.ecs", "ECS Deployment State Change", json!([WEB]), json!("x"), "the event has no `eventName`"),
            (
                "aws.ecs",
                "ECS Deployment State Change",
                json!([]),
                in_progress.clone(),
                "the `ECS Deployment State Change` event does not name the service that changed",
            ),
            (
                "aws.ecs",
                "ECS Deployment State Change",
                json!([SITE]),
                in_progress,
                "the `ECS Deployment State Change` event does not name the service that changed",
            ),
            (
                "aws.apprunner",
                "AppRunner Service Status Change",
                json!([WEB]),
                json!({}),
                "the `AppRunner Service Status Change` event does not name the service that changed",
            ),
            (
                "aws.ecs",
                "ECS Task State Change",
                json!([]),
                json!({"containers": 1}),
                "the detail of the `ECS Task State Change` event is malformed",
            ),
            ("aws.ecs", "ECS Task State Change", json!([]), json!({}), "the event has no `lastStatus`"),
        ] {
            let error = parse(source, kind, &resources, &detail).unwrap_err();
            assert_eq!(error.to_string(), expected, "{kind} {resources} {detail}");
        }
    }
}
