"""Builds the template, deploys it to an emulated AWS, pushes images, and holds what comes of it against what ought to.

    make e2e

Does not know how the stack is deployed, how AWS is emulated, and what a client asks of it; `stack.py`, `world.py` and
`deployed.py` do. Each case is a push of a real client, and the cases are in order: later ones count on what earlier ones
left in the registry. IAM policies count, so that the function can do what the template allows it and nothing else. Logs
stay in the work directory.
"""

import argparse
import contextlib
import json
import sys
from pathlib import Path

import aws
from aws import drain
from check import bounded, equal, fresh, holds, passes, tail
from deployed import APP_RUNNER, ECS_ARM64, LAMBDA, ROOT, STACK, UNTAGGED, Stage
from stack import Sam, what_is_there
from world import Subscriber, Unusable, emulator, require_tools

# The build takes minutes, and a quarter of an hour where nothing is cached and the machine is busy.
BUILD_BOUND = 900
# Everything after it; takes half a minute.
BOUND = 240
# How long AWS waits before a failed invocation is tried again is minutes; here it is fractions of a second.
EMULATOR = {"AUTH": "true", "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.2"}

# The images, by their names in the layout.
ARM64, AMD64, INDEX, ATTESTED = "image-of-arm64", "amd64-image", "both", "attested"
ATTESTATION, CHART = "attestation", "chart"

READ = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:ListTagsForResource"]


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
    events = drain(stage.sqs, stage.undelivered)
    equal("whose events wait", [event["detail"]["image-digest"] for event in events], [pushed.digest])
    stage.invoke(events[0])
    stage.walks("fails")
    stage.tells(pushed, "apprunner", "wrong-architecture")
    stage.marks(pushed, ("fail", "apprunner"))


def each_kind_of_event_meets_the_rule_that_is_for_it_and_no_other(stage):
    """What the emulator's registry does not do is asked of the rules, with the sample events."""
    replication, cache = "FunctionReplication", "FunctionPullThroughCache"
    others = {"replication": replication, "pull-through-cache": cache, "audit": "FunctionAudit"}
    nobodys = {"delete", "referrer", "push-verdict-tag"}
    for sample in sorted((ROOT / "events").glob("*.json")):
        expected = set() if sample.stem in nobodys else {others.get(sample.stem, "FunctionPush")}
        equal(f"the rules for {sample.stem}", stage.rules_for(sample.read_text()), expected)


def the_role_allows_what_the_function_does_and_nothing_else(stage):
    equal("on a repository", stage.allowed(aws.repository_arn(ECS_ARM64), "ecr"), {*READ, "ecr:PutImage"})
    equal("on the topic", stage.allowed(stage.topic, "sns"), {"sns:Publish"})
    equal("on another topic", stage.allowed(f"{stage.topic}-other", "sns"), set())
    equal("on the failure queue", stage.allowed(stage.arn_of(stage.failures), "sqs"), {"sqs:SendMessage"})
    equal("on another queue", stage.allowed(stage.arn_of(stage.queue), "sqs"), set())


def the_registry_holds_what_was_pushed_and_these_marks_and_nothing_else(stage):
    stage.marks_stay_as_they_are()
    equal("what waits in the failure queue", drain(stage.sqs, stage.failures), [])
    equal("what waits in the rules' queue", drain(stage.sqs, stage.undelivered), [])


def the_tool_says_of_an_image_in_the_registry_what_it_says_of_it_in_its_layout(stage):
    for image, repository, tag in [(INDEX, APP_RUNNER, "11.4.1"), (ATTESTED, ECS_ARM64, "1.4.2")]:
        there, here = f"{stage.registry}/{repository}:{tag}", f"oci:{stage.layout}:{image}"
        arguments = ["check", "--format", "json", "--runtime", "ecs/arm64", "--runtime", "apprunner"]
        (code, seen), (expected_code, expected) = stage.tool(*arguments, there), stage.tool(*arguments, here)
        equal("the exit code", code, expected_code)
        # The commands that mend it name the image as well.
        renamed = expected.replace(here, there).replace(f"REGISTRY/IMAGE:{image}", there)
        equal("the report", seen.splitlines(), renamed.splitlines())


def an_audit_by_the_function_is_that_of_the_tool_and_nobody_is_told(stage):
    own, via = stage.work / "own.jsonl", stage.work / "via.jsonl"
    code, printed = stage.tool("audit", "--all", "--results", own)
    equal("the exit code", code, 1)
    equal("the exit code", stage.tool("audit", "--all", "--via-lambda", "--stack", STACK, "--results", via)[0], 1)
    answers = audited(own)
    equal("the answers", audited(via), answers)
    holds("what is printed", printed, "grafana/grafana:11.4.0", "wrong-architecture")
    verdicts = [" ".join(filter(None, (one["verdict"], one.get("ignored")))) for one in answers]
    stage.walks(*verdicts)
    stage.tells_nothing()
    stage.marks_stay_as_they_are()


def audited(results):
    """The answers of an audit, without what only one way of asking adds, in the order of their images."""
    answers = [json.loads(line) for line in results.read_text().splitlines()]
    for answer in answers:
        answer["arrival"].pop("eventId", None)
        answer.pop("settings", None)
    return sorted(answers, key=lambda answer: json.dumps(answer["arrival"], sort_keys=True))


def a_stack_for_one_prefix_without_marks_sees_and_does_no_more_than_that(stage):
    stage.sam.deploy(STACK, VerdictTags="never", RepositoryPrefix="team/", InspectionDepth="manifest")
    outside = stage.push(ARM64, APP_RUNNER, "11.6.0")
    stage.walks()
    stage.tells_nothing()
    # The rule would not hand it over; whoever does meets the role, which may not read there either.
    stage.invoke(stage.event_of(outside))
    stage.walks("error", "error", "error")
    holds("the error", stage.failure(outside), "denied", aws.repository_arn(APP_RUNNER))
    equal("on a repository outside", stage.allowed(aws.repository_arn(APP_RUNNER), "ecr"), set())
    equal("on a repository inside", stage.allowed(aws.repository_arn(ECS_ARM64), "ecr"), set(READ))
    inside = stage.push(AMD64, ECS_ARM64, "2.1.0")
    stage.walks("fails")
    stage.tells(inside, "ecs/arm64", "wrong-architecture")
    stage.marks(outside)
    stage.marks(inside)
    stage.marks_stay_as_they_are()


def deleting_the_stack_leaves_nothing_that_costs_money(stage):
    there = what_is_there(stage.address)
    equal("the kinds that it has nothing of", [kind for kind, names in there.items() if not names], [])
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
    each_kind_of_event_meets_the_rule_that_is_for_it_and_no_other,
    the_role_allows_what_the_function_does_and_nothing_else,
    the_registry_holds_what_was_pushed_and_these_marks_and_nothing_else,
    the_tool_says_of_an_image_in_the_registry_what_it_says_of_it_in_its_layout,
    an_audit_by_the_function_is_that_of_the_tool_and_nobody_is_told,
    a_stack_for_one_prefix_without_marks_sees_and_does_no_more_than_that,
    deleting_the_stack_leaves_nothing_that_costs_money,
]


# The run


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tools", type=Path, required=True, help="the directory of sam and cargo-lambda")
    options.add_argument("--tool", type=Path, required=True, help="the command-line tool's binary")
    options.add_argument("--images", type=Path, required=True, help="the OCI image layout with what is pushed")
    options.add_argument("--work", type=Path, required=True, help="a directory for what is built and for logs")
    options = options.parse_args()
    try:
        failed = run(options.tools.absolute(), options.tool.absolute(), options.images.absolute(), options.work.absolute())
    except Unusable as error:
        sys.exit(f"error: {error}")
    return 1 if failed else 0


def run(tools, tool, layout, work):
    """Sets up the world and runs every case in it; gives how many failed."""
    require_tools()
    run_in = fresh(work)
    bounded(BUILD_BOUND, work)
    Sam(tools, ROOT, work).build()
    bounded(BOUND, work)
    with contextlib.ExitStack() as world:
        subscriber = Subscriber()
        endpoint = world.enter_context(subscriber.start(run_in))
        address = world.enter_context(emulator(run_in, EMULATOR))
        stage = Stage(address, Sam(tools, ROOT, work, address), layout, subscriber, tool, run_in)
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
