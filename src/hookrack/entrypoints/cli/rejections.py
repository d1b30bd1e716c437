"""`hookrack rejections list|show|replay`."""

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
_ADDRESS: Final = "/v1/rejections"
_COLUMNS: Final = ("eventId", "account", "flow", "reason", "receivedAt", "client", "detail")


def _filter_options(command: _Command) -> _Command:
    """Which rejections: the options that list and replay share."""
    for option in (
        click.option("--id", "ids", multiple=True, help="An event id; may be repeated."),
        click.option("--to", help="Received before this time."),
        click.option("--from", "from", help="Received at this time or later (RFC 3339)."),
        click.option("--reason", help="The code of the refusal, such as MODEL_VIOLATION."),
        click.option("--flow", help="Of this flow."),
        click.option("--account", help="Of this account."),
    ):
        command = option(command)
    return command


@click.group("rejections")
def rejections() -> None:
    """See who was turned away and why, and let him in once the flow is mended."""


@rejections.command("list", epilog="Example: hookrack rejections list --flow orders")
@_filter_options
@click.option("--limit", type=click.IntRange(1, 1000), default=100, help="At most so many.")
@json_option
@data_dir_option
def list_(*, limit: int, as_json: bool, data_dir: Path | None, **wanted: Any) -> int:  # noqa: ANN401 - as click gives them
    """Refused requests, the latest first."""

    async def work(api: Api) -> bytes:
        params = _given(wanted) | {"limit": limit}
        return (await api.ask("GET", _ADDRESS, params=params)).content

    found = orjson.loads(with_api(work, data_dir=data_dir))["rejections"]
    rows = found if as_json else [{name: each.get(name) for name in _COLUMNS} for each in found]
    show_rows(rows, as_json=as_json)
    return 0


@rejections.command(epilog="Example: hookrack rejections show AaIJzGaCC10mRrJ0pINbWA")
@click.argument("event_id", metavar="EVENT_ID")
@json_option
@data_dir_option
def show(*, event_id: str, as_json: bool, data_dir: Path | None) -> int:
    """One refused request, with its headers and body; what can be a credential is ***."""

    async def work(api: Api) -> bytes:
        return (await api.ask("GET", f"{_ADDRESS}/{quote(event_id, safe='')}")).content

    show_json(with_api(work, data_dir=data_dir), as_json=as_json)
    return 0


@rejections.command(epilog="Example: hookrack rejections replay --flow orders --dry-run")
@_filter_options
@click.option("--all", "everything", is_flag=True, help="All of them, where no filter is given.")
@click.option("--dry-run", is_flag=True, help="Only count how many would pass now.")
@click.option("--trust", is_flag=True, help="Those with a bad signature or credential as well.")
@click.option("--renew-ttl", is_flag=True, help="Their time to live begins anew, now.")
@json_option
@data_dir_option
def replay(
    *, everything: bool, dry_run: bool, trust: bool, renew_ttl: bool, as_json: bool,
    data_dir: Path | None, **wanted: Any,  # noqa: ANN401 - as click gives them
) -> int:  # fmt: skip
    """Let refused requests through the front door again, after the flow was mended."""
    given = _given(wanted)
    if not (given or everything or dry_run):
        raise click.UsageError("Say which with a filter, or --all.")

    async def work(api: Api) -> bytes:
        body = given | {"all": everything, "dryRun": dry_run, "trust": trust}
        answer = await api.ask("POST", f"{_ADDRESS}/replay", json=body | {"renewTtl": renew_ttl})
        return answer.content

    show_json(with_api(work, data_dir=data_dir), as_json=as_json)
    return 0


def _given(wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if value}
