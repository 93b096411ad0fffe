"""Packages the template and deploys it with CloudFormation alone, like a user without SAM, but to the emulator."""

import subprocess
import sys
import time
from pathlib import Path

from aws import client
from stack import architecture
from world import REGION, Unusable

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
BUCKET = "releases"
# The function in the build of SAM, by the key of the zip of its program.
PROGRAMS = {"ecr-preflight-lambda.zip": "Function", "ecr-preflight-consumers.zip": "CensusFunction"}


class Packaged:
    """Replaces `Sam` for a template without SAM. `Sam` builds the functions for both."""

    def __init__(self, work, address=""):
        self.template, self.work, self.address = work / "ecr-preflight.cfn.yaml", work, address

    def build(self):
        """Packages the template and the functions, as `make package` does."""
        package(PACKAGING / "template.py", self.template)
        for key, function in PROGRAMS.items():
            package(PACKAGING / "archive.py", self.work / key, self.work / "build" / function / "bootstrap")

    def deploy(self, stack, **parameters):
        """Creates the stack, or updates it with these parameters."""
        began = time.monotonic()
        self._upload()
        keys = dict(zip(("CodeKey", "ConsumersCodeKey"), PROGRAMS))
        values = {"CodeBucket": BUCKET, **keys, "FunctionArchitecture": architecture(), **parameters}
        formation = client("cloudformation", self.address)
        exists = any(one["StackName"] == stack for one in formation.describe_stacks()["Stacks"])
        deploy, done = (
            (formation.update_stack, "stack_update_complete") if exists else (formation.create_stack, "stack_create_complete")
        )
        deploy(
            StackName=stack,
            TemplateBody=self.template.read_text(),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()],
        )
        self._wait(formation, done, stack)
        print(f"{'update' if exists else 'create'}-stack: {time.monotonic() - began:.0f} s", flush=True)

    def delete(self, stack):
        """Deletes the stack and the files that were uploaded for it."""
        formation = client("cloudformation", self.address)
        formation.delete_stack(StackName=stack)
        self._wait(formation, "stack_delete_complete", stack)
        for key in PROGRAMS:
            client("s3", self.address).delete_object(Bucket=BUCKET, Key=key)

    def _upload(self):
        s3 = client("s3", self.address)
        if BUCKET not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        for key in PROGRAMS:
            s3.upload_file(str(self.work / key), BUCKET, key)

    @staticmethod
    def _wait(formation, done, stack):
        formation.get_waiter(done).wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def package(*command):
    """Runs one of the packaging scripts."""
    done = subprocess.run([sys.executable, "-B", *map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unusable(f"{command[0]} ended with exit code {done.returncode}:\n{done.stderr}{done.stdout}")
