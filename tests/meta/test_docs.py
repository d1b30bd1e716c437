"""The documentation is what the code is: pages made of it, every field named, links that lead."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest
from docs.generate.__main__ import PAGES, main

from hookrack.edge.presets import PRESETS
from hookrack.entrypoints.http.api import describe_api
from hookrack.errors import Code
from hookrack.settings import documented_settings
from hookrack.telemetry import log_lines

ROOT: Final = Path(__file__).parents[2]
REFERENCE: Final = ROOT / "docs" / "reference"
PROSE: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NOT_WRITTEN_YET: Final = {"docs/reference/performance.md"}  # comes with the next `make bench`


def name(path: Path) -> str:
    """A path as a test report shows it."""
    return path.relative_to(ROOT).as_posix()


def flow_fields() -> set[str]:
    """Every field that the readers of flows let into some mapping, or refuse as not yet."""
    sources = [
        ROOT / "src" / "hookrack" / each for each in ("flows.py", "flow_auth.py", "limit_fields.py")
    ]
    nodes = [node for each in sources for node in ast.walk(ast.parse(each.read_text()))]
    found = {option for preset in PRESETS.values() for option in preset.options}
    for node in nodes:
        is_list = isinstance(node, ast.AnnAssign) and ast.unparse(node.target) in (
            *("_NOT_YET", "_FLOW_FIELDS", "_SIGNATURE_FIELDS", "_FIELDS"),
        )
        is_check = isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            (".only", ".not_yet")
        )
        if is_list or is_check:
            texts = [each for each in ast.walk(node) if isinstance(each, ast.Constant)]
            found |= {each.value for each in texts if isinstance(each.value, str)}
    return found


def test_the_reference_is_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    """`make docs` would change nothing."""
    assert main(["--check"]) == 0, capsys.readouterr().out


def test_a_page_that_differs_is_named_and_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--check ends with 1 and names each page that differs; without it the pages are written."""
    assert main(["--check"], folder=tmp_path) == 1
    assert not list(tmp_path.iterdir())
    told = capsys.readouterr().out
    assert all(each in told for each in PAGES)
    assert main([], folder=tmp_path) == 0
    assert main(["--check"], folder=tmp_path) == 0
    (tmp_path / "errors.md").write_text("old")
    assert main(["--check"], folder=tmp_path) == 1


def test_nothing_is_missing_in_the_reference() -> None:
    """Each setting, code, log line and route stands in its page."""
    pages = {path.name: path.read_text() for path in REFERENCE.glob("*.md")}
    for row in documented_settings():
        assert f"`{row.variable}` | `{row.name}`" in pages["settings.md"]
    assert all(f"| `{code}` |" in pages["errors.md"] for code in Code)
    assert all(f"| `{line.name}` |" in pages["log-lines.md"] for line in log_lines())
    for path, calls in describe_api().openapi()["paths"].items():
        assert all(f"### {method.upper()} {path}\n" in pages["http.md"] for method in calls)


def test_every_field_of_a_flow_file_is_explained() -> None:
    """Each field that the reader of flow files knows stands in the page, as code."""
    fields = flow_fields()
    assert {"version", "maxTtl", "maxBodyBytes", "header", "dedupe", "perSecond"} <= fields
    text = (REFERENCE / "flow-file.md").read_text()
    assert not {each for each in fields if not re.search(rf"[`\"]{each}[`\"]", text)}


@pytest.mark.parametrize("path", PROSE, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    """Each relative link is to a file or folder that is there."""
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text())
    found = {name((path.parent / each).resolve()) for each in links}
    assert not {each for each in found if not (ROOT / each).exists()} - NOT_WRITTEN_YET
