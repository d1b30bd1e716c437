"""`hookrack aws`."""

import os
from pathlib import Path
from typing import Final

import click

from hookrack.entrypoints.cli.options import json_option
from hookrack.entrypoints.cli.output import show_rows, write

_ARCHITECTURES: Final = ("arm64", "x86_64")


@click.group(short_help="The same flow file on AWS.")
def aws() -> None:
    """The same flow file on AWS: API Gateway, SQS, Lambda and a Redis there."""


@aws.command(epilog="Example: hookrack aws package --out build hookrack.yaml")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The folder to write to; made if it isn't there.",
)
@click.option(
    "--arch",
    "architectures",
    multiple=True,
    type=click.Choice(_ARCHITECTURES),
    help="For which processor; may be given twice. [default: both]",
)
@click.option("--python", default="3.13", show_default=True, help="The Python of the functions.")
@json_option
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
def package(
    *, out: Path, architectures: tuple[str, ...], python: str, as_json: bool, file: Path
) -> None:
    """Build the zips of the Lambda functions, with FILE and what it names inside.

    Wheels are pinned by hash and fetched by pip for Lambda, not for this machine. The same input
    gives the same bytes.
    """
    from hookrack.aws.packing import pack  # noqa: PLC0415 - only this command needs it

    made = pack(file, out, architectures=architectures or _ARCHITECTURES, python=python)
    rows = [
        {"file": str(each.path), "bytes": each.size, "unpackedBytes": each.unpacked}
        for each in made
    ]
    show_rows(rows, as_json=as_json)


@aws.command(epilog="Example: hookrack aws template hookrack.yaml > template.yaml")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
def template(*, file: Path) -> None:
    """Print the CloudFormation (SAM) template of the stack for FILE.

    Each flow goes straight from API Gateway to SQS where that can do all that the flow asks for,
    else through a function; a comment above its path says which, and why. Secrets need not be
    set: the template refers to them. The same file gives the same text.
    """
    from hookrack.aws.printing import print_stack  # noqa: PLC0415 - only this command needs it
    from hookrack.aws.reading import read_source  # noqa: PLC0415
    from hookrack.aws.stack import build_stack  # noqa: PLC0415

    stack = build_stack(read_source(file, environ=os.environ))
    write(print_stack(stack, name=str(file)).encode())
