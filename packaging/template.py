#!/usr/bin/env python3
"""Writes the template without SAM: CloudFormation deploys it without a macro, a build or an upload by a tool.

    packaging/template.py OUTPUT

AWS's own translator expands the SAM resources of `template.yaml`. The result has three more parameters, `CodeBucket`,
`CodeKey` and `ConsumersCodeKey`, which say where the zips of the functions are. References to parameters stay references. Before it is written, the
result is compared with what the translator makes of `template.yaml` at a deployment with default parameters, as AWS does
it. Needs the package aws-sam-translator.
"""

import copy
import json
import os
import re
import sys
from pathlib import Path

import yaml
from samtranslator.public.translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

SOURCE = Path(__file__).parent.parent / "template.yaml"
# Of the translator; the output does not depend on it.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

PARAMETERS = {
    "CodeBucket": {
        "Type": "String",
        "Description": "The S3 bucket, in the region of the stack, that holds the zips of the functions.",
        "AllowedPattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        "ConstraintDescription": "the name of a bucket",
    },
    "CodeKey": {
        "Type": "String",
        "Description": (
            "The key of ecr-preflight-lambda-ARCHITECTURE.zip in that bucket. It must be of the architecture of the function. "
            "A stack notices a new zip only by a new key."
        ),
        "MinLength": 1,
        "MaxLength": 1024,
    },
    "ConsumersCodeKey": {
        "Type": "String",
        "Default": "none",
        "Description": (
            "The key of ecr-preflight-consumers-ARCHITECTURE.zip. It is only needed if Consumers, Hook or EcsHook is not off."
        ),
        "MinLength": 1,
        "MaxLength": 1024,
    },
}
# The parameter with the zip of each program: `BuildProperties.Binary`.
CODE_KEYS = {"bootstrap": "CodeKey", "consumers": "ConsumersCodeKey"}
LABELS = {
    "CodeBucket": "Bucket of the zips",
    "CodeKey": "Key of the zip",
    "ConsumersCodeKey": "Key of the zip of what Consumers, Hook and EcsHook need",
}
RULES = {
    "ConsumersCode": {
        "RuleCondition": {"Fn::Equals": [{"Ref": "ConsumersCodeKey"}, "none"]},
        "Assertions": [
            {
                "Assert": {"Fn::And": [{"Fn::Equals": [{"Ref": name}, "off"]} for name in ("Consumers", "Hook", "EcsHook")]},
                "AssertDescription": "Consumers, Hook and EcsHook need ConsumersCodeKey, unless they are off.",
            }
        ],
    }
}
# The largest template that is not uploaded to a bucket first ("CloudFormation quotas" in the user guide).
MAX_BYTES = 51_200
# Longer values are written into several lines. Many short lines would consist of indentation mostly.
MAX_LINE = 160
# Functions that every reader of templates knows in their short form.
SHORT_FORMS = ("Ref", "Fn::GetAtt", "Fn::Sub", "Fn::If", "Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or", "Fn::Join", "Fn::Select", "Fn::Split")
HEADING = """\
# Generated from template.yaml by packaging/template.py. It needs no SAM: upload the zips of the functions to a bucket, and
# give the bucket and the keys as parameters.
"""


def main(output):
    source = yaml_parse(SOURCE.read_text())
    packaged = package(source)
    check(packaged, source)
    written = HEADING + write(packaged)
    if len(written.encode()) > MAX_BYTES:
        sys.exit(f"error: the template has {len(written.encode())} bytes, but CloudFormation accepts {MAX_BYTES}")
    Path(output).write_text(written)


def package(source):
    """Returns the packaged template."""
    prepared = with_code(source, lambda program: {"Bucket": {"Ref": "CodeBucket"}, "Key": {"Ref": CODE_KEYS[program]}})
    # Without defaults, the translator cannot replace a reference by the default.
    for parameter in prepared["Parameters"].values():
        parameter.pop("Default", None)
    prepared["Parameters"] |= copy.deepcopy(PARAMETERS)
    packaged = translate(prepared, {})
    packaged["Parameters"] = PARAMETERS | source["Parameters"]
    groups = packaged["Metadata"]["AWS::CloudFormation::Interface"]
    groups["ParameterGroups"].insert(0, {"Label": {"default": "Code"}, "Parameters": list(PARAMETERS)})
    groups["ParameterLabels"] |= {name: {"default": label} for name, label in LABELS.items()}
    packaged["Rules"] |= copy.deepcopy(RULES)
    # Only for the repository of SAM applications.
    packaged["Metadata"].pop("AWS::ServerlessRepo::Application", None)
    order = list(source)
    return {name: packaged[name] for name in sorted(packaged, key=lambda name: order.index(name))}


def with_code(source, code):
    """Returns a copy of the SAM template whose functions have the code of their programs."""
    source = copy.deepcopy(source)
    for resource in source["Resources"].values():
        # Only for `sam build` and checkov.
        metadata = resource.pop("Metadata", None)
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = code(metadata["BuildProperties"]["Binary"])
    return source


def translate(source, parameters):
    """Expands the SAM resources."""
    # The template names no managed policy of AWS, so that none has to be looked up.
    translated = transform(source, parameters, Policies(None))
    return json.loads(json.dumps(translated))


class Policies(ManagedPolicyLoader):
    def load(self):
        return {}


def check(packaged, source):
    """Compares the packaged template with what AWS makes of the SAM template at a deployment with default parameters."""
    if "Transform" in packaged:
        sys.exit("error: the packaged template still has a transform")
    if any(resource["Type"].startswith("AWS::Serverless") for resource in packaged["Resources"].values()):
        sys.exit("error: the packaged template still has a resource of SAM")
    defaults = {name: str(one["Default"]) for name, one in source["Parameters"].items()}
    deployed = translate(with_code(source, lambda program: f"s3://bucket/{program}"), defaults)
    values = defaults | {"CodeBucket": "bucket"} | {name: program for program, name in CODE_KEYS.items()}
    deployed["Rules"] |= resolve(RULES, values)
    for section in ("Resources", "Outputs", "Conditions", "Rules"):
        ours, theirs = (resolve(one[section], values) for one in (packaged, deployed))
        for name in sorted(set(ours) | set(theirs)):
            if ours.get(name) != theirs.get(name):
                sys.exit(f"error: {section}.{name} differs\npackaged: {ours.get(name)}\nfrom SAM: {theirs.get(name)}")
    print(f"{len(packaged['Resources'])} resources, the same as those of the SAM template")


def resolve(value, values):
    """Replaces references to parameters by their values. Numbers become text, as in a reference."""
    if isinstance(value, dict):
        if list(value) == ["Ref"] and value["Ref"] in values:
            return values[value["Ref"]]
        return {name: resolve(inner, values) for name, inner in value.items()}
    if isinstance(value, list):
        return [resolve(inner, values) for inner in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def write(template):
    """Formats the template as YAML that indents by one space, which saves some kilobytes. PyYAML indents by two."""
    text = yaml.dump(template, Dumper=Dumper, sort_keys=False, width=1000)
    # The columns in which a value begins: before, and now.
    levels, lines, block = [(0, 0)], [], None
    for line in QUOTED.sub(r"!\1 \2", text).splitlines():
        content = line.lstrip(" ")
        column = len(line) - len(content)
        if block is not None and (not content or column > block):
            # In a block, spaces beyond its own indentation belong to its text.
            lines.append(" " * (levels[-1][1] + 1 + column - block - 2) + content)
            continue
        block = None
        while levels[-1][0] > column:
            levels.pop()
        if levels[-1][0] < column:
            levels.append((column, levels[-1][1] + 1))
        indent = levels[-1][1]
        lines.append(" " * indent + content)
        while content.startswith("- "):
            content, column, indent = content[2:], column + 2, indent + 2
            levels.append((column, indent))
        if content.endswith((": |", ": |-")):
            block = column
    written = "\n".join(lines) + "\n"
    if yaml_parse(written) != yaml_parse(text):
        sys.exit("error: the template with less indentation is another one")
    return written


# PyYAML quotes every text that has a tag.
QUOTED = re.compile(r"!(Ref|GetAtt) '([A-Za-z0-9.:]+)'")


class Dumper(yaml.SafeDumper):
    """Writes long texts as blocks, intrinsic functions in their short form, and no aliases."""

    def ignore_aliases(self, data):
        return True


def text(dumper, value):
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def mapping(dumper, value):
    """Writes the call of an intrinsic function in its short form, unless its argument is another call."""
    (name, argument), *others = value.items() or [("", None)]
    short = name.removeprefix("Fn::")
    if others or name not in SHORT_FORMS or isinstance(argument, dict):
        return dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=fits_line(value))
    if name == "Fn::GetAtt" and isinstance(argument, list):
        argument = ".".join(argument)
    if isinstance(argument, str):
        return dumper.represent_scalar(f"!{short}", argument)
    return dumper.represent_sequence(f"!{short}", argument, flow_style=fits_line(argument))


def sequence(dumper, value):
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=fits_line(value))


def fits_line(value):
    """Returns whether a value is written into one line."""
    return len(json.dumps(value)) <= MAX_LINE


Dumper.add_representer(str, text)
Dumper.add_representer(dict, mapping)
Dumper.add_representer(list, sequence)

if __name__ == "__main__":
    main(*sys.argv[1:])
