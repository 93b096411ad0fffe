#!/usr/bin/env python3
"""Checks the Terraform module without a provider: its syntax, its references, and the names in the packaged template.

    packaging/terraform/check.py TEMPLATE

`terraform validate` checks more, but downloads the AWS provider. Needs the packages python-hcl2 and
aws-sam-translator.
"""

import re
import sys
from pathlib import Path

import hcl2
from samtranslator.yaml_helper import yaml_parse

MODULE = Path(__file__).parent / "main.tf"


def main(template):
    text = MODULE.read_text()
    module = hcl2.loads(text)
    unquoted = lambda name: name.strip('"')
    variables = {unquoted(name) for block in module["variable"] for name in block}
    used = set(re.findall(r"\bvar\.(\w+)", text))
    if variables != used:
        sys.exit(f"error: variables that are declared or used only: {sorted(variables ^ used)}")
    resources = {
        f"{unquoted(kind)}.{unquoted(name)}"
        for block in module["resource"]
        for kind, named in block.items()
        for name in named
    }
    unknown = set(re.findall(r"\b(aws_\w+\.\w+)", text)) - resources
    if unknown:
        sys.exit(f"error: unknown resources: {sorted(unknown)}")
    parameters = yaml_parse(Path(template).read_text())["Parameters"]
    required = {name for name, parameter in parameters.items() if "Default" not in parameter}
    given = set(re.findall(r"^ {4}(\w+) += aws_s3_object", text, re.MULTILINE))
    if required != given:
        sys.exit(f"error: the template requires {sorted(required)}, the module gives {sorted(given)}")
    optional = set(re.findall(r'"(\w+)" =>', text))
    if not optional <= set(parameters):
        sys.exit(f"error: the template does not have {sorted(optional - set(parameters))}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
