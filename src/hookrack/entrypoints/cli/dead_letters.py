"""`hookrack dead-letters list|show|redrive|discard`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import click
import orjson

from hookrack.entrypoints.cli.connection import Api, with_api
from hookrack.entrypoints.cli.options import data_dir_option, json_option
from hookrack.entrypoints.cli.output import show_json, show_rows

_Command = TypeVar("_Command", bound=Callable[..., Any])
_ADDRESS: Final = "/v1/dead-letters"
_COLUMNS: Final = ("eventId", "account", "flow", "reason", "attempts", "lastFailedAt", "detail")


def _filter_options(command: _Command) -> _Command:
    """Which dead letters: the options that list, redrive and discard share."""
    for option in (
        click.option("--id", "ids", multiple=True, help="An event id; may be repeated."),
        click.option("--to", help="Failed last before this time."),
        click.option("--from", "from", help="Failed last at this time or later (RFC 3339)."),
        click.option("--reason", help="The code it was buried with, such as FLOW_UNKNOWN."),
        click.option("--flow", help="Of this flow."),
        click.option("--account", help="Of this account."),
    ):
        command = option(command)
    return command


@click.group("dead-letters")
def dead_letters() -> None:
    """See what could not be stored, send it round again, or let it go."""


@dead_letters.command("list", epilog="Example: hookrack dead-letters list --reason FLOW_UNKNOWN")
@_filter_options
@click.option("--limit", type=click.IntRange(1, 1000), default=100, help="At most so many.")
@json_option
@data_dir_option
def list_(*, limit: int, as_json: bool, data_dir: Path | None, **wanted: Any) -> int:  # noqa: ANN401 - as click gives them
    """Dead letters, the one that failed last first."""

    async def work(api: Api) -> bytes:
        params = _given(wanted) | {"limit": limit}
        return (await api.ask("GET", _ADDRESS, params=params)).content

    found = orjson.loads(with_api(work, data_dir=data_dir))["deadLetters"]
    rows = found if as_json else [{name: each.get(name) for name in _COLUMNS} for each in found]
    show_rows(rows, as_json=as_json)
    return 0


@dead_letters.command(epilog="Example: hookrack dead-letters show AaIJzGaCC10mRrJ0pINbWA")
@click.argument("event_id", metavar="EVENT_ID")
@json_option
@data_dir_option
def show(*, event_id: str, as_json: bool, data_dir: Path | None) -> int:
    """One dead letter, with its envelope."""

    async def work(api: Api) -> bytes:
        return (await api.ask("GET", f"{_ADDRESS}/{quote(event_id, safe='')}")).content

    show_json(with_api(work, data_dir=data_dir), as_json=as_json)
    return 0


@dead_letters.command(epilog="Example: hookrack dead-letters redrive --account acme --dry-run")
@_filter_options
@click.option("--all", "everything", is_flag=True, help="All of them, where no filter is given.")
@click.option("--dry-run", is_flag=True, help="Only count what would happen.")
@click.option("--renew-ttl", is_flag=True, help="Their time to live begins anew, now.")
@json_option
@data_dir_option
def redrive(
    *, everything: bool, dry_run: bool, renew_ttl: bool, as_json: bool, data_dir: Path | None,
    **wanted: Any,  # noqa: ANN401 - as click gives them
) -> int:  # fmt: skip
    """Send dead letters round again, with their ids and times of receipt."""
    given = _given(wanted)
    if not (given or everything or dry_run):
        raise click.UsageError("Say which with a filter, or --all.")

    async def work(api: Api) -> bytes:
        body = given | {"all": everything, "dryRun": dry_run, "renewTtl": renew_ttl}
        return (await api.ask("POST", f"{_ADDRESS}/redrive", json=body)).content

    show_json(with_api(work, data_dir=data_dir), as_json=as_json)
    return 0


@dead_letters.command(epilog="Example: hookrack dead-letters discard --reason ENVELOPE_INVALID")
@_filter_options
@click.option("--all", "everything", is_flag=True, help="All of them, where no filter is given.")
@json_option
@data_dir_option
def discard(*, everything: bool, as_json: bool, data_dir: Path | None, **wanted: Any) -> int:  # noqa: ANN401 - as click gives them
    """Drop dead letters for good."""
    given = _given(wanted)
    if not given and not everything:
        raise click.UsageError("Say which with a filter, or --all.")

    async def work(api: Api) -> bytes:
        params = given or {"all": "true"}
        return (await api.ask("DELETE", _ADDRESS, params=params)).content

    show_json(with_api(work, data_dir=data_dir), as_json=as_json)
    return 0


def _given(wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if value}
