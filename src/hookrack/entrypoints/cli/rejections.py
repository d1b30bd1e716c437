"""`hookrack rejections list|show|replay`."""

from pathlib import Path
from typing import Any, Final

import click

from hookrack.entrypoints.cli.options import data_dir_option, json_option
from hookrack.entrypoints.cli.which import (
    Listing,
    all_option,
    filter_options,
    named,
    renew_option,
)

_SKIPPED: Final = "Skipped were those without a whole body, or without their flow"
_UNTRUSTED: Final = ", and those with a bad signature or credential; --trust takes them in"
_LIST: Final = Listing(
    "/v1/rejections",
    field="rejections",
    columns=("eventId", "account", "flow", "reason", "receivedAt", "client", "detail"),
)
_which: Final = filter_options(
    when="Received", reason="The code of the refusal, such as MODEL_VIOLATION."
)


@click.group("rejections")
def rejections() -> None:
    """See who was turned away and why, and let him in once the flow is mended."""


_LIST.add_to(
    rejections,
    _which,
    listed="Refused requests, the latest first.",
    shown="One refused request, with its headers and body; what can be a credential is ***.",
)


@rejections.command(epilog="Example: hookrack rejections replay --flow orders --dry-run")
@_which
@all_option
@click.option("--dry-run", is_flag=True, help="Only count how many would pass now.")
@click.option("--trust", is_flag=True, help="Those with a bad signature or credential as well.")
@renew_option
@json_option
@data_dir_option
def replay(
    *, everything: bool, dry_run: bool, trust: bool, renew_ttl: bool, as_json: bool,
    data_dir: Path | None, **wanted: Any,  # noqa: ANN401 - as click gives them
) -> int:  # fmt: skip
    """Let refused requests through the front door again, after the flow was mended."""
    body = named(wanted, everything=everything or dry_run)
    body |= {"all": everything, "dryRun": dry_run, "trust": trust, "renewTtl": renew_ttl}
    counts = _LIST.act("POST", "/replay", json=body, as_json=as_json, data_dir=data_dir)
    if counts["skipped"]:
        click.echo(f"{_SKIPPED}{'' if trust else _UNTRUSTED}.", err=True)
    return 0
