"""What the documentation tells its readers to type works, and prints what it says."""

import os
import shutil
import socket
import sys
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


@pytest.mark.parametrize("page", PAGES, ids=name)
async def test_a_page_can_be_typed_from_top_to_bottom(page: Path, short_dir: Path) -> None:
    """Each command of a page ends with its exit code and prints what the page shows.

    A page that asks a server and starts none itself has the one that `make run` starts.
    """
    steps = list(read_page(page))
    server = Served(short_dir / ".hookrack")
    typed_text = "\n".join(step.text for step in steps if isinstance(step, Command))
    port = free_port()
    (short_dir / "examples").mkdir()
    shutil.copy(EXAMPLE, short_dir / "examples")
    if "hookrack serve" not in typed_text and "127.0.0.1" in typed_text:
        server.start()
        port = int(server.url.rpartition(":")[2])
        (short_dir / ".hookrack" / "admin-token").write_text(ADMIN_TOKEN)
    environ = {each: value for each, value in os.environ.items() if "HOOKRACK_" not in each}
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    environ["HOOKRACK_PORT"] = str(port)  # where the page has 8080, as is the default
    try:
        with Shell(short_dir, environ) as shell:
            for step in steps:
                if isinstance(step, File):
                    (short_dir / step.name).write_text(step.text)
                else:
                    await typed(shell, step, port=port)
    finally:
        assert server.stop() == 0


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
