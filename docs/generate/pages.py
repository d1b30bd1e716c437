"""The reference pages that are tables of the code's own tables, and the commands' own help."""

import logging
from collections.abc import Iterator
from typing import Final

import click
from docs.generate.text import code, page, table

from hookrack.entrypoints.cli import cli
from hookrack.entrypoints.cli.options import NEVER_OPTIONS
from hookrack.errors import CATALOGUE
from hookrack.settings import Documented, documented_settings
from hookrack.telemetry import LINES_PER_SECOND, log_lines

_WIDTH: Final = 96
_SETTINGS: Final = """
Option wins over environment, environment over file, file over default. In the file they stand
under `settings:`, where a relative `dataDir` begins at the file. `role` and `storeAcceptLoss` are
lists, or texts with commas; durations are `90s`, `15m`, `6h`, `7d` or whole seconds.
"""
_ERRORS: Final = """
A refusal is a problem document (RFC 9457, `application/problem+json`) with `type`, `title`,
`status`, `detail` and `code`; `errors` lists where a body breaks its model. The code is stable;
titles and details may change. `503` comes with `Retry-After`. The same codes are the reasons of
dead letters, and what commands print before they end with exit code 1.
"""
_LOG_LINES: Final = f"""
One line each on stderr: JSON where stderr is a file or pipe (`ts`, `level`, `event`, then fields),
text on a terminal. At most {LINES_PER_SECOND} of a kind in a second; the next line of that kind
says in `droppedBefore` how many were left out (but `admin.called`, of which none is). No line holds
a body or a secret.
"""
_CLI: Final = """
Exit codes: 0 fine, 1 the thing asked about is not fine, 2 bad usage or configuration,
130 interrupted. Output is a table or indented JSON on a terminal, JSON lines elsewhere or with
`--json`. The client commands ask the server at `HOOKRACK_URL` with `HOOKRACK_TOKEN`, else the one
that runs on the data directory; where none runs, they start its store for the one command.
"""


def settings_page() -> str:
    """Every setting under its four names, with default and meaning."""
    rows = [
        (_option(row), code(row.variable), code(row.name), code(_default(row)), row.help)
        for row in documented_settings()
    ]
    heads = ("option of `serve`", "environment", "in the file", "default", "meaning")
    return page("Settings", _SETTINGS, table(heads, rows))


def errors_page() -> str:
    """Every code, with status, title and mend."""
    rows = [
        (code(each), str(row.status), row.title, row.mend.replace("<", "&lt;"))
        for each, row in CATALOGUE.items()
    ]
    return page("Errors", _ERRORS, table(("code", "status", "title", "mend"), rows))


def log_lines_page() -> str:
    """Every log line, with level and meaning."""
    rows = [
        (code(line.name), logging.getLevelName(line.level).lower(), line.meaning)
        for line in log_lines()
    ]
    return page("Log lines", _LOG_LINES, table(("event", "level", "meaning"), rows))


def cli_page() -> str:
    """What each command says of itself."""
    sections = [
        f"## {context.command_path}\n\n```text\n{context.get_help()}\n```"
        for context in _contexts(cli, None)
    ]
    return page("Command line", _CLI, *sections)


def _contexts(command: click.Command, parent: click.Context | None) -> Iterator[click.Context]:
    settings = {**command.context_settings, "terminal_width": _WIDTH, "color": False}
    context = click.Context(command, info_name=command.name, parent=parent, **settings)
    if parent is None:
        context.info_name = "hookrack"
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if found := command.get_command(context, name):
                yield from _contexts(found, context)


def _option(row: Documented) -> str:
    return "none: it would be seen by all" if row.field in NEVER_OPTIONS else code(row.option)


def _default(row: Documented) -> str:
    if isinstance(row.default, bool):
        return str(row.default).lower()
    return ",".join(row.default) if isinstance(row.default, list) else str(row.default)
