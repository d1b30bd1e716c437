"""`hookrack pull`: lease, run a command, and ack or give back."""

import asyncio
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import orjson

from hookrack.client import AsyncClient, AsyncLease, LeasedEntry, Retries, Unready
from hookrack.client.calls import LONGEST_WAIT, key_path
from hookrack.entrypoints.cli.connection import with_client
from hookrack.entrypoints.cli.handler import run_command
from hookrack.entrypoints.cli.options import account_option, data_dir_option, json_option
from hookrack.entrypoints.cli.output import write
from hookrack.entrypoints.cli.shown import show_entry
from hookrack.errors import ConfigError

_FIRST_DELAY: Final = 1  # seconds until an entry goes out again, doubled with each attempt
_LONGEST_DELAY: Final = 300
_AWAY: Final = Retries(first=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for."""

    key: str
    command: str | None
    group: str
    max: int
    lease_seconds: int
    waits: bool
    limit: int | None
    ordered: bool
    max_attempts: int | None
    as_json: bool
    raw: bool


class Pull:
    """One run: what it has done so far, and how it says so."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._counts = {"acked": 0, "released": 0, "stale": 0}
        self._told_json = wanted.as_json or not sys.stderr.isatty()

    @property
    def failed(self) -> bool:
        """Whether anything was given back."""
        return self._counts["released"] > 0

    async def until_empty(self, client: AsyncClient) -> None:
        """Lease and work until there is nothing left. Raises: ApiError."""
        while await self._batch(client, wait=0):
            pass

    async def for_ever(self, client: AsyncClient) -> None:
        """The same and wait for more, also for a server that is away. Raises: ApiError."""
        await self._batch(client, wait=0)  # a server that isn't there at first is a mistake
        misses = 0
        while self._left():
            try:
                await self._batch(client, wait=LONGEST_WAIT)
                misses = 0
            except Unready as exc:
                if not misses:
                    self._tell_away(exc)
                misses += 1
                await asyncio.sleep(_AWAY.wait(misses, exc.retry_after))

    async def _batch(self, client: AsyncClient, *, wait: float) -> bool:
        """Work on the entries of one lease; whether there were any."""
        wanted, left = self._wanted, self._left()
        if left == 0:
            return False
        async with client.lease(
            wanted.key,
            group=wanted.group,
            max=min(wanted.max, left),
            seconds=wanted.lease_seconds,
            wait=wait,
            ordered=wanted.ordered,
            max_attempts=wanted.max_attempts,
        ) as lease:
            for entry in lease:
                if not await self._one(lease, entry) and wanted.ordered:
                    await lease.release()  # what came after it waits for it
                    break
        return len(lease) > 0

    async def _one(self, lease: AsyncLease, entry: LeasedEntry) -> bool:
        """Work on one entry and settle it; whether the work went well."""
        began = time.monotonic()
        code = await self._work(entry)
        seconds = round(time.monotonic() - began, 3)
        told: dict[str, Any] = {"eventId": entry.event_id, "attempt": entry.attempt}
        if code == 0:
            await lease.ack(entry)
            status = "stale" if entry.receipt in lease.stale else "acked"
        else:
            delay = min(_FIRST_DELAY << min(entry.attempt - 1, 20), _LONGEST_DELAY)
            await lease.release(entry, delay_seconds=delay)
            status = "stale" if entry.receipt in lease.stale else "released"
            told |= {"exitCode": code, "delaySeconds": delay}
        self._counts[status] += 1
        if self._wanted.command is not None:
            self._tell(told | {"status": status, "seconds": seconds})
        return code == 0

    async def _work(self, entry: LeasedEntry) -> int:
        """Do with an entry what is asked for; 0 where that went well."""
        if self._wanted.command is not None:
            return await run_command(self._wanted.command, entry, group=self._wanted.group)
        if self._wanted.raw:
            write(entry.raw + b"\n")
        else:
            show_entry(entry, as_json=self._wanted.as_json)
        return 0

    def _left(self) -> int:
        """How many entries may still be worked on."""
        limit = self._wanted.limit
        return sys.maxsize if limit is None else limit - sum(self._counts.values())

    def _tell(self, told: dict[str, Any]) -> None:
        if self._told_json:
            click.echo(orjson.dumps(told), err=True)
            return
        words = told["status"]
        if "exitCode" in told:
            words += f" (exit code {told['exitCode']}), again in {told['delaySeconds']} s"
        line = f"{told['eventId']}  attempt {told['attempt']}  {told['seconds']:.1f} s  {words}"
        click.secho(line, err=True, fg=None if told["status"] == "acked" else "yellow")

    def _tell_away(self, exc: Unready) -> None:
        """Say once why nothing happens."""
        if self._told_json:
            click.echo(
                orjson.dumps({"status": "away", "code": exc.code, "detail": exc.detail}), err=True
            )
        else:
            click.secho(f"{exc.detail} Waiting for it.", err=True, fg="yellow")

    def summary(self) -> None:
        """Say what has become of all."""
        if self._told_json and self._wanted.command is None:
            return
        if self._told_json:
            click.echo(orjson.dumps({"summary": self._counts}), err=True)
        else:
            acked, released, stale = self._counts.values()
            line = f"{acked} acked, {released} given back"
            click.echo(line + (f", {stale} held by another by then" if stale else ""), err=True)


@click.command(epilog="Example: hookrack pull erp --account acme --exec 'python import.py' --wait")
@click.argument("key")
@account_option
@click.option("--exec", "command", metavar="COMMAND", help="What to run, by sh, for each entry.")
@click.option("--group", default="default", show_default=True, help="The readers we are one of.")
@click.option("--max", "most", type=click.IntRange(1, 1000), default=1, show_default=True,
              help="Entries leased at a time; worked on one after the other.")  # fmt: skip
@click.option("--lease-seconds", type=click.IntRange(1, 43_200), default=30, show_default=True,
              help="How long they stay ours if we crash; else they are held.")  # fmt: skip
@click.option("--wait/--once", "waits", help="Wait for more until Ctrl-C; else end when empty.")
@click.option("--limit", type=click.IntRange(min=1), help="End after so many entries.")
@click.option("--ordered", is_flag=True, help="Hold back what came after one that isn't acked.")
@click.option("--max-attempts", type=click.IntRange(1, 1000),
              help="Hand an entry out so often at most; then it is a dead letter.")  # fmt: skip
@click.option(
    "--raw", is_flag=True, help="Without --exec: print the data alone, a line end after each."
)
@json_option
@data_dir_option
def pull(
    *, key: str, account: str | None, command: str | None, most: int, data_dir: Path | None,
    **more: Any,  # noqa: ANN401 - the fields of Wanted
) -> int:  # fmt: skip
    """Take entries from under a webhook key, each for one reader of a group.

    The command gets the data on standard input and facts in HOOKRACK_EVENT_ID, HOOKRACK_ATTEMPT
    and more. Exit code 0 acks the entry; any other gives it back, to go out again later, twice as
    late each time. Without --exec entries are printed and acked. Exit code 1 when any was given
    back; Ctrl-C gives back what is held.
    """
    key_path(key)  # is it one?
    wanted = Wanted(key=key, command=command, max=most, **more)
    run = Pull(wanted)

    async def work(client: AsyncClient, served: bool) -> None:
        if wanted.waits and not served:
            raise ConfigError("no server runs to wait for", where="--wait", mend="Start one.")
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _interrupt)
        try:
            await (run.for_ever(client) if wanted.waits else run.until_empty(client))
        finally:
            run.summary()

    with_client(work, data_dir=data_dir, account=account)
    return int(run.failed)


def _interrupt() -> None:
    """SIGTERM is as good as Ctrl-C: what is held goes back first."""
    signal.raise_signal(signal.SIGINT)
