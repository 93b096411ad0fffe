"""What runs images: services of the emulated Amazon ECS, and the cases about them.

The tests send the events of Amazon ECS themselves, because the emulator sends none. AWS App Runner does not exist in the
emulator, so every census records that it was not read.
"""

import json
from pathlib import Path

import aws
from aws import client, drain
from check import equal, holds
from world import ACCOUNT, REGION

EVENTS = Path(__file__).resolve().parents[2] / "events"
# A repository that one service uses, and one of which two services on both architectures use a tag each.
WEB, BOTH = "team/web", "team/both"
# Names of the images in the layout.
ARM64, AMD64 = "image-of-arm64", "amd64-image"
CENSUS = {"source": "ecr-preflight", "detail-type": "ECR Preflight Census", "detail": {}}
NOT_READ = ["AWS App Runner"]


class Cluster:
    """The cluster `prod`. Its services have no tasks: an image is not needed to start one."""

    def __init__(self, address, registry):
        self.ecs, self.registry = client("ecs", address), registry
        self.ecs.create_cluster(clusterName="prod")
        for name, repository, tag, architecture in [
            ("web", WEB, "v1", "ARM64"),
            ("api", BOTH, "x1", "X86_64"),
            ("worker", BOTH, "a1", "ARM64"),
        ]:
            definition = self.define(name, repository, tag, architecture)
            self.ecs.create_service(
                cluster="prod", serviceName=name, taskDefinition=definition, desiredCount=0, launchType="FARGATE"
            )

    def define(self, family, repository, tag, architecture):
        """Registers a task definition; returns its ARN. Without an architecture, it has no runtimePlatform."""
        platform = {"runtimePlatform": {"cpuArchitecture": architecture}} if architecture else {}
        answer = self.ecs.register_task_definition(
            family=family,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "app", "image": f"{self.registry}/{repository}:{tag}", "essential": True}],
            **platform,
        )
        return answer["taskDefinition"]["taskDefinitionArn"]

    def create(self, stage, service, definition):
        """Creates a service, and sends the event of its first deployment."""
        self.ecs.create_service(
            cluster="prod", serviceName=service, taskDefinition=definition, desiredCount=0, launchType="FARGATE"
        )
        self._announce(stage, service)

    def deploy(self, stage, service, definition):
        """Deploys a task definition, and sends the event with which Amazon ECS announces it."""
        self.ecs.update_service(cluster="prod", service=service, taskDefinition=definition)
        self._announce(stage, service)

    def _announce(self, stage, service):
        arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/prod/{service}"
        stage.send_from_aws(json.loads((EVENTS / "ecs-deployment.json").read_text()) | {"resources": [arn]})


def schedule_takes_the_first_census(stage):
    """The schedule invokes the function when it is created. The census may read everything that the emulator has."""
    census = stage.expect_census()
    equal("the consumers", census["Consumers"], 3)
    equal("what was not read", [reason.split(":")[0] for reason in census["not_read"]], NOT_READ)


def push_that_does_not_suit_a_service_is_reported_and_resolved(stage):
    wrong = stage.push(AMD64, WEB, "v1")
    stage.expect_invocations("fails")
    _, card = stage.expect_message(wrong, verdict="fails", runtime="ecs/arm64", fault="wrong-architecture")
    holds("the title", card["content"]["title"], f"`{WEB}:v1` will not start on ECS on arm64", "prod/web")
    stage.expect_verdict_tags(wrong, ("fail", "ecs-arm64"))
    right = stage.push(ARM64, WEB, "v1")
    stage.expect_invocations("runs")
    _, resolved = stage.expect_message(right, verdict="runs", runtime="ecs/arm64")
    holds("the title", resolved["content"]["title"], f"`{WEB}:v1`", "resolves")
    equal("the thread", resolved["metadata"]["threadId"], card["metadata"]["threadId"])
    stage.expect_verdict_tags(right, ("pass", "ecs-arm64"))
    stage.web = right


def task_definition_that_loses_its_platform_is_reported_without_a_push(stage):
    stage.cluster.deploy(stage, "web", stage.cluster.define("web", WEB, "v1", None))
    stage.expect_invocations("change", "fails")
    report, card = stage.expect_message(stage.web, verdict="fails", runtime="ecs/amd64", fault="wrong-architecture")
    equal("the reason of the check", report["arrival"]["how"], "consumer")
    (consumer,) = report["runtimes"][0]["consumers"]
    expected = ("prod/web", "web:2", "fargate-default")
    equal("what runs it", tuple(consumer[name] for name in ("name", "definition", "architectureFrom")), expected)
    holds("the steps", " ".join(card["content"]["nextSteps"]), "set in the task definition", '"cpuArchitecture": "ARM64"')
    # The same again: no message is sent.
    pushed = stage.push(ARM64, WEB, "v1")
    stage.expect_invocations("fails")
    stage.expect_no_notification()
    stage.expect_verdict_tags(pushed, ("fail", "ecs-amd64"))
    stage.cluster.deploy(stage, "web", stage.cluster.define("web", WEB, "v1", "ARM64"))
    stage.expect_invocations("change", "runs")
    _, resolved = stage.expect_message(stage.web, verdict="runs", runtime="ecs/arm64")
    equal("the thread", resolved["metadata"]["threadId"], card["metadata"]["threadId"])


def push_that_does_not_suit_a_task_definition_without_a_platform_names_it(stage):
    stage.cluster.create(stage, "late", stage.cluster.define("late", WEB, "v9", None))
    stage.expect_invocations("change", "ignored deleted")
    pushed = stage.push(ARM64, WEB, "v9")
    stage.expect_invocations("fails")
    _, card = stage.expect_message(pushed, verdict="fails", runtime="ecs/amd64", fault="wrong-architecture")
    holds("the title", card["content"]["title"], f"`{WEB}:v9` will not start on ECS on amd64", "prod/late")
    description = card["content"]["description"]
    holds("the description", description, "it has no runtimePlatform", "task definition late:1", "To change", "the task definition")
    stage.expect_verdict_tags(pushed, ("fail", "ecs-amd64"))


def services_on_both_architectures_with_a_tag_each_are_silent(stage):
    for image, tag, runtime in [(AMD64, "x1", "ecs-amd64"), (ARM64, "a1", "ecs-arm64")]:
        pushed = stage.push(image, BOTH, tag)
        stage.expect_invocations("runs")
        stage.expect_no_notification()
        stage.expect_verdict_tags(pushed, ("pass", runtime))


def stopped_task_is_explained_once(stage):
    event = json.loads((EVENTS / "ecs-task-stopped.json").read_text())
    container = event["detail"]["containers"][0]
    container |= {"image": f"{stage.registry}/{WEB}:v1", "imageDigest": stage.web.digest}
    event["detail"]["taskDefinitionArn"] = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/web:2"
    stage.send_from_aws(event)
    stage.expect_invocations("change", "fails")
    stopped = stage.web._replace(tag=None)
    report, card = stage.expect_message(stopped, verdict="fails", runtime="ecs/amd64", fault="wrong-architecture")
    equal("the reason of the check", report["arrival"]["how"], "stopped-task")
    holds("the title", card["content"]["title"], "prod/web", "stopped", "will not start on ECS on amd64")
    # The service starts its task again.
    stage.send_from_aws(event)
    stage.expect_invocations("change")
    stage.expect_no_notification()
    stage.expect_verdict_tags(stage.web)


def service_that_refuses_the_census_keeps_its_consumers(stage):
    with stage.denied("ecs:DescribeServices", stage.census):
        line = stage.ask(stage.census, CENSUS)
    equal("what was not read", [reason.split(":")[0] for reason in line["not_read"]], ["Amazon ECS", *NOT_READ])
    stage.expect_census()
    pushed = stage.push(AMD64, BOTH, "a1")
    stage.expect_invocations("fails")
    stage.expect_message(pushed, verdict="fails", runtime="ecs/arm64", fault="wrong-architecture")
    stage.expect_verdict_tags(pushed, ("fail", "ecs-arm64"))
    line = stage.ask(stage.census, CENSUS)
    equal("what was not read", [reason.split(":")[0] for reason in line["not_read"]], NOT_READ)
    stage.expect_census()


def roles_allow_only_their_part_of_the_table(stage):
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{stage.stack['TableName']}"
    reading = {"dynamodb:Query", "dynamodb:GetItem"}
    equal("of the function", stage.allowed(table, "dynamodb"), reading | {"dynamodb:UpdateItem"})
    writing = {"dynamodb:PutItem", "dynamodb:BatchWriteItem"}
    equal("of the census", stage.allowed(table, "dynamodb", stage.census), reading | writing)
    equal("on another table", stage.allowed(f"{table}-other", "dynamodb", stage.census), set())
    equal("on a repository", stage.allowed(aws.repository_arn(WEB), "ecr", stage.census), set())
    equal("on the topic", stage.allowed(stage.topic, "sns", stage.census), set())
    service = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/prod/web"
    without_resource = {"ecs:ListClusters", "ecs:ListServices", "ecs:ListTasks", "ecs:DescribeTaskDefinition"}
    described = {"ecs:DescribeServices", "ecs:DescribeServiceRevisions", "ecs:DescribeTasks"}
    equal("on a service", stage.allowed(service, "ecs", stage.census), without_resource | described)
    equal("the queue of undelivered events", drain(stage.sqs, stage.undelivered), [])


CASES = [
    schedule_takes_the_first_census,
    push_that_does_not_suit_a_service_is_reported_and_resolved,
    task_definition_that_loses_its_platform_is_reported_without_a_push,
    push_that_does_not_suit_a_task_definition_without_a_platform_names_it,
    services_on_both_architectures_with_a_tag_each_are_silent,
    stopped_task_is_explained_once,
    service_that_refuses_the_census_keeps_its_consumers,
    roles_allow_only_their_part_of_the_table,
]
