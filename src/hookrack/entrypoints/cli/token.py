"""`hookrack token create|list|revoke`."""

from pathlib import Path
from typing import Any

import click
import orjson

from hookrack.entrypoints.cli.connection import Api, with_api
from hookrack.entrypoints.cli.options import data_dir_option, json_option
from hookrack.entrypoints.cli.output import show_json, show_rows
from hookrack.tokens import SCOPES


@click.group()
def token() -> None:
    """Make, list and revoke tokens for the Set/Get API."""


@token.command(epilog="Example: hookrack token create erp --account acme --scope read --scope ack")
@click.argument("name")
@click.option("--account", "accounts", multiple=True, help="An account it is for; may be repeated.")
@click.option("--all-accounts", is_flag=True, help="It is for every account.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), required=True,
    help="What it may do; may be repeated. admin implies all.",
)  # fmt: skip
@click.option("--expires-at", help="When it ends, such as 2027-01-31T00:00:00Z.")
@json_option
@data_dir_option
def create(
    *, name: str, accounts: tuple[str, ...], all_accounts: bool, scopes: tuple[str, ...],
    expires_at: str | None, as_json: bool, data_dir: Path | None,
) -> int:  # fmt: skip
    """Make a token and print it; it is shown this once."""
    if all_accounts == bool(accounts):
        raise click.UsageError("Name accounts with --account, or say --all-accounts.")
    wanted: dict[str, Any] = {"name": name, "accounts": accounts or "*", "scopes": scopes}
    if expires_at:
        wanted["expiresAt"] = expires_at

    async def work(api: Api) -> bytes:
        return (await api.ask("POST", "/v1/tokens", json=wanted)).content

    show_json(with_api(work, data_dir=data_dir), as_json=as_json)
    return 0


@token.command("list", epilog="Example: hookrack token list")
@json_option
@data_dir_option
def list_(*, as_json: bool, data_dir: Path | None) -> int:
    """The tokens there are, without their texts."""

    async def work(api: Api) -> bytes:
        return (await api.ask("GET", "/v1/tokens")).content

    show_rows(orjson.loads(with_api(work, data_dir=data_dir))["tokens"], as_json=as_json)
    return 0


@token.command(epilog="Example: hookrack token revoke 3f9c2ab41d07")
@click.argument("token_id", metavar="ID")
@data_dir_option
def revoke(*, token_id: str, data_dir: Path | None) -> int:
    """Revoke a token; it is refused everywhere within a second."""

    async def work(api: Api) -> None:
        await api.ask("DELETE", f"/v1/tokens/{token_id}")

    with_api(work, data_dir=data_dir)
    return 0
