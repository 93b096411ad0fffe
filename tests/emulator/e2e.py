"""Builds the template and deploys it to an emulated AWS, pushes images, and holds what comes of them against what ought to.

    make e2e

Does not know how the stack is deployed, nor how AWS is emulated; `stack.py` and `world.py` do. Each case is a push of a
real client, and the cases are in order: later ones count on what earlier ones left in the registry. IAM policies count,
so that the function can do what the template allows it and nothing else. Logs stay in the work directory.
"""

import argparse
import collections
import contextlib
import json
import sys
import time
from pathlib import Path

import aws
from aws import attributes, client, declared, drain, subscribed_queue
from check import bounded, equal, fresh, holds, passes, tail
from stack import Sam, outputs, what_is_there
from world import ACCOUNT, REGION, Subscriber, Unusable, emulator, shell, wait_until

ROOT = Path(__file__).resolve().parents[2]
STACK = "preflight"
# Without the build, which has a bound of its own; the whole of it takes a third.
BOUND = 240
# A mark that the rule let through would be walked in a tenth of it.
SETTLED = 0.5
# How long AWS waits before a failed invocation is tried again is minutes; here it is fractions of a second.
EMULATOR = {"AUTH": "true", "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.2"}

# Which runtime each repository is for, as its resource tag declares.
APP_RUNNER, ECS_ARM64, LAMBDA, UNTAGGED = "grafana/grafana", "team/app", "team/function", "team/tools"

# The images, by their names in the layout.
ARM64, AMD64, INDEX, ATTESTED = "image-of-arm64", "amd64-image", "both", "attested"
ATTESTATION, CHART = "attestation", "chart"


# The cases, in their order


def an_arm64_image_for_app_runner_is_told_and_marked(stage):
    pushed = stage.push(ARM64, APP_RUNNER, "11.4.0", docker=True)
    stage.walks("fails")
    stage.card = stage.tells(pushed, "apprunner", "wrong-architecture")
    holds("the card's title", stage.card["content"]["title"], "grafana/grafana:11.4.0 will not start on App Runner")
    stage.marks(pushed, ("fail", "apprunner"))


def an_index_for_app_runner_passes_and_its_children_are_left_alone(stage):
    pushed = stage.push(INDEX, APP_RUNNER, "11.4.1")
    stage.walks("ignored untagged", "ignored untagged", "runs")
    stage.tells_nothing()
    stage.marks(pushed, ("pass", "apprunner"))


def an_arm64_image_with_an_attestation_for_app_runner_is_told_and_marked(stage):
    pushed = stage.push(ATTESTED, APP_RUNNER, "11.4.2")
    stage.walks("ignored untagged", "ignored untagged", "fails")
    stage.tells(pushed, "apprunner", "platform-missing")
    stage.marks(pushed, ("fail", "apprunner"))


def an_arm64_image_with_an_attestation_runs_on_ecs(stage):
    pushed = stage.push(ATTESTED, ECS_ARM64, "1.4.2")
    stage.walks("ignored untagged", "ignored untagged", "runs")
    stage.tells_nothing()
    stage.marks(pushed, ("pass", "ecs-arm64"))


def an_amd64_image_for_ecs_on_arm64_is_told_and_marked(stage):
    pushed = stage.push(AMD64, ECS_ARM64, "1.4.3")
    stage.walks("fails")
    stage.tells(pushed, "ecs/arm64", "wrong-architecture")
    stage.marks(pushed, ("fail", "ecs-arm64"))


def an_attestation_under_a_tag_is_told_and_marked(stage):
    pushed = stage.push(ATTESTATION, ECS_ARM64, "1.4.4")
    stage.walks("fails")
    stage.tells(pushed, "ecs/arm64", "attestation-tagged")
    stage.marks(pushed, ("fail", "ecs-arm64"))


def an_amd64_image_runs_on_lambda(stage):
    pushed = stage.push(AMD64, LAMBDA, "7")
    stage.walks("runs")
    stage.tells_nothing()
    stage.marks(pushed, ("pass", "lambda-amd64"))


def an_arm64_image_for_lambda_is_told_and_marked(stage):
    pushed = stage.push(ARM64, LAMBDA, "8", docker=True)
    stage.walks("fails")
    stage.tells(pushed, "lambda/amd64", "wrong-architecture")
    stage.marks(pushed, ("fail", "lambda-amd64"))


def an_index_for_lambda_is_told_and_marked(stage):
    pushed = stage.push(INDEX, LAMBDA, "9")
    stage.walks("ignored untagged", "ignored untagged", "fails")
    stage.tells(pushed, "lambda/amd64", "index-refused")
    stage.marks(pushed, ("fail", "lambda-amd64"))


def an_image_that_is_meant_for_nothing_is_neither_told_nor_marked(stage):
    pushed = stage.push(ARM64, UNTAGGED, "1")
    stage.walks("undeclared")
    stage.tells_nothing()
    stage.marks(pushed)


def a_helm_chart_is_neither_told_nor_marked(stage):
    pushed = stage.push(CHART, APP_RUNNER, "chart-1.0.0")
    stage.walks("ignored artifact")
    stage.tells_nothing()
    stage.marks(pushed)


def an_untagged_image_is_neither_told_nor_marked(stage):
    pushed = stage.push(ARM64, ECS_ARM64, None)
    stage.walks("ignored untagged")
    stage.tells_nothing()
    stage.marks(pushed)


def a_push_while_the_registry_is_closed_waits_in_the_failure_queue_and_is_recovered(stage):
    with stage.denied("ecr:BatchGetImage"):
        pushed = stage.push(AMD64, ECS_ARM64, "2.0.0")
        said = stage.fails_for_good(pushed)
    holds("the error", said, "ecr:BatchGetImage", aws.repository_arn(ECS_ARM64))
    stage.marks_stay_as_they_are()
    stage.redrive()
    stage.walks("fails")
    stage.tells(pushed, "ecs/arm64", "wrong-architecture")
    stage.marks(pushed, ("fail", "ecs-arm64"))


def a_push_while_the_topic_is_closed_is_recovered_too_and_marked_once(stage):
    with stage.denied("sns:Publish"):
        pushed = stage.push(INDEX, LAMBDA, "10")
        said = stage.fails_for_good(pushed, "ignored untagged", "ignored untagged")
    holds("the error", said, "sns:Publish", stage.topic)
    stage.marks(pushed, ("fail", "lambda-amd64"))
    stage.redrive()
    stage.walks("fails")
    stage.tells(pushed, "lambda/amd64", "index-refused")
    stage.marks(pushed, ("fail", "lambda-amd64"))


def a_push_that_the_rule_may_not_hand_over_waits_in_its_own_queue_and_is_recovered(stage):
    with stage.uninvocable():
        pushed = stage.push(ARM64, APP_RUNNER, "11.5.0")
        stage.walks()
        stage.tells_nothing()
    (event,) = drain(stage.sqs, stage.undelivered)
    equal("the event's digest", event["detail"]["image-digest"], pushed.digest)
    stage.invoke(event)
    stage.walks("fails")
    stage.tells(pushed, "apprunner", "wrong-architecture")
    stage.marks(pushed, ("fail", "apprunner"))


def the_registry_holds_what_was_pushed_and_these_marks_and_nothing_else(stage):
    stage.marks_stay_as_they_are()
    equal("what waits in the failure queue", drain(stage.sqs, stage.failures), [])
    equal("what waits in the rules' queue", drain(stage.sqs, stage.undelivered), [])


def a_stack_for_one_prefix_without_marks_sees_and_does_no_more_than_that(stage):
    stage.sam.deploy(STACK, Architecture="x86_64", Mark="never", RepositoryPrefix="team/", Depth="labels")
    outside = stage.push(ARM64, APP_RUNNER, "11.6.0")
    stage.walks()
    stage.tells_nothing()
    # The rule would not hand it over; whoever does meets the role, which may not read there either.
    stage.invoke(stage.event_of(outside))
    stage.walks("error", "error", "error")
    holds("the error", stage.failure(outside), "denied", aws.repository_arn(APP_RUNNER))
    inside = stage.push(AMD64, ECS_ARM64, "2.1.0")
    stage.walks("fails")
    stage.tells(inside, "ecs/arm64", "wrong-architecture")
    stage.marks(outside)
    stage.marks(inside)
    stage.marks_stay_as_they_are()


def deleting_the_stack_leaves_nothing_that_costs_money(stage):
    stage.sam.delete(STACK)
    stage.sqs.delete_queue(QueueUrl=stage.queue)
    equal("what is there", what_is_there(stage.address), stage.there_before)
    stage.marks_stay_as_they_are()


CASES = [
    an_arm64_image_for_app_runner_is_told_and_marked,
    an_index_for_app_runner_passes_and_its_children_are_left_alone,
    an_arm64_image_with_an_attestation_for_app_runner_is_told_and_marked,
    an_arm64_image_with_an_attestation_runs_on_ecs,
    an_amd64_image_for_ecs_on_arm64_is_told_and_marked,
    an_attestation_under_a_tag_is_told_and_marked,
    an_amd64_image_runs_on_lambda,
    an_arm64_image_for_lambda_is_told_and_marked,
    an_index_for_lambda_is_told_and_marked,
    an_image_that_is_meant_for_nothing_is_neither_told_nor_marked,
    a_helm_chart_is_neither_told_nor_marked,
    an_untagged_image_is_neither_told_nor_marked,
    a_push_while_the_registry_is_closed_waits_in_the_failure_queue_and_is_recovered,
    a_push_while_the_topic_is_closed_is_recovered_too_and_marked_once,
    a_push_that_the_rule_may_not_hand_over_waits_in_its_own_queue_and_is_recovered,
    the_registry_holds_what_was_pushed_and_these_marks_and_nothing_else,
    a_stack_for_one_prefix_without_marks_sees_and_does_no_more_than_that,
    deleting_the_stack_leaves_nothing_that_costs_money,
]


# What a case can do and ask

Pushed = collections.namedtuple("Pushed", "repository tag digest")


class Stage:
    """The deployed stack, and everything around it that a case may change or look at."""

    def __init__(self, address, sam, layout, subscriber):
        self.address, self.sam, self.layout, self.subscriber = address, sam, layout, subscriber
        services = ("ecr", "sns", "sqs", "lambda", "logs", "iam")
        self.ecr, self.sns, self.sqs, self.functions, self.logs, self.iam = (client(one, address) for one in services)
        self.there_before = what_is_there(address)
        sam.deploy(STACK, Architecture="x86_64", Mark="always")
        told = outputs(address, STACK)
        self.function, self.topic, self.log = told["FunctionName"], told["TopicArn"], told["LogGroupName"]
        self.failures, self.undelivered = told["FailuresUrl"], told["UndeliveredUrl"]
        self.queue = subscribed_queue(self.sqs, self.sns, self.topic, "told")
        # The invocations that are accounted for, and the tags that the registry ought to hold.
        self.walked, self.expected = set(), collections.defaultdict(set)
        # Left by the first case, to be shown at the end.
        self.card = None
        self._repositories()

    def _repositories(self):
        for repository, runtime in [(APP_RUNNER, "apprunner"), (ECS_ARM64, "ecs/arm64"), (LAMBDA, "lambda/amd64")]:
            self.ecr.create_repository(repositoryName=repository, tags=declared(runtime))
        self.ecr.create_repository(repositoryName=UNTAGGED)

    # Pushes

    def push(self, image, repository, tag, docker=False):
        """Pushes one of the layout's images, by digest alone where there is no tag."""
        digest = self._digest(image)
        registry = self.address.removeprefix("http://")
        destination = f"docker://{registry}/{repository}" + (f":{tag}" if tag else f"@{digest}")
        command = ["skopeo", "copy", "--quiet", "--all", "--dest-tls-verify=false", "--dest-creds", "AWS:emulator"]
        command += ["--format", "v2s2"] if docker else []
        shell([*command, f"oci:{self.layout}:{image}", destination])
        if tag:
            (stored,) = self._images(repository, [{"imageTag": tag}])
            digest = stored["imageDigest"]
            self.expected[repository, digest].add(tag)
        return Pushed(repository, tag, digest)

    def _digest(self, image):
        table = json.loads((self.layout / "index.json").read_text())
        named = {entry["annotations"]["org.opencontainers.image.ref.name"]: entry for entry in table["manifests"]}
        return named[image]["digest"]

    def _images(self, repository, asked=None):
        only = {"imageIds": asked} if asked else {}
        return self.ecr.describe_images(repositoryName=repository, **only)["imageDetails"]

    def event_of(self, pushed):
        """The event that told of a push, as it stands among the samples."""
        event = json.loads((ROOT / "events" / "push-arm64.json").read_text())
        event["detail"] |= {"repository-name": pushed.repository, "image-tag": pushed.tag}
        event["detail"]["image-digest"] = pushed.digest
        return event

    # What the function did

    def walks(self, *expected):
        """The invocations since the last time it was asked: these and no others, in any order."""
        with contextlib.suppress(Unusable):
            wait_until(lambda: len(self._invocations()) >= len(expected), 15, "invocations")
        time.sleep(SETTLED)
        met = self._invocations()
        self.walked |= met.keys()
        equal("the invocations", sorted(met.values()), sorted(expected))

    def _invocations(self):
        """How each invocation ended that is not accounted for; each has a log stream of its own in the emulator."""
        met = collections.defaultdict(lambda: "error")
        for event in self.logs.filter_log_events(logGroupName=self.log)["events"]:
            stream, line = event["logStreamName"], event["message"]
            if stream in self.walked:
                continue
            record = json.loads(line) if line.startswith("{") else {}
            if "verdict" in record:
                met[stream] = " ".join(filter(None, (record["verdict"], record.get("ignored"))))
            elif line.startswith("END "):
                # So that it is known of, even if it said nothing.
                met[stream] = met[stream]
        return met

    # What people were told

    def tells(self, pushed, runtime, fault):
        """The one message since the last time; gives the card in Slack."""
        messages = drain(self.sqs, self.queue)
        equal("how many messages came", len(messages), 1)
        expected = {"verdict": "fails", "repository": pushed.repository, "runtime": runtime, "fault": fault}
        equal("the attributes", attributes(messages[0]), expected)
        report = json.loads(messages[0]["Message"])
        equal("the digest", report["image"]["digest"], pushed.digest)
        equal("the reference", report["image"]["reference"], f"{registry()}/{pushed.repository}:{pushed.tag}")
        wait_until(lambda: not self.subscriber.notifications.empty(), 10, "the notification over HTTPS")
        card = json.loads(self.subscriber.notifications.get()["Message"])
        holds("the card's title", card["content"]["title"], f"{pushed.repository}:{pushed.tag}")
        equal("how many more notifications came", self.subscriber.notifications.qsize(), 0)
        return card

    def tells_nothing(self):
        equal("how many messages came", len(drain(self.sqs, self.queue)), 0)
        equal("how many notifications came", self.subscriber.notifications.qsize(), 0)

    # What was marked

    def marks(self, pushed, *marks):
        """The image bears the tags that it was pushed under and these marks, beside those of cases before."""
        expected = self.expected[pushed.repository, pushed.digest]
        expected |= {aws.mark(pushed.digest, verdict, runtime) for verdict, runtime in marks}
        equal("the tags", aws.tags(self.ecr, pushed.repository, pushed.digest), expected)

    def marks_stay_as_they_are(self):
        """The whole registry bears the tags that were pushed, and the marks of the cases before."""
        repositories = (APP_RUNNER, ECS_ARM64, LAMBDA, UNTAGGED)
        met = {
            (repository, image["imageDigest"]): set(image.get("imageTags", []))
            for repository in repositories
            for image in self._images(repository)
            if image.get("imageTags")
        }
        equal("the tags of the registry", met, {image: tags for image, tags in self.expected.items() if tags})

    # What goes wrong, and is mended

    @contextlib.contextmanager
    def denied(self, action):
        """Takes a permission from the function's role, as somebody may by mistake, and gives it back."""
        config = self.functions.get_function_configuration(FunctionName=self.function)
        role = config["Role"].rsplit("/", 1)[-1]
        statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.iam.put_role_policy(RoleName=role, PolicyName="by-mistake", PolicyDocument=document)
        try:
            yield
        finally:
            self.iam.delete_role_policy(RoleName=role, PolicyName="by-mistake")

    @contextlib.contextmanager
    def uninvocable(self):
        """Takes from EventBridge the permission to invoke the function, and gives it back."""
        policy = json.loads(self.functions.get_policy(FunctionName=self.function)["Policy"])
        for statement in policy["Statement"]:
            self.functions.remove_permission(FunctionName=self.function, StatementId=statement["Sid"])
        try:
            yield
        finally:
            for statement in policy["Statement"]:
                self.functions.add_permission(
                    FunctionName=self.function,
                    StatementId=statement["Sid"],
                    Action=statement["Action"],
                    Principal=statement["Principal"]["Service"],
                    SourceArn=statement["Condition"]["ArnLike"]["AWS:SourceArn"],
                )

    def fails_for_good(self, pushed, *others):
        """The push fails at each of the three attempts, in silence; gives what the failure queue says of it. What is
        in the queue stays there, for a while out of sight."""
        self.walks("error", "error", "error", *others)
        self.tells_nothing()
        return self.failure(pushed)

    def failure(self, pushed):
        """What the one failure in the queue says, of this push; it is taken out, and its event kept."""
        wait_until(lambda: self._waiting(self.failures), 10, "the message in the failure queue")
        (failure,) = drain(self.sqs, self.failures)
        self.failed = failure["requestPayload"]
        equal("the event's digest", self.failed["detail"]["image-digest"], pushed.digest)
        equal("the condition", failure["requestContext"]["condition"], "RetriesExhausted")
        equal("the kind of error", failure["responsePayload"]["errorType"], "ecr-preflight")
        return failure["responsePayload"]["errorMessage"]

    def _waiting(self, queue):
        asked = ["ApproximateNumberOfMessages"]
        answer = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=asked)["Attributes"]
        return int(answer["ApproximateNumberOfMessages"])

    def redrive(self):
        """Gives the function the event once more that the failure queue held."""
        self.invoke(self.failed)

    def invoke(self, event):
        """As `aws lambda invoke --invocation-type Event` does."""
        payload = json.dumps(event).encode()
        answer = self.functions.invoke(FunctionName=self.function, InvocationType="Event", Payload=payload)
        equal("the answer's status", answer["StatusCode"], 202)

    def forget(self):
        """Takes out what a failed case left, so that the next one is not blamed for it."""
        with contextlib.suppress(Exception):
            time.sleep(SETTLED)
            self.walked |= self._invocations().keys()
            for queue in (self.queue, self.failures, self.undelivered):
                drain(self.sqs, queue)
        while not self.subscriber.notifications.empty():
            self.subscriber.notifications.get()


def registry():
    return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


# The run


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tools", type=Path, required=True, help="the directory of sam and cargo-lambda")
    options.add_argument("--images", type=Path, required=True, help="the OCI image layout with what is pushed")
    options.add_argument("--work", type=Path, required=True, help="a directory for what is built and for logs")
    options = options.parse_args()
    try:
        failed = run(options.tools.absolute(), options.images.absolute(), options.work.absolute())
    except Unusable as error:
        sys.exit(f"error: {error}")
    return 1 if failed else 0


def run(tools, layout, work):
    """Sets up the world and runs every case in it; gives how many failed."""
    run_in = fresh(work)
    Sam(tools, ROOT, work).build("x86_64")
    bounded(BOUND, work)
    with contextlib.ExitStack() as world:
        subscriber = Subscriber()
        endpoint = world.enter_context(subscriber.start(run_in))
        address = world.enter_context(emulator(run_in, EMULATOR))
        stage = Stage(address, Sam(tools, ROOT, work, address), layout, subscriber)
        aws.subscribe(stage.sns, stage.topic, endpoint)
        failed = sum(not passes(case, stage) for case in CASES)
    if stage.card is not None:
        aws.show("The first case in Slack:", stage.card)
    if failed:
        tail(run_in / "emulator.log")
    print(f"\n{len(CASES) - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
