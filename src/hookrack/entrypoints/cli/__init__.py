"""The command line. Each command stands in its own file and imports what it needs when it runs."""

import logging
import sys
from typing import NoReturn

import click

from hookrack import __version__
from hookrack.entrypoints.cli.apply import apply, export
from hookrack.entrypoints.cli.check import check
from hookrack.entrypoints.cli.get import get
from hookrack.entrypoints.cli.serve import serve
from hookrack.entrypoints.cli.token import token
from hookrack.errors import CATALOGUE, CodedError, ConfigError

_BAD_USAGE, _NOT_FINE, _INTERRUPTED = 2, 1, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hookrack")
def cli() -> None:
    """Receive webhooks, keep them safe, and hand them out by webhook key."""


for _command in (serve, check, apply, export, get, token):
    cli.add_command(_command)


def main() -> NoReturn:
    """Run a command; errors become one line on stderr and an exit code."""
    logging.getLogger("hookrack").addHandler(logging.NullHandler())  # `serve` sets up its own
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        code = exc.exit_code
    except click.Abort:
        code = _INTERRUPTED
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except ConfigError as exc:
        click.echo(f"hookrack: {exc}", err=True)
        code = _BAD_USAGE
    except CodedError as exc:
        click.echo(f"hookrack: {exc.code}: {exc.detail} {CATALOGUE[exc.code].mend}", err=True)
        code = _NOT_FINE
    sys.exit(code if isinstance(code, int) else 0)
