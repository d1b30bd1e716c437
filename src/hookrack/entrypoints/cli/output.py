"""How commands print: for eyes on a terminal, JSON lines in a pipe."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson


def write(body: bytes) -> None:
    """Bytes as they are."""
    sys.stdout.buffer.write(body)
    sys.stdout.flush()


def show_json(body: bytes, *, as_json: bool) -> None:
    """One JSON document: indented on a terminal, one line as it came elsewhere."""
    if as_json or not sys.stdout.isatty():
        write(body.strip() + b"\n")
        return
    try:
        write(orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2) + b"\n")
    except orjson.JSONDecodeError:  # numbers that no double holds
        write(body.strip() + b"\n")


def show_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Rows with the same names: a table on a terminal, a JSON line each elsewhere."""
    if as_json or not sys.stdout.isatty():
        write(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in table) for place in range(len(names))]
    for line in table:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        write("  ".join(padded).rstrip().encode() + b"\n")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(_cell(each) for each in value)
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return "".join(letter if letter.isprintable() else "?" for letter in text)
