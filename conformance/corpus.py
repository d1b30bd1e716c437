"""Real templates and payloads through the written-out template: the corpus's cases of `sent`.

Every recorded template with the body it was recorded with, and every payload (real webhooks, and
JSON that is nearly none) with a few templates, among them one for each way to write a body out.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conformance.fuzz import KINDS
from conformance.oracle import Case, Oracle
from conformance.recorded import load
from conformance.sent import case_of, request_of, written

TEMPLATES: Final = {
    "whole": "$input.json('$')",
    "as sent": "$input.body",
    "a part": (
        "#set($j = $input.path('$'))#set($dedupeId = $j.sender.id)"
        "#set($webhookKeys = ['erp', $j.sender.id, $!j.action])\n"
        "{\"who\": $input.json('$.sender.login'), \"all\": $input.json('$..id')}"
    ),
    "as text": (
        """["$util.escapeJavaScript($input.body).replaceAll("\\\\'","'")", """
        '"$util.base64Encode($input.body)", "$util.urlEncode($input.body)"]'
    ),
}
LARGEST: Final = 256 * 1024  # of a body; a few documents of JSONTestSuite only nest


@dataclass(frozen=True, slots=True)
class Named:
    """A case, and where it is from."""

    name: str
    case: Case


def corpus(folder: Path) -> Iterator[Named]:
    """All cases that the files in a folder make."""
    recorded = folder / "vtl_cases.json"
    for each in load(recorded) if recorded.exists() else ():
        body = (each.get("request") or {}).get("body") or ""
        request = request_of(body.encode(errors="replace"))
        yield Named(each["name"], case_of(each["template"], request))
    for name, body in _bodies(folder):
        for kind, template in TEMPLATES.items():
            yield Named(f"{name}, {kind}", case_of(template, request_of(body)))


def _bodies(folder: Path) -> Iterator[tuple[str, bytes]]:
    events = folder / "github-events.jsonl"
    lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
    for number, line in enumerate(lines, 1):
        payload = json.dumps(json.loads(line)["payload"], ensure_ascii=number % 2 == 0)
        yield f"{events.name}:{number}", payload.encode()
    for path in sorted((folder / "json-test-suite").glob("*/*.json")):
        body = path.read_bytes()
        if len(body) <= LARGEST and _is_text(body):
            yield path.name, body


def _is_text(body: bytes) -> bool:
    """Whether a template can see it at all; else the local door refuses the request."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def misses(cases: list[Named], oracle: Oracle) -> Iterator[tuple[str, str]]:
    """Name and how: every case whose event isn't, there, what it is here."""
    asked = (written(each.case) for each in cases)
    for each, theirs in zip(cases, oracle.ask_all(asked), strict=True):
        how, is_excused = KINDS["sent"].compare(each.case, theirs)
        if how is not None and not is_excused:
            yield each.name, how
