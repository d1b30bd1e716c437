"""Differences that stay, each with its reason; docs/reference/mapping-differences.md lists them."""

import re
from typing import Final

from conformance.oracle import Case, Result

# What a pair of results looks like (the template, ours, theirs), and the reason.
_KNOWN: Final = [
    (r"", r"", r"\d\.\d{15,17}E(?:1[6-9]|2[0-4])", "doubles print as newer JDKs print them"),
    (r"floatValue", r"", r"\d\.\d{6,8}E?", "floats as well"),
    (r"", r"", r"StackOverflowError|OutOfMemoryError", "the oracle is out of memory"),
    (r"", r"", r"@[0-9a-f]{4,8}", "an object that prints by its place in memory"),
    (r"\.hashCode\(", r"", r"", "hash codes of Java's objects"),
    (r"(?:\.class\b|getClass\(\))", r"", r"\bOracle\$", "classes of the oracle's own objects"),
    (r"getClass|class", r"\$LinkedKeySet", r"\$Linked(?:Values|EntrySet)", "which view of a map"),
    (r"", r"", r"in  class java\.lang\.Class threw", "methods of Java's classes"),
    (r"", r"a list or a map can't be a key", r"", "only scalars are keys of maps"),
    (r"", r"regular expression|RE2|regex", r"", "regular expressions that RE2 doesn't know"),
    (r"", r"PatternSyntaxException", r"", "regular expressions that RE2 doesn't know"),
    (r"#\{?(?:foreach|define)", r"variable is wanted here|#foreach wants", r"", "refused earlier"),
    (r"#\{?parse", r"#parse wants a name", r"", "refused earlier"),
    (
        r"",
        r"",
        r"'(?:toString|parseInt)' in .*IllegalArg|wrong number of arguments",
        "Velocity keeps a method of another class",
    ),
    (r"\([^()]*charAt\(", r"", r"", "a letter is the same key as its text"),
    (r"format\([^()]*null", r"the format is null", r"", "which method null means"),
    (r"\\#\{?m", r"", r"", "the oracle keeps the names of macros"),
    (
        r"\$foreach ?=.*#foreach\(\$foreach",
        r"every loop's own",
        r"",
        "a loop's variable is $foreach",
    ),
    (r"iterator\(|subList", r"", r"ConcurrentModification", "iterators and parts are copies"),
    (r"(?:keySet|values|entrySet|subList)\(", r"", r"\((?:this|.*\(this) ", "views are copies"),
    (r"(?s)set\(\$foreach.*#foreach", r"every loop's own", r"", "two of that name"),
    (r"", r"", r"IllegalAccessError", "JSON of the oracle's own objects"),
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
