"""The command line. Each command stands in its own file, which is imported when it is named."""

import logging
import os
import signal
import sys
from importlib import import_module
from typing import Final, NoReturn

import click

from hookrack import __version__
from hookrack.errors import CATALOGUE, Code, CodedError, ConfigError, HookrackError

_MENDS: Final = {
    Code.ACCOUNT_REQUIRED: "Name it with --account.",
    Code.TOKEN_INVALID: "Set HOOKRACK_TOKEN to a token of that server.",
    Code.STORE_UNAVAILABLE: "Try again; hookrack doctor says more.",
    Code.NOT_FOUND: "The command list shows what there is.",
}
_BAD_USAGE, _NOT_FINE, _INTERRUPTED = 2, 1, 130


# By its name: its module and the function in it.
_COMMANDS: Final = {
    "serve": "serve:serve",
    "check": "check:check",
    "apply": "apply:apply",
    "export": "apply:export",
    "get": "get:get",
    "set": "set:set_",
    "tail": "tail:tail",
    "pull": "pull:pull",
    "dead-letters": "dead_letters:dead_letters",
    "rejections": "rejections:rejections",
    "token": "token:token",
    "template": "template:template",
    "doctor": "doctor:doctor",
    "aws": "aws:aws",
}


class _Lazy(click.Group):
    """A server shouldn't wait for what the clients' commands import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, _, function = _COMMANDS[cmd_name].partition(":")
        found: click.Command = getattr(import_module(f"{__name__}.{module}"), function)
        return found


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="hookrack")
def cli() -> None:
    """Receive webhooks, keep them safe, and hand them out by webhook key."""


def main() -> NoReturn:
    """Run a command; errors become one line on stderr and an exit code."""
    _open_standard_streams()
    # Who starts us in the background may have us ignore it; pull gives back what it holds by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
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
        click.echo(f"hookrack: {exc.code}: {_told(exc)}", err=True)
        code = _BAD_USAGE if exc.code is Code.ACCOUNT_REQUIRED else _NOT_FINE
    except HookrackError as exc:
        click.echo(f"hookrack: {exc}", err=True)
        code = _NOT_FINE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever read our output has seen enough
        code = _NOT_FINE
    sys.exit(code if isinstance(code, int) else 0)


def _told(exc: CodedError) -> str:
    """What is wrong and its mend, each once, as one says it on a command line."""
    row = CATALOGUE[exc.code]
    detail = f"{row.title}." if exc.detail == row.mend else exc.detail
    return f"{detail} {_MENDS.get(exc.code, row.mend)}"


def _open_standard_streams() -> None:
    """A stream that the caller closed is /dev/null, and no file or socket of ours by accident."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
