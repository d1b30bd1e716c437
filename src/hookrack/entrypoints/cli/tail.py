"""`hookrack tail`."""

from contextlib import aclosing
from datetime import datetime
from pathlib import Path

import click

from hookrack.client import ApiError, AsyncClient
from hookrack.client.calls import key_path
from hookrack.entrypoints.cli.connection import with_client
from hookrack.entrypoints.cli.options import account_option, data_dir_option, json_option
from hookrack.entrypoints.cli.shown import parse_since, show_entry


@click.command(epilog="Example: hookrack tail erp --account acme --from 15m")
@click.argument("key")
@account_option
@click.option(
    "--from",
    "since",
    type=parse_since,
    metavar="TIME",
    help="Begin with what was stored then: a time, 15m, or now.",
)
@click.option("--after", metavar="CURSOR", help="Begin behind the entry with this cursor.")
@click.option("--limit", type=click.IntRange(min=1), help="End after so many entries.")
@json_option
@data_dir_option
def tail(
    *, key: str, account: str | None, since: datetime | None, after: str | None, limit: int | None,
    as_json: bool, data_dir: Path | None,
) -> int:  # fmt: skip
    """Print what is under a webhook key, and then each entry as it comes, until Ctrl-C.

    A server that goes away and comes back is followed on: each entry is printed once. Where no
    server runs, what the embedded store has is printed, and that is all.
    """
    key_path(key)  # is it one?

    async def work(client: AsyncClient, served: bool) -> None:
        if served:
            found = client.follow(key, after=after, since=since, on_cut=_tell_cut)
        else:
            found = client.history(key, after=after, since=since)
        async with aclosing(found) as entries:
            count = 0
            async for entry in entries:
                show_entry(entry, as_json=as_json)
                count += 1
                if count == limit:
                    return
        click.echo("No server runs here: that is all there is.", err=True)

    with_client(work, data_dir=data_dir, account=account)
    return 0


def _tell_cut(exc: ApiError) -> None:
    """Say once why nothing comes."""
    click.echo(f"hookrack: {exc.detail} Trying again.", err=True)
