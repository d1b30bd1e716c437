"""`pip install hookrack` without extras: wheel and requirements are the client and the commands."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import distribution, requires
from pathlib import Path
from secrets import token_hex

import pytest
from harness import ADMIN_TOKEN, EXAMPLE, Served

ROOT = Path(__file__).parents[2]
SERVER_ONLY = ("fastapi", "redis", "uvicorn", "uvloop", "cryptography", "prometheus_client")


def needed(name: str, seen: set[str]) -> set[str]:
    """A distribution and all that it needs here, without anybody's extras."""
    if name in seen:
        return seen
    seen.add(name)
    for line in requires(name) or ():
        other = re.match(r"[\w.-]+", line)
        if other and "extra ==" not in line and is_here(other[0]):
            needed(other[0].lower(), seen)
    return seen


def is_here(name: str) -> bool:
    """Whether a distribution is installed, which one for other platforms or Pythons isn't."""
    try:
        distribution(name)
    except ModuleNotFoundError:
        return False
    return True


@pytest.fixture(scope="module")
def bare() -> Iterator[str]:
    """A path for Python with our wheel on it, what it needs, and nothing else."""
    folder = Path(tempfile.mkdtemp(prefix="hr-", dir="/tmp"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-build-isolation", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("hookrack-*.whl")
    ours, theirs = folder / "ours", folder / "theirs"
    install = [*pip, "install", "--no-index", "--no-deps", "--target", str(ours), str(wheel)]
    subprocess.run(install, check=True)
    theirs.mkdir()
    for name in needed("hookrack", set()) - {"hookrack"}:
        for top in {file.parts[0] for file in distribution(name).files or ()} - {".."}:
            (theirs / top).symlink_to(Path(str(distribution(name).locate_file(top))))
    yield f"{ours}:{theirs}"
    shutil.rmtree(folder)


def run(
    bare: str, *words: str, stdin: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run Python on that path alone."""
    clean = {name: value for name, value in os.environ.items() if "HOOKRACK_" not in name}
    return subprocess.run(
        [sys.executable, "-S", "-P", *words],
        env=clean | {"PYTHONPATH": bare} | environ,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_server_is_not_there(bare: str) -> None:
    """What only a server needs isn't asked for, and the client does without; it is typed."""
    code = """
import importlib.util, sys, hookrack.client
from pathlib import Path
found = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]
print(found, Path(hookrack.__file__).with_name("py.typed").exists())
print(sorted(name for name in sys.modules if name.startswith("hookrack.")))
"""
    done = run(bare, "-c", code, *SERVER_ONLY)
    assert done.returncode == 0, done.stderr
    first, modules = done.stdout.splitlines()
    assert first == "[] True"
    parts = {name.split(".")[1] for name in json.loads(modules.replace("'", '"'))}
    assert parts == {
        "client",
        "errors",
        "jsontext",
        "model",
        "server_file",
        "settings",
        "redis_address",
        "sqs_address",
    }


def test_commands_of_a_bare_install(bare: str, served: Served) -> None:
    """The client commands ask a server; files are checked."""
    environ = {"HOOKRACK_URL": served.url, "HOOKRACK_TOKEN": ADMIN_TOKEN}
    key = f"bare-{token_hex(4)}"

    def hookrack(*words: str, stdin: str = "") -> str:
        done = run(bare, "-m", "hookrack", *words, stdin=stdin, **environ)
        assert done.returncode == 0, done.stderr
        return done.stdout

    hookrack("set", key, "--account", "acme", stdin='{"n":  1}')
    assert hookrack("get", key, "--account", "acme", "--raw") == '{"n":  1}'
    assert "tokens" not in hookrack("token", "list")
    hookrack("dead-letters", "list")
    assert "version: 1" in hookrack("export")
    assert "good" in hookrack("check", str(EXAMPLE))


@pytest.mark.parametrize("words", [("serve",), ("get", "erp", "--account", "acme")])
def test_what_takes_a_server_says_how_to_install_it(
    bare: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    """To serve, or to open a store where no server runs, ends with the line to type."""
    done = run(bare, "-m", "hookrack", *words, "--data-dir", str(tmp_path / "data"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'hookrack[server]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()
