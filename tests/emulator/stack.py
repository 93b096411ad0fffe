"""Builds and deploys the template with the AWS SAM CLI, like a user, but to the emulator."""

import os
import platform
import signal
import subprocess
import textwrap
import time

from aws import client
from world import CREDENTIALS, REGION, Unusable

# The emulator runs the function as a process on this machine.
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}


class Sam:
    """The SAM CLI, configured for the emulator and without the caller's AWS configuration."""

    def __init__(self, tools, root, work, address=""):
        self.tools, self.root, self.work = tools, root, work
        others = ("AWS_", "SAM_", "PREFLIGHT_")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(others)},
            **CREDENTIALS,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": address,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            # The build may need the caller's proxy; the emulator does not.
            "NO_PROXY": f"{os.environ.get('NO_PROXY', '')},127.0.0.1",
            "SAM_CLI_TELEMETRY": "0",
        }

    def build(self):
        """Builds the function as described in the template."""
        self._run(
            "build",
            *("--template-file", str(self.root / "template.yaml"), "--build-dir", str(self.work / "build")),
            *("--parameter-overrides", f"FunctionArchitecture={architecture()}"),
        )

    def deploy(self, stack, **parameters):
        """Creates the stack, or updates it with these parameters."""
        overrides = [f"{name}={value}" for name, value in {"FunctionArchitecture": architecture(), **parameters}.items()]
        self._run(
            "deploy",
            *("--template-file", str(self.work / "build" / "template.yaml")),
            *("--stack-name", stack, "--resolve-s3", "--capabilities", "CAPABILITY_IAM"),
            *("--no-confirm-changeset", "--no-progressbar", "--region", REGION),
            *("--parameter-overrides", *overrides),
        )

    def delete(self, stack):
        """Deletes the stack and the files that were uploaded for it."""
        self._run("delete", "--stack-name", stack, "--no-prompts", "--region", REGION)

    def _run(self, command, *arguments):
        log, began = self.work / f"sam-{command}.log", time.monotonic()
        with log.open("wb") as output:
            code = ended([str(self.tools / "sam"), command, *arguments], self.root, self.environment, output)
        if code != 0:
            end = textwrap.indent("\n".join(log.read_text(errors="replace").splitlines()[-40:]), "  | ")
            raise Unusable(f"`sam {command}` ended with exit code {code}; the end of {log}:\n{end}")
        print(f"sam {command}: {time.monotonic() - began:.0f} s", flush=True)


def ended(command, directory, environment, output):
    """Runs a command and returns its exit code; on an interruption, kills it and its children."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
    running = subprocess.Popen(command, cwd=directory, env=environment, start_new_session=True, **streams)
    try:
        return running.wait()
    except BaseException:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        raise


def architecture():
    """Returns this machine's architecture, in the spelling of the template."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise Unusable(f"the function can be built for {' and '.join(ARCHITECTURES)}, but this machine is {machine}")
    return ARCHITECTURES[machine]


def outputs(address, stack):
    """Returns the outputs of the stack."""
    (described,) = client("cloudformation", address).describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def what_is_there(address):
    """Returns all resources in the account of the types that the template creates, by type. Of the bucket that SAM
    creates once for all stacks, only the content counts."""
    names = {
        "functions": ("lambda", "list_functions", "Functions", "FunctionName"),
        "mappings": ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
        "rules": ("events", "list_rules", "Rules", "Name"),
        "queues": ("sqs", "list_queues", "QueueUrls", None),
        "topics": ("sns", "list_topics", "Topics", "TopicArn"),
        "subscriptions": ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
        "logs": ("logs", "describe_log_groups", "logGroups", "logGroupName"),
        "alarms": ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        "dashboards": ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
        "roles": ("iam", "list_roles", "Roles", "RoleName"),
        "tables": ("dynamodb", "list_tables", "TableNames", None),
        "schedules": ("scheduler", "list_schedules", "Schedules", "Name"),
    }
    there = {}
    for kind, (service, operation, field, name) in names.items():
        found = getattr(client(service, address), operation)().get(field, [])
        there[kind] = {entry[name] if name else entry for entry in found}
    s3 = client("s3", address)
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    there["uploads"] = {
        entry["Key"] for bucket in buckets for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    }
    return there
