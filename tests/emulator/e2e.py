"""Builds the template, deploys it to an emulated AWS, pushes images, and checks the results.

    make e2e

Everything is done twice: with the SAM template and the SAM CLI, as in `stack.py`, and with the packaged template and
CloudFormation alone, as in `packaged.py`. `world.py` emulates AWS, and `deployed.py` queries the deployed stack. Each
case pushes images with a real client. Cases run in order and depend on the images of earlier ones. IAM policies are enforced, so that
the function can do only what the template allows. Logs are kept in the work directory.
"""

import argparse
import contextlib
import json
import sys
from pathlib import Path

import aws
from aws import drain
import consumers
from check import bounded, equal, fresh, holds, passes, tail
from deployed import APP_RUNNER, ECS_ARM64, LAMBDA, ROOT, STACK, UNTAGGED, Stage
from packaged import Packaged
from stack import Sam, what_is_there
from world import Subscriber, Unusable, emulator, require_tools

# The build takes minutes, or half an hour without a cache on a busy machine.
BUILD_TIMEOUT = 1800
# Everything after the build usually takes a minute.
TIMEOUT = 240
# AWS waits minutes before it retries a failed invocation; here it takes fractions of a second.
EMULATOR = {"AUTH": "true", "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.2"}

# Names of the images in the layout.
ARM64, AMD64, INDEX, ATTESTED = "image-of-arm64", "amd64-image", "both", "attested"
ATTESTATION, CHART = "attestation", "chart"

READ = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:ListTagsForResource"]


# The cases, in their order


def arm64_image_for_app_runner_fails(stage):
    pushed = stage.push(ARM64, APP_RUNNER, "11.4.0", docker=True)
    stage.expect_invocations("fails")
    stage.card = stage.expect_notification(pushed, "apprunner", "wrong-architecture")
    holds("the card's title", stage.card["content"]["title"], "`grafana/grafana:11.4.0` will not start on App Runner")
    stage.expect_verdict_tags(pushed, ("fail", "apprunner"))


def index_for_app_runner_runs_and_its_children_are_ignored(stage):
    pushed = stage.push(INDEX, APP_RUNNER, "11.4.1")
    stage.expect_invocations("ignored untagged", "ignored untagged", "runs")
    stage.expect_no_notification()
    stage.expect_verdict_tags(pushed, ("pass", "apprunner"))


def arm64_image_with_attestation_for_app_runner_fails(stage):
    pushed = stage.push(ATTESTED, APP_RUNNER, "11.4.2")
    stage.expect_invocations("ignored untagged", "ignored untagged", "fails")
    stage.expect_notification(pushed, "apprunner", "platform-missing")
    stage.expect_verdict_tags(pushed, ("fail", "apprunner"))


def arm64_image_with_attestation_runs_on_ecs(stage):
    pushed = stage.push(ATTESTED, ECS_ARM64, "1.4.2")
    stage.expect_invocations("ignored untagged", "ignored untagged", "runs")
    stage.expect_no_notification()
    stage.expect_verdict_tags(pushed, ("pass", "ecs-arm64"))


def amd64_image_for_ecs_on_arm64_fails(stage):
    pushed = stage.push(AMD64, ECS_ARM64, "1.4.3")
    stage.expect_invocations("fails")
    stage.expect_notification(pushed, "ecs/arm64", "wrong-architecture")
    stage.expect_verdict_tags(pushed, ("fail", "ecs-arm64"))


def tagged_attestation_fails(stage):
    pushed = stage.push(ATTESTATION, ECS_ARM64, "1.4.4")
    stage.expect_invocations("fails")
    stage.expect_notification(pushed, "ecs/arm64", "attestation-tagged")
    stage.expect_verdict_tags(pushed, ("fail", "ecs-arm64"))


def amd64_image_runs_on_lambda(stage):
    pushed = stage.push(AMD64, LAMBDA, "7")
    stage.expect_invocations("runs")
    stage.expect_no_notification()
    stage.expect_verdict_tags(pushed, ("pass", "lambda-amd64"))


def arm64_image_for_lambda_fails(stage):
    pushed = stage.push(ARM64, LAMBDA, "8", docker=True)
    stage.expect_invocations("fails")
    stage.expect_notification(pushed, "lambda/amd64", "wrong-architecture")
    stage.expect_verdict_tags(pushed, ("fail", "lambda-amd64"))


def index_for_lambda_fails(stage):
    pushed = stage.push(INDEX, LAMBDA, "9")
    stage.expect_invocations("ignored untagged", "ignored untagged", "fails")
    stage.expect_notification(pushed, "lambda/amd64", "index-refused")
    stage.expect_verdict_tags(pushed, ("fail", "lambda-amd64"))


def image_without_declaration_is_undeclared(stage):
    pushed = stage.push(ARM64, UNTAGGED, "1")
    stage.expect_invocations("undeclared")
    stage.expect_no_notification()
    stage.expect_verdict_tags(pushed)


def repeated_pushes_of_an_image_notify_once(stage):
    pushed = stage.push(ARM64, LAMBDA, "8.1", docker=True)
    stage.expect_invocations("fails")
    stage.expect_notification(pushed, "lambda/amd64", "wrong-architecture")
    # Redelivery of the same event, and further events for the same image and tag.
    for number in range(9):
        stage.send(stage.event_of(pushed) | {"id": f"again-{number}"})
    stage.expect_invocations(*["fails"] * 9)
    stage.expect_few_notifications(9)
    stage.expect_verdict_tags(pushed, ("fail", "lambda-amd64"))


def invocations_for_pushes_are_bounded(stage):
    mapping = stage.mapping()
    equal("the concurrency", mapping["ScalingConfig"], {"MaximumConcurrency": 10})
    equal("the batch", (mapping["BatchSize"], mapping["FunctionResponseTypes"]), (1, ["ReportBatchItemFailures"]))
    equal("the queue", mapping["EventSourceArn"], stage.arn_of(stage.arrivals))


def helm_chart_is_ignored(stage):
    pushed = stage.push(CHART, APP_RUNNER, "chart-1.0.0")
    stage.expect_invocations("ignored artifact")
    stage.expect_no_notification()
    stage.expect_verdict_tags(pushed)


def untagged_image_is_ignored(stage):
    pushed = stage.push(ARM64, ECS_ARM64, None)
    stage.expect_invocations("ignored untagged")
    stage.expect_no_notification()
    stage.expect_verdict_tags(pushed)


def push_without_registry_access_is_recovered_from_failure_queue(stage):
    with stage.denied("ecr:BatchGetImage"):
        pushed = stage.push(AMD64, ECS_ARM64, "2.0.0")
        error = stage.expect_permanent_failure(pushed)
    holds("the error", error, "ecr:BatchGetImage", aws.repository_arn(ECS_ARM64))
    stage.expect_no_other_tags()
    stage.send(stage.failed)
    stage.expect_invocations("fails")
    stage.expect_notification(pushed, "ecs/arm64", "wrong-architecture")
    stage.expect_verdict_tags(pushed, ("fail", "ecs-arm64"))


def push_without_topic_access_is_recovered_and_tagged_once(stage):
    with stage.denied("sns:Publish"):
        pushed = stage.push(INDEX, LAMBDA, "10")
        error = stage.expect_permanent_failure(pushed, "ignored untagged", "ignored untagged")
    holds("the error", error, "sns:Publish", stage.topic)
    stage.expect_verdict_tags(pushed, ("fail", "lambda-amd64"))
    stage.send(stage.failed)
    stage.expect_invocations("fails")
    stage.expect_notification(pushed, "lambda/amd64", "index-refused")
    stage.expect_verdict_tags(pushed, ("fail", "lambda-amd64"))


def undelivered_event_is_recovered_from_its_queue(stage):
    with stage.delivery_denied():
        pushed = stage.push(ARM64, APP_RUNNER, "11.5.0")
        stage.expect_invocations()
        stage.expect_no_notification()
    events = drain(stage.sqs, stage.undelivered)
    equal("the undelivered events", [event["detail"]["image-digest"] for event in events], [pushed.digest])
    stage.send(events[0])
    stage.expect_invocations("fails")
    stage.expect_notification(pushed, "apprunner", "wrong-architecture")
    stage.expect_verdict_tags(pushed, ("fail", "apprunner"))


def each_event_matches_only_its_rule(stage):
    """Tests the rules with the sample events, because the emulator's registry does not send every kind of event."""
    replication, cache = "ReplicationRule", "PullThroughCacheRule"
    others = {"replication": replication, "pull-through-cache": cache, "audit": "FunctionAudit"}
    changes = ("app-runner-operation", "ecs-deployment", "ecs-task-stopped", "lambda-state")
    others |= dict.fromkeys(changes, "CensusFunctionChange")
    unmatched = {"delete", "referrer", "push-verdict-tag"}
    for sample in sorted((ROOT / "events").glob("*.json")):
        expected = set() if sample.stem in unmatched else {others.get(sample.stem, "PushRule")}
        equal(f"the rules for {sample.stem}", stage.rules_for(sample.read_text()), expected)


def role_allows_only_what_the_function_does(stage):
    equal("on a repository", stage.allowed(aws.repository_arn(ECS_ARM64), "ecr"), {*READ, "ecr:PutImage"})
    equal("on the topic", stage.allowed(stage.topic, "sns"), {"sns:Publish"})
    equal("on another topic", stage.allowed(f"{stage.topic}-other", "sns"), set())
    received = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
    equal("on the queue of arrivals", stage.allowed(stage.arn_of(stage.arrivals), "sqs"), received)
    equal("on the failure queue", stage.allowed(stage.arn_of(stage.failures), "sqs"), set())
    equal("on another queue", stage.allowed(stage.arn_of(stage.queue), "sqs"), set())


def gate_stops_only_the_wrong_task_definition(stage):
    """Invokes the gate with the payload of a hook, because the emulator's CloudFormation calls none."""
    stage.deploy(VerdictTags="all", Hook="fail", Consumers="off")
    equal("a table", stage.stack.get("TableName"), None)
    gate = stage.stack["GateFunctionName"]
    image = f"{stage.registry}/{ECS_ARM64}:1.4.3"
    wrong = stage.ask(gate, hook("task-definition-arm64", image))
    equal("the status", (wrong["hookStatus"], wrong["errorCode"]), ("FAILED", "NonCompliant"))
    holds("the message", wrong["message"], image, "will not start on ECS on arm64", "wrong-architecture")
    equal("the annotations", [one["annotationName"] for one in wrong["annotations"]], ["wrong-architecture"])
    right = stage.ask(gate, hook("task-definition", image))
    equal("the status", right["hookStatus"], "SUCCESS")
    holds("the message", right["message"], image, "ECS on amd64")
    absent = stage.ask(gate, hook("task-definition", f"{stage.registry}/{ECS_ARM64}:absent"))
    equal("the status", absent["hookStatus"], "SUCCESS")
    holds("the message", absent["message"], "does not exist yet")
    stage.expect_invocations("gate stopped", "gate passed", "gate skipped")
    stage.expect_no_notification()
    equal("on a repository", stage.allowed(aws.repository_arn(ECS_ARM64), "ecr", gate), set(READ))
    equal("on the topic", stage.allowed(stage.topic, "sns", gate), set())
    stage.deploy(VerdictTags="all", Hook="off", Consumers="on")
    stage.expect_census()


def hook(sample, image):
    """Returns the payload of a hook for a task definition with one container."""
    payload = json.loads((ROOT / "events" / "gates" / f"hook-{sample}.json").read_text())
    properties = payload["requestData"]["targetModel"]["resourceProperties"]
    properties["ContainerDefinitions"] = [{"Name": "app", "Image": image}]
    return payload


def registry_has_only_pushed_tags_and_verdict_tags(stage):
    stage.expect_no_other_tags()
    equal("the failure queue", drain(stage.sqs, stage.failures), [])
    equal("the queue of undelivered events", drain(stage.sqs, stage.undelivered), [])


def check_reports_the_same_for_registry_and_layout(stage):
    for image, repository, tag in [(INDEX, APP_RUNNER, "11.4.1"), (ATTESTED, ECS_ARM64, "1.4.2")]:
        there, here = f"{stage.registry}/{repository}:{tag}", f"oci:{stage.layout}:{image}"
        arguments = ["check", "--format", "json", "--runtime", "ecs/arm64", "--runtime", "apprunner"]
        (code, seen), (expected_code, expected) = stage.tool(*arguments, there), stage.tool(*arguments, here)
        equal("the exit code", code, expected_code)
        # The commands that fix it also name the image.
        renamed = expected.replace(here, there).replace(f"REGISTRY/IMAGE:{image}", there)
        equal("the report", seen.splitlines(), renamed.splitlines())


def audit_via_lambda_equals_audit_and_notifies_nobody(stage):
    own, via = stage.work / "own.jsonl", stage.work / "via.jsonl"
    code, printed = stage.tool("audit", "--all", "--results", own)
    equal("the exit code", code, 1)
    equal("the exit code", stage.tool("audit", "--all", "--via-lambda", "--stack", STACK, "--results", via)[0], 1)
    answers = audited(own)
    equal("the answers", audited(via), answers)
    holds("the output", printed, "grafana/grafana  11.4.0 ", "wrong-architecture")
    verdicts = [" ".join(filter(None, (one["verdict"], one.get("ignored")))) for one in answers]
    stage.expect_invocations(*verdicts)
    stage.expect_no_notification()
    stage.expect_no_other_tags()


def audited(results):
    """Returns the results of an audit, sorted, without the members that only one of the two modes adds."""
    answers = [json.loads(line) for line in results.read_text().splitlines()]
    for answer in answers:
        answer["arrival"].pop("eventId", None)
        answer.pop("settings", None)
    return sorted(answers, key=lambda answer: json.dumps(answer["arrival"], sort_keys=True))


def stack_with_prefix_and_without_verdict_tags_is_restricted(stage):
    stage.deploy(VerdictTags="never", RepositoryPrefixes="web/,team/", InspectionDepth="manifest", Consumers="on")
    outside = stage.push(ARM64, APP_RUNNER, "11.6.0")
    stage.expect_invocations()
    stage.expect_no_notification()
    # The rule does not match this event. If the function is invoked directly, its role denies the read.
    stage.invoke(stage.event_of(outside))
    stage.expect_invocations("error", "error", "error")
    holds("the error", stage.error_of(stage.event_of(outside)), "denied", aws.repository_arn(APP_RUNNER))
    equal("on a repository outside", stage.allowed(aws.repository_arn(APP_RUNNER), "ecr"), set())
    equal("on a repository inside", stage.allowed(aws.repository_arn(ECS_ARM64), "ecr"), set(READ))
    inside = stage.push(AMD64, ECS_ARM64, "2.1.0")
    stage.expect_invocations("fails")
    stage.expect_notification(inside, "ecs/arm64", "wrong-architecture")
    stage.expect_verdict_tags(outside)
    stage.expect_verdict_tags(inside)
    stage.expect_no_other_tags()


def deleting_the_stack_removes_everything_that_costs_money(stage):
    there = what_is_there(stage.address)
    equal("resource types that do not exist", [kind for kind, names in there.items() if not names], [])
    stage.sam.delete(STACK)
    stage.sqs.delete_queue(QueueUrl=stage.queue)
    equal("the remaining resources", what_is_there(stage.address), stage.there_before)
    stage.expect_no_other_tags()


CASES = [
    *consumers.CASES,
    arm64_image_for_app_runner_fails,
    index_for_app_runner_runs_and_its_children_are_ignored,
    arm64_image_with_attestation_for_app_runner_fails,
    arm64_image_with_attestation_runs_on_ecs,
    amd64_image_for_ecs_on_arm64_fails,
    tagged_attestation_fails,
    amd64_image_runs_on_lambda,
    arm64_image_for_lambda_fails,
    index_for_lambda_fails,
    image_without_declaration_is_undeclared,
    repeated_pushes_of_an_image_notify_once,
    invocations_for_pushes_are_bounded,
    helm_chart_is_ignored,
    untagged_image_is_ignored,
    push_without_registry_access_is_recovered_from_failure_queue,
    push_without_topic_access_is_recovered_and_tagged_once,
    undelivered_event_is_recovered_from_its_queue,
    each_event_matches_only_its_rule,
    role_allows_only_what_the_function_does,
    gate_stops_only_the_wrong_task_definition,
    registry_has_only_pushed_tags_and_verdict_tags,
    check_reports_the_same_for_registry_and_layout,
    audit_via_lambda_equals_audit_and_notifies_nobody,
    stack_with_prefix_and_without_verdict_tags_is_restricted,
    deleting_the_stack_removes_everything_that_costs_money,
]


# The run


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tools", type=Path, required=True, help="directory that contains sam and cargo-lambda")
    options.add_argument("--tool", type=Path, required=True, help="the command-line tool's binary")
    options.add_argument("--images", type=Path, required=True, help="OCI image layout with the images to push")
    options.add_argument("--work", type=Path, required=True, help="directory for the build and for logs")
    options = options.parse_args()
    try:
        failed = run(options.tools.absolute(), options.tool.absolute(), options.images.absolute(), options.work.absolute())
    except Unusable as error:
        sys.exit(f"error: {error}")
    return 1 if failed else 0


def run(tools, tool, layout, work):
    """Builds the function once, and deploys it in both ways; returns the number of failures."""
    require_tools()
    fresh(work)
    bounded(BUILD_TIMEOUT, work)
    Sam(tools, ROOT, work).build()
    Packaged(work).build()
    deployers = {"sam": lambda address: Sam(tools, ROOT, work, address), "packaged": lambda address: Packaged(work, address)}
    failed = 0
    for name, deployer in deployers.items():
        print(f"\nThe {name} template:\n", flush=True)
        bounded(TIMEOUT, work)
        failed += run_cases(deployer, tool, layout, fresh(work / name))
    print(f"\n{len(deployers) * len(CASES) - failed} passed, {failed} failed")
    return failed


def run_cases(deployer, tool, layout, work):
    """Starts the emulated AWS and runs every case; returns the number of failures."""
    with contextlib.ExitStack() as world:
        subscriber = Subscriber()
        endpoint = world.enter_context(subscriber.start(work))
        address = world.enter_context(emulator(work, EMULATOR))
        stage = Stage(address, deployer(address), layout, subscriber, tool, work)
        aws.subscribe(stage.sns, stage.topic, endpoint)
        failed = sum(not passes(case, stage) for case in CASES)
    if stage.card is not None:
        aws.show("The first case in Slack:", stage.card)
    if failed:
        tail(work / "emulator.log")
    return failed


if __name__ == "__main__":
    sys.exit(main())
