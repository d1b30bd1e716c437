"""Names: no drawers for odds and ends, arguments that say what they are, public names that hold."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from hookrack.telemetry import log, log_lines

ROOT: Final = Path(__file__).parents[2]
SRC: Final = ROOT / "src"
SOURCES: Final = sorted(SRC.rglob("*.py"))
TESTS: Final = sorted((ROOT / "tests").rglob("*.py"))
DRAWERS: Final = {"utils", "util", "common", "helpers", "helper", "misc", "base", "core", "shared"}
POSITIONAL: Final = 2

# Public functions with more than two arguments by position, and why.
ASGI = "the standard's own three, or what an exchange hands on"
PATH = "account, flow and key are read in the order of an address"
EXCEPTIONS: Final = {
    "entrypoints/http/api/later.py:Later.__call__": ASGI,
    "entrypoints/http/asgi.py:Front.__call__": ASGI,
    "entrypoints/http/exchange.py:answer": ASGI,
    "entrypoints/http/ingest.py:ingest": ASGI,
    "entrypoints/http/keys.py:get_key": ASGI,
    "pipeline.py:admit": PATH,
    "pipeline.py:read": PATH,
    "_redis/scripts.py:Script.run": "the order of Redis's EVALSHA",
    "fields.py:Fields.refuse": "field, what is wrong, and the mend, as the message has them",
    "engine/guard.py:refused": "place, words and findings stand in the order of the message",
}
# What a test may bend: bounds of waiting that it makes shorter, and who root seems to be.
BENT: Final = {"ADOPT_WAIT", "FREE_BYTES", "STOP_WAITS", "geteuid"}
# The one place of the tests that may look again after a while: it waits for conditions.
WAITS: Final = {"harness.py"}


def name(path: Path) -> str:
    """A path as a test report shows it."""
    return path.relative_to(ROOT).as_posix()


def public_functions(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, ast.arguments]]:
    """Functions and methods that others may call, with their arguments but self and cls."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            is_special = node.name.startswith("__") and node.name.endswith("__")
            if is_special or not node.name.startswith("_"):
                yield owner + node.name, node.args


def by_position(arguments: ast.arguments) -> int:
    """How many arguments can be given without their names."""
    names = [each.arg for each in arguments.posonlyargs + arguments.args]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def long_functions(path: Path) -> set[str]:
    """The public functions of a file that take more than two arguments by position."""
    own = path.relative_to(SRC / "hookrack").as_posix()
    found = public_functions(ast.parse(path.read_text()).body)
    return {f"{own}:{each}" for each, arguments in found if by_position(arguments) > POSITIONAL}


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a file, with the last part of what is called."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).split(".")[-1], node


def test_there_are_no_drawers_for_odds_and_ends() -> None:
    """No module or folder is named for holding what has no other place."""
    names = {each for path in SOURCES + TESTS for each in path.with_suffix("").parts}
    assert not names & DRAWERS


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_arguments_after_the_second_are_named(path: Path) -> None:
    """A caller of a public function names every argument after the second."""
    assert long_functions(path) <= set(EXCEPTIONS)


def test_the_exceptions_are_few_and_real() -> None:
    """The list of exceptions is short, and each is still needed."""
    assert set(EXCEPTIONS) == {each for path in SOURCES for each in long_functions(path)}
    assert len(EXCEPTIONS) <= 10


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if "__all__" in path.read_text()], ids=name
)
def test_public_names_are_what_all_says(path: Path) -> None:
    """`__all__` is sorted, complete, and names only what is there."""
    dotted = ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
    module = importlib.import_module(dotted)
    imported = {
        alias.asname or alias.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert list(module.__all__) == sorted(set(module.__all__))
    assert all(hasattr(module, each) for each in module.__all__)
    assert {each for each in imported if not each.startswith("_")} <= set(module.__all__)


def test_log_lines_are_named_noun_first() -> None:
    """A log line is `noun.past-or-state`, and its constant is the same in capitals."""
    constants = {value.name: key for key, value in vars(log).items() if not key.startswith("_")}
    for line in log_lines():
        assert re.fullmatch(r"[a-z]+\.[a-z]+", line.name)
        assert constants[line.name] == line.name.upper().replace(".", "_")


@pytest.mark.parametrize("path", TESTS, ids=name)
def test_tests_wait_for_conditions_and_not_for_times(path: Path) -> None:
    """No test sleeps; what must be waited for is waited for in one place."""
    sleeps = [
        node.lineno
        for called, node in calls(path)
        if called == "sleep" and [ast.unparse(each) for each in node.args] != ["0"]
    ]
    assert not sleeps or path.name in WAITS


@pytest.mark.parametrize("path", TESTS, ids=name)
def test_tests_use_the_real_thing(path: Path) -> None:
    """No test puts a mock in the place of a part, nor bends one but for its bounds."""
    tree = ast.parse(path.read_text())
    modules = {
        module
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in [getattr(node, "module", None) or "", *(each.name for each in node.names)]
    }
    assert not [each for each in modules if re.search(r"\b(mock|fakeredis|unittest)\b", each)]
    bent = {ast.unparse(node.args[1]) for called, node in calls(path) if called == "setattr"}
    assert bent <= {repr(each) for each in BENT}
