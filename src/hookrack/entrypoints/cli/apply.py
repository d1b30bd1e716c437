"""`hookrack apply` and `hookrack export`: a flow file into what is live, and back."""

import os
import sys
from pathlib import Path
from typing import Any

import click
import orjson
from ruamel.yaml import YAML

from hookrack.edge.auth import Credential
from hookrack.entrypoints.cli.connection import Api, with_api
from hookrack.entrypoints.cli.options import data_dir_option
from hookrack.flows import Configuration, account_document, flow_document, read_configuration


@click.command(epilog="Example: hookrack apply hookrack.yaml --prune")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--prune", is_flag=True, help="Also drop what the API made and the file lacks.")
@data_dir_option
def apply(*, file: Path, prune: bool, data_dir: Path | None) -> int:
    """Put the accounts and flows of a file in force, as calls of the API would.

    What stands in the file that the server itself was given can't be changed this way.
    """
    wanted = read_configuration(file, environ=os.environ)

    async def work(api: Api) -> list[str]:
        done = [await _put(api, *each) for each in _documents(wanted)]
        return done + (await _prune(api, wanted) if prune else [])

    for line in with_api(work, data_dir=data_dir):
        click.echo(line)
    return 0


def _documents(wanted: Configuration) -> list[tuple[str, dict[str, Any]]]:
    """Addresses below /v1/accounts and what goes there, accounts before their flows."""
    found: list[tuple[str, dict[str, Any]]] = []
    for account in wanted.accounts.values():
        found.append((account.id, account_document(account)))
        found += [
            (f"{account.id}/flows/{flow.id}", flow_document(flow, show=_sent))
            for flow in account.flows.values()
        ]
    return found


def _sent(_place: int, credential: Credential) -> dict[str, Any]:
    return {"value": credential.secret.reveal(), "variable": credential.variable}


async def _put(api: Api, address: str, document: dict[str, Any]) -> str:
    answer = await api.ask("PUT", f"/v1/accounts/{address}", json=document)
    return f"{'made' if answer.status_code == 201 else 'set'} {address}"


async def _prune(api: Api, wanted: Configuration) -> list[str]:
    """Drop the API's own flows and accounts that the file doesn't name."""
    live = orjson.loads((await api.ask("GET", "/v1/accounts")).content)["accounts"]
    done = []
    for account in live:
        keep = wanted.accounts.get(account["account"])
        flows = [each for each in account["flows"].values() if each["owner"] == "api"]
        for flow in flows:
            if keep is None or flow["flow"] not in keep.flows:
                address = f"{account['account']}/flows/{flow['flow']}"
                await api.ask("DELETE", f"/v1/accounts/{address}")
                done.append(f"dropped {address}")
        if keep is None and account["owner"] == "api":
            await api.ask("DELETE", f"/v1/accounts/{account['account']}")
            done.append(f"dropped {account['account']}")
    return done


@click.command(epilog="Example: hookrack export > live.yaml")
@data_dir_option
def export(*, data_dir: Path | None) -> int:
    """Print what is live as a flow file; secrets stand in it as ${NAME}."""

    async def work(api: Api) -> bytes:
        return (await api.ask("GET", "/v1/accounts")).content

    accounts = orjson.loads(with_api(work, data_dir=data_dir))["accounts"]
    document = {"version": 1, "accounts": {each["account"]: _account(each) for each in accounts}}
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(document, sys.stdout)
    return 0


def _account(shown: dict[str, Any]) -> dict[str, Any]:
    """An account as the API shows it, as a flow file has it."""
    own = {name: value for name, value in shown.items() if name not in ("account", "owner")}
    own["flows"] = {
        name: {key: value for key, value in flow.items() if key not in ("flow", "account", "owner")}
        for name, flow in shown["flows"].items()
    }
    return own
