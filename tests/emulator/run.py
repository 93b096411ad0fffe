"""Runs the function's real binary against an emulated AWS and checks its responses, messages and verdict tags.

    make test-emulator

`world.py` emulates AWS. Each case sends one event or several. Cases run in order and depend on the images of earlier
ones. The logs of both processes are kept in the work directory.
"""

import argparse
import contextlib
import datetime
import json
import sys
import urllib.request
import uuid
from pathlib import Path

import aws
import botocore.exceptions
from aws import attributes, client, declared, drain, repository_arn, subscribed_queue
from check import bounded, equal, fresh, holds, passes, tail
from world import (
    SIGNATURE,
    Function,
    Images,
    Subscriber,
    Unusable,
    debian_packages,
    emulator,
    require_tools,
    wait_until,
)

ROOT = Path(__file__).resolve().parents[2]
# The run usually takes a tenth of this time.
TIMEOUT = 110

# Repositories for the runtimes that their resource tags declare.
APP_RUNNER, ECS_ARM64, UNTAGGED = "grafana/grafana", "team/app", "team/tools"
# The owner of the second one.
OWNER = "team-payments"


# The cases, in their order


def arm64_image_for_app_runner_fails(stage):
    stage.push("arm64", APP_RUNNER, "11.4.0", docker=True)
    event = stage.event("push-arm64", APP_RUNNER, "11.4.0")
    report = stage.expect_verdict(event, "fails")
    message = stage.only_message()
    equal("the body for SQS is the report", json.loads(message["Message"]), report)
    expected = {"verdict": "fails", "repository": APP_RUNNER, "runtime": "apprunner", "fault": "wrong-architecture"}
    equal("the attributes", attributes(message), expected)
    holds("the subject", message["Subject"], "grafana/grafana:11.4.0", "App Runner")
    card = json.loads(stage.notification()["Message"])
    equal("the card's source", (card["version"], card["source"]), ("1.0", "custom"))
    equal("the card's id", card["id"], event["id"])
    holds("the card's thread", card["metadata"]["threadId"], "grafana/grafana:11.4.0")
    equal("the card's digest", card["metadata"]["additionalContext"]["digest"], event["detail"]["image-digest"])
    holds("the card's title", card["content"]["title"], "`grafana/grafana:11.4.0` will not start on App Runner")
    holds("the card's steps", "".join(card["content"]["nextSteps"]), "linux/amd64")
    equal("the tags", stage.tags(APP_RUNNER, event), {"11.4.0", stage.verdict_tag(event, "fail", "apprunner")})
    stage.card = card


def repeated_event_adds_neither_tag_nor_message(stage):
    event = stage.event("push-arm64", APP_RUNNER, "11.4.0")
    before = stage.tags(APP_RUNNER, event)
    verdict_tag = stage.verdict_tag(event, "fail", "apprunner")
    equal("a second PutImage is refused", stage.put_image_again(APP_RUNNER, verdict_tag), "ImageAlreadyExistsException")
    stage.expect_verdict(event, "fails")
    # The same message was sent a moment ago.
    stage.no_message()
    equal("the tags", stage.tags(APP_RUNNER, event), before)


def amd64_image_for_ecs_on_arm64_fails(stage):
    stage.push("amd64", ECS_ARM64, "1.4.2")
    event = stage.event("push-arm64-for-ecs-amd64", ECS_ARM64, "1.4.2")
    report = stage.expect_verdict(event, "fails")
    equal("the platform", report["image"]["platforms"], ["linux/amd64"])
    message = stage.only_message()
    expected = {"verdict": "fails", "repository": ECS_ARM64, "runtime": "ecs/arm64", "fault": "wrong-architecture"}
    equal("the attributes", attributes(message), expected | {"owner": OWNER})
    stage.notification()
    equal("the tags", stage.tags(ECS_ARM64, event), {"1.4.2", stage.verdict_tag(event, "fail", "ecs-arm64")})


def index_runs_on_app_runner(stage):
    stage.push("index", APP_RUNNER, "11.4.1")
    event = stage.event("push-index", APP_RUNNER, "11.4.1")
    report = stage.expect_verdict(event, "runs")
    equal("the platforms", set(report["image"]["platforms"]), {"linux/amd64", "linux/arm64"})
    stage.no_message()
    equal("the tags", stage.tags(APP_RUNNER, event), {"11.4.1", stage.verdict_tag(event, "pass", "apprunner")})


def index_runs_on_ecs(stage):
    stage.push("index", ECS_ARM64, "2.0.0")
    event = stage.event("push-index", ECS_ARM64, "2.0.0")
    stage.expect_verdict(event, "runs")
    stage.no_message()
    equal("the tags", stage.tags(ECS_ARM64, event), {"2.0.0", stage.verdict_tag(event, "pass", "ecs-arm64")})


def repeated_event_succeeds_with_immutable_tags(stage):
    """An image that runs sends no message, so a rejected verdict tag would fail the whole event."""
    event = stage.event("push-index", ECS_ARM64, "2.0.0")
    before, verdict_tag = stage.tags(ECS_ARM64, event), stage.verdict_tag(event, "pass", "ecs-arm64")
    equal("a second PutImage is refused", stage.put_image_again(ECS_ARM64, verdict_tag), "ImageTagAlreadyExistsException")
    stage.expect_verdict(event, "runs")
    stage.no_message()
    equal("the tags", stage.tags(ECS_ARM64, event), before)


def verdict_tag_of_another_image_is_an_error(stage):
    stage.push("arm64", ECS_ARM64, "1.4.3")
    event = stage.event("push-arm64", ECS_ARM64, "1.4.3")
    verdict_tag = stage.verdict_tag(event, "pass", "ecs-arm64")
    stage.put_image(ECS_ARM64, "1.4.2", verdict_tag)
    error = stage.expect_error(event)
    holds("the error", error, "the verdict tag was not written", repository_arn(ECS_ARM64), verdict_tag, "another image")
    equal("the tags", stage.tags(ECS_ARM64, event), {"1.4.3"})


def index_without_declaration_is_undeclared(stage):
    stage.push("index", UNTAGGED, "2.0.0")
    event = stage.event("push-index", UNTAGGED, "2.0.0")
    stage.expect_verdict(event, "undeclared")
    stage.no_message()
    equal("the tags", stage.tags(UNTAGGED, event), {"2.0.0"})


def index_for_lambda_fails_for_each_architecture(stage):
    tag = "v7-lambda-amd64-arm64"
    stage.push("index", UNTAGGED, tag)
    event = stage.event("push-index-for-lambda", UNTAGGED, tag)
    stage.expect_verdict(event, "fails")
    expected = {"verdict": "fails", "repository": UNTAGGED, "fault": "index-refused"}
    expected["runtime"] = ["lambda/amd64", "lambda/arm64"]
    equal("the attributes", attributes(stage.only_message()), expected)
    stage.notification()
    expected_tags = {stage.verdict_tag(event, "fail", runtime) for runtime in ("lambda-amd64", "lambda-arm64")}
    equal("the tags", stage.tags(UNTAGGED, event), {"2.0.0", tag} | expected_tags)


def untagged_child_of_an_index_is_ignored(stage):
    child = stage.index_children(ECS_ARM64, "2.0.0")[1]
    event = stage.event("push-untagged", ECS_ARM64, "", child)
    before = stage.tags(ECS_ARM64, event)
    stage.expect_ignored(event, "untagged")
    equal("the tags", stage.tags(ECS_ARM64, event), before)


def verdict_tag_push_is_ignored(stage):
    image = stage.event("push-arm64", APP_RUNNER, "11.4.0")
    verdict_tag = stage.verdict_tag(image, "fail", "apprunner")
    before = stage.tags(APP_RUNNER, image)
    stage.expect_ignored(stage.event("push-verdict-tag", APP_RUNNER, verdict_tag), "verdict-tag")
    equal("the tags", stage.tags(APP_RUNNER, image), before)


def moved_tag_is_ignored(stage):
    stage.push("arm64", APP_RUNNER, "latest")
    event = stage.event("push-superseded", APP_RUNNER, "latest")
    before = stage.tags(APP_RUNNER, event)
    stage.push("index", APP_RUNNER, "latest")
    stage.expect_ignored(event, "superseded")
    equal("the tags", stage.tags(APP_RUNNER, event), before - {"latest"})


def deleted_image_is_ignored(stage):
    stage.push("arm64", APP_RUNNER, "short-lived", docker=True)
    event = stage.event("push-arm64", APP_RUNNER, "short-lived", "sha256:" + "0" * 64)
    stage.ecr.batch_delete_image(repositoryName=APP_RUNNER, imageIds=[{"imageTag": "short-lived"}])
    stage.expect_ignored(event, "deleted")


def missing_repository_is_an_error_only_for_new_events(stage):
    event = stage.event("push-arm64", "team/gone", "1", "sha256:" + "0" * 64)
    stage.expect_ignored(event, "deleted")
    now = datetime.datetime.now(datetime.timezone.utc)
    error = stage.expect_error(event | {"time": now.strftime("%Y-%m-%dT%H:%M:%SZ")})
    holds("the error", error, "ecr:BatchGetImage", repository_arn("team/gone"), "does not exist")


def unavailable_blob_is_an_error_without_its_url(stage):
    """ECR returns no URL for a missing blob. Here, the URL responds with status 404, like one that has expired."""
    stage.push("arm64", APP_RUNNER, "11.4.2")
    event = stage.event("push-arm64", APP_RUNNER, "11.4.2")
    config = stage.manifest(APP_RUNNER, "11.4.2")["config"]["digest"]
    stage.lose_blob(APP_RUNNER, config)
    before = stage.tags(APP_RUNNER, event)
    holds("the error", stage.expect_error(event), config, "status 404")
    equal("the tags", stage.tags(APP_RUNNER, event), before)


def missing_topic_is_an_error_that_names_it(stage):
    # The message about 1.4.2 itself would not be sent again within minutes.
    stage.put_image(ECS_ARM64, "1.4.2", "1.4.2-again")
    event = stage.event("push-arm64-for-ecs-amd64", ECS_ARM64, "1.4.2-again")
    stage.sns.delete_topic(TopicArn=stage.topic)
    holds("the error", stage.expect_error(event), "sns:Publish", stage.topic, "the topic does not exist")


def message_attributes_can_be_filtered(stage):
    passed = [attributes(message)["runtime"] for message in drain(stage.sqs, stage.filtered_queue)]
    expected = ["apprunner", ["lambda/amd64", "lambda/arm64"]]
    equal("messages that passed a filter on the runtime", passed, expected)
    passed = [attributes(message)["owner"] for message in drain(stage.sqs, stage.owner_queue)]
    equal("messages that passed a filter on the owner", passed, [OWNER])


def log_has_errors_and_no_presigned_url(stage):
    log = stage.log.read_text()
    holds("the log", log, "the storage service returned status 404")
    equal("occurrences of the signature", log.count(SIGNATURE), 0)
    equal("occurrences of a rejected verdict tag", log.count('"verdict tag refused"'), 1)
    levels = {json.loads(line)["level"] for line in log.splitlines()}
    equal("every line is JSON, of these levels", levels, {"INFO", "ERROR"})


CASES = [
    arm64_image_for_app_runner_fails,
    repeated_event_adds_neither_tag_nor_message,
    amd64_image_for_ecs_on_arm64_fails,
    index_runs_on_app_runner,
    index_runs_on_ecs,
    repeated_event_succeeds_with_immutable_tags,
    verdict_tag_of_another_image_is_an_error,
    index_without_declaration_is_undeclared,
    index_for_lambda_fails_for_each_architecture,
    untagged_child_of_an_index_is_ignored,
    verdict_tag_push_is_ignored,
    moved_tag_is_ignored,
    deleted_image_is_ignored,
    missing_repository_is_an_error_only_for_new_events,
    unavailable_blob_is_an_error_without_its_url,
    missing_topic_is_an_error_that_names_it,
    message_attributes_can_be_filtered,
    log_has_errors_and_no_presigned_url,
]


# What a case can do and check


class Stage:
    """The function, and everything around it that a case can change or read."""

    def __init__(self, address, images, function, subscriber, log):
        self.address, self.images, self.function = address, images, function
        self.subscriber, self.log = subscriber, log
        self.ecr, self.sns, self.sqs = (client(service, address) for service in ("ecr", "sns", "sqs"))
        self.topic = self.sns.create_topic(Name="preflight")["TopicArn"]
        self.queue = subscribed_queue(self.sqs, self.sns, self.topic, "all")
        matched = {"runtime": ["apprunner", "lambda/arm64"]}
        self.filtered_queue = subscribed_queue(self.sqs, self.sns, self.topic, "filtered", matched)
        matched = {"owner": [OWNER], "verdict": ["fails"]}
        self.owner_queue = subscribed_queue(self.sqs, self.sns, self.topic, "owner", matched)
        # Set by the first case, and shown at the end.
        self.card = None
        self._repositories()

    def _repositories(self):
        self.ecr.create_repository(repositoryName=APP_RUNNER, tags=declared("apprunner"))
        self.ecr.create_repository(
            repositoryName=ECS_ARM64,
            tags=[*declared("ecs/arm64"), {"Key": "ecr-preflight:owner", "Value": OWNER}],
            imageTagMutability="IMMUTABLE",
        )
        self.ecr.create_repository(repositoryName=UNTAGGED)

    def push(self, name, repository, tag, docker=False):
        self.images.push(name, self.address, repository, tag, docker)

    def event(self, sample, repository, tag, digest=None):
        """Returns a sample event for this image; by default, for the image that has the tag now."""
        event = json.loads((ROOT / "events" / f"{sample}.json").read_text())
        digest = digest or self._image(repository, tag)["imageId"]["imageDigest"]
        event["id"] = str(uuid.uuid4())
        event["detail"] |= {"repository-name": repository, "image-tag": tag, "image-digest": digest}
        return event

    def expect_verdict(self, event, verdict):
        """Sends the event, which must succeed with this verdict; returns the report."""
        ending, report = self.function.invoke(event)
        equal("the kind of response", (ending, report if ending == "error" else None), ("response", None))
        equal("the verdict", report["verdict"], verdict)
        return report

    def expect_ignored(self, event, why):
        """Sends the event, which must be ignored for this reason, without a message."""
        equal("the reason", self.expect_verdict(event, "ignored")["ignored"], why)
        self.no_message()

    def expect_error(self, event):
        """Sends the event, which must fail without a message; returns the error message."""
        ending, error = self.function.invoke(event)
        equal("the kind of response", ending, "error")
        equal("the error type", error["errorType"], "ecr-preflight")
        equal("occurrences of the signature", error["errorMessage"].count(SIGNATURE), 0)
        self.no_message()
        return error["errorMessage"]

    def only_message(self):
        """Returns the only message in the queue."""
        messages = drain(self.sqs, self.queue)
        equal("the number of messages", len(messages), 1)
        equal("the message's topic", messages[0]["TopicArn"], self.topic)
        return messages[0]

    def no_message(self):
        """Checks that there is no message. The emulator delivers before it responds to Publish."""
        equal("the number of messages", len(drain(self.sqs, self.queue)), 0)
        equal("the number of notifications", self.subscriber.notifications.qsize(), 0)

    def notification(self):
        """Returns the notification over HTTPS, which arrives shortly after the message."""
        wait_until(lambda: not self.subscriber.notifications.empty(), 10, "the notification over HTTPS")
        return self.subscriber.notifications.get()

    def forget(self):
        """Discards what a failed case left behind, so that the next case can pass."""
        drain(self.sqs, self.queue)
        while not self.subscriber.notifications.empty():
            self.subscriber.notifications.get()

    def tags(self, repository, event):
        """Returns the tags of the event's image."""
        return aws.tags(self.ecr, repository, event["detail"]["image-digest"])

    def verdict_tag(self, event, verdict, runtime):
        """Returns the verdict tag that the function adds to the event's image."""
        return aws.verdict_tag(event["detail"]["image-digest"], verdict, runtime)

    def put_image(self, repository, tag, new_tag):
        """Adds a tag to an image."""
        image = self._image(repository, tag)
        manifest = {name: image[name] for name in ("imageManifest", "imageManifestMediaType")}
        self.ecr.put_image(repositoryName=repository, imageTag=new_tag, **manifest)

    def put_image_again(self, repository, tag):
        """Adds a tag that the image already has; returns the error code of ECR."""
        try:
            self.put_image(repository, tag, tag)
        except botocore.exceptions.ClientError as error:
            return error.response["Error"]["Code"]
        return None

    def manifest(self, repository, tag):
        return json.loads(self._image(repository, tag)["imageManifest"])

    def index_children(self, repository, tag):
        """Returns the digests of an index's children."""
        return [child["digest"] for child in self.manifest(repository, tag)["manifests"]]

    def lose_blob(self, repository, digest):
        """Deletes a blob through the registry protocol, because the ECR API cannot."""
        request = urllib.request.Request(f"{self.address}/v2/{repository}/blobs/{digest}", method="DELETE")
        urllib.request.urlopen(request, timeout=5).close()

    def _image(self, repository, tag):
        reply = self.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])
        equal("failures of BatchGetImage", reply["failures"], [])
        return reply["images"][0]


# The run


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--bootstrap", type=Path, required=True, help="the function's binary")
    options.add_argument("--work", type=Path, required=True, help="directory for packages, images and logs")
    options = options.parse_args()
    try:
        failed = run(options.bootstrap, options.work.absolute())
    except Unusable as error:
        sys.exit(f"error: {error}")
    return 1 if failed else 0


def run(bootstrap, work):
    """Starts the emulated AWS and runs every case; returns the number of failures."""
    if not bootstrap.is_file():
        raise Unusable(f"{bootstrap} does not exist; `make test-emulator` builds it")
    require_tools()
    packages = debian_packages(work / "packages")
    bounded(TIMEOUT, work)
    with contextlib.ExitStack() as world:
        run_in = fresh(work / "run")
        images = Images(run_in, packages)
        subscriber, function, log = Subscriber(), Function(), run_in / "bootstrap.log"
        endpoint = world.enter_context(subscriber.start(run_in))
        address = world.enter_context(emulator(run_in))
        stage = Stage(address, images, function, subscriber, log)
        aws.subscribe(stage.sns, stage.topic, endpoint)
        world.enter_context(function.start(bootstrap, address, stage.topic, log))
        failed = sum(not passes(case, stage) for case in CASES)
    if stage.card is not None:
        aws.show("The first case in Slack:", stage.card)
    if failed:
        tail(log)
        tail(run_in / "emulator.log")
    print(f"\n{len(CASES) - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
