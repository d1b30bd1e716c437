"""`hookrack serve`."""

import os
import signal
from typing import Any

import click

from hookrack.entrypoints.cli.options import settings_options
from hookrack.entrypoints.cli.parts import need_server_parts
from hookrack.entrypoints.configured import load


@click.command(
    epilog="Example: hookrack serve --config examples/hookrack.yaml --port 8080",
    short_help="Take webhooks, store them, and hand them out.",
)
@settings_options
def serve(**options: Any) -> int:  # noqa: ANN401 - settings of many types
    """Take webhooks, store them, and hand them out, until SIGTERM or Ctrl-C."""
    need_server_parts()
    hang_ups: list[int] = []  # one that comes before all is ready mustn't end us, nor be lost
    signal.signal(signal.SIGHUP, lambda number, _: hang_ups.append(number))
    import asyncio  # noqa: PLC0415 - a server's imports are for serving only

    import uvloop  # noqa: PLC0415

    from hookrack.entrypoints.serve import serve as run  # noqa: PLC0415
    from hookrack.telemetry import configure_logging  # noqa: PLC0415

    settings, configuration = load(options, environ=os.environ)
    configure_logging()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(settings, configuration, hang_ups=hang_ups))
