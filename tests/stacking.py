"""What tests of the AWS stack stand on: printed, read back, and made into plain CloudFormation."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML
from samtranslator.translator.transform import transform

from hookrack.aws.printing import print_stack
from hookrack.aws.reading import read_source
from hookrack.aws.stack import build_stack

EXAMPLE: Final = Path(__file__).parents[1] / "examples" / "aws" / "hookrack.yaml"


class _NoPolicies:
    """SAM asks for managed policies by name; the template names none that way."""

    def load(self) -> dict[str, str]:
        return {}


def printed(path: Path = EXAMPLE, **environ: str) -> str:
    """The template as `hookrack aws template` prints it."""
    return print_stack(build_stack(read_source(path, environ=environ)), name=str(path))


def read_back(text: str) -> dict[str, Any]:
    """The document that a template's text is."""
    return dict(YAML(typ="safe", pure=True).load(text))


def translated(text: str) -> dict[str, Any]:
    """What AWS makes of it, by its own translator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", os.environ.get("AWS_DEFAULT_REGION", "eu-west-1"))
        return dict(transform(read_back(text), {}, _NoPolicies()))


def of_type(stack: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The properties of a stack's resources of one type, by name."""
    return {
        name: each.get("Properties", {})
        for name, each in stack["Resources"].items()
        if each["Type"] == kind
    }


def operations(stack: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The operations of one path, in whichever API it is."""
    found = [
        each["DefinitionBody"]["paths"][path]
        for each in of_type(stack, "AWS::Serverless::Api").values()
        if path in each["DefinitionBody"]["paths"]
    ]
    assert len(found) == 1
    return dict(found[0])


def integration(stack: Mapping[str, Any], path: str) -> dict[str, Any]:
    """How API Gateway calls SQS for one direct path."""
    return dict(operations(stack, path)["post"]["x-amazon-apigateway-integration"])


def write_flow(folder: Path, fields: str, *, template: str = "{}", variables: str = "") -> Path:
    """A flow file of one flow, whose `fields` are YAML lines."""
    (folder / "t.vtl").write_text(template, encoding="utf-8")
    lines = "\n".join(f"        {line}" for line in (fields + variables).strip().splitlines())
    text = f"version: 1\naccounts:\n  acme:\n    flows:\n      f:\n{lines}\n"
    path = folder / "hookrack.yaml"
    path.write_text(text, encoding="utf-8")
    return path
