"""Starts ministack, an AWS emulator, and replaces those of its functions that differ from AWS.

Every replacement documents the behavior of AWS that it restores. The sources are the pages of the actions in the ECR API
reference, and the linked pages of the user guides. Address and account are ministack's own variables; its `AUTH` enables
IAM policies.

These differences remain, so the tests prove nothing about them:

- Throttling, encryption keys and permissions to push are not enforced.
- Deleting an image sends no event.
- A failed event is received again after fractions of a second; AWS waits for the queue's visibility timeout.
- StartMessageMoveTask of SQS does not exist, so the tests send the events of the failure queue again themselves.
- Alarms never change their state: the SQS metrics do not exist, and the errors of all functions would count for each alarm.
- EventBridge does not retry a failed delivery; it sends the event to the dead-letter queue at once.
- BatchGetImage ignores `acceptedMediaTypes`; ECR can convert a manifest that is requested by tag alone.
- A request with a digest and a tag that does not exist succeeds; the response of ECR is not documented.
- GetDownloadUrlForLayer returns a URL for blobs that do not exist; ECR responds with LayersNotFoundException.
- Amazon ECS, AWS Lambda and AWS App Runner send no events, so the tests send them; and AWS App Runner does not exist.
- SNS delivers message attributes of the type `String.Array`, but does not enforce their limits.
"""

import hashlib
import json
import os
import time

import seed
from ministack import app
from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.core.arn import parse_arn
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import cloudwatch, ecr, eventbridge, lambda_svc, scheduler, sqs
from ministack.services.cloudformation import provisioners

# Represents the signature of a presigned URL, which is a secret.
SIGNATURE = os.environ["EMULATOR_SIGNATURE"]
# The seconds after which a failed event is received again.
RETRY_SECONDS = 0.2
# What tests put before the source of an event that a service of AWS would send.
FROM_AWS = "as-if-from."

ministack_batch_get_image = ecr._batch_get_image
ministack_describe_images = ecr._describe_images
ministack_describe_repositories = ecr._describe_repositories
ministack_get_download_url_for_layer = ecr._get_download_url_for_layer
ministack_put_image = ecr._put_image
ministack_put_manifest = ecr._v2_put_manifest
ministack_invoke_target = eventbridge._invoke_target
ministack_put_events = eventbridge._put_events
ministack_tick_schedules = scheduler._tick_schedules
ministack_drain_output = lambda_runtime.Worker._drain_stderr_bounded
ministack_run_sqs_batch = lambda_svc._run_sqs_batch
ministack_sqs_esm_concurrency = lambda_svc._sqs_esm_concurrency
ministack_extract_resource_arn = iam_actions.extract_resource_arn
ministack_request_tag_context = iam_actions.request_tag_context
ministack_pin_request_origin = iam_evaluator.pin_request_origin


# ECR


def batch_get_image(data):
    """ECR: a digest and a tag in one identifier must match, otherwise the failure is ImageTagDoesNotMatchDigest; and the
    response identifies an image as in the request, not by its newest tag."""
    status, headers, body = ministack_batch_get_image({**data, "imageIds": []})
    if status != 200:
        return status, headers, body
    images, failures = [], []
    for asked in data.get("imageIds", []):
        if is_moved(data["repositoryName"], asked):
            reason = "Requested image tag does not match the requested digest"
            failures.append(
                {"imageId": asked, "failureCode": "ImageTagDoesNotMatchDigest", "failureReason": reason}
            )
            continue
        _, _, body = ministack_batch_get_image({**data, "imageIds": [asked]})
        answer = json.loads(body)
        for image in answer["images"]:
            image["imageId"] = {"imageDigest": image["imageId"]["imageDigest"], **asked}
        images += answer["images"]
        failures += answer["failures"]
    return json_response({"images": images, "failures": failures})


def is_moved(repository, asked):
    digest, tag = asked.get("imageDigest"), asked.get("imageTag")
    holder = ecr._find_image(repository, {"imageTag": tag}) if digest and tag else None
    return holder is not None and holder["imageDigest"] != digest


def get_download_url_for_layer(data):
    """ECR: the URL is that of the blob, and grants access to it; ministack's URL does not exist."""
    status, headers, body = ministack_get_download_url_for_layer(data)
    if status != 200:
        return status, headers, body
    answer = json.loads(body)
    repository, digest = data["repositoryName"], data["layerDigest"]
    host, port = os.environ["BIND_HOST"], os.environ["GATEWAY_PORT"]
    answer["downloadUrl"] = f"http://{host}:{port}/v2/{repository}/blobs/{digest}?X-Amz-Signature={SIGNATURE}"
    return json_response(answer)


def describe_repositories(data):
    """ECR: a page has at most `maxResults` entries, and a token for the next page."""
    return paged(ministack_describe_repositories({**data, "maxResults": None}), "repositories", data)


def describe_images(data):
    """ECR: pages as above; untagged images are omitted if the request asks for tagged ones; and the artifact media type is
    that of the config, not of the manifest."""
    status, headers, body = ministack_describe_images(data)
    if status != 200:
        return status, headers, body
    details = json.loads(body)["imageDetails"]
    if data.get("filter", {}).get("tagStatus") == "TAGGED":
        details = [detail for detail in details if detail["imageTags"]]
    for detail in details:
        image = ecr._find_image(data["repositoryName"], {"imageDigest": detail["imageDigest"]})
        detail.pop("artifactMediaType", None)
        config = json.loads(image["imageManifest"]).get("config")
        if config is not None:
            detail["artifactMediaType"] = config["mediaType"]
    return paged(json_response({"imageDetails": details}), "imageDetails", data)


def paged(reply, key, data):
    """Returns one page of a reply."""
    status, headers, body = reply
    if status != 200:
        return status, headers, body
    every = json.loads(body)[key]
    start = int(data.get("nextToken") or 0)
    end = start + (data.get("maxResults") or 100)
    more = {"nextToken": str(end)} if end < len(every) else {}
    return json_response({key: every[start:end], **more})


def put_image(data):
    """ECR: rejects a digest that does not match the manifest, a manifest of unknown media type, and a tag that the same
    image already has; ministack accepts them. If tags are immutable, both reject a tag that any image already has:
    <https://github.com/aws/containers-roadmap/issues/2179>."""
    manifest, digest, tag = data.get("imageManifest", ""), data.get("imageDigest"), data.get("imageTag")
    actual = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
    if digest and digest != actual:
        message = f"The provided digest '{digest}' does not match the manifest's, '{actual}'"
        return error_response_json("ImageDigestDoesNotMatchException", message, 400)
    if not data.get("imageManifestMediaType") and not json.loads(manifest).get("mediaType"):
        return error_response_json("InvalidParameterException", "The manifest's media type is unknown", 400)
    repository = data.get("repositoryName", "")
    mutable = ecr._repositories.get(repository, {}).get("imageTagMutability") == "MUTABLE"
    holder = ecr._find_image(repository, {"imageTag": tag}) if tag and mutable else None
    if holder is not None and holder["imageDigest"] == actual:
        message = f"Image with digest '{actual}' and tag '{tag}' already exists"
        return error_response_json("ImageAlreadyExistsException", message, 400)
    status, headers, body = ministack_put_image(data)
    if status == 200:
        announce_push(repository, actual, tag)
    return status, headers, body


def put_manifest(name, reference, headers, body):
    """ECR: a push through the registry protocol also sends an event."""
    answer = ministack_put_manifest(name, reference, headers, body)
    if answer[0] == 201:
        by_digest = reference.startswith("sha256:")
        announce_push(name, answer[1]["Docker-Content-Digest"], None if by_digest else reference)
    return answer


def announce_push(repository, digest, tag):
    """ECR: sends one event for each pushed manifest and for each tag that PutImage adds; without a tag, `image-tag` is
    empty: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>. An index has no config, so its
    event has no artifact media type."""
    image = ecr._find_image(repository, {"imageDigest": digest})
    detail = {"result": "SUCCESS", "repository-name": repository, "image-digest": digest, "action-type": "PUSH"}
    detail |= {"image-tag": tag or "", "manifest-media-type": image["imageManifestMediaType"]}
    config = json.loads(image["imageManifest"]).get("config")
    if config is not None:
        detail["artifact-media-type"] = config["mediaType"]
    entry = {"Source": "aws.ecr", "DetailType": "ECR Image Action", "Detail": json.dumps(detail), "Resources": []}
    # PutEvents rejects a source of AWS from other callers.
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


# EventBridge


def put_events(data, allow_aws_source=False):
    """EventBridge: services of AWS send events with sources that it rejects from others. Tests send them with a prefix."""
    entries = data.get("Entries", [])
    if not any(entry.get("Source", "").startswith(FROM_AWS) for entry in entries):
        return ministack_put_events(data, allow_aws_source)
    entries = [entry | {"Source": entry["Source"].removeprefix(FROM_AWS)} for entry in entries]
    return ministack_put_events({"Entries": entries}, allow_aws_source=True)


def invoke_target(target, event, rule, view=None):
    """EventBridge: a rule invokes a function or sends to a queue only if the target's policy allows it. It invokes
    asynchronously, so that Lambda's retries apply; undeliverable events go to the target's dead-letter queue. ministack
    checks no policy, invokes once, and drops failures:
    <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>."""
    if event.get("Source") == "aws.scheduler":
        return invoke_scheduled(target)
    view = view or eventbridge._pattern_event_view(event)
    if parse_arn(target["Arn"]).service == "sqs":
        queue = sqs._queue_by_arn(target["Arn"])
        if queue and permits(queue["attributes"].get("Policy"), "sqs:SendMessage", target["Arn"], rule["Arn"]):
            return ministack_invoke_target(target, event, rule, view)
        return send_to_dead_letter_queue(target, view.event_with_detail(), rule)
    function, config, _ = lambda_svc._get_func_record_for_ref(target["Arn"])
    policy = function["policy"] if function else None
    if permits(policy, "lambda:InvokeFunction", target["Arn"], rule["Arn"]):
        record = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry(record, view.event_with_detail())
    else:
        send_to_dead_letter_queue(target, view.event_with_detail(), rule)
    return None


def tick_schedules():
    """Scheduler: a schedule with a rate and without a start date invokes its target at once. ministack waits for the first
    interval: <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>."""
    schedules = scheduler._schedules._data
    for key in set(scheduler._schedule_last_fired) - set(schedules):
        del scheduler._schedule_last_fired[key]
    for key, schedule in list(schedules.items()):
        if schedule["ScheduleExpression"].startswith("rate(") and not schedule.get("StartDate"):
            scheduler._schedule_last_fired.setdefault(key, 0)
    ministack_tick_schedules()


def invoke_scheduled(target):
    """Scheduler: invokes a function asynchronously with the role and the input of the schedule. ministack needs no role."""
    if role_allows(target["RoleArn"], "lambda:InvokeFunction", target["Arn"]):
        function, config, _ = lambda_svc._get_func_record_for_ref(target["Arn"])
        record = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry(record, json.loads(target["Input"]))


def send_to_dead_letter_queue(target, event, rule):
    """EventBridge: sends an event to the dead-letter queue, if the queue's policy allows it."""
    arn = target.get("DeadLetterConfig", {}).get("Arn")
    queue = sqs._queue_by_arn(arn) if arn else None
    if queue and permits(queue["attributes"].get("Policy"), "sqs:SendMessage", arn, rule["Arn"]):
        eventbridge._dispatch_to_sqs(parse_arn(arn), json.dumps(event))


def permits(policy, action, resource, rule):
    """Returns whether a resource's policy allows EventBridge this action on behalf of the rule."""
    asked = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context={"aws:sourcearn": rule, "aws:sourceaccount": get_account_id()},
    )
    answer = iam_evaluator.evaluate_resource_policy(policy, asked, service="events.amazonaws.com")
    return answer.decision == "Allow"


# Lambda


def sqs_esm_concurrency(mapping, function, config, queue=None):
    """Lambda: polls a queue only if the function's role allows it:
    <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>. CloudFormation converts the value of a
    parameter to the number that the property needs; ministack keeps the text."""
    actions = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    if not all(role_allows(config["Role"], action, mapping["EventSourceArn"]) for action in actions):
        return 0
    return int(ministack_sqs_esm_concurrency(mapping, function, config, queue))


def role_allows(role, action, resource):
    """Returns whether the policies of a role allow an action on a resource."""
    asked = iam_evaluator.EvalContext(
        principal_arn=role,
        principal_type="AssumedRole",
        principal_account=get_account_id(),
        action=action,
        resource_arn=resource,
        region=get_region(),
    )
    policies = iam_evaluator._gather_role_policies(role.rsplit("/", 1)[-1], get_account_id())
    return iam_evaluator.evaluate(asked, policies).decision == "Allow"


def drain_output(worker, first_line_wait=2, idle_confirm=0.02, hard_cap=3):
    """Lambda: the log of an invocation has all of its lines. ministack waits for them so shortly that on a busy machine
    they appear in the log of the next invocation."""
    return ministack_drain_output(worker, first_line_wait, idle_confirm, hard_cap)


def run_sqs_batch(mapping, function, event, batch, *queue):
    """SQS: a message that was not deleted is received again after the visibility timeout, which is too long for a test."""
    ministack_run_sqs_batch(mapping, function, event, batch, *queue)
    for message in batch:
        message["visible_at"] = time.time() + RETRY_SECONDS


# CloudWatch


def evaluate_alarm(_alarm):
    """CloudWatch: an alarm has the metrics with its dimensions. ministack takes those of all functions."""


# CloudFormation


def create_lambda_hook(_logical_id, properties, _stack):
    """CloudFormation: creates a hook, which it calls before it creates resources. ministack refuses the type. Here a hook can
    be created, and nothing calls it."""
    return f"arn:aws:cloudformation:{get_region()}:{get_account_id()}:type/hook/{properties['Alias'].replace('::', '-')}", {}


def delete_lambda_hook(_identifier, _properties):
    """CloudFormation: deletes a hook."""


# IAM


def extract_resource_arn(service, method, path, headers, body, *rest):
    """IAM: the resource of ECR's ListTagsForResource is the repository in the request; ministack takes all. That of ECS's
    DescribeServices, DescribeServiceRevisions and DescribeTasks is what is described, and here the first of it; ministack takes
    the cluster."""
    asked = json.loads(body) if service in ("ecr", "ecs") and body else {}
    named = asked.get("resourceArn") if service == "ecr" else None
    for described in ("services", "serviceRevisionArns", "tasks"):
        named = named or next((arn for arn in asked.get(described, []) if arn.startswith("arn:")), None)
    return named or ministack_extract_resource_arn(service, method, path, headers, body, *rest)


def request_tag_context(service, action, body, parameters):
    """IAM: the sources of events are a condition key; ministack does not have it:
    <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html>."""
    context = ministack_request_tag_context(service, action, body, parameters)
    sources = {entry["Source"] for entry in json.loads(body)["Entries"]} if action == "events:PutEvents" else set()
    return context | ({"events:source": sources.pop()} if len(sources) == 1 else {})


def pin_request_origin(source_ip, _secure_transport):
    """IAM: policies that require TLS are satisfied on AWS; the emulator listens on loopback without TLS."""
    ministack_pin_request_origin(source_ip, True)


ecr._batch_get_image = batch_get_image
ecr._describe_images = describe_images
ecr._describe_repositories = describe_repositories
ecr._get_download_url_for_layer = get_download_url_for_layer
ecr._put_image = put_image
ecr._v2_put_manifest = put_manifest
eventbridge._invoke_target = invoke_target
eventbridge._put_events = put_events
cloudwatch._evaluate_alarm = evaluate_alarm
scheduler._tick_schedules = tick_schedules
scheduler._SCHEDULE_TICK_INTERVAL = 0.2
lambda_runtime.Worker._drain_stderr_bounded = drain_output
lambda_svc._run_sqs_batch = run_sqs_batch
lambda_svc._sqs_esm_concurrency = sqs_esm_concurrency
provisioners._RESOURCE_HANDLERS["AWS::CloudFormation::LambdaHook"] = {
    "create": create_lambda_hook,
    "delete": delete_lambda_hook,
}
iam_actions.extract_resource_arn = extract_resource_arn
iam_actions.request_tag_context = request_tag_context
# In both modules, because the application has imported the name.
iam_evaluator.pin_request_origin = pin_request_origin
app.pin_request_origin = pin_request_origin

if __name__ == "__main__":
    if "EMULATOR_IMAGES" in os.environ:
        seed.fill(ecr, *map(int, os.environ["EMULATOR_IMAGES"].split("x")))
    app.main()
