"""Which dead letters or rejections a command means, and the calls that both lists have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import quote

import click
import orjson

from hookrack.entrypoints.cli.connection import Api, with_api
from hookrack.entrypoints.cli.options import data_dir_option, json_option
from hookrack.entrypoints.cli.output import show_json, show_rows

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Fields: TypeAlias = dict[str, Any]
_Options: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]
limit_option: Final = click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, help="At most so many."
)
all_option: Final = click.option(
    "--all", "everything", is_flag=True, help="All of them, where no filter is given."
)
renew_option: Final = click.option(
    "--renew-ttl", is_flag=True, help="Their time to live begins anew, now."
)


def filter_options(*, when: str, reason: str) -> Callable[[_Command], _Command]:
    """The options that say which; `when` and `reason` are words for their help."""

    def put(command: _Command) -> _Command:
        for option in (
            click.option("--id", "ids", multiple=True, help="An event id; may be repeated."),
            click.option("--to", help=f"{when} before this time."),
            click.option("--from", "from", help=f"{when} at this time or later (RFC 3339)."),
            click.option("--reason", help=reason),
            click.option("--flow", help="Of this flow."),
            click.option("--account", help="Of this account."),
        ):
            command = option(command)
        return command

    return put


def named(wanted: dict[str, Any], *, everything: bool) -> dict[str, Any]:
    """The filters that were given. Raises: UsageError where that is everything by oversight."""
    given = given_of(wanted)
    if not (given or everything):
        raise click.UsageError("Say which with a filter, or --all.")
    return given


def given_of(wanted: dict[str, Any]) -> dict[str, Any]:
    """The filters that were given."""
    return {name: value for name, value in wanted.items() if value}


class Listing:
    """One of the lists: its address below the API, its field in the answer, what a table shows."""

    def __init__(self, address: str, *, field: str, columns: tuple[str, ...]) -> None:
        self.address = address
        self._field, self._columns = field, columns

    def add_to(self, group: click.Group, which: _Options, *, listed: str, shown: str) -> None:
        """Give a command its `list` and its `show`, with a line of help for each."""

        @group.command("list", help=listed, epilog=f"Example: hookrack {group.name} list --limit 5")
        @which
        @limit_option
        @json_option
        @data_dir_option
        def _(*, limit: int, as_json: bool, data_dir: Path | None, **wanted: Any) -> int:  # noqa: ANN401 - as click gives them
            self.show_page(wanted, limit=limit, as_json=as_json, data_dir=data_dir)
            return 0

        @group.command(
            "show", help=shown, epilog=f"Example: hookrack {group.name} show AaIJzGaCC10mRrJ0pINbWA"
        )
        @click.argument("event_id", metavar="EVENT_ID")
        @json_option
        @data_dir_option
        def _(*, event_id: str, as_json: bool, data_dir: Path | None) -> int:
            self.show_one(event_id, as_json=as_json, data_dir=data_dir)
            return 0

    def show_page(
        self, wanted: dict[str, Any], *, limit: int, as_json: bool, data_dir: Path | None
    ) -> None:
        """Print those that fit, the latest first."""
        params = given_of(wanted) | {"limit": limit}
        answer = self._call("GET", "", data_dir=data_dir, params=params)
        found = orjson.loads(answer)[self._field]
        if not as_json:
            found = [{name: each.get(name) for name in self._columns} for each in found]
        show_rows(found, as_json=as_json)

    def show_one(self, event_id: str, *, as_json: bool, data_dir: Path | None) -> None:
        """Print one with all that was kept of it."""
        answer = self._call("GET", f"/{quote(event_id, safe='')}", data_dir=data_dir)
        show_json(answer, as_json=as_json)

    def act(
        self, method: str, path: str = "", *, as_json: bool, data_dir: Path | None, **call: _Fields
    ) -> _Fields:
        """Make a call on those that fit (`params` or `json`); its counts, which are printed."""
        counts = self._call(method, path, data_dir=data_dir, **call)
        show_json(counts, as_json=as_json)
        found: _Fields = orjson.loads(counts)
        return found

    def _call(
        self,
        method: str,
        path: str,
        *,
        data_dir: Path | None,
        params: _Fields | None = None,
        json: _Fields | None = None,
    ) -> bytes:
        async def work(api: Api) -> bytes:
            answer = await api.ask(method, self.address + path, params=params, json=json)
            return answer.content

        return with_api(work, data_dir=data_dir)
