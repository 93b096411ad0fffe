"""Packages the template and deploys it with CloudFormation alone, like a user without SAM, but to the emulator."""

import subprocess
import sys
import time
from pathlib import Path

from aws import client
from stack import architecture
from world import REGION, Unusable

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
BUCKET, KEY = "releases", "ecr-preflight-lambda.zip"


class Packaged:
    """Replaces `Sam` for a template without SAM. `Sam` builds the function for both."""

    def __init__(self, work, address=""):
        self.template, self.zip = work / "ecr-preflight.cfn.yaml", work / KEY
        self.function = work / "build" / "Function" / "bootstrap"
        self.address = address

    def build(self):
        """Packages the template and the function, as `make package` does."""
        package(PACKAGING / "template.py", self.template)
        package(PACKAGING / "archive.py", self.zip, self.function)

    def deploy(self, stack, **parameters):
        """Creates the stack, or updates it with these parameters."""
        began = time.monotonic()
        self._upload()
        values = {"CodeBucket": BUCKET, "CodeKey": KEY, "FunctionArchitecture": architecture(), **parameters}
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
        client("s3", self.address).delete_object(Bucket=BUCKET, Key=KEY)

    def _upload(self):
        s3 = client("s3", self.address)
        if BUCKET not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.upload_file(str(self.zip), BUCKET, KEY)

    @staticmethod
    def _wait(formation, done, stack):
        formation.get_waiter(done).wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def package(*command):
    """Runs one of the packaging scripts."""
    done = subprocess.run([sys.executable, "-B", *map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unusable(f"{command[0]} ended with exit code {done.returncode}:\n{done.stderr}{done.stdout}")
