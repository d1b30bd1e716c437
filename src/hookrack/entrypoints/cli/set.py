"""`hookrack set`."""

import sys
from pathlib import Path

import click

from hookrack.client.calls import key_path
from hookrack.entrypoints.cli.connection import Api, with_api
from hookrack.entrypoints.cli.options import account_option, data_dir_option, json_option
from hookrack.entrypoints.cli.output import show_json
from hookrack.model import JSON_TYPE


@click.command("set", epilog="Example: echo 7 | hookrack set erp --account acme --ttl 1h")
@click.argument("key")
@account_option
@click.option("--ttl", help="How long it stays, such as 90s or 6h; else as the account says.")
@click.option("--content-type", default=JSON_TYPE, show_default=True, help="What the data is.")
@json_option
@data_dir_option
def set_(
    *, key: str, account: str | None, ttl: str | None, content_type: str, as_json: bool,
    data_dir: Path | None,
) -> int:  # fmt: skip
    """Set what comes on standard input under a webhook key; prints the entry without its data."""
    path = key_path(key)
    data = sys.stdin.buffer.read()
    headers = {"content-type": content_type} | ({"hookrack-ttl": ttl} if ttl else {})

    async def work(api: Api) -> bytes:
        return (await api.ask("PUT", path, content=data, headers=headers)).content

    show_json(with_api(work, data_dir=data_dir, account=account), as_json=as_json)
    return 0
