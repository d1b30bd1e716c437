"""The routes as /openapi.json tells them, called with what a generator makes of their schemas."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from harness import ADMIN_TOKEN, Served

from hookrack.entrypoints.http.api import describe_api

EXAMPLES: Final = 4  # of each operation and phase
SEED: Final = 7
# A stream never ends, and a generated `wait` holds a call for up to 30 s each time.
WAITING: Final = r"/(stream|lease|events)$|keys/\{key\}$"


def test_generated_calls_find_no_fault_of_ours(
    own_server: Callable[..., Served], tmp_path: Path
) -> None:
    """Neither good nor broken calls of any operation, alone or one after the other, are 5xx."""
    served = own_server()
    command = [
        *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
        *("run", f"{served.url}/openapi.json", "--exclude-path-regex", WAITING),
        *("-H", f"Authorization: Bearer {ADMIN_TOKEN}", "-H", "Hookrack-Account: fuzzed"),
        *("--checks", "not_a_server_error", "--phases", "coverage,fuzzing,stateful"),
        *("-n", str(EXAMPLES), "--seed", str(SEED), "--workers", "1", "--no-color"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
    assert "Tested: 29" in done.stdout, done.stdout[-2_000:]


def test_every_link_leads_to_a_call() -> None:
    """What the document says may follow an answer is a call of its own, with parameters it has."""
    document = describe_api().openapi()
    calls = {
        each["operationId"]: {name["name"] for name in each.get("parameters", ())}
        for path in document["paths"].values()
        for each in path.values()
    }
    links = [
        link
        for path in document["paths"].values()
        for call in path.values()
        for answer in call["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    assert len(links) >= 15
    for link in links:
        assert set(link["parameters"]) <= calls[link["operationId"]]
