"""The engine's settings: what is passed to which version, and which ones break the promise."""

from pathlib import Path

import pytest

from hookrack.engine import config
from hookrack.engine.find import Server
from hookrack.engine.layout import Layout

LAYOUT = Layout(Path("/data"))


def options(flavour: str, version: tuple[int, int, int]) -> str:
    """The command line for a server."""
    server = Server(Path("/x"), "valkey" if flavour == "valkey" else "redis", version, "PATH")
    return " ".join(config.arguments(server, layout=LAYOUT, maxmemory=1000))


def test_what_we_pass_keeps_our_own_promise() -> None:
    """The settings that are checked are the settings that are passed."""
    words = options("valkey", (9, 1, 2))
    assert all(f"--{name} {value}" in words for name, value in config.PROMISE.items())
    assert config.check_config(config.PROMISE) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("appendonly", "no"),
        ("appendfsync", "everysec"),
        ("appendfsync", "no"),
        ("no-appendfsync-on-rewrite", "yes"),
        ("aof-load-truncated", "yes"),
        ("maxmemory-policy", "allkeys-lru"),
        ("maxmemory-policy", "allkeys-lfu"),
        ("maxmemory-policy", "allkeys-random"),
        ("maxmemory-policy", "volatile-lru"),
        ("maxmemory-policy", "volatile-lfu"),
        ("maxmemory-policy", "volatile-random"),
        ("maxmemory-policy", "volatile-ttl"),
    ],
)
def test_each_breach_is_named(name: str, value: str) -> None:
    """One wrong setting is named with its value and the wanted one, and nothing else is."""
    (fault,) = config.check_config(dict(config.PROMISE) | {name: value})
    assert fault == f"{name} is {value}, must be {config.PROMISE[name]}"


def test_a_setting_that_can_not_be_read_is_a_breach() -> None:
    """Silence is not a yes."""
    assert len(config.check_config({})) == len(config.PROMISE)


def test_a_server_that_loads_torn_files_well_may_do_so() -> None:
    """Where the server is known to cut before MULTI, aof-load-truncated is no breach."""
    values = dict(config.PROMISE) | {"aof-load-truncated": "yes"}
    assert config.check_config(values, loads_torn_tail=True) == []


def test_versions_get_only_what_they_know() -> None:
    """Redis 6.2 gets the older way to forbid DEBUG and MODULE, and a plain AOF."""
    old, new = options("redis", (6, 2, 14)), options("redis", (7, 0, 15))
    assert "--rename-command DEBUG " in old
    assert "--aof-use-rdb-preamble no" in old
    assert "enable-debug-command" not in old
    assert "--enable-debug-command no" in new
    assert "rename-command" not in new
    assert "--enable-module-command no" in options("valkey", (7, 2, 0))


def test_default_memory_is_at_most_half_of_the_machine() -> None:
    """Half of what there is, and something."""
    assert 1 << 20 < config.default_maxmemory() <= config._physical_memory() // 2


def write(root: Path, files: dict[str, str]) -> Path:
    """These files below `root`."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "files", "limits"),
    [
        pytest.param(
            "0::/a/b\n",
            {"a/b/memory.max": "max\n", "a/memory.max": "5000\n", "memory.max": "9000\n"},
            [5000, 9000],
            id="v2, the parent's counts too",
        ),
        pytest.param(
            "12:cpu:/x\n4:memory:/docker/1\n",
            {"memory/memory.limit_in_bytes": "7000\n"},
            [7000],
            id="v1 in a container",
        ),
        pytest.param(
            "3:cpu,memory:/a\n0::/\n",
            {"memory/a/memory.limit_in_bytes": "7000", "memory.max": "6000"},
            [6000, 7000],
            id="both",
        ),
        pytest.param("0::/\n", {}, [], id="no limit"),
    ],
)
def test_cgroup_limits(
    tmp_path: Path, groups: str, files: dict[str, str], limits: list[int]
) -> None:
    """The limits of the own group and of all above it, for both cgroup versions."""
    write(tmp_path, {"groups": groups} | {f"root/{k}": v for k, v in files.items()})
    assert list(config._cgroup_limits(tmp_path / "groups", tmp_path / "root")) == limits


def test_no_cgroups_no_limits(tmp_path: Path) -> None:
    """Where there are no cgroups (macOS) only the machine's memory counts."""
    assert list(config._cgroup_limits(tmp_path / "missing", tmp_path)) == []
