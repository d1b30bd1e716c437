"""Regular expressions as Java writes them, run by an engine that takes time linear in the text.

What the engine has no way for (look-around, back references, possessive quantifiers) is refused by
name: there is no way to run it that a sender couldn't make slow.
"""

import re
from functools import lru_cache
from typing import Any, Final

import re2

from hookrack.edge.mapping.budget import tick
from hookrack.edge.mapping.faults import JavaException

PATTERN_LETTERS: Final = 2_000
MATCHES: Final = 200_000
_MEMORY: Final = 2 * 2**20  # of one pattern
_KEPT: Final = 64  # patterns
_WORK: Final = 50_000_000  # steps of a pattern's program times letters of a text
_POSIX: Final = {
    **{name: f"[:{name.lower()}:]" for name in ("Lower", "Upper", "Alpha", "Digit", "Alnum")},
    **{name: f"[:{name.lower()}:]" for name in ("Punct", "Graph", "Print", "Blank", "Cntrl")},
    "XDigit": "[:xdigit:]",
    "ASCII": "[:ascii:]",
    "Space": r" \t\n\x0B\f\r",
    "IsAlphabetic": r"\p{L}",
    "IsDigit": r"\p{Nd}",
    "IsLetter": r"\p{L}",
}
_SPACES: Final = r" \t\n\x0B\f\r"
_ANY: Final = r"[^\n\r\x{85}\x{2028}\x{2029}]"
_TOKEN: Final = re.compile(
    r"""
    \\Q(?P<quoted>.*?)(?:\\E|\Z)
    | \\p\{(?P<posix>[A-Za-z]+)\}
    | \\u(?P<hex>[0-9A-Fa-f]{4})
    | \\(?P<escape>.)
    | (?P<named>\(\?<(?=[A-Za-z]))
    | (?P<plain>.)
    """,
    re.DOTALL | re.VERBOSE,
)
_ESCAPES: Final = {"e": r"\x1b", "h": r"[ \t\x{A0}]", "Z": r"\n?\z", "R": r"(?:\r\n|[\n\x0B\f\r])"}
_REPEAT: Final = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}")
_BRACED: Final = {"\\x", "\\p", "\\P", "\\N"}  # escapes that go on in braces
_REPLACEMENT: Final = re.compile(
    r"\\(?P<escaped>.)|\$\{(?P<name>\w+)\}|\$(?P<number>\d+)", re.DOTALL
)


@lru_cache(_KEPT)
def compiled(pattern: str) -> Any:
    """A Java pattern, ready to match. Raises: JavaException."""
    if len(pattern) > PATTERN_LETTERS:
        raise JavaException(f"a pattern of more than {PATTERN_LETTERS} letters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return re2.compile(_translated(_sound(pattern)), options=options)
    except re2.error as exc:
        words = exc.args[0].decode() if isinstance(exc.args[0], bytes) else str(exc.args[0])
        raise JavaException(f"PatternSyntaxException: {words[:200]}") from exc


def _translated(pattern: str) -> str:
    """The same pattern in the engine's own syntax."""
    found: list[str] = []
    depth = 0
    dotall = re.match(r"\(\?[a-z]*s[a-z]*\)", pattern) is not None
    for each in _TOKEN.finditer(pattern):
        plain = each["plain"]
        if plain is None:
            found.append(_escape(each, is_class=depth > 0))
        elif depth:
            if plain == "[" or pattern.startswith("&&", each.start()):
                raise JavaException(
                    "PatternSyntaxException: a class within a class isn't supported"
                )
            is_first = found[-1] in {"[", "^"} and found[-2:] != ["^", "^"] and depth == 1
            depth -= plain == "]" and not (is_first and found[-1] == "[")
            found.append(plain)
        else:
            if plain == "{" and not _repeats(pattern, each.start(), after=found[-1:]):
                raise JavaException("PatternSyntaxException: Illegal repetition")
            depth += plain == "["
            found.append(_ANY if plain == "." and not dotall else plain)
    return "".join(found)


def _repeats(pattern: str, at: int, *, after: list[str]) -> bool:
    """Whether the brace at `at` says how often something comes, or what an escape means."""
    if after and after[0] in _BRACED:
        return True
    return bool(after) and after[0] not in {"(", "|"} and _REPEAT.match(pattern, at) is not None


def _sound(text: str) -> str:
    """Half a surrogate pair can't be matched; it is what it is printed as."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _escape(found: re.Match[str], *, is_class: bool) -> str:
    if found["quoted"] is not None:
        return re.escape(found["quoted"])
    if found["hex"] is not None:
        return rf"\x{{{found['hex']}}}"
    if found["named"] is not None:
        return "(?P<"
    if found["posix"] is not None:
        inner = _POSIX.get(found["posix"])
        if inner is None:
            return found[0]
        return inner if is_class else f"[{inner}]"
    letter = found["escape"]
    if letter == "s":
        return _SPACES if is_class else f"[{_SPACES}]"
    if letter == "S" and not is_class:
        return f"[^{_SPACES}]"
    return found[0] if is_class else _ESCAPES.get(letter, found[0])


def _ready(pattern: str, text: str) -> tuple[Any, str]:
    """A pattern, and the text that it may be asked of. Raises: JavaException.

    The engine takes time in proportion to both, but that of a large program is long.
    """
    expression = compiled(pattern)
    if len(text) * expression.programsize > _WORK:
        raise JavaException("a pattern of that many steps on a text of that many letters")
    tick()  # compiling one took time, too
    return expression, _sound(text)


def matches(text: str, pattern: str) -> bool:
    """Whether the pattern matches the whole text."""
    expression, text = _ready(pattern, text)
    return expression.fullmatch(text) is not None


def is_in(text: str, pattern: str) -> bool:
    """Whether the pattern matches somewhere in the text."""
    expression, text = _ready(pattern, text)
    return expression.search(text) is not None


def replaced(text: str, pattern: str, *, by: str, only_first: bool, limit: int) -> str:
    """`text` with what matches replaced, in Java's syntax. Raises: JavaException."""
    expression, text = _ready(pattern, text)
    parts, at, size = [], 0, 0
    template: list[Any] | None = None  # nothing is wrong with it before it is needed
    for found in expression.finditer(text):
        template = _template(by, expression) if template is None else template
        new = "".join([part if type(part) is str else found[part] or "" for part in template])
        parts += [text[at : found.start()], new]
        size += len(new)
        at = found.end()
        tick()
        if size > limit or len(parts) > 2 * MATCHES:
            raise JavaException(f"more than {MATCHES} replacements, or {limit} letters of them")
        if only_first:
            break
    return "".join([*parts, text[at:]]) if parts else text


def _template(replacement: str, expression: Any) -> list[Any]:
    """What a replacement prints: texts, and names or numbers of groups."""
    parts: list[Any] = []
    at = 0
    for found in _REPLACEMENT.finditer(replacement):
        between = replacement[at : found.start()]
        at = found.end()
        parts.append(_bare(between))
        if found["escaped"] is not None:
            parts.append(found["escaped"])
        elif found["name"] is not None:
            parts.append(_group(found["name"], expression))
        else:
            number, rest = _number(found["number"], expression.groups)
            parts += [number, rest]
    parts.append(_bare(replacement[at:]))
    return parts


def _bare(text: str) -> str:
    if "$" in text or "\\" in text:
        raise JavaException("IllegalArgumentException: a replacement has a stray $ or backslash")
    return text


class _Name(str):
    __slots__ = ()


def _group(name: str, expression: Any) -> str:
    if name not in expression.groupindex:
        raise JavaException(f"IllegalArgumentException: no group {name[:40]!r}")
    return _Name(name)


def _number(digits: str, groups: int) -> tuple[int, str]:
    """The group that the digits begin with, as many as make a group, and the rest as text."""
    number, used = int(digits[0]), 1
    if number > groups:
        raise JavaException(f"IndexOutOfBoundsException: no group {number}")
    while used < len(digits) and number * 10 + int(digits[used]) <= groups:
        number = number * 10 + int(digits[used])
        used += 1
    return number, digits[used:]


def split(text: str, pattern: str, *, limit: int = 0) -> list[str]:
    """Java's `split`: no empty text before a match of nothing, none at the end without a limit."""
    parts: list[str] = []
    at = 0
    expression, text = _ready(pattern, text)
    for found in expression.finditer(text):
        tick()
        if limit > 0 and len(parts) == limit - 1:
            break
        if found.end() == 0:
            continue
        if found.start() == found.end() == len(text):
            break
        parts.append(text[at : found.start()])
        at = found.end()
    if not parts and at == 0:
        return [text]
    parts.append(text[at:])
    while limit == 0 and parts and not parts[-1]:
        parts.pop()
    return parts
