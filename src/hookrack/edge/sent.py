"""What was sent, and the places in it: headers, members of a JSON body, fields of a form."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from hookrack.jsontext import find_json_fault, refuse_duplicate_names

FORM_FIELDS: Final = 1_000
FORM_TYPE: Final = "application/x-www-form-urlencoded"
Lookup = Callable[[bytes], str | None]


class Unfit(ValueError):  # noqa: N818 - what a request is
    """What was sent can't be what a signature stands for; the text says why to its sender."""


def no_header(_name: bytes) -> str | None:
    """A request without headers."""
    return None


def unknown() -> str:
    """An address that nobody knows."""
    return ""


class Sent(NamedTuple):
    """A request as a signature sees it; `now` (ms) is when its body was complete.

    The headers are looked up by their lower-case names; the address is made when it is asked for.
    """

    body: bytes = b""
    now: int = 0
    header: Lookup = no_header
    url: Callable[[], str] = unknown
    method: str = "POST"

    def form(self) -> Mapping[str, list[str]]:
        """The fields of a form; empty where the body is none. Raises: ValueError."""
        media_type = (self.header(b"content-type") or "").partition(";")[0].strip().lower()
        if media_type != FORM_TYPE:
            return {}
        text = self.body.decode()
        return parse_qs(text, keep_blank_values=True, max_num_fields=FORM_FIELDS)


def read_json(body: bytes) -> Any:  # noqa: ANN401 - JSON holds anything
    """A JSON body, its numbers as texts as they are written.

    Raises: ValueError, also for a name that stands twice: readers differ in which one they take.
    """
    if fault := find_json_fault(body):
        raise Unfit(f"the body is not JSON: {fault}")
    try:
        return json.loads(
            body, parse_int=str, parse_float=str, object_pairs_hook=refuse_duplicate_names
        )
    except RecursionError as exc:
        raise Unfit("the body is nested too deep") from exc


def text_at(document: object, path: str) -> str | None:
    """The text (or number, or flag) at a path of names and places, or None."""
    return text_of(value_at(document, path))


def value_at(document: object, path: str) -> object:
    """What stands at a path of names and places, or None."""
    for name in path.split("."):
        if isinstance(document, Mapping):
            document = document.get(name)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def text_of(value: object) -> str | None:
    """A text, or a flag as one; None for what is neither."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None


def find(place: str, sent: Sent) -> str | None:
    """What stands at a place of a request, or None. Raises: ValueError."""
    kind, _, name = place.partition(".")
    if kind == "header":
        return sent.header(name.encode())
    if kind == "form":
        return sent.form().get(name, [None])[0]
    if kind == "hash":
        return sha256(sent.body).hexdigest()
    return text_at(read_json(sent.body), name)
