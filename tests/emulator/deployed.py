"""The deployed stack, and everything around it that a case can change or read."""

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
from consumers import BOTH, WEB, Cluster
from stack import outputs, what_is_there
from world import ACCOUNT, CREDENTIALS, REGION, Unusable, shell, wait_until

ROOT = Path(__file__).resolve().parents[2]
STACK = "preflight"
# The emulator removes this from the source of an event, and then takes it as one of the service.
FROM_AWS = "as-if-from."
# An unexpected invocation would appear in a tenth of this time.
SETTLE_SECONDS = 0.5

# Repositories for the runtimes that their resource tags declare.
APP_RUNNER, ECS_ARM64, LAMBDA, UNTAGGED = "grafana/grafana", "team/app", "team/function", "team/tools"

Pushed = collections.namedtuple("Pushed", "repository tag digest")


class Stage:
    """What a case can do and check."""

    def __init__(self, address, sam, layout, subscriber, tool, work):
        self.address, self.sam, self.layout, self.subscriber = address, sam, layout, subscriber
        self.command, self.work = tool, work
        # The name of the emulator's registry for the command-line tool.
        self.registry = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
        self.ecr, self.sns, self.sqs = (client(one, address) for one in ("ecr", "sns", "sqs"))
        self.functions, self.logs, self.iam = (client(one, address) for one in ("lambda", "logs", "iam"))
        self.events = client("events", address)
        self.cluster = Cluster(address, self.registry)
        self.there_before = what_is_there(address)
        self.deploy(VerdictTags="all", Consumers="on")
        self.queue = subscribed_queue(self.sqs, self.sns, self.topic, "notifications")
        # The invocations that were already checked, and the expected tags of the registry.
        self.checked, self.expected = set(), collections.defaultdict(set)
        # Set by the first case, and shown at the end.
        self.card = None
        self._repositories()

    def deploy(self, **parameters):
        """Creates the stack, or updates it with these parameters."""
        self.sam.deploy(STACK, **parameters)
        stack = self.stack = outputs(self.address, STACK)
        self.function, self.topic, self.log = stack["FunctionName"], stack["TopicArn"], stack["LogGroupName"]
        self.arrivals, self.failures, self.undelivered = (
            stack[name] for name in ("ArrivalsUrl", "FailuresUrl", "UndeliveredUrl")
        )
        self.census = stack.get("CensusFunctionName")

    def _repositories(self):
        for repository, runtime in [(APP_RUNNER, "apprunner"), (ECS_ARM64, "ecs/arm64"), (LAMBDA, "lambda/amd64")]:
            self.ecr.create_repository(repositoryName=repository, tags=declared(runtime))
        for repository in (UNTAGGED, WEB, BOTH):
            self.ecr.create_repository(repositoryName=repository)

    # The command-line tool

    def tool(self, *arguments):
        """Runs the tool against the emulator only; returns its exit code and its output."""
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_REGION": REGION}
        environment |= {"AWS_ENDPOINT_URL": self.address, **CREDENTIALS}
        command = [str(word) for word in (self.command, *arguments)]
        ran = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if ran.returncode not in (0, 1):
            raise Wrong(f"{command} ended with {ran.returncode}: {ran.stderr}")
        return ran.returncode, ran.stdout

    # Pushes

    def push(self, image, repository, tag, docker=False):
        """Pushes an image of the layout; by digest if there is no tag."""
        digest = self._digest(image)
        registry = self.address.removeprefix("http://")
        destination = f"docker://{registry}/{repository}" + (f":{tag}" if tag else f"@{digest}")
        command = ["skopeo", "copy", "--quiet", "--all", "--dest-tls-verify=false", "--dest-creds", "AWS:emulator"]
        command += ["--format", "v2s2"] if docker else []
        shell([*command, f"oci:{self.layout}:{image}", destination])
        if tag:
            (stored,) = self._images(repository, [{"imageTag": tag}])
            digest = stored["imageDigest"]
            # The tag moves, if another image has it.
            for (other, _), tags in self.expected.items():
                if other == repository:
                    tags.discard(tag)
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
        """Returns the event of a push, based on a sample event."""
        event = json.loads((ROOT / "events" / "push-arm64.json").read_text())
        event["detail"] |= {"repository-name": pushed.repository, "image-tag": pushed.tag}
        event["detail"]["image-digest"] = pushed.digest
        return event

    # What the function did

    def expect_invocations(self, *expected):
        """Checks the invocations since the last check: exactly these, in any order."""
        with contextlib.suppress(Unusable):
            wait_until(lambda: len(self._invocations()) >= len(expected), 15, "invocations")
        time.sleep(SETTLE_SECONDS)
        found = self._invocations()
        self.checked |= found.keys()
        equal("the invocations", sorted(found.values()), sorted(expected))

    def _invocations(self):
        """Returns the results of unchecked invocations. In the emulator, each has its own log stream."""
        found = collections.defaultdict(lambda: "error")
        for event in self.logs.filter_log_events(logGroupName=self.log)["events"]:
            stream, line = event["logStreamName"], event["message"]
            if stream in self.checked:
                continue
            record = json.loads(line) if line.startswith("{") else {}
            if "verdict" in record:
                found[stream] = " ".join(filter(None, (record["verdict"], record.get("ignored"))))
            elif "decision" in record:
                found[stream] = f"gate {record['decision']}"
            elif "Consumers" in record:
                found[stream] = "census"
            elif "checked" in record:
                found[stream] = "change"
            elif line.startswith("END "):
                # Registers the invocation, even if it logged no verdict.
                found[stream] = found[stream]
        return found

    def expect_census(self):
        """Checks that there was one census since the last check, and nothing else; returns its log line."""
        self.expect_invocations("census")
        lines = [line["message"] for line in self.logs.filter_log_events(logGroupName=self.log)["events"]]
        return [record for line in lines if line.startswith("{") and "Consumers" in (record := json.loads(line))][-1]

    # Notifications

    def expect_notification(self, pushed, runtime, fault):
        """Checks that there is one new message about an image that fails; returns the card in Slack."""
        _, card = self.expect_message(pushed, verdict="fails", runtime=runtime, fault=fault)
        return card

    def expect_message(self, pushed, **expected):
        """Checks that there is one new message with these attributes; returns the report, and the card in Slack."""
        messages = drain(self.sqs, self.queue)
        equal("the number of messages", len(messages), 1)
        equal("the attributes", attributes(messages[0]), {"repository": pushed.repository, **expected})
        report = json.loads(messages[0]["Message"])
        equal("the digest", report["image"]["digest"], pushed.digest)
        named = f"{pushed.repository}:{pushed.tag}" if pushed.tag else f"{pushed.repository}@{pushed.digest}"
        equal("the reference", report["image"]["reference"], f"{registry()}/{named}")
        wait_until(lambda: not self.subscriber.notifications.empty(), 10, "the notification over HTTPS")
        card = json.loads(self.subscriber.notifications.get()["Message"])
        holds("the card's title", card["content"]["title"], named if pushed.tag else pushed.repository)
        equal("the number of other notifications", self.subscriber.notifications.qsize(), 0)
        return report, card

    def expect_few_notifications(self, pushes):
        """Checks that fewer messages than pushes were sent. Each process of the function remembers only its own."""
        time.sleep(SETTLE_SECONDS)
        sent = len(drain(self.sqs, self.queue))
        while not self.subscriber.notifications.empty():
            self.subscriber.notifications.get()
        holds("fewer messages than pushes", range(pushes), sent)

    def expect_no_notification(self):
        equal("the number of messages", len(drain(self.sqs, self.queue)), 0)
        equal("the number of notifications", self.subscriber.notifications.qsize(), 0)

    # Verdict tags

    def expect_verdict_tags(self, pushed, *verdicts):
        """Checks that the image has the tags of its pushes, the verdict tags of earlier cases, and these verdict tags."""
        expected = self.expected[pushed.repository, pushed.digest]
        expected |= {aws.verdict_tag(pushed.digest, verdict, runtime) for verdict, runtime in verdicts}
        equal("the tags", aws.tags(self.ecr, pushed.repository, pushed.digest), expected)

    def expect_no_other_tags(self):
        """Checks that all images have the pushed tags and the verdict tags of earlier cases, and no others."""
        repositories = (APP_RUNNER, ECS_ARM64, LAMBDA, UNTAGGED, WEB, BOTH)
        actual = {
            (repository, image["imageDigest"]): set(image.get("imageTags", []))
            for repository in repositories
            for image in self._images(repository)
            if image.get("imageTags")
        }
        equal("the tags of the registry", actual, {image: tags for image, tags in self.expected.items() if tags})

    # Permissions and rules

    def rules_for(self, event):
        """Returns the rules of the stack that match this event, by their names in the template."""
        names = [rule["Name"] for rule in self.events.list_rules(NamePrefix=STACK)["Rules"]]
        patterns = {name: self.events.describe_rule(Name=name)["EventPattern"] for name in names}
        return {
            name.removeprefix(f"{STACK}-").rsplit("-", 1)[0]
            for name, pattern in patterns.items()
            if self.events.test_event_pattern(EventPattern=pattern, Event=event)["Result"]
        }

    def allowed(self, arn, service, function=None):
        """Returns the actions of a service that the role of a function allows on a resource."""
        operations = client(service, self.address).meta.service_model.operation_names
        decisions = self.iam.simulate_principal_policy(
            PolicySourceArn=self._role(function),
            ActionNames=[f"{service}:{operation}" for operation in operations],
            ResourceArns=[arn],
        )["EvaluationResults"]
        return {one["EvalActionName"] for one in decisions if one["EvalDecision"] == "allowed"}

    def arn_of(self, queue):
        answer = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]

    def _role(self, function=None):
        return self.functions.get_function_configuration(FunctionName=function or self.function)["Role"]

    # Failures and recovery

    @contextlib.contextmanager
    def denied(self, action, function=None):
        """Denies a function's role an action, and restores it afterwards."""
        role = self._role(function).rsplit("/", 1)[-1]
        statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.iam.put_role_policy(RoleName=role, PolicyName="by-mistake", PolicyDocument=document)
        try:
            yield
        finally:
            self.iam.delete_role_policy(RoleName=role, PolicyName="by-mistake")

    @contextlib.contextmanager
    def delivery_denied(self):
        """Removes EventBridge's permission to send to the queue, and restores it afterwards."""
        policy = self.sqs.get_queue_attributes(QueueUrl=self.arrivals, AttributeNames=["Policy"])["Attributes"]["Policy"]
        self.sqs.set_queue_attributes(QueueUrl=self.arrivals, Attributes={"Policy": ""})
        try:
            yield
        finally:
            self.sqs.set_queue_attributes(QueueUrl=self.arrivals, Attributes={"Policy": policy})

    def expect_permanent_failure(self, pushed, *others):
        """Checks that the push fails in all three attempts, without a notification; takes its event out of the failure
        queue, and returns the error message."""
        self.expect_invocations("error", "error", "error", *others)
        self.expect_no_notification()
        wait_until(lambda: self._waiting(self.failures), 10, "the message in the failure queue")
        self.failed, *more = drain(self.sqs, self.failures)
        equal("the number of other failures", len(more), 0)
        equal("the event's digest", self.failed["detail"]["image-digest"], pushed.digest)
        return self.error_of(self.failed)

    def error_of(self, event):
        """Returns the last error of an event in the log."""
        lines = [line["message"] for line in self.logs.filter_log_events(logGroupName=self.log)["events"]]
        records = [json.loads(line) for line in lines if line.startswith("{")]
        return [record["error"] for record in records if record.get("event_id") == event["id"] and "error" in record][-1]

    def send(self, event):
        """Sends an event to the queue, as moving it there from the failure queue does."""
        self.sqs.send_message(QueueUrl=self.arrivals, MessageBody=json.dumps(event))

    def send_from_aws(self, event):
        """Sends an event to the bus, as the service does that is its source."""
        entry = {"Source": f"{FROM_AWS}{event['source']}", "DetailType": event["detail-type"]}
        entry |= {"Detail": json.dumps(event["detail"]), "Resources": event["resources"]}
        equal("the rejected events", self.events.put_events(Entries=[entry])["FailedEntryCount"], 0)

    def mapping(self):
        """Returns the only event source mapping of the function."""
        (mapping,) = self.functions.list_event_source_mappings(FunctionName=self.function)["EventSourceMappings"]
        return mapping

    def _waiting(self, queue):
        asked = ["ApproximateNumberOfMessages"]
        answer = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=asked)["Attributes"]
        return int(answer["ApproximateNumberOfMessages"])

    def invoke(self, event):
        """Invokes the function asynchronously, like `aws lambda invoke --invocation-type Event`."""
        payload = json.dumps(event).encode()
        answer = self.functions.invoke(FunctionName=self.function, InvocationType="Event", Payload=payload)
        equal("the response's status", answer["StatusCode"], 202)

    def ask(self, function, payload):
        """Invokes a function synchronously, as CloudFormation does; returns its answer."""
        answer = self.functions.invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        equal("the function's error", answer.get("FunctionError"), None)
        return json.loads(answer["Payload"].read())

    def forget(self):
        """Discards what a failed case left behind, so that the next case can pass."""
        with contextlib.suppress(Exception):
            time.sleep(SETTLE_SECONDS)
            self.checked |= self._invocations().keys()
            for queue in (self.queue, self.arrivals, self.failures, self.undelivered):
                drain(self.sqs, queue)
        while not self.subscriber.notifications.empty():
            self.subscriber.notifications.get()


def registry():
    return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
