"""`hookrack doctor`: is everything as it should be, and if not, what mends it?"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from hookrack.entrypoints.cli.connection import Api, with_api
from hookrack.entrypoints.cli.options import data_dir_option, json_option
from hookrack.entrypoints.cli.output import show_rows
from hookrack.entrypoints.configured import load
from hookrack.errors import CodedError, ConfigError, HookrackError
from hookrack.server_file import announced
from hookrack.settings import Settings

FREE_BYTES: Final = 1 << 30  # of disk; the engine's file doubles for a moment when it is rewritten


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `mend` is empty where all is fine."""

    check: str
    detail: str
    mend: str = ""

    def row(self) -> dict[str, Any]:
        """As it is printed."""
        return {
            "check": self.check,
            "fine": not self.mend,
            "detail": self.detail,
            "mend": self.mend,
        }


@click.command(epilog="Example: hookrack doctor --data-dir .hookrack")
@click.option("--config", metavar="FILE", help="The flow file to check.")
@json_option
@data_dir_option
def doctor(*, config: str | None, as_json: bool, data_dir: Path | None) -> int:
    """Check configuration, data directory, disk, engine, server and dead letters.

    Exit code 0 when all is fine, 1 when something is not. Nothing is changed.
    """
    findings = list(_examine({"config": config, "data_dir": data_dir}))
    show_rows([finding.row() for finding in findings], as_json=as_json)
    return int(any(finding.mend for finding in findings))


def _examine(options: dict[str, Any]) -> Iterator[Finding]:
    try:
        settings, file = load(options, environ=os.environ)
    except ConfigError as exc:
        yield Finding("configuration", f"{exc.where}: {exc.detail}", exc.mend)
        return
    flows = f"{len(list(file.flows()))} flows in" if file else "there is no flow file"
    yield Finding("configuration", f"{flows} {settings.config}")
    for check in _CHECKS:
        yield check(settings)


def _folder(settings: Settings) -> Finding:
    folder = settings.data_dir
    if not folder.exists():
        return Finding("data directory", f"{folder} is not there yet; the first start makes it")
    if not folder.is_dir():
        return Finding("data directory", f"{folder} is no folder", "Name another: --data-dir.")
    if mode := folder.stat().st_mode & 0o077:
        detail = f"{folder} is open to others (mode {folder.stat().st_mode & 0o777:o})"
        return Finding("data directory", detail, f"Run: chmod 700 {folder}" if mode else "")
    return Finding("data directory", f"{folder} is private")


def _disk(settings: Settings) -> Finding:
    folder = settings.data_dir.absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    detail = f"{free >> 20} MiB free at {there}"
    return Finding("disk", detail, "" if free >= FREE_BYTES else "Make room: 1 GiB at least.")


def _engine(settings: Settings) -> Finding:
    from hookrack.engine import find_server  # noqa: PLC0415 - only here

    if not settings.embedded:
        return Finding("engine", "an existing store is used")
    try:
        server = find_server()
    except ConfigError as exc:
        return Finding("engine", exc.detail, exc.mend)
    return Finding("engine", f"{server} from {server.source}")


def _server(settings: Settings) -> Finding:
    if not announced(settings.data_dir):
        return Finding("server", "none runs on this data directory")

    async def work(api: Api) -> dict[str, str]:
        found: dict[str, str] = (await api.ask("GET", "/readyz", allow=(503,))).json()["checks"]
        return found

    try:
        checks = with_api(work, data_dir=settings.data_dir)
    except (HookrackError, json.JSONDecodeError) as exc:
        return Finding("server", str(exc), "Start it again, or see its log.")
    wrong = {name: found for name, found in checks.items() if found != "ok"}
    detail = ", ".join(f"{name}: {found}" for name, found in (wrong or checks).items())
    return Finding("server", detail, "See the log of the server." if wrong else "")


def _letters(settings: Settings) -> Finding:
    if not settings.data_dir.exists():
        return Finding("dead letters", "none yet")

    async def work(api: Api) -> int:
        answer = await api.ask("GET", "/v1/dead-letters", params={"limit": 1000})
        return len(answer.json()["deadLetters"])

    try:
        count = with_api(work, data_dir=settings.data_dir)
    except (CodedError, ConfigError) as exc:
        return Finding("dead letters", str(exc), "See the line above.")
    mend = "See hookrack dead-letters list; mend the cause, then redrive." if count else ""
    return Finding("dead letters", f"{count} there", mend)


_CHECKS: Final[tuple[Callable[[Settings], Finding], ...]] = (
    _folder,
    _disk,
    _engine,
    _server,
    _letters,
)
