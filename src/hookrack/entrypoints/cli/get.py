"""`hookrack get`."""

import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import quote

import click
import httpx
import orjson

from hookrack.entrypoints.cli.connection import find_connection
from hookrack.entrypoints.cli.options import help_of
from hookrack.errors import Code, Rejected, Unavailable
from hookrack.model import encode_entry
from hookrack.settings import Settings, load_settings


@click.command(epilog="Example: hookrack get deploys --account acme")
@click.argument("key")
@click.option("--account", envvar="HOOKRACK_ACCOUNT", help="The account that the key belongs to.")
@click.option("--raw", is_flag=True, help="The data alone, byte for byte.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line, on a terminal too.")
@click.option("--data-dir", type=click.Path(path_type=Path), help=help_of("data_dir"))
def get(*, key: str, account: str | None, raw: bool, as_json: bool, data_dir: Path | None) -> int:
    """Print the newest entry under a webhook key; exit code 1 when there is none.

    Asks the server named by HOOKRACK_URL, or the one that runs on the data directory; where none
    runs, the embedded store is started for this one command.
    """
    settings = load_settings({"data_dir": data_dir}, environ=os.environ)
    body = _ask_server(settings, key, account, raw=raw)
    if body is None:
        body = asyncio.run(_ask_store(settings, key, account, raw=raw))
    if not raw:
        body = _pretty(body) if sys.stdout.isatty() and not as_json else body + b"\n"
    sys.stdout.buffer.write(body)
    return 0


def _pretty(body: bytes) -> bytes:
    """For eyes; numbers that no double holds make it the plain line."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2) + b"\n"
    except orjson.JSONDecodeError:
        return body + b"\n"


def _ask_server(settings: Settings, key: str, account: str | None, *, raw: bool) -> bytes | None:
    """The answer of a running server, or None when none was left behind in the data directory."""
    connection = find_connection(settings.data_dir)
    if connection is None:
        return None
    try:
        path = f"/v1/keys/{quote(key, safe='')}"
        return connection.get(path, account=account, raw=raw).content
    except httpx.ConnectError as exc:
        if os.environ.get("HOOKRACK_URL"):
            raise Unavailable(
                Code.STORE_UNAVAILABLE, f"Nothing answers at {connection.url}."
            ) from exc
        return None
    except httpx.HTTPError as exc:
        detail = f"{connection.url} fails: {type(exc).__name__}."
        raise Unavailable(Code.STORE_UNAVAILABLE, detail) from exc


async def _ask_store(settings: Settings, key: str, account: str | None, *, raw: bool) -> bytes:
    from hookrack.app import open_app  # noqa: PLC0415 - not needed to talk to a server
    from hookrack.pipeline import read  # noqa: PLC0415

    if account is None:
        raise Rejected(Code.ACCOUNT_REQUIRED, "Name the account with --account.")
    async with open_app(settings) as app:
        entry = await read(account, key, app.store)
    return entry.data if raw else encode_entry(entry)
