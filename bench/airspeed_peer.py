"""airspeed-ext, rendering the order template: run by a Python that has it, never by the project's.

Arguments: a file with the template, one with the body, and `bare` or `helpers`, which is what
stands behind `$input.path`: the parsed body itself, or JSONPath by jsonpath-rw, as LocalStack has
it. First it prints what the template renders to, as one line of JSON; then for each line with
seconds how many renderings it does in one.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import airspeed
from jsonpath_rw import parse as parse_path

_ESCAPES = {'"': '\\"', "'": "\\'", "\\": "\\\\", "\n": "\\n"}


class Input:
    """`$input`."""

    def __init__(self, body: str, *, is_bare: bool) -> None:
        self.body = body
        self.is_bare = is_bare

    def path(self, path: str) -> Any:  # noqa: ANN401
        """The body read, and what is found in it."""
        document = json.loads(self.body)
        if self.is_bare:
            return document
        found = [each.value for each in parse_path(path).find(document)]
        return found[0] if len(found) == 1 else found


class Util:
    """`$util`."""

    def escapeJavaScript(self, text: Any) -> str:  # noqa: ANN401, N802
        """The little that the bodies of the bench need."""
        return "".join(_ESCAPES.get(each, each) for each in str(text))


def main() -> None:
    """Say what comes out, then measure as asked."""
    source, body, kind = sys.argv[1:]
    template = airspeed.Template(Path(source).read_text(encoding="utf-8"))
    text = Path(body).read_text(encoding="utf-8")

    def render() -> str:
        given = {"input": Input(text, is_bare=kind == "bare"), "util": Util()}
        return str(template.merge(given))

    print(json.dumps(render()), flush=True)
    for line in sys.stdin:
        count, began = 0, time.perf_counter()
        while (spent := time.perf_counter() - began) < float(line):
            render()
            count += 1
        print(count / spent, flush=True)


if __name__ == "__main__":
    main()
