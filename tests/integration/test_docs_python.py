"""The Python examples of the documentation run, in order, and print what the page shows."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from harness import ADMIN_TOKEN, Served

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = re.compile(
    r"^```python\n(.*?)^```\n+(?:```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL
)
PAGES: Final = [
    path for path in sorted((ROOT / "docs").rglob("*.md")) if EXAMPLES.search(path.read_text())
]


def name(path: Path) -> str:
    """A path as a test report shows it."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_examples_print_what_the_page_shows(page: Path, served: Served, tmp_path: Path) -> None:
    """Each block is a program of its own: it needs nothing that a reader of it can't see."""
    environ = {"HOOKRACK_URL": served.url, "HOOKRACK_TOKEN": ADMIN_TOKEN, "PATH": ""}
    for code, shown in EXAMPLES.findall(page.read_text()):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.stderr == "", code
        assert done.stdout == shown, code


def test_pages_are_found() -> None:
    """The client's page has an example for each use."""
    page = ROOT / "docs" / "guides" / "client.md"
    assert page in PAGES
    assert len(EXAMPLES.findall(page.read_text())) >= 9
