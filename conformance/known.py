"""Differences that stay, each with its reason; docs/reference/mapping-differences.md lists them."""

import re
from typing import Final

from conformance.oracle import Case, Result

# JDK 17 writes some doubles between 1e18 and 1e24 with more digits than they need.
_TOO_MANY_DIGITS: Final = re.compile(r"\d\.\d{15,17}E(?:1[89]|2[0-4])")


def reason(case: Case, ours: Result, theirs: Result) -> str | None:
    """Why this difference stays, or None."""
    if _TOO_MANY_DIGITS.search(theirs.get("output", "")):
        return "doubles print as newer JDKs print them"
    if "StackOverflowError" in theirs.get("error", "") or "OutOfMemory" in theirs.get("error", ""):
        return "the oracle is out of memory"
    if "hashCode" in case["template"] and "error" not in ours:
        return "hash codes"
    return None
