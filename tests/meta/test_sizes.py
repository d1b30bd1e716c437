"""Small files and small functions, and what else keeps the code easy to read."""

import ast
from pathlib import Path
from statistics import median
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = sorted((ROOT / "src").rglob("*.py"))
FILES: Final = [
    path
    for folder in ("src", "tests", "bench", "chaos", "docs", "fuzz")
    for kind in ("py", "lua")
    for path in sorted((ROOT / folder).rglob(f"*.{kind}"))
]
FILE_LINES: Final = 400
FUNCTION_LINES: Final = 60
MEDIAN_LINES: Final = 10
CATCH_ALLS: Final = {"hookrack/pipeline.py", "hookrack/entrypoints/http/asgi.py"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name(path: Path) -> str:
    """A path as a test report shows it."""
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> dict[str, int]:
    """The functions of a file, and how many lines each has from its def to its end."""
    return {
        f"{node.name} in line {node.lineno}": (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, Function)
    }


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_fits_a_head(path: Path) -> None:
    """A file has at most 400 lines."""
    assert len(path.read_text().splitlines()) <= FILE_LINES


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".py"], ids=name)
def test_a_function_fits_a_screen(path: Path) -> None:
    """A function has at most 60 lines."""
    assert not {each: n for each, n in functions(path).items() if n > FUNCTION_LINES}


def test_most_functions_are_short() -> None:
    """Half of all functions have at most 10 lines, their docstrings counted."""
    sizes = [size for path in SOURCES for size in functions(path).values()]
    assert len(sizes) > 100
    assert median(sizes) <= MEDIAN_LINES


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_everything_is_caught_in_two_places_only(path: Path) -> None:
    """`except Exception` stands around one record and at the HTTP boundary; all else re-raises."""
    own = path.relative_to(ROOT / "src").as_posix()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            caught = "all" if node.type is None else ast.unparse(node.type)
            if "BaseException" in caught or caught == "all":
                assert ast.unparse(node.body[-1]) == "raise", f"{own}, line {node.lineno}"
            elif caught.split(".")[-1] == "Exception":
                assert own in CATCH_ALLS, f"{own}, line {node.lineno}"


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".lua"], ids=name)
def test_a_script_says_what_it_takes_and_gives(path: Path) -> None:
    """A script begins with its name, its KEYS, its ARGV and its answer."""
    lines = path.read_text().splitlines()
    header = lines[: next(place for place, line in enumerate(lines) if not line.startswith("--"))]
    assert header[0].startswith(f"-- {path.stem}: ")
    starts = [line.removeprefix("--").split()[:1] for line in header]
    wanted = [start for start in starts if start in (["KEYS"], ["ARGV"], ["->"])]
    assert wanted == [["KEYS"], ["ARGV"], ["->"]]
