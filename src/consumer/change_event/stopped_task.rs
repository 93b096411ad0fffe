//! A task of Amazon ECS that stopped: which of its containers may not have started, and why ("Amazon ECS task state change
//! events" in the Amazon ECS developer guide).

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::error::ConsumerEventError;
use super::stopped_container::StoppedContainer;
use crate::event::has_date_characters;
use crate::name::EcrImage;
use crate::text::{sanitize, sanitize_quoted};

/// The values of `stopCode` of a task that may not have started.
const STOP_CODES: [&str; 2] = ["TaskFailedToStart", "EssentialContainerExited"];

/// The exit codes of containers whose program could not be started. Programs exit with them for other reasons too. 1 is that
/// of `runc init` (`init.go`), 126 and 127 are those of shells and Docker Engine ("Exit status" in the reference of
/// `docker run`), and 255 is that of runtimes for a failure without another code.
const EXIT_CODES: [i64; 4] = [1, 126, 127, 255];

/// How the reasons begin for which a container was not started because of its image: `CannotPullContainerError`,
/// `CannotStartContainerError` and others ("Resolve Amazon ECS stopped task error messages" in the Amazon ECS developer
/// guide).
const REASONS: [&str; 3] = ["CannotPull", "CannotStart", "CannotCreateContainer"];

/// The longest reason, in characters: that of the Amazon ECS agent.
const MAX_REASON: usize = 1024;

/// The attribute of a task that names its architecture.
const ARCHITECTURE: &str = "ecs.cpu-architecture";

/// The fields of a task that are needed.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TaskDetail {
    task_arn: Option<String>,
    cluster_arn: Option<String>,
    task_definition_arn: Option<String>,
    group: Option<String>,
    launch_type: Option<String>,
    last_status: Option<String>,
    stop_code: Option<String>,
    stopped_reason: Option<String>,
    stopped_at: Option<String>,
    attributes: Option<Vec<Attribute>>,
    containers: Option<Vec<ContainerDetail>>,
    overrides: Option<Overrides>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attribute {
    name: Option<String>,
    value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerDetail {
    name: Option<String>,
    image: Option<String>,
    image_digest: Option<String>,
    exit_code: Option<i64>,
    reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Overrides {
    container_overrides: Option<Vec<ContainerOverride>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerOverride {
    name: Option<String>,
    command: Option<Vec<String>>,
    // Their values may be secret.
    environment: Option<Vec<IgnoredAny>>,
    environment_files: Option<Vec<IgnoredAny>>,
}

/// What a state of a task means.
#[derive(Debug)]
pub(super) enum TaskChange {
    /// These containers may not have started because of their image: at least one.
    Stopped(Vec<StoppedContainer>),
    /// There are no such containers, for this reason.
    Other(String),
}

/// Parses the event of a change of a task's state.
///
/// # Errors
/// Returns an error if it is malformed.
pub(super) fn parse(event: &EventBridgeEvent<Value>) -> Result<TaskChange, ConsumerEventError> {
    let task = TaskDetail::deserialize(&event.detail)
        .map_err(|source| ConsumerEventError::Detail { detail_type: event.detail_type.clone(), source })?;
    let status = task.last_status.as_deref().ok_or(ConsumerEventError::Missing("lastStatus"))?;
    if status != "STOPPED" {
        return Ok(TaskChange::Other(format!("lastStatus is `{}`", sanitize_quoted(status))));
    }
    let code = task.stop_code.as_deref().unwrap_or_default();
    if !STOP_CODES.contains(&code) {
        return Ok(TaskChange::Other(format!("stopCode is `{}`", sanitize_quoted(code))));
    }
    let candidates = task.containers.iter().flatten().filter(|container| task.may_not_have_started(container));
    let containers = candidates.map(|container| task.describe(container)).collect::<Result<Vec<_>, _>>()?;
    Ok(if containers.is_empty() {
        TaskChange::Other("no container with an image of Amazon ECR failed to start".to_owned())
    } else {
        TaskChange::Stopped(containers)
    })
}

impl TaskDetail {
    /// Returns whether a container has an image of Amazon ECR, and stopped as one does that could not be started.
    fn may_not_have_started(&self, container: &ContainerDetail) -> bool {
        let is_ours = container.image.as_deref().is_some_and(|image| EcrImage::parse(image).is_some());
        is_ours
            && match container.exit_code {
                Some(code) => EXIT_CODES.contains(&code),
                None => self.was_not_started(container),
            }
    }

    /// Returns whether the reason for which a container has no exit code is its image. The reason of the task is that of one of
    /// its containers, so it counts only if none has a reason of its own.
    fn was_not_started(&self, container: &ContainerDetail) -> bool {
        let is_of_image =
            |reason: &Option<String>| reason.iter().any(|text| REASONS.iter().any(|start| text.starts_with(start)));
        let is_of_other = || self.containers.iter().flatten().any(|one| is_of_image(&one.reason));
        is_of_image(&container.reason) || (is_of_image(&self.stopped_reason) && !is_of_other())
    }

    fn describe(&self, container: &ContainerDetail) -> Result<StoppedContainer, ConsumerEventError> {
        let require = |text: &Option<String>, name| {
            text.clone().filter(|text| !text.is_empty()).ok_or(ConsumerEventError::Missing(name))
        };
        let shorten = |text: &Option<String>| text.as_ref().map(|text| sanitize(text, MAX_REASON));
        let name = require(&container.name, "name")?;
        let overrides = self.overrides.iter().flat_map(|overrides| &overrides.container_overrides).flatten();
        let own = overrides.into_iter().find(|one| one.name.as_ref() == Some(&name));
        let architecture = self.attributes.iter().flatten().find(|one| one.name.as_deref() == Some(ARCHITECTURE));
        Ok(StoppedContainer {
            task: require(&self.task_arn, "taskArn")?,
            cluster: require(&self.cluster_arn, "clusterArn")?,
            service: self.group.as_deref().and_then(|group| group.strip_prefix("service:")).map(str::to_owned),
            task_definition: require(&self.task_definition_arn, "taskDefinitionArn")?,
            image: require(&container.image, "image")?,
            digest: container.image_digest.as_deref().and_then(|digest| digest.parse().ok()),
            architecture: architecture.and_then(|attribute| attribute.value.clone()),
            is_fargate: self.launch_type.as_deref().map(|launch_type| launch_type == "FARGATE"),
            exit_code: container.exit_code,
            reason: shorten(&container.reason),
            stopped_reason: shorten(&self.stopped_reason),
            stopped_at: self.stopped_at.clone().filter(|date| has_date_characters(date)),
            override_command: own.and_then(|one| one.command.clone()).unwrap_or_default(),
            has_override_environment: own.is_some_and(ContainerOverride::has_environment),
            container: name,
        })
    }
}

impl ContainerOverride {
    fn has_environment(&self) -> bool {
        self.environment.iter().chain(&self.environment_files).any(|list| !list.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const IMAGE: &str = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1";

    /// Parses the event of a task with these members and containers.
    fn parse_task(members: &Value, containers: &Value) -> Result<TaskChange, ConsumerEventError> {
        let mut detail = json!({"taskArn": "task", "clusterArn": "cluster", "taskDefinitionArn": "definition",
            "group": "service:web", "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited"});
        for (name, value) in members.as_object().unwrap() {
            detail[name] = value.clone();
        }
        detail["containers"] = containers.clone();
        parse(&serde_json::from_value(json!({"source": "", "detail-type": "kind", "detail": detail})).unwrap())
    }

    /// The names of the containers, or why there are none.
    fn names(change: TaskChange) -> String {
        match change {
            TaskChange::Stopped(containers) => {
                containers.into_iter().map(|one| one.container).collect::<Vec<_>>().join(" ")
            }
            TaskChange::Other(reason) => reason,
        }
    }

    #[test]
    fn containers_that_may_not_have_started_are_found() {
        let pull = "CannotPullContainerError: pull image manifest has been retried 7 time(s)";
        let exited = |name: &str, code: i64| json!({"name": name, "image": IMAGE, "exitCode": code});
        let none = json!({"name": "a", "image": IMAGE});
        let with_reason = |name: &str, reason: &str| json!({"name": name, "image": IMAGE, "reason": reason});
        for (members, containers, expected) in [
            (json!({}), json!([exited("a", 1), exited("b", 0), exited("c", 126), exited("d", 127)]), "a c d"),
            (json!({}), json!([exited("a", 255), exited("b", 137), exited("c", 143)]), "a"),
            (json!({"stopCode": "TaskFailedToStart"}), json!([with_reason("a", pull)]), "a"),
            (json!({"stopCode": "TaskFailedToStart", "stoppedReason": pull}), json!([none]), "a"),
            // The reason of the task is that of the other container.
            (
                json!({"stopCode": "TaskFailedToStart", "stoppedReason": pull}),
                json!([none, with_reason("b", pull)]),
                "b",
            ),
            (json!({}), json!([with_reason("a", "CannotStartContainerError: exec: no such file")]), "a"),
            (json!({}), json!([with_reason("a", "CannotCreateContainerError: invalid user")]), "a"),
        ] {
            assert_eq!(names(parse_task(&members, &containers).unwrap()), expected, "{members} {containers}");
        }
    }

    #[test]
    fn other_tasks_and_containers_are_ignored() {
        let failed = json!([{"name": "a", "image": IMAGE, "exitCode": 1}]);
        let nothing = "no container with an image of Amazon ECR failed to start";
        for (members, containers, expected) in [
            (json!({"lastStatus": "RUNNING"}), failed.clone(), "lastStatus is `RUNNING`"),
            (json!({"stopCode": "UserInitiated"}), failed.clone(), "stopCode is `UserInitiated`"),
            (json!({"stopCode": null}), failed, "stopCode is ``"),
            (json!({}), json!(null), nothing),
            (json!({}), json!([{"name": "a", "image": "nginx:1", "exitCode": 1}]), nothing),
            (json!({}), json!([{"name": "a", "exitCode": 1}]), nothing),
            (json!({}), json!([{"name": "a", "image": IMAGE, "exitCode": 0}]), nothing),
            (json!({}), json!([{"name": "a", "image": IMAGE}]), nothing),
            (json!({}), json!([{"name": "a", "image": IMAGE, "reason": "OutOfMemoryError: killed"}]), nothing),
            (
                json!({"stoppedReason": "ResourceInitializationError: x"}),
                json!([{"name": "a", "image": IMAGE}]),
                nothing,
            ),
        ] {
            assert_eq!(names(parse_task(&members, &containers).unwrap()), expected, "{members} {containers}");
        }
    }

    #[test]
    fn malformed_tasks_are_errors() {
        let failed = json!([{"name": "a", "image": IMAGE, "exitCode": 1}]);
        for (members, containers, expected) in [
            (json!({"taskArn": null}), failed.clone(), "the event has no `taskArn`"),
            (json!({"clusterArn": ""}), failed.clone(), "the event has no `clusterArn`"),
            (json!({"taskDefinitionArn": null}), failed.clone(), "the event has no `taskDefinitionArn`"),
            (json!({}), json!([{"image": IMAGE, "exitCode": 1}]), "the event has no `name`"),
            (json!({}), json!([{"name": "a", "exitCode": "1"}]), "the detail of the `kind` event is malformed"),
            (json!({"attributes": {}}), failed, "the detail of the `kind` event is malformed"),
        ] {
            let error = parse_task(&members, &containers).unwrap_err();
            assert_eq!(error.to_string(), expected, "{members} {containers}");
        }
    }

    #[test]
    fn overrides_are_those_of_the_container_and_texts_are_bounded() {
        let overrides = json!({"containerOverrides": [{"name": "b", "command": ["other"]},
            {"name": "a", "command": ["run", "x"], "environment": [{"name": "TOKEN", "value": "secret"}]}]});
        let members = json!({"overrides": overrides, "stoppedAt": "<script>", "group": "family:job",
            "stoppedReason": "x\n".repeat(2000), "launchType": "EC2"});
        let digest = "sha256:12";
        let reason = "\u{1b}[31mred";
        let containers = json!([{"name": "a", "image": IMAGE, "exitCode": 1, "imageDigest": digest, "reason": reason}]);
        let Ok(TaskChange::Stopped(found)) = parse_task(&members, &containers) else { panic!("it is stopped") };
        let [found] = &found[..] else { panic!("one container") };
        assert_eq!(found.override_command, ["run", "x"]);
        assert!(found.has_override_environment && !format!("{found:?}").contains("secret"));
        assert_eq!(
            (&found.digest, &found.stopped_at, &found.service, found.is_fargate),
            (&None, &None, &None, Some(false))
        );
        assert_eq!(found.reason.as_deref(), Some("\u{fffd}[31mred"));
        assert_eq!(found.stopped_reason.as_ref().map(|text| text.chars().count()), Some(MAX_REASON));
    }
}
