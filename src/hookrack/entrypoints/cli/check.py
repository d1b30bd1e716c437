"""`hookrack check`."""

import os
from pathlib import Path

import click

from hookrack.errors import ConfigError
from hookrack.flows import read_configuration
from hookrack.settings import load_settings


@click.command(epilog="Example: hookrack check hookrack.yaml")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
def check(files: tuple[Path, ...]) -> int:
    """Check flow files offline: exit code 0 when all are good, 2 when one is not."""
    faults = [fault for file in files if (fault := _check(file))]
    for fault in faults:
        click.echo(f"hookrack: {fault}", err=True)
    return 2 if faults else 0


def _check(file: Path) -> ConfigError | None:
    """The first fault of one file; says so where there is none."""
    try:
        configuration = read_configuration(file, environ=os.environ)
        load_settings({}, environ=os.environ, file=configuration.settings, file_name=str(file))
        if any(flow.front == "direct" for flow in configuration.flows()):
            from hookrack.aws.doors import choose_doors  # noqa: PLC0415 - few files ask for it

            choose_doors(configuration)
    except ConfigError as exc:
        return exc
    accounts = configuration.accounts.values()
    flows = sum(len(account.flows) for account in accounts)
    click.echo(f"{file}: good, {len(accounts)} accounts, {flows} flows")
    return None
