"""What the documentation tells its readers to type works, and prints what it says."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from console import Command, File, Shell, read_page
from harness import ADMIN_TOKEN, EXAMPLE, Served, wait_until

ROOT = Path(__file__).parents[2]
PAGES = [
    path
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
    if any(isinstance(step, Command) for step in read_page(path))
]


def name(path: Path) -> str:
    """A path as a test report shows it."""
    return path.relative_to(ROOT).as_posix()


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def test_a_page_is_read_as_its_reader_does(tmp_path: Path) -> None:
    """Commands may go on over lines; what a block says of itself holds for its last command."""
    page = tmp_path / "page.md"
    page.write_text(
        "```yaml file=a.yaml\nb: 1\n```\n\n```yaml\nc: 2\n```\n\n"
        "```console exit=2 soon\n$ one \\\n    more\nsaid …\n$ two\n```\n"
    )
    assert list(read_page(page)) == [
        File("a.yaml", "b: 1\n"),
        Command("one \\\n    more", ("said …",), 0, soon=True),
        Command("two", (), 2, soon=True),
    ]


@pytest.mark.parametrize(
    ("text", "shown", "fits"),
    [
        ("echo good news", "good …", True),
        ("echo good news", "good", False),
        ("echo 'a(b'", "a(b", True),
        ("false", "", False),
        ("sleep 9 & kill %1", "", True),
    ],
)
def test_a_page_that_is_wrong_is_found_out(
    text: str, shown: str, fits: bool, tmp_path: Path
) -> None:
    """A command that ends otherwise, or prints something else than the page shows, is a fault."""
    with Shell(tmp_path, os.environ) as shell:
        code, output = shell.run(text)
    lines = (shown,) if shown else ()
    assert Command(text, lines, 0, soon=False).fits(code, output) is fits


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    """The server that `make run` starts, with the token where a reader finds it."""
    folder = Path(tempfile.mkdtemp(prefix="hr-", dir="/tmp"))
    server = Served(folder / "data")
    server.start()
    (server.data_dir / "admin-token").write_text(ADMIN_TOKEN)
    yield server
    code = server.stop()
    shutil.rmtree(folder, ignore_errors=True)
    assert code == 0


@pytest.mark.parametrize("page", PAGES, ids=name)
async def test_a_page_can_be_typed_from_top_to_bottom(
    page: Path, short_dir: Path, running: Served
) -> None:
    """Each command of a page ends with its exit code and prints what the page shows.

    A page that starts no server itself has the one that `make run` starts.
    """
    steps = list(read_page(page))
    port = int(running.url.rpartition(":")[2])
    (short_dir / "examples").symlink_to(EXAMPLE.parent)
    if any(isinstance(step, Command) and "hookrack serve" in step.text for step in steps):
        port = free_port()
    else:
        (short_dir / ".hookrack").symlink_to(running.data_dir)
    environ = {each: value for each, value in os.environ.items() if "HOOKRACK_" not in each}
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    environ["HOOKRACK_PORT"] = str(port)  # where the page has 8080, as is the default
    with Shell(short_dir, environ) as shell:
        for step in steps:
            if isinstance(step, File):
                (short_dir / step.name).write_text(step.text)
            else:
                await typed(shell, step, port=port)


async def typed(shell: Shell, command: Command, *, port: int) -> None:
    """Type one command; again for a while, where the page says that it tells of what comes soon."""
    text = command.text.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    code, output = shell.run(text)

    def fits() -> bool:
        nonlocal code, output
        if not command.fits(code, output):
            code, output = shell.run(text)
        return command.fits(code, output)

    if command.soon:
        await wait_until(fits, what=f"{text}\n{output}", seconds=8)
    assert command.fits(code, output), f"{text}\nended with {code}:\n{output}"
