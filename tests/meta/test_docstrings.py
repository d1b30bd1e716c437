"""Everything public says what it is: modules, classes, functions, and every test."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = sorted((ROOT / "src").rglob("*.py"))
TESTS: Final = sorted((ROOT / "tests").rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | ast.ClassDef | Function


def name(path: Path) -> str:
    """A path as a test report shows it."""
    return path.relative_to(ROOT).as_posix()


def public(node: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | Function]:
    """The public classes and functions of a module, and the public methods of those classes."""
    for each in node.body:
        if isinstance(each, ast.ClassDef) and not each.name.startswith("_"):
            yield each
            yield from public(each)
        elif isinstance(each, Function) and not each.name.startswith("_"):
            yield each


def is_sentence(text: str) -> bool:
    """Whether a docstring's first paragraph is something to read."""
    first = text.partition("\n\n")[0].strip()
    return len(first.split()) >= 2 and first[-1] in ".:;?)"


def undocumented(nodes: Iterator[Documented]) -> list[str]:
    """Those without a docstring that reads like a sentence."""
    found = [(getattr(node, "name", "the module"), ast.get_docstring(node) or "") for node in nodes]
    return [each for each, text in found if not is_sentence(text or "-")]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_all_that_is_public_says_what_it_is(path: Path) -> None:
    """A module says its place on the path; a class or function its contract, in a sentence."""
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    assert not undocumented(public(tree))


@pytest.mark.parametrize("path", TESTS, ids=name)
def test_every_test_reads_like_a_manual(path: Path) -> None:
    """Each test, fixture and file of tests says in a sentence what holds."""
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    assert not undocumented(public(tree))
    names = [node.name for node in ast.walk(tree) if isinstance(node, Function)]
    tests = [each for each in names if each.startswith("test_")]
    assert len(tests) == len(set(tests)), "a test hides another of its name"
