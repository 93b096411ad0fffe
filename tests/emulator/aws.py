"""Clients of the emulated AWS: queues that subscribe to the topic, messages, tags, and the card in Slack."""

import html
import json
import textwrap

import boto3
import botocore.config
from world import ACCOUNT, CREDENTIALS, REGION, wait_until


def client(service, address):
    """Returns a client for the emulator that ignores the caller's AWS configuration."""
    config = botocore.config.Config(proxies={}, retries={"total_max_attempts": 1}, read_timeout=10)
    return boto3.client(
        service,
        endpoint_url=address,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=config,
    )


def subscribed_queue(sqs, sns, topic, name, filter_policy=None):
    """Creates a queue that is subscribed to the topic; returns its URL."""
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    statement |= {"Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    attributes = {"FilterPolicy": json.dumps(filter_policy)} if filter_policy else {}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    return queue


def subscribe(sns, topic, endpoint):
    """Subscribes an HTTPS endpoint, and waits for its confirmation."""
    sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=endpoint)

    def confirmed():
        subscriptions = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        (https,) = [one for one in subscriptions if one["Protocol"] == "https"]
        return https["SubscriptionArn"].startswith("arn:")

    wait_until(confirmed, 10, "the confirmation of the HTTPS subscription")


def drain(sqs, queue):
    """Receives and deletes all messages of a queue; returns their bodies. Messages from SNS have an envelope."""
    bodies = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            bodies.append(json.loads(message["Body"]))
    return bodies


def attributes(message):
    """Returns the message's attributes: strings, or lists if there are several values."""
    read = {"String": str, "String.Array": json.loads}
    return {name: read[value["Type"]](value["Value"]) for name, value in message["MessageAttributes"].items()}


def repository_arn(name):
    return f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"


def declared(runtime):
    """Returns the resource tags that declare the runtime of a repository's images."""
    return [{"Key": "intended-runtime", "Value": runtime}]


def verdict_tag(digest, verdict, runtime):
    """Returns the verdict tag that the function adds to the image with this digest."""
    return f"preflight-{verdict}-{runtime}-{digest.removeprefix('sha256:')[:16]}"


def tags(ecr, repository, digest):
    """Returns the tags of an image."""
    (image,) = ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])["imageDetails"]
    return set(image.get("imageTags", []))


def show(title, card):
    """Prints the card as Slack shows it: Slack unescapes its three control characters."""
    content = card["content"]
    text = html.unescape("\n".join([content["title"], "", content["description"], "", *content["nextSteps"]]))
    print(f"\n{title}\n")
    print(textwrap.indent(text, "  | ", lambda _: True))
