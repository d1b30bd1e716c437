"""The commands of a page of documentation, and a shell that they are typed into."""

import re
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_FENCE: Final = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """One command of a page: `shown` is what the page says it prints, … standing for anything.

    A block ```console exit=N ends with that code; one with `soon` tells of what happens in a
    moment, so that it may have to be typed again.
    """

    text: str
    shown: tuple[str, ...]
    exit_code: int
    soon: bool

    def fits(self, code: int, output: str) -> bool:
        """Whether it did what the page says."""
        lines = [re.escape(line).replace("…", ".*") for line in self.shown]
        return code == self.exit_code and all(
            re.search(rf"^{line}$", output, re.MULTILINE) for line in lines
        )


@dataclass(frozen=True)
class File:
    """A block ```yaml file=NAME: what the reader writes into that file."""

    name: str
    text: str


def read_page(path: Path) -> Iterator[Command | File]:
    """What a reader of this page types, in order."""
    for language, info, body in _FENCE.findall(path.read_text(encoding="utf-8")):
        if found := re.search(r"file=(\S+)", info):
            yield File(found[1], body)
        elif language == "console":
            code = re.search(r"exit=(\d+)", info)
            yield from _commands(body, int(code[1]) if code else 0, soon="soon" in info.split())


def _commands(body: str, exit_code: int, *, soon: bool) -> Iterator[Command]:
    pieces = re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]
    for place, piece in enumerate(pieces, 1):
        lines = piece.splitlines()
        last = next(n for n, line in enumerate(lines) if not line.endswith("\\"))
        code = exit_code if place == len(pieces) else 0
        yield Command("\n".join(lines[: last + 1]), tuple(lines[last + 1 :]), code, soon)


class Shell:
    """One bash for a whole page, so that variables and background jobs last."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        """Ready for commands."""
        return self

    def run(self, text: str) -> tuple[int, str]:
        """Type a command; its exit code and output."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        mark = f"done-{secrets.token_hex(8)}"
        self._process.stdin.write(f"{text}\nprintf '\\n{mark} %s\\n' $?\n")
        self._process.stdin.flush()
        output = list[str]()
        for line in self._process.stdout:
            if line.startswith(mark):
                return int(line.split()[1]), "".join(output)
            output.append(line)
        raise AssertionError(f"the shell ended at: {text}\n{''.join(output)}")

    def __exit__(self, *_: object) -> None:
        """Stop what the page left running in the background, and the shell."""
        try:
            self._process.communicate("kill $(jobs -p) 2>/dev/null; wait\n", timeout=20)
        finally:
            self._process.kill()
