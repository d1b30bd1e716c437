"""Generated bodies (strict JSON, and what only a permissive parser reads) and JSONPaths."""

from random import Random
from typing import Final

NAMES: Final = ["a", "b", "c", "d", "x y", "length", "it's", "1", "class", "size", "empty"]
_SCALARS: Final = [
    *("1", "2", "-1", "0", "1.5", '"a"', '"b"', '"x y"', "null", "true", "false", '"null"', '"1"'),
    *('"it\'s"', "1e7", "12345678901", '""', '"a/b"', "1e400", "0.12345678901234567890", "-0.0"),
    *('"\\u2028\\u007f\\u0001"', '"é\U0001f600"', "9223372036854775808", '"a,b,,c,"', "100000.0"),
]
_LOOSE: Final = [
    *("{", "}", "[", "]", ",", ":", '"', "'", "\\", " ", "a", "n", "t", "0", "1", "-", ".", "e"),
    *("~", "é", "\t", "\n", "\x01", "\x1a", "\x7f", "/", "null", "NaN", "tru", "1e5", "\\u0041"),
    *("\\x41", "\\q", "\\ud83d", "\\ude00", "1e+", ".5", "007", "+", "x", "1e"),
]


def strict(rnd: Random, depth: int = 0) -> str:
    """A JSON text."""
    kind = rnd.random()
    if depth > 3 or (kind < 0.45 and (depth or kind < 0.1)):
        return rnd.choice(_SCALARS)
    inner = [strict(rnd, depth + 1) for _ in range(rnd.randint(0, 4))]
    if kind < 0.7:
        return "[" + ",".join(inner) + "]"
    return "{" + ",".join(f'"{rnd.choice(NAMES)}":{each}' for each in inner) + "}"


def body(rnd: Random) -> str:
    """A JSON text, often with a few letters put in or taken out."""
    text = strict(rnd)
    if rnd.random() < 0.6:
        return text
    for _ in range(rnd.randint(1, 3)):
        place = rnd.randint(0, len(text))
        put = rnd.choice(["", *_LOOSE])
        text = text[:place] + put + text[place + rnd.randint(0, 1) :]
    return text


_OPERANDS: Final = [
    *("@.a", "@.b", "@", "$.a", "@['a']", "@.a.b", "@[0]", "'a'", "'b'", "1", "2", "null", "true"),
    *("'1'", "/a/", "/A/i", "/.*/", "'it\\'s'", "1.5", "''", "abc", "@..a", "!@.a", "-1", "'x y'"),
]
_OPERATORS: Final = ["==", "!=", "<", ">", "<=", ">=", "=~", " == ", " =~ ", " > "]
_INDEXES: Final = [
    *("0", "1", "-1", "0,1", "1:", "0:2", ":2", ":-1", "-1:", "*", "-2:", "(@.length-1)", "1:3:2"),
    *(
        "(@.size()-1)",
        "0,5",
        "1,",
        "0:",
        "-1:1",
        "?",
        "1 , 0",
        "(@.length)",
        "::",
        "1-",
        "1a",
        '"1"',
    ),
]
_STEPS: Final = [
    *(f".{name}" for name in ["a", "b", "c", "*", "x y", "length"]),
    *(f"['{name}']" for name in ["a", "b", "x y", "a','b", "c','d','a", "*"]),
    *(f"[{index}]" for index in _INDEXES),
    *("..a", "..b", "..*", "..[0]", "..[*]", "..['a']", "..['a','b']", "..[?(@.a)]", "..", "."),
]


def _criterion(rnd: Random) -> str:
    if rnd.random() < 0.3:
        return rnd.choice(["@.a", "!@.a", "@", "@.a.b", "@[0]", "$.a", "@['b']", ""])
    return rnd.choice(_OPERANDS) + rnd.choice(_OPERATORS) + rnd.choice(_OPERANDS)


def _filter(rnd: Random) -> str:
    joiner = rnd.choice([" && ", " || ", "&&"])
    return f"[?({joiner.join(_criterion(rnd) for _ in range(rnd.randint(1, 3)))})]"


def path(rnd: Random) -> str:
    """A JSONPath, now and then with something wrong at its end."""
    steps = (
        _filter(rnd) if rnd.random() < 0.2 else rnd.choice(_STEPS) for _ in range(rnd.randint(0, 4))
    )
    start = rnd.choice(["$", "$", "$", "", "@", "$.", " $"])
    return start + "".join(steps) + rnd.choice(["", "", "", "", "", " ", "]", "[", "'", ".", "x"])
