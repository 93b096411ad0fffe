"""The deployed stack, and everything around it that a case may change or look at.

Does not know what ought to come of it; `e2e.py` does.
"""

import collections
import contextlib
import json
import os
import subprocess
import time
from pathlib import Path

import aws
from aws import attributes, client, declared, drain, subscribed_queue
from check import Wrong, equal, holds
from stack import outputs, what_is_there
from world import ACCOUNT, CREDENTIALS, REGION, Unusable, shell, wait_until

ROOT = Path(__file__).resolve().parents[2]
STACK = "preflight"
# A mark that the rule let through would be walked in a tenth of it.
SETTLED = 0.5

# Which runtime each repository is for, as its resource tag declares.
APP_RUNNER, ECS_ARM64, LAMBDA, UNTAGGED = "grafana/grafana", "team/app", "team/function", "team/tools"

Pushed = collections.namedtuple("Pushed", "repository tag digest")


class Stage:
    """What a case can do and ask."""

    def __init__(self, address, sam, layout, subscriber, tool, work):
        self.address, self.sam, self.layout, self.subscriber = address, sam, layout, subscriber
        self.command, self.work = tool, work
        # As the tool names the emulator's registry.
        self.registry = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
        self.ecr, self.sns, self.sqs = (client(one, address) for one in ("ecr", "sns", "sqs"))
        self.functions, self.logs, self.iam = (client(one, address) for one in ("lambda", "logs", "iam"))
        self.events = client("events", address)
        self.there_before = what_is_there(address)
        sam.deploy(STACK, VerdictTags="all")
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

    # The command-line tool

    def tool(self, *arguments):
        """Runs it in an environment that knows of nothing but the emulator: its exit code, and what it printed."""
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_REGION": REGION}
        environment |= {"AWS_ENDPOINT_URL": self.address, **CREDENTIALS}
        command = [str(word) for word in (self.command, *arguments)]
        ran = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if ran.returncode not in (0, 1):
            raise Wrong(f"{command} ended with {ran.returncode}: {ran.stderr}")
        return ran.returncode, ran.stdout

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

    # What is allowed, and what is watched

    def rules_for(self, event):
        """Which of the stack's rules take this event, by their names in the template."""
        names = [rule["Name"] for rule in self.events.list_rules(NamePrefix=STACK)["Rules"]]
        patterns = {name: self.events.describe_rule(Name=name)["EventPattern"] for name in names}
        return {
            name.removeprefix(f"{STACK}-").rsplit("-", 1)[0]
            for name, pattern in patterns.items()
            if self.events.test_event_pattern(EventPattern=pattern, Event=event)["Result"]
        }

    def allowed(self, arn, service):
        """What the function's role may do with this, of what there is to do with it."""
        operations = client(service, self.address).meta.service_model.operation_names
        decisions = self.iam.simulate_principal_policy(
            PolicySourceArn=self._role(),
            ActionNames=[f"{service}:{operation}" for operation in operations],
            ResourceArns=[arn],
        )["EvaluationResults"]
        return {one["EvalActionName"] for one in decisions if one["EvalDecision"] == "allowed"}

    def arn_of(self, queue):
        answer = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]

    def _role(self):
        return self.functions.get_function_configuration(FunctionName=self.function)["Role"]

    # What goes wrong, and is mended

    @contextlib.contextmanager
    def denied(self, action):
        """Takes a permission from the function's role, as somebody may by mistake, and gives it back."""
        role = self._role().rsplit("/", 1)[-1]
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
        """The push fails at each of the three attempts, in silence; gives what the failure queue says of it."""
        self.walks("error", "error", "error", *others)
        self.tells_nothing()
        return self.failure(pushed)

    def failure(self, pushed):
        """What the one failure in the queue says, of this push; it is taken out, and its event kept."""
        wait_until(lambda: self._waiting(self.failures), 10, "the message in the failure queue")
        failure, *more = drain(self.sqs, self.failures)
        equal("how many more failures wait", len(more), 0)
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
