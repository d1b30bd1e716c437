"""`hookrack template`: mapping templates on the desk, without a server."""

import json
from pathlib import Path
from typing import Any

import pytest
from harness import hookrack

ORDER = '{"id": $input.json("$.id"), "who": "$input.params("X-Who")", "v": "$stageVariables.v"}'


@pytest.fixture
def order(tmp_path: Path) -> Path:
    """A template and a body for it."""
    (tmp_path / "order.json").write_text('{"id": [1, 2]}')
    path = tmp_path / "order.vtl"
    path.write_text(ORDER)
    return path


def test_render_prints_the_output_to_the_byte(order: Path) -> None:
    """What is printed in a pipe is the output and nothing besides."""
    body = str(order.with_suffix(".json"))
    done = hookrack(
        *("template", "render", str(order), "--body", body, "--header", "X-Who: me"),
        *("--stage-variable", "v=1"),
    )
    assert (done.returncode, done.stdout) == (0, '{"id": [1,2], "who": "me", "v": "1"}')


def test_a_request_may_come_as_json(order: Path, tmp_path: Path) -> None:
    """--request takes all of it from one file, in the shape of a case."""
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"request": {"body": {"id": 1}, "headers": {"x-who": "you"}}}))
    done = hookrack("template", "render", str(order), "--request", str(file))
    assert done.stdout == '{"id": 1, "who": "you", "v": ""}'


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("a\n#if($x) b", ["line 2, column 1", "^", "Add #end"]),
        ("$input.path('$').substring(9)", ["line 1, column 18", "^"]),
    ],
)
def test_a_fault_shows_its_place(template: str, said: list[str], tmp_path: Path) -> None:
    """A template that can't be read, or ends in an error: exit 1, line, column, and a caret."""
    path, body = tmp_path / "t.vtl", tmp_path / "b.json"
    path.write_text(template)
    body.write_text('"abc"')
    done = hookrack("template", "render", str(path), "--body", str(body))
    assert (done.returncode, done.stdout) == (1, "")
    assert all(each in done.stderr for each in said), done.stderr


def test_explain_tells_tree_references_and_traps(order: Path) -> None:
    """Explaining shows what is parsed, what came of each reference, and the classic traps."""
    done = hookrack("template", "explain", str(order), "--body", str(order.with_suffix(".json")))
    told = done.stdout
    assert done.returncode == 0
    assert "$input.json(\"$.id\")  ->  '[1,2]'" in told
    assert "isn't escaped" in told
    as_json = hookrack("template", "explain", str(order), "--json")
    assert {"trace", "tree", "warnings", "output"} <= set(json.loads(as_json.stdout))


CASES: list[dict[str, Any]] = [
    {"name": "exact", "template": "$input.body", "request": {"body": "x"}, "expected": "x"},
    {"name": "json", "template": '{ "a":1 }', "expectedJson": {"a": 1}, "whatever": 1},
    {"name": "file", "templateFile": "order.vtl", "request": {"body": '{"id": 1}'},
     "expectedJson": {"id": 1, "who": "", "v": ""}},
    {"name": "error", "template": "#if", "expectedError": True},
    {"name": "part", "template": "#if($a)", "expectedError": "no #end"},
    {"name": "several", "template": "$input.params('a')$context.x$stageVariables.y",
     "request": {"query": {"a": "1"}}, "context": {"x": "2"}, "stageVariables": {"y": "3"},
     "expected": "123"},
]  # fmt: skip


def test_cases_are_run_and_told(order: Path) -> None:
    """`test` runs every case below a folder; --json prints a line for each."""
    (order.parent / "some.cases.json").write_text(json.dumps(CASES))
    done = hookrack("template", "test", str(order.parent), "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows == [{"name": case["name"], "outcome": "passed"} for case in CASES]
    assert done.returncode == 0
    assert done.stderr == "6 passed, 0 failed\n"


@pytest.mark.parametrize(
    ("case", "actual"),
    [
        ({"template": "a", "expected": "b"}, "a"),
        ({"template": "a", "expectedJson": "b"}, "a"),
        ({"template": "a", "expectedError": True}, "a"),
        ({"template": "#if($a)", "expected": "a"}, "error: "),
        ({"template": "#if($a)", "expectedError": "something else"}, "error: "),
    ],
)
def test_a_case_that_fails_tells_what_came(
    case: dict[str, Any], actual: str, tmp_path: Path
) -> None:
    """A failed case shows expected and actual, and the exit code is 1."""
    (tmp_path / "a.cases.json").write_text(json.dumps([case | {"name": "n"}]))
    done = hookrack("template", "test", str(tmp_path), "--json")
    (row,) = map(json.loads, done.stdout.splitlines())
    assert (row["name"], row["outcome"], done.returncode) == ("n", "failed", 1)
    assert row["expected"] in case.values()
    assert row["actual"].startswith(actual)


@pytest.mark.parametrize(("text", "said"), [("{", "is not JSON"), ("{}", "no list")])
def test_a_case_file_that_is_wrong(text: str, said: str, tmp_path: Path) -> None:
    """A file that is no list of cases is bad usage: exit 2, naming file and reason."""
    (tmp_path / "a.cases.json").write_text(text)
    done = hookrack("template", "test", str(tmp_path))
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (1, "case 1 is no object"),
        ({"template": "a"}, "needs one of"),
        ({"expected": "a"}, "neither template nor templateFile"),
        ({"templateFile": "gone.vtl", "expected": "a"}, "gone.vtl"),
        ({"template": "a", "expected": "a", "request": 1}, "request is no object"),
    ],
)
def test_a_case_that_can_not_be_run_has_failed(case: object, said: str, tmp_path: Path) -> None:
    """One case that is none fails with the reason; the others are run."""
    good = {"name": "good", "template": "a", "expected": "a"}
    (tmp_path / "a.cases.json").write_text(json.dumps([case, good]))
    done = hookrack("template", "test", str(tmp_path), "--json")
    bad, fine = map(json.loads, done.stdout.splitlines())
    assert (bad["outcome"], fine["outcome"], done.returncode) == ("failed", "passed", 1)
    assert said in bad["actual"]


def test_a_folder_without_cases_is_no_success(tmp_path: Path) -> None:
    """Nothing to run is told, so that a wrong path doesn't look green."""
    assert hookrack("template", "test", str(tmp_path)).returncode == 2


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    """What some editors put before a case file or template belongs to neither."""
    (tmp_path / "a.vtl").write_text("[$input.body]", encoding="utf-8-sig")
    case = {"name": "marked", "templateFile": "a.vtl", "expected": "[{}]"}
    (tmp_path / "a.cases.json").write_text(json.dumps([case]), encoding="utf-8-sig")
    done = hookrack("template", "test", str(tmp_path), "--json")
    assert json.loads(done.stdout) == {"name": "marked", "outcome": "passed"}


def test_no_case_and_no_folder_are_no_success(tmp_path: Path) -> None:
    """An empty list and a name that isn't there are told, each as what it is."""
    (tmp_path / "a.cases.json").write_text("[]")
    empty, missing = (
        hookrack("template", "test", str(each)) for each in (tmp_path, tmp_path / "x")
    )
    assert (empty.returncode, missing.returncode) == (2, 2)
    assert "holds no case" in empty.stderr
    assert "isn't there" in missing.stderr
