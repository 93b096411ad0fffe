"""Runs the function's real binary against an emulated AWS and holds what it does against what it ought to do.

    make test-emulator

Does not know how the world is made; `world.py` does. Each case is one event, or a few in a row, and the cases are in
order: later ones count on what earlier ones left in the registry. Logs of both processes stay in the work directory.
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
# The whole run takes a tenth of it; what takes longer hangs.
BOUND = 110

# Which runtime each repository is for, as its resource tag declares.
APP_RUNNER, ECS_ARM64, UNTAGGED = "grafana/grafana", "team/app", "team/tools"


# The cases, in their order


def an_arm64_image_for_app_runner_is_told_and_marked(stage):
    stage.push("arm64", APP_RUNNER, "11.4.0", docker=True)
    event = stage.event("push-arm64", APP_RUNNER, "11.4.0")
    report = stage.responds(event, "fails")
    message = stage.only_message()
    equal("the body for SQS is the report", json.loads(message["Message"]), report)
    expected = {"verdict": "fails", "repository": APP_RUNNER, "runtime": "apprunner", "fault": "wrong-architecture"}
    equal("the attributes", attributes(message), expected)
    holds("the subject", message["Subject"], "grafana/grafana:11.4.0", "App Runner")
    card = json.loads(stage.notification()["Message"])
    equal("the card's source", (card["version"], card["source"]), ("1.0", "custom"))
    equal("the card's id", card["id"], event["id"])
    equal("the card's thread", card["metadata"]["threadId"], event["detail"]["image-digest"])
    holds("the card's title", card["content"]["title"], "grafana/grafana:11.4.0 will not start on App Runner")
    holds("the card's steps", "".join(card["content"]["nextSteps"]), "linux/amd64")
    equal("the tags", stage.tags(APP_RUNNER, event), {"11.4.0", stage.mark(event, "fail", "apprunner")})
    stage.card = card


def the_same_event_once_more_sets_no_second_mark(stage):
    event = stage.event("push-arm64", APP_RUNNER, "11.4.0")
    before = stage.tags(APP_RUNNER, event)
    mark = stage.mark(event, "fail", "apprunner")
    equal("a second PutImage is refused", stage.put_image_again(APP_RUNNER, mark), "ImageAlreadyExistsException")
    stage.responds(event, "fails")
    stage.only_message()
    stage.notification()
    equal("the tags", stage.tags(APP_RUNNER, event), before)


def an_amd64_image_for_ecs_on_arm64_is_told_and_marked(stage):
    stage.push("amd64", ECS_ARM64, "1.4.2")
    event = stage.event("push-arm64-for-ecs-amd64", ECS_ARM64, "1.4.2")
    report = stage.responds(event, "fails")
    equal("the platform", report["image"]["platforms"], ["linux/amd64"])
    message = stage.only_message()
    expected = {"verdict": "fails", "repository": ECS_ARM64, "runtime": "ecs/arm64", "fault": "wrong-architecture"}
    equal("the attributes", attributes(message), expected)
    stage.notification()
    equal("the tags", stage.tags(ECS_ARM64, event), {"1.4.2", stage.mark(event, "fail", "ecs-arm64")})


def the_index_runs_on_app_runner(stage):
    stage.push("index", APP_RUNNER, "11.4.1")
    event = stage.event("push-index", APP_RUNNER, "11.4.1")
    report = stage.responds(event, "runs")
    equal("the platforms", set(report["image"]["platforms"]), {"linux/amd64", "linux/arm64"})
    stage.no_message()
    equal("the tags", stage.tags(APP_RUNNER, event), {"11.4.1", stage.mark(event, "pass", "apprunner")})


def the_index_runs_on_ecs(stage):
    stage.push("index", ECS_ARM64, "2.0.0")
    event = stage.event("push-index", ECS_ARM64, "2.0.0")
    stage.responds(event, "runs")
    stage.no_message()
    equal("the tags", stage.tags(ECS_ARM64, event), {"2.0.0", stage.mark(event, "pass", "ecs-arm64")})


def a_mark_among_immutable_tags_is_there_already_on_the_second_delivery(stage):
    """Of an image that runs nobody else is told, so that a mark refused would fail the whole event."""
    event = stage.event("push-index", ECS_ARM64, "2.0.0")
    before, mark = stage.tags(ECS_ARM64, event), stage.mark(event, "pass", "ecs-arm64")
    equal("a second PutImage is refused", stage.put_image_again(ECS_ARM64, mark), "ImageTagAlreadyExistsException")
    stage.responds(event, "runs")
    stage.no_message()
    equal("the tags", stage.tags(ECS_ARM64, event), before)


def a_mark_that_another_image_has_is_an_error(stage):
    stage.push("arm64", ECS_ARM64, "1.4.3")
    event = stage.event("push-arm64", ECS_ARM64, "1.4.3")
    mark = stage.mark(event, "pass", "ecs-arm64")
    stage.put_image(ECS_ARM64, "1.4.2", mark)
    holds("the error", stage.fails(event), "the mark was not set", repository_arn(ECS_ARM64), mark, "another image")
    equal("the tags", stage.tags(ECS_ARM64, event), {"1.4.3"})


def an_index_that_is_meant_for_nothing_is_neither_told_nor_marked(stage):
    stage.push("index", UNTAGGED, "2.0.0")
    event = stage.event("push-index", UNTAGGED, "2.0.0")
    stage.responds(event, "undeclared")
    stage.no_message()
    equal("the tags", stage.tags(UNTAGGED, event), {"2.0.0"})


def an_index_for_lambda_is_told_whatever_it_holds(stage):
    tag = "v7-lambda-amd64-arm64"
    stage.push("index", UNTAGGED, tag)
    event = stage.event("push-index-for-lambda", UNTAGGED, tag)
    stage.responds(event, "fails")
    expected = {"verdict": "fails", "repository": UNTAGGED, "fault": "index-refused"}
    expected["runtime"] = ["lambda/amd64", "lambda/arm64"]
    equal("the attributes", attributes(stage.only_message()), expected)
    stage.notification()
    marks = {stage.mark(event, "fail", runtime) for runtime in ("lambda-amd64", "lambda-arm64")}
    equal("the tags", stage.tags(UNTAGGED, event), {"2.0.0", tag} | marks)


def an_untagged_child_is_left_to_its_index(stage):
    child = stage.index_children(ECS_ARM64, "2.0.0")[1]
    event = stage.event("push-untagged", ECS_ARM64, "", child)
    before = stage.tags(ECS_ARM64, event)
    stage.ignores(event, "untagged")
    equal("the tags", stage.tags(ECS_ARM64, event), before)


def its_own_mark_is_not_judged(stage):
    image = stage.event("push-arm64", APP_RUNNER, "11.4.0")
    mark = stage.mark(image, "fail", "apprunner")
    before = stage.tags(APP_RUNNER, image)
    stage.ignores(stage.event("push-verdict-tag", APP_RUNNER, mark), "verdict-tag")
    equal("the tags", stage.tags(APP_RUNNER, image), before)


def a_tag_that_has_moved_on_is_not_judged(stage):
    stage.push("arm64", APP_RUNNER, "latest")
    event = stage.event("push-superseded", APP_RUNNER, "latest")
    before = stage.tags(APP_RUNNER, event)
    stage.push("index", APP_RUNNER, "latest")
    stage.ignores(event, "superseded")
    equal("the tags", stage.tags(APP_RUNNER, event), before - {"latest"})


def an_image_that_was_deleted_is_not_judged(stage):
    stage.push("arm64", APP_RUNNER, "short-lived", docker=True)
    event = stage.event("push-arm64", APP_RUNNER, "short-lived", "sha256:" + "0" * 64)
    stage.ecr.batch_delete_image(repositoryName=APP_RUNNER, imageIds=[{"imageTag": "short-lived"}])
    stage.ignores(event, "deleted")


def a_missing_repository_is_an_error_that_names_it_and_later_one_that_was_deleted(stage):
    event = stage.event("push-arm64", "team/gone", "1", "sha256:" + "0" * 64)
    stage.ignores(event, "deleted")
    now = datetime.datetime.now(datetime.timezone.utc)
    said = stage.fails(event | {"time": now.strftime("%Y-%m-%dT%H:%M:%SZ")})
    holds("the error", said, "ecr:BatchGetImage", repository_arn("team/gone"), "does not exist")


def a_blob_that_the_storage_does_not_hand_out_is_an_error_without_its_address(stage):
    """On AWS a blob that was never there has no address; here it has one that answers 404, as an expired one would."""
    stage.push("arm64", APP_RUNNER, "11.4.2")
    event = stage.event("push-arm64", APP_RUNNER, "11.4.2")
    config = stage.manifest(APP_RUNNER, "11.4.2")["config"]["digest"]
    stage.lose_blob(APP_RUNNER, config)
    before = stage.tags(APP_RUNNER, event)
    holds("the error", stage.fails(event), config, "status 404")
    equal("the tags", stage.tags(APP_RUNNER, event), before)


def a_missing_topic_is_an_error_that_names_it(stage):
    event = stage.event("push-arm64-for-ecs-amd64", ECS_ARM64, "1.4.2")
    stage.sns.delete_topic(TopicArn=stage.topic)
    holds("the error", stage.fails(event), "sns:Publish", stage.topic, "there is no such topic")


def filters_on_attributes_let_through_what_they_name(stage):
    told = [attributes(message)["runtime"] for message in drain(stage.sqs, stage.filtered_queue)]
    expected = ["apprunner", "apprunner", ["lambda/amd64", "lambda/arm64"]]
    equal("what a filter on the runtime let through", told, expected)


def the_log_holds_what_went_wrong_and_no_presigned_address(stage):
    log = stage.log.read_text()
    holds("the log", log, "storage service answered with status 404")
    equal("how often it holds the signature", log.count(SIGNATURE), 0)
    equal("how often a mark was refused", log.count('"verdict tag refused"'), 1)
    levels = {json.loads(line)["level"] for line in log.splitlines()}
    equal("every line is JSON, of these levels", levels, {"INFO", "ERROR"})


CASES = [
    an_arm64_image_for_app_runner_is_told_and_marked,
    the_same_event_once_more_sets_no_second_mark,
    an_amd64_image_for_ecs_on_arm64_is_told_and_marked,
    the_index_runs_on_app_runner,
    the_index_runs_on_ecs,
    a_mark_among_immutable_tags_is_there_already_on_the_second_delivery,
    a_mark_that_another_image_has_is_an_error,
    an_index_that_is_meant_for_nothing_is_neither_told_nor_marked,
    an_index_for_lambda_is_told_whatever_it_holds,
    an_untagged_child_is_left_to_its_index,
    its_own_mark_is_not_judged,
    a_tag_that_has_moved_on_is_not_judged,
    an_image_that_was_deleted_is_not_judged,
    a_missing_repository_is_an_error_that_names_it_and_later_one_that_was_deleted,
    a_blob_that_the_storage_does_not_hand_out_is_an_error_without_its_address,
    a_missing_topic_is_an_error_that_names_it,
    filters_on_attributes_let_through_what_they_name,
    the_log_holds_what_went_wrong_and_no_presigned_address,
]


# What a case can do and ask


class Stage:
    """The function, and everything around it that a case may change or look at."""

    def __init__(self, address, images, function, subscriber, log):
        self.address, self.images, self.function = address, images, function
        self.subscriber, self.log = subscriber, log
        self.ecr, self.sns, self.sqs = (client(service, address) for service in ("ecr", "sns", "sqs"))
        self.topic = self.sns.create_topic(Name="preflight")["TopicArn"]
        self.queue = subscribed_queue(self.sqs, self.sns, self.topic, "all")
        wanted = {"runtime": ["apprunner", "lambda/arm64"]}
        self.filtered_queue = subscribed_queue(self.sqs, self.sns, self.topic, "filtered", wanted)
        # Left by the first case, to be shown at the end.
        self.card = None
        self._repositories()

    def _repositories(self):
        self.ecr.create_repository(repositoryName=APP_RUNNER, tags=declared("apprunner"))
        self.ecr.create_repository(
            repositoryName=ECS_ARM64, tags=declared("ecs/arm64"), imageTagMutability="IMMUTABLE"
        )
        self.ecr.create_repository(repositoryName=UNTAGGED)

    def push(self, name, repository, tag, docker=False):
        self.images.push(name, self.address, repository, tag, docker)

    def event(self, sample, repository, tag, digest=None):
        """A sample event, made to name this image; by default the one that the tag points at now."""
        event = json.loads((ROOT / "events" / f"{sample}.json").read_text())
        digest = digest or self._image(repository, tag)["imageId"]["imageDigest"]
        event["id"] = str(uuid.uuid4())
        event["detail"] |= {"repository-name": repository, "image-tag": tag, "image-digest": digest}
        return event

    def responds(self, event, verdict):
        """Delivers the event; it must end well, with this verdict. Gives the report."""
        ending, report = self.function.invoke(event)
        equal("the ending", (ending, report if ending == "error" else None), ("response", None))
        equal("the verdict", report["verdict"], verdict)
        return report

    def ignores(self, event, why):
        """Delivers the event; it must be ignored for this reason, in silence."""
        equal("the reason", self.responds(event, "ignored")["ignored"], why)
        self.no_message()

    def fails(self, event):
        """Delivers the event; it must end in an error, in silence. Gives what the error says."""
        ending, said = self.function.invoke(event)
        equal("the ending", ending, "error")
        equal("the kind of error", said["errorType"], "ecr-preflight")
        equal("how often it holds the signature", said["errorMessage"].count(SIGNATURE), 0)
        self.no_message()
        return said["errorMessage"]

    def only_message(self):
        """The one message that came to the queue."""
        messages = drain(self.sqs, self.queue)
        equal("how many messages came", len(messages), 1)
        equal("the message's topic", messages[0]["TopicArn"], self.topic)
        return messages[0]

    def no_message(self):
        """SNS has delivered to SQS, and begun to deliver over HTTPS, before the function's Publish is answered."""
        equal("how many messages came", len(drain(self.sqs, self.queue)), 0)
        equal("how many notifications came", self.subscriber.notifications.qsize(), 0)

    def notification(self):
        """The one notification that came over HTTPS, a moment after the message."""
        wait_until(lambda: not self.subscriber.notifications.empty(), 10, "the notification over HTTPS")
        return self.subscriber.notifications.get()

    def forget(self):
        """Takes out what a failed case left, so that the next one is not blamed for it."""
        drain(self.sqs, self.queue)
        while not self.subscriber.notifications.empty():
            self.subscriber.notifications.get()

    def tags(self, repository, event):
        """The tags of the image that the event names."""
        return aws.tags(self.ecr, repository, event["detail"]["image-digest"])

    def mark(self, event, verdict, runtime):
        """The mark that the function sets on the image that the event names."""
        return aws.mark(event["detail"]["image-digest"], verdict, runtime)

    def put_image(self, repository, tag, new_tag):
        """Tags an image once more, as anybody may."""
        image = self._image(repository, tag)
        manifest = {name: image[name] for name in ("imageManifest", "imageManifestMediaType")}
        self.ecr.put_image(repositoryName=repository, imageTag=new_tag, **manifest)

    def put_image_again(self, repository, tag):
        """The code of the error that ECR answers to a tag that the very image has."""
        try:
            self.put_image(repository, tag, tag)
        except botocore.exceptions.ClientError as error:
            return error.response["Error"]["Code"]
        return None

    def manifest(self, repository, tag):
        return json.loads(self._image(repository, tag)["imageManifest"])

    def index_children(self, repository, tag):
        """The digests of an index' children."""
        return [child["digest"] for child in self.manifest(repository, tag)["manifests"]]

    def lose_blob(self, repository, digest):
        """Through the registry's own protocol; the API of ECR has nothing that would."""
        request = urllib.request.Request(f"{self.address}/v2/{repository}/blobs/{digest}", method="DELETE")
        urllib.request.urlopen(request, timeout=5).close()

    def _image(self, repository, tag):
        reply = self.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])
        equal("what is missing in the registry", reply["failures"], [])
        return reply["images"][0]


# The run


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--bootstrap", type=Path, required=True, help="the function's binary")
    options.add_argument("--work", type=Path, required=True, help="a directory for packages, images and logs")
    options = options.parse_args()
    try:
        failed = run(options.bootstrap, options.work.absolute())
    except Unusable as error:
        sys.exit(f"error: {error}")
    return 1 if failed else 0


def run(bootstrap, work):
    """Sets up the world and runs every case in it; gives how many failed."""
    if not bootstrap.is_file():
        raise Unusable(f"{bootstrap} is not there; build it: cargo build --bin bootstrap")
    require_tools()
    packages = debian_packages(work / "packages")
    bounded(BOUND, work)
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
