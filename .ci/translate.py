# ruff: noqa: INP001 - a script, no package
"""A SAM template in, the CloudFormation that AWS makes of it out; without AWS.

Runs where aws-sam-translator is, which is not the project's own environment: see .ci/stack-tools.
"""

import json
import os
import sys
from pathlib import Path

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class ManagedPolicies:
    """SAM asks AWS for these by name; the template names none that way."""

    def load(self) -> dict[str, str]:
        """None."""
        return {}


if __name__ == "__main__":
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")  # only asked whether there is one
    template = yaml_parse(Path(sys.argv[1]).read_text(encoding="utf-8"))
    json.dump(transform(template, {}, ManagedPolicies()), sys.stdout, indent=1)
