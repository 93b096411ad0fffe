"""The template as a user has it: built and deployed by AWS SAM's own command-line tool, here to the emulator.

Does not know what the stack is good for.
"""

import os
import subprocess
import textwrap
import time

from aws import client
from world import CREDENTIALS, REGION, Unusable

# A build with link-time optimization and without anything cached is the longest of all.
LONGEST = 900


class Sam:
    """The tool, asked to look for AWS at this address and for nothing of the caller's own account."""

    def __init__(self, tools, root, work, address=""):
        self.tools, self.root, self.work = tools, root, work
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_", "PREFLIGHT_"))}
        self.environment = {
            **mine,
            **CREDENTIALS,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": address,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
            "SAM_CLI_TELEMETRY": "0",
            # Neither a look for a newer version nor an update of anything.
            "SAM_CLI_CHECK_VERSION": "0",
        }

    def build(self, architecture):
        """Builds the function for this architecture; the log of the build stays in the work directory."""
        parameters = ["--parameter-overrides", f"Architecture={architecture}"]
        self._run("build", "--template-file", str(self.root / "template.yaml"), "--build-dir", str(self.work / "build"), *parameters)

    def deploy(self, stack, **parameters):
        """Creates the stack, or changes it to these parameters."""
        told = [f"{name}={value}" for name, value in parameters.items()]
        self._run(
            "deploy",
            *("--template-file", str(self.work / "build" / "template.yaml")),
            *("--stack-name", stack, "--resolve-s3", "--capabilities", "CAPABILITY_IAM"),
            *("--no-confirm-changeset", "--no-progressbar", "--region", REGION),
            *("--parameter-overrides", *told),
        )

    def delete(self, stack):
        """Deletes the stack, and what was uploaded for it."""
        self._run("delete", "--stack-name", stack, "--no-prompts", "--region", REGION)

    def _run(self, command, *arguments):
        log, began = self.work / f"sam-{command}.log", time.monotonic()
        with log.open("wb") as output:
            done = subprocess.run(
                [str(self.tools / "sam"), command, *arguments],
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=LONGEST,
                check=False,
            )
        if done.returncode != 0:
            said = textwrap.indent("\n".join(log.read_text(errors="replace").splitlines()[-40:]), "  | ")
            raise Unusable(f"`sam {command}` ended with exit code {done.returncode}; the end of {log}:\n{said}")
        print(f"sam {command}: {time.monotonic() - began:.0f} s", flush=True)


def outputs(address, stack):
    """What the stack tells its user."""
    (described,) = client("cloudformation", address).describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def resources(address, stack):
    """What the stack is made of: the kind of each resource and its name."""
    made = client("cloudformation", address).describe_stack_resources(StackName=stack)["StackResources"]
    return [(resource["ResourceType"], resource["PhysicalResourceId"]) for resource in made]


def what_is_there(address):
    """Everything that the account holds of the kinds that the template makes: name by name, whoever made it."""
    names = {
        "functions": ("lambda", "list_functions", "Functions", "FunctionName"),
        "rules": ("events", "list_rules", "Rules", "Name"),
        "queues": ("sqs", "list_queues", "QueueUrls", None),
        "topics": ("sns", "list_topics", "Topics", "TopicArn"),
        "subscriptions": ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
        "logs": ("logs", "describe_log_groups", "logGroups", "logGroupName"),
        "alarms": ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        "dashboards": ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
        "roles": ("iam", "list_roles", "Roles", "RoleName"),
    }
    there = {}
    for kind, (service, operation, field, name) in names.items():
        found = getattr(client(service, address), operation)().get(field, [])
        there[kind] = {entry[name] if name else entry for entry in found}
    return there
