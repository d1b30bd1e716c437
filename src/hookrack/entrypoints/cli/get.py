"""`hookrack get`."""

from pathlib import Path

import click

from hookrack.client.calls import key_path
from hookrack.entrypoints.cli.connection import Api, with_api
from hookrack.entrypoints.cli.options import account_option, data_dir_option
from hookrack.entrypoints.cli.output import show_json, write


@click.command(epilog="Example: hookrack get deploys --account acme")
@click.argument("key")
@account_option
@click.option("--wait", type=click.IntRange(0, 30), help="For so many seconds, if there is none.")
@click.option("--raw", is_flag=True, help="The data alone, byte for byte.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line, on a terminal too.")
@data_dir_option
def get(
    *,
    key: str,
    account: str | None,
    wait: int | None,
    raw: bool,
    as_json: bool,
    data_dir: Path | None,
) -> int:
    """Print the newest entry under a webhook key; exit code 1 when there is none.

    Asks the server named by HOOKRACK_URL, or the one that runs on the data directory; where none
    runs, the embedded store is started for this one command.
    """
    path = key_path(key)

    async def work(api: Api) -> bytes:
        params = ({"raw": "true"} if raw else {}) | ({"wait": str(wait)} if wait else {})
        return (await api.ask("GET", path, params=params)).content

    body = with_api(work, data_dir=data_dir, account=account)
    if raw:
        write(body)
    else:
        show_json(body, as_json=as_json)
    return 0
