"""The catalogue of errors: each code once, stable, with the status that the contract gives it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from hookrack.errors import CATALOGUE, Code

SRC: Final = Path(__file__).parents[2] / "src" / "hookrack"
# The codes that the outside contract names, with the status that it gives them.
CONTRACT: Final = {
    400: "BODY_NOT_JSON MODEL_VIOLATION MAPPING_FAILED KEYS_INVALID TTL_INVALID ACCOUNT_REQUIRED",
    401: "SIGNATURE_INVALID CREDENTIAL_INVALID",
    403: "ADDRESS_NOT_ALLOWED",
    404: "FLOW_UNKNOWN NO_EVENT",
    409: "OWNED_BY_FILE",
    410: "CURSOR_INVALID",
    413: "BODY_TOO_LARGE ENTRY_TOO_LARGE",
    415: "CONTENT_TYPE_UNSUPPORTED",
    429: "RATE_LIMITED",
    503: "STORE_UNAVAILABLE STORE_FULL",
}
STATUSES: Final = {code: status for status, codes in CONTRACT.items() for code in codes.split()}


def raised(kind: str) -> Iterator[tuple[str, Code]]:
    """Where an error of this kind is made with which code."""
    for path in sorted(SRC.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == kind and node.args:
                code = re.fullmatch(r"Code\.(\w+)", ast.unparse(node.args[0]))
                if code:
                    yield f"{path.name}, line {node.lineno}", Code[code[1]]


def test_every_code_has_a_row_and_no_row_is_left() -> None:
    """The catalogue has exactly one row for each code, in the order of the codes."""
    assert list(CATALOGUE) == list(Code)


@pytest.mark.parametrize("code", Code)
def test_a_code_is_stable_and_complete(code: Code) -> None:
    """A code's value is its name; its row has an error status, a title, and a mend."""
    row = CATALOGUE[code]
    assert code.value == code.name
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", code)
    assert 400 <= row.status <= 599
    assert row.title[0].isupper()
    assert not row.title.endswith(".")
    assert row.mend.endswith(".")


def test_titles_tell_codes_apart() -> None:
    """No two codes have the same title."""
    assert len({row.title for row in CATALOGUE.values()}) == len(CATALOGUE)


@pytest.mark.parametrize("code", [code for code in Code if code in STATUSES])
def test_a_code_of_the_contract_has_its_status(code: Code) -> None:
    """Where the contract gives a code a status, the catalogue agrees."""
    assert CATALOGUE[code].status == STATUSES[code]


def test_a_refusal_is_the_callers_fault() -> None:
    """What is raised as Rejected is answered with a 4xx, or 501 for what isn't built yet."""
    found = list(raised("Rejected"))
    assert found
    assert not [
        where for where, code in found if CATALOGUE[code].status not in {*range(400, 500), 501}
    ]


def test_an_outage_is_503() -> None:
    """What is raised as Unavailable is answered with 503."""
    found = list(raised("Unavailable"))
    assert found
    assert not [where for where, code in found if CATALOGUE[code].status != 503]


def test_every_code_is_of_use() -> None:
    """A code that nothing raises yet is at least one of the contract's."""
    text = "".join(path.read_text() for path in SRC.rglob("*.py") if path.name != "errors.py")
    unused = {code for code in Code if not re.search(rf"\bCode\.{code}\b", text)}
    assert unused <= set(STATUSES)
