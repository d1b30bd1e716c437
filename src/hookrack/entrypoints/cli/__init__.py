"""The command line. Each command stands in its own file and imports what it needs when it runs."""

import logging
import os
import sys
from typing import NoReturn

import click

from hookrack import __version__
from hookrack.entrypoints.cli.apply import apply, export
from hookrack.entrypoints.cli.aws import aws
from hookrack.entrypoints.cli.check import check
from hookrack.entrypoints.cli.dead_letters import dead_letters
from hookrack.entrypoints.cli.doctor import doctor
from hookrack.entrypoints.cli.get import get
from hookrack.entrypoints.cli.serve import serve
from hookrack.entrypoints.cli.set import set_
from hookrack.entrypoints.cli.token import token
from hookrack.errors import CATALOGUE, CodedError, ConfigError, HookrackError

_BAD_USAGE, _NOT_FINE, _INTERRUPTED = 2, 1, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hookrack")
def cli() -> None:
    """Receive webhooks, keep them safe, and hand them out by webhook key."""


for _command in (serve, check, apply, export, get, set_, dead_letters, token, doctor, aws):
    cli.add_command(_command)


def main() -> NoReturn:
    """Run a command; errors become one line on stderr and an exit code."""
    _open_standard_streams()
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
    except HookrackError as exc:
        click.echo(f"hookrack: {exc}", err=True)
        code = _NOT_FINE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever read our output has seen enough
        code = _NOT_FINE
    sys.exit(code if isinstance(code, int) else 0)


def _open_standard_streams() -> None:
    """A stream that the caller closed is /dev/null, and no file or socket of ours by accident."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
