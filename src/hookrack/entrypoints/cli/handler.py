"""The command that `hookrack pull` runs for an entry: the data on its input, facts around it."""

import asyncio
import os
from contextlib import suppress
from subprocess import PIPE
from typing import Final

from hookrack.client import LeasedEntry
from hookrack.entrypoints.cli.shown import time_text

_PATIENCE: Final = 5.0  # seconds to end by itself, when we are interrupted


async def run_command(command: str, entry: LeasedEntry, *, group: str) -> int:
    """Run it by sh; its exit code, below zero where a signal ended it. It need not read."""
    process = await asyncio.create_subprocess_shell(
        command, stdin=PIPE, env=os.environ | facts(entry, group=group)
    )
    try:
        await process.communicate(entry.raw)
    except asyncio.CancelledError:
        await _end(process)
        raise
    assert process.returncode is not None  # noqa: S101 - it was waited for
    return process.returncode


def facts(entry: LeasedEntry, *, group: str) -> dict[str, str]:
    """What the command finds in its environment."""
    return {
        "HOOKRACK_EVENT_ID": entry.event_id,
        "HOOKRACK_WEBHOOK_KEY": entry.webhook_key,
        "HOOKRACK_ACCOUNT": entry.account,
        "HOOKRACK_FLOW": entry.flow or "",
        "HOOKRACK_GROUP": group,
        "HOOKRACK_ATTEMPT": str(entry.attempt),
        "HOOKRACK_CONTENT_TYPE": entry.content_type,
        "HOOKRACK_CURSOR": entry.cursor,
        "HOOKRACK_RECEIVED_AT": time_text(entry.received_at),
        "HOOKRACK_STORED_AT": time_text(entry.stored_at),
        "HOOKRACK_EXPIRES_AT": time_text(entry.expires_at),
    }


async def _end(process: asyncio.subprocess.Process) -> None:
    """Stop a command that was interrupted with us."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_PATIENCE):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
