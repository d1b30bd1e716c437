"""Differences that stay, each with its reason; docs/reference/mapping-differences.md lists them."""

import re
from typing import Final

from conformance.oracle import Case, Result

# What a pair of results looks like (the template, ours, theirs), and the reason.
_KNOWN: Final = [
    (r"", r"", r"\d\.\d{15,17}E(?:1[89]|2[0-4])", "doubles print as newer JDKs print them"),
    (r"floatValue", r"", r"\d\.\d{6,8}E?", "floats as well"),
    (r"", r"", r"StackOverflowError|OutOfMemoryError", "the oracle is out of memory"),
    (r"", r"", r"@[0-9a-f]{4,8}", "an object that prints by its place in memory"),
    (r"\.hashCode\(", r"", r"", "hash codes of Java's objects"),
    (r"(?:\.class\b|getClass\(\))", r"", r"\bOracle\$", "classes of the oracle's own objects"),
    (r"getClass|class", r"\$LinkedKeySet", r"\$Linked(?:Values|EntrySet)", "which view of a map"),
    (r"", r"", r"in  class java\.lang\.Class threw", "methods of Java's classes"),
    (r"", r"a list or a map can't be a key", r"", "only scalars are keys of maps"),
    (r"", r"regular expression|RE2|regex", r"", "regular expressions that RE2 doesn't know"),
]


def reason(case: Case, ours: Result, theirs: Result) -> str | None:
    """Why this difference stays, or None."""
    texts = (case["template"], _words(ours), _words(theirs))
    for *patterns, why in _KNOWN:
        if all(re.search(each, text) for each, text in zip(patterns, texts, strict=True)):
            return why
    return None


def _words(result: Result) -> str:
    return str(result.get("error", result.get("output", "")))
