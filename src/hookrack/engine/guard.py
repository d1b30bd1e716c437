"""The start guard: mends an AOF whose tail was torn by a crash, and refuses any other damage.

The engine runs with `aof-load-truncated no`, so it refuses a torn file instead of cutting it by
its own rule: Redis 7.0.15 cuts inside an open MULTI, and what is acknowledged after that is lost
at the next start (valkey-io/valkey#4342). We cut back to before the MULTI.

What may be cut? A crash tears off the end of the last write, and nothing in that write was
acknowledged if it didn't reach the disk. So whatever follows the last whole command or
transaction must be *one* command or transaction that is correct as far as it goes (a file system
may have padded it with NULs). Anything else is damage in the middle, with acknowledged data
behind it, and is left alone. A damaged length is the treacherous case: its value seems to be
unfinished because it swallowed what follows, hence `_swallows`. Not to be told from a tear is
damage inside the very last command; it costs that one command, of which the copy is kept.

The server's check-aof isn't used: Valkey 9.1.2's takes its own base file ("VALKEY080") for a
broken AOF, and `--fix` cuts at the first error wherever it stands.
"""

import mmap
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hookrack.errors import ConfigError

# What the server logs when it met the file's end too early, or bytes that are no command.
# Not among them: a command that it doesn't know. That is damage, though the file's form may be
# right; unless the file ends in NULs, which it takes for a command's name as far as they fit.
TORN_PHRASES: Final = ("Unexpected end of file reading the append", "Bad file format reading the")
MANIFEST: Final = Path("appendonlydir", "appendonly.aof.manifest")
SINGLE_FILE: Final = Path("appendonly.aof")  # Redis 6.2
_PADDING_STEP: Final = 1 << 16

_ARRAY = re.compile(rb"\*([1-9][0-9]{0,6})\r\n")
_BULK = re.compile(rb"\$(0|[1-9][0-9]{0,9})\r\n")
_ARRAY_BEGUN = re.compile(rb"(?:\*(?:[1-9][0-9]{0,6}\r?)?)?")
_BULK_BEGUN = re.compile(rb"(?:\$(?:(?:0|[1-9][0-9]{0,9})\r?)?)?")
_INCREMENT = re.compile(r"^file (\S+) seq \d+ type i\b", re.MULTILINE)

_LOG_HEAD = re.compile(r"^\d+:[A-Z] .{20,30} [.*#-] ")
_SAID_LIMIT: Final = 400

_MULTI: Final = b"*1\r\n$5\r\nMULTI\r\n"
_EXEC: Final = b"*1\r\n$4\r\nEXEC\r\n"

Data = bytes | mmap.mmap


@dataclass(frozen=True, slots=True)
class Repair:
    """What was cut off: `size` bytes of `file` from `offset` on, now in `kept`."""

    file: Path
    offset: int
    size: int
    kept: Path


class DamagedError(Exception):
    """The bytes at an offset can't be what a torn write leaves."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(f"{what} at byte {at}")


class _Unfinished(Exception):  # noqa: N818 - a finding, not a failure
    """The data ends inside this command, which is right so far.

    `value` is where the value that it ends in begins (None: it ends between values), `left` how
    many values of the command should follow that one.
    """

    def __init__(self, value: int | None = None, left: int = 0) -> None:
        super().__init__()
        self.value = value
        self.left = left


def mend(engine_dir: Path, *, refusal: str) -> Repair:
    """Cut the torn tail off the last AOF file, after copying it to `engine_dir`/torn.

    `refusal` is what the engine wrote when it would not start. Blocks; reads the whole file.
    Raises: ConfigError if this is not a torn tail, OSError if it can't be read, copied or cut;
    the file is then as it was.
    """
    file = _last_file(engine_dir)
    if not any(phrase in refusal for phrase in TORN_PHRASES) and not _is_padded(file):
        raise refused(engine_dir, refusal)
    try:
        offset = _good_until(file)
    except DamagedError as exc:
        raise refused(file, refusal, f"; the file is damaged before its end: {exc}") from exc
    size = file.stat().st_size - offset
    if not size:
        raise refused(engine_dir, refusal, f"; {file.name}, the last file, is whole")
    return Repair(file=file, offset=offset, size=size, kept=_cut(file, offset, engine_dir / "torn"))


def good_until(data: Data) -> int:
    """The offset up to which `data` is whole, where all that follows is one torn write.

    Raises: DamagedError if what follows is anything else.
    """
    end = _without_padding(data)
    good = at = 0
    in_transaction = False
    try:
        while at < end:
            start, at = at, _command(data, at, end)
            mark = data[start:at].upper() if at - start <= len(_MULTI) else b""
            if mark == (_MULTI if in_transaction else _EXEC):
                raise DamagedError(start, "MULTI or EXEC out of place")
            in_transaction = mark == _MULTI or (in_transaction and mark != _EXEC)
            if not in_transaction:
                good = at
    except _Unfinished as cut:
        if cut.value is not None and _swallows(data, cut.value, end, left=cut.left):
            raise DamagedError(cut.value, "a length that covers what follows") from None
    return good


def _command(data: Data, at: int, end: int) -> int:
    """The end of the command at `at`. Raises: _Unfinished, DamagedError."""
    if not (head := _ARRAY.match(data, at, end)):
        raise _broken(data, at, end, begun=_ARRAY_BEGUN)
    return _values(data, head.end(), end, count=int(head[1]))


def _values(data: Data, at: int, end: int, *, count: int) -> int:
    """The end of `count` values from `at` on. Raises: _Unfinished, DamagedError."""
    for left in range(count - 1, -1, -1):
        if not (head := _BULK.match(data, at, end)):
            raise _broken(data, at, end, begun=_BULK_BEGUN)
        at = head.end() + int(head[1]) + 2
        if data[at - 2 : at] != b"\r\n":
            if at > end and data[at - 2 : end] in {b"", b"\r"}:
                raise _Unfinished(head.end(), left)
            raise DamagedError(at - 2, "no end of line")
    return at


def _broken(data: Data, at: int, end: int, *, begun: re.Pattern[bytes]) -> Exception:
    if begun.fullmatch(data, at, end):
        return _Unfinished()
    return DamagedError(at, "no command")


def _swallows(data: Data, value: int, end: int, *, left: int) -> bool:
    """Whether the unfinished value would, had it a shorter length, be a whole one.

    That is so if a line ends in it and the `left` other values of its command follow, then
    nothing or another command; where none are left, one more whole command has to follow.
    """
    at = value - 2
    while (at := data.find(b"\r\n", at + 2, end)) >= 0:
        try:
            if left == 0:
                _command(data, at + 2, end)
                return True
            after = _values(data, at + 2, end, count=left)
        except (_Unfinished, DamagedError):
            continue
        if _ARRAY.match(data, after, end) or _ARRAY_BEGUN.fullmatch(data, after, end):
            return True
    return False


def _without_padding(data: Data) -> int:
    """The length of `data` less the NULs at its end."""
    end = len(data)
    while end:
        start = max(0, end - _PADDING_STEP)
        if rest := data[start:end].rstrip(b"\0"):
            return start + len(rest)
        end = start
    return 0


def _is_padded(file: Path) -> bool:
    if not file.is_file() or not file.stat().st_size:
        return False
    with file.open("rb") as raw:
        raw.seek(-1, os.SEEK_END)
        return raw.read(1) == b"\0"


def _good_until(file: Path) -> int:
    if not file.stat().st_size:
        return 0
    with file.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return good_until(data)


def _last_file(engine_dir: Path) -> Path:
    """The file that the engine appends to: the manifest's last increment."""
    manifest = engine_dir / MANIFEST
    if not manifest.exists():
        return engine_dir / SINGLE_FILE
    increments = _INCREMENT.findall(manifest.read_text(errors="replace"))
    return manifest.with_name(increments[-1]) if increments else manifest


def _cut(file: Path, offset: int, keep: Path) -> Path:
    """Copy what follows `offset` into `keep`, then cut it off; both are on disk at return."""
    keep.mkdir(mode=0o700, exist_ok=True)
    kept = keep / f"{datetime.now(tz=UTC):%Y%m%dT%H%M%S.%fZ}-{file.name}@{offset}"
    with file.open("r+b") as torn, kept.open("xb") as copy:
        torn.seek(offset)
        try:
            shutil.copyfileobj(torn, copy)
            copy.flush()
            os.fsync(copy.fileno())
        except OSError:  # a full disk: leave no half a copy to the next try
            kept.unlink()
            raise
        torn.truncate(offset)
        os.fsync(torn.fileno())
    return kept


def refused(where: Path, refusal: str, found: str = "") -> ConfigError:
    """The error for an engine that wrote `refusal` and ended."""
    said = _LOG_HEAD.sub("", (refusal.strip().splitlines() or ["it said nothing"])[-1])
    return ConfigError(
        f"the engine does not start: {said[:_SAID_LIMIT]}{found}",
        where=str(where),
        mend="Nothing was cut or deleted. See engine.log; restore a backup or mend a copy.",
    )
