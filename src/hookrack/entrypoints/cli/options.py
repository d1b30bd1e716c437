"""Settings as options of a command, made from default.toml."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from hookrack.settings import Documented, documented_settings

_Command = TypeVar("_Command", bound=Callable[..., Any])
# What stands on a command line can be read by every user of the machine.
NEVER_OPTIONS: Final = frozenset({"admin_token", "secret_key"})


def settings_options(command: _Command) -> _Command:
    """Give a command an option for each setting; the values come as keyword arguments."""
    for row in reversed(documented_settings()):
        if row.field not in NEVER_OPTIONS:
            command = _option(row)(command)
    return command


def _option(row: Documented) -> Callable[[_Command], _Command]:
    default = ",".join(row.default) if isinstance(row.default, list) else row.default
    shown = f"{row.help} [{row.variable}; default: {default if default != '' else 'empty'}]"
    if isinstance(row.default, bool):
        return click.option(f"{row.option}/--no-{row.option[2:]}", default=None, help=shown)
    return click.option(row.option, metavar="VALUE", help=shown)


def _help_of(field: str) -> str:
    return next(row.help for row in documented_settings() if row.field == field)


data_dir_option = click.option(
    "--data-dir", type=click.Path(path_type=Path), metavar="DIR", help=_help_of("data_dir")
)
account_option = click.option(
    "--account", envvar="HOOKRACK_ACCOUNT", help="The account that the key belongs to."
)
json_option = click.option("--json", "as_json", is_flag=True, help="JSON lines, on a terminal too.")
