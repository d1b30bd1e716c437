"""Write the reference pages that differ from the code; with `--check` only name them."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from docs.generate.http import http_page
from docs.generate.pages import cli_page, errors_page, log_lines_page, settings_page
from docs.generate.schemes import schemes_page

REFERENCE: Final = Path(__file__).parents[1] / "reference"
PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "cli.md": cli_page,
    "http.md": http_page,
    "log-lines.md": log_lines_page,
    "schemes.md": schemes_page,
}


def main(words: Sequence[str], *, folder: Path = REFERENCE) -> int:
    """Do it; the exit code is 1 where `--check` finds a difference."""
    only_check = "--check" in words
    stale = False
    for name, make in PAGES.items():
        path, text = folder / name, make()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale = True
        print(f"docs/reference/{name} {'differs from the code' if only_check else 'written'}")
        if not only_check:
            path.write_text(text, encoding="utf-8")
    return 1 if stale and only_check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
