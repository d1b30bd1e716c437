"""JSON as the gateway reads and writes it: permissive in, json-smart's own text out.

What the values are, for everybody who handles them:

- a JSON object is a plain `dict`, null is None, a string is `str`, true and false are `bool`;
- a number is `int`, `float`, or `decimal.Decimal` (a fraction written with more than 18 characters,
  or a whole number of more digits than Python reads at once); a bare NaN is a `NotANumber`;
- a JSON array is a **plain `list`** and prints as JSON text. What a *template* makes (`[1, 2]`,
  ranges, `split`, `keySet`, `subList` ...) is a `JavaList`, which prints as Java does: `[1, a]`.
  So nothing that came from JSON has to be walked to be marked.

`parse` raises `BodyUnreadable` for what the gateway answers with a 400. Nothing here recurses.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias

import orjson
import re2

from hookrack.edge.mapping import jsonwrite
from hookrack.edge.mapping.budget import OFTEN, tick

Value: TypeAlias = jsonwrite.Value
JsonArray: TypeAlias = "list[Value]"
JavaList = jsonwrite.JavaList
NotANumber = jsonwrite.NotANumber
TooMuchText = jsonwrite.TooMuchText
dump = jsonwrite.dump

NESTING: Final = 400  # arrays and objects within each other; the parser's own figure
FRACTION_LETTERS: Final = 18  # a longer fraction keeps its digits instead of becoming a double
INT_DIGITS: Final = 4_000  # above it Python refuses to read an int
SCALE: Final = 2**31 - 1  # what the exponent of a BigDecimal may be

_BLANKS: Final = re.compile(r"[ \t\r\n]*")
_BLANKS_AND_COMMAS: Final = re.compile(r"[ \t\r\n,]*")
_CONTROLS: Final = re.compile(r"[\x00-\x19\x1b-\x20]*")
_DIGITS: Final = re.compile(r"[0-9]*")
_TRIMMED: Final = "".join(map(chr, range(0x21)))
# A word without quotes runs to the first of these, by where it stands. \x1a is the end of input.
_NAME: Final = re.compile(r"[^:\x1a]*")
_IN_OBJECT: Final = re.compile(r"[^,}\x1a]*")
_IN_ARRAY: Final = re.compile(r"[^,\]\x1a]*")
_ALONE: Final = re.compile(r"[^\x1a]*")
_QUOTED: Final = {
    quote: re.compile(
        rf"(?:[^\\{quote}\x1a]|\\u[0-9A-Fa-f]{{4}}|\\x[0-9A-Fa-f]{{2}}|\\[^ux])*+(?={quote})",
        re.DOTALL,
    )
    for quote in "\"'"
}
# Escapes, and the control characters that are dropped from a string that has an escape.
_ESCAPE: Final = re.compile(
    r"\\(?:u(?P<four>.{4})|x(?P<two>..)|(?P<one>.))|[\x00-\x19\x1b-\x1f\x7f]", re.DOTALL
)
_ESCAPES: Final = {
    "t": "\t",
    "n": "\n",
    "r": "\r",
    "f": "\f",
    "b": "\b",
    **{letter: letter for letter in "\\/'\""},
}
_WRITABLE: Final = 254  # arrays and objects within each other, to orjson
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_END: Final = "\x1a"
# A number token that a double may not hold as it is written: it begins where a value can begin.
_LONG: Final = b"0" * 18
_LETTERS: Final = bytes(48 if letter in b"0123456789.eE+-" else 32 for letter in range(256))
_LONG_NUMBER: Final = re2.compile(rb"(?:^|[\s\[:,])-?[0-9][0-9.eE+-]{17}")


class BodyUnreadable(ValueError):  # noqa: N818 - named for what is the case, as all ours are
    """A text that even the permissive parser refuses; the gateway answers 400."""


def parse(text: str) -> Value:
    """The value that `text` stands for.

    Raises: BodyUnreadable.
    """
    if "\x7f" not in text:  # which is dropped from some strings
        try:
            written = text.encode()
            value: Value = orjson.loads(written)
            if len(written) > 2 * _WRITABLE and _brackets(written) > _WRITABLE:
                orjson.dumps(value)  # fails where it nests deeper than that
        except (orjson.JSONDecodeError, orjson.JSONEncodeError, UnicodeEncodeError):
            return _Reader(text).document()
        if _LONG not in written.translate(_LETTERS) or not _LONG_NUMBER.search(written):
            return value
        exact: Value = json.loads(text, parse_float=_fraction, parse_int=_whole)
        return exact
    return _Reader(text).document()


def _brackets(written: bytes) -> int:
    return written.count(b"[") + written.count(b"{")


def _whole(digits: str) -> int | Decimal:
    if len(digits) > INT_DIGITS:
        return Decimal(digits)
    return 0 if digits == "-" else int(digits)


def _fraction(digits: str) -> float | Decimal:
    """A fraction as Java reads it: a double, or as it stands when it is long."""
    if len(digits) <= FRACTION_LETTERS:
        try:
            return float(digits)
        except ValueError:
            raise BodyUnreadable(f"{digits} is no number") from None
    try:
        exact = Decimal(digits)
    except InvalidOperation:
        raise BodyUnreadable(f"{digits[:64]} is no number") from None
    exponent = exact.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > SCALE:
        raise BodyUnreadable(f"{digits[:64]} is beyond every number")
    return exact or abs(exact)


class _Reader:
    """The permissive parser, on one text. `at` is the place that is read next."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text + _END
        self.at = 0

    def document(self) -> Value:
        """The first value of the text; what follows it counts for nothing."""
        first = value = self._value(_ALONE)
        open_: list[list[Value] | dict[str, Value]] = []
        turns = 0
        while True:
            turns += 1
            if turns % OFTEN == 0:
                tick()
            if isinstance(value, (list, dict)):
                if len(open_) == NESTING:
                    raise self._refusal(f"nested more than {NESTING} deep")
                open_.append(value)
            else:
                self._after_member(open_)
            while open_ and self._closes(open_[-1]):
                open_.pop()
                self._after_member(open_)
            if not open_:
                return first
            value = self._next(open_[-1])

    def _next(self, holder: "list[Value] | dict[str, Value]") -> Value:
        """The next value in `holder`, which is put there; if it is a container, it is empty yet."""
        if isinstance(holder, dict):
            name = self._name()
            value = holder[name] = self._value(_IN_OBJECT)
        else:
            value = self._value(_IN_ARRAY)
            holder.append(value)
        return value

    def _closes(self, holder: "list[Value] | dict[str, Value]") -> bool:
        """Whether `holder` ends here; blanks and useless commas are passed over."""
        self._skip(_BLANKS_AND_COMMAS)
        letter = self.text[self.at]
        if letter == ("}" if isinstance(holder, dict) else "]"):
            self.at += 1
            return True
        if letter in (":]{[" if isinstance(holder, dict) else ":}"):
            raise self._refusal(f"unexpected {letter}")
        if letter == _END:
            raise self._refusal("the text ends too early")
        return False

    def _after_member(self, open_: "list[list[Value] | dict[str, Value]]") -> None:
        """What follows a member of an object: a comma, or the end of the object."""
        while open_ and isinstance(open_[-1], dict):
            self._skip(_CONTROLS)
            letter = self.text[self.at]
            if letter == ",":
                return
            if letter != "}":
                raise self._refusal(f"unexpected {letter!r} after a member")
            self.at += 1
            open_.pop()

    def _name(self) -> str:
        name = self._string() if self.text[self.at] in "\"'" else self._word(_NAME)
        self._skip(_CONTROLS)
        if self.text[self.at] != ":":
            raise self._refusal(f"expected : after the name {name[:64]!r}")
        self.at += 1
        return name

    def _value(self, stop: re.Pattern[str]) -> Value:
        """The value that begins here; of an array or object only its bracket is read."""
        self._skip(_BLANKS)
        letter = self.text[self.at]
        if letter in "{[":
            self.at += 1
            return {} if letter == "{" else []
        if letter in "\"'":
            return self._string()
        if letter in "-0123456789":
            return self._number(stop)
        if letter in ":]}":
            raise self._refusal(f"unexpected {letter}")
        word = self._word(stop)
        return _WORDS.get(word, word) if letter in _WORDS_BEGIN else word

    def _number(self, stop: re.Pattern[str]) -> Value:
        start = self.at
        self.at += 1
        whole = True
        self._skip(_DIGITS)
        if self.text[self.at] == ".":
            whole = False
            self.at += 1
            self._skip(_DIGITS)
        if self.text[self.at] in "eE":
            whole = False
            self.at += 1
            if self.text[self.at] not in "+-0123456789":
                return self._word(stop, start=start)
            self.at += 1
            self._skip(_DIGITS)
        self._skip(_CONTROLS)
        letter = self.text[self.at]
        if letter < "~" and stop.fullmatch(letter):
            return self._word(stop, start=start)
        digits = self.text[start : self.at].strip(_TRIMMED)
        return _whole(digits) if whole else _fraction(digits)

    def _word(self, stop: re.Pattern[str], *, start: int | None = None) -> str:
        """A string without quotes."""
        start = self.at if start is None else start
        self._skip(stop)
        return _joined(self.text[start : self.at].strip(_TRIMMED))

    def _string(self) -> str:
        quote = self.text[self.at]
        start = self.at + 1
        end = self.text.find(quote, start)
        if end < 0:
            raise self._refusal("a string doesn't end")
        plain = self.text[start:end]
        if "\\" not in plain:
            self.at = end + 1
            return plain
        found = _QUOTED[quote].match(self.text, start)
        if found is None:
            raise self._refusal("a string doesn't end, or has an escape that is none")
        self.at = found.end() + 1
        return _joined(_ESCAPE.sub(_unescape, found[0]))

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()

    def _refusal(self, why: str) -> BodyUnreadable:
        return BodyUnreadable(f"{why} at character {self.at}")


_WORDS: Final[dict[str, Value]] = {
    "null": None,
    "true": True,
    "false": False,
    "NaN": NotANumber("nan"),
}

_WORDS_BEGIN: Final = "nftN"  # behind a control character they are strings


def _unescape(found: re.Match[str]) -> str:
    code = found["four"] or found["two"]
    if code:
        return chr(int(code, 16))
    one = found["one"] or ""
    if one > "\uffff":  # two letters to Java, of which the first is dropped
        return chr(0xDC00 + (ord(one) & 0x3FF))
    return _ESCAPES.get(one, "")


def _joined(text: str) -> str:
    """Surrogates side by side are one character; one alone stays what it is."""
    if _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
