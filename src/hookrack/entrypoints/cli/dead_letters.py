"""`hookrack dead-letters list|show|redrive|discard`."""

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

_LIST: Final = Listing(
    "/v1/dead-letters",
    field="deadLetters",
    columns=("eventId", "account", "flow", "reason", "attempts", "lastFailedAt", "detail"),
)
_which: Final = filter_options(
    when="Failed last", reason="The code it was buried with, such as FLOW_UNKNOWN."
)


@click.group("dead-letters")
def dead_letters() -> None:
    """See what could not be stored, send it round again, or let it go."""


_LIST.add_to(
    dead_letters,
    _which,
    listed="Dead letters, the one that failed last first.",
    shown="One dead letter, with its envelope.",
)


@dead_letters.command(epilog="Example: hookrack dead-letters redrive --account acme --dry-run")
@_which
@all_option
@click.option("--dry-run", is_flag=True, help="Only count what would happen.")
@renew_option
@json_option
@data_dir_option
def redrive(
    *, everything: bool, dry_run: bool, renew_ttl: bool, as_json: bool, data_dir: Path | None,
    **wanted: Any,  # noqa: ANN401 - as click gives them
) -> int:  # fmt: skip
    """Send dead letters round again, with their ids and times of receipt."""
    body = named(wanted, everything=everything or dry_run)
    body |= {"all": everything, "dryRun": dry_run, "renewTtl": renew_ttl}
    _LIST.act("POST", "/redrive", json=body, as_json=as_json, data_dir=data_dir)
    return 0


@dead_letters.command(epilog="Example: hookrack dead-letters discard --reason ENVELOPE_INVALID")
@_which
@all_option
@json_option
@data_dir_option
def discard(*, everything: bool, as_json: bool, data_dir: Path | None, **wanted: Any) -> int:  # noqa: ANN401 - as click gives them
    """Drop dead letters for good."""
    params = named(wanted, everything=everything) or {"all": "true"}
    _LIST.act("DELETE", params=params, as_json=as_json, data_dir=data_dir)
    return 0
