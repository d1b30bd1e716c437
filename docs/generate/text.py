"""Pieces of Markdown."""

from collections.abc import Sequence
from typing import Final

_NOTE: Final = "<!-- Written by `make docs` from the code; change it there. -->"


def code(text: str) -> str:
    """A text as code, or the word for none."""
    return f"`{text}`" if text else "empty"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; a bar in a cell stays in it."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def page(title: str, *parts: str) -> str:
    """A whole page."""
    return "\n\n".join([_NOTE, f"# {title}", *(part.strip() for part in parts)]) + "\n"
