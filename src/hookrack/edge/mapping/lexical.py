"""The kinds of tokens that Velocity 1.7 knows, each with the lexical states it can stand in.

The longest match in a state wins, and the earlier rule among equals. A `more` rule doesn't end its
token: what it matched stands before whatever follows, which is how an escaped reference or `#$x`
comes to be. A `special` rule gives its text back but for `$` and `#`, which the next token carries.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

Mode = Literal["token", "more", "skip", "special"]


class State(Enum):
    """What the lexer is within."""

    DEFAULT = 0
    REFERENCE = 1
    MODIFIER = 2  # after a dot: $x.|
    ARGUMENTS = 3  # $x.f(|
    INDEX = 4  # $x[|
    WORD = 5  # #|
    DIRECTIVE = 6  # #if(|
    LINE_COMMENT = 7
    BLOCK_COMMENT = 8
    RAW = 9  # #[[ ... ]]#


_ALL: Final = frozenset(State)
_COMMENTS: Final = {State.LINE_COMMENT, State.BLOCK_COMMENT}
_S = State
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS: Final = "0123456789"
_EOL: Final = r"(?:[ \t]*(?:\r\n|\n|\r))?"


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of token: what it looks like, where it can stand, what it can begin with."""

    kind: str
    pattern: re.Pattern[str]
    states: frozenset[State]
    first: str | None
    mode: Mode
    escapes: str = ""  # what stands behind the backslashes that it begins with


def _rule(
    kind: str,
    pattern: str,
    *,
    states: Iterable[State],
    first: str | None,
    mode: Mode = "token",
    escapes: str = "",
) -> Rule:
    return Rule(kind, re.compile(pattern, re.DOTALL), frozenset(states), first, mode, escapes)


_INSIDE: Final = (_S.DIRECTIVE, _S.ARGUMENTS)
_NAMES: Final = (_S.REFERENCE, _S.MODIFIER, _S.ARGUMENTS)
_VALUES: Final = (_S.DIRECTIVE, _S.ARGUMENTS, _S.INDEX)
_NUMBERS: Final = (_S.WORD, *_VALUES)
_EXPONENT: Final = r"[eE][+-]?[0-9]+"
_NAME: Final = "[A-Za-z_@][A-Za-z0-9_@]*"
_BRACED: Final = r"\{[A-Za-z_][A-Za-z0-9_@]*\}"

ESCAPED: Final = re.compile(rf"\$|#(?:{_NAME}|{_BRACED})")  # what backslashes may stand before

# In order of rank: of two that match as much, the first wins.
RULES: Final = (
    _rule("index [", r"\[", states=(_S.REFERENCE, _S.MODIFIER), first="["),
    _rule("index ]", r"\]", states=(_S.INDEX,), first="]"),
    *(
        _rule(sign, re.escape(sign), states=_INSIDE, first=sign[0])
        for sign in ("[", "]", ",", "..", ":", "{", "}")
    ),
    _rule("(", r"\(", states=(_S.DIRECTIVE, _S.MODIFIER), first="("),
    _rule(")", r"\)" + _EOL, states=(_S.DIRECTIVE,), first=")"),
    _rule("call )", r"\)", states=(_S.ARGUMENTS,), first=")"),
    _rule(
        "escaped directive",
        rf"(?:\\\\)*\\#(?:{_NAME}|{_BRACED})",
        states=(_S.DEFAULT,),
        first="\\",
        escapes="#",
    ),
    _rule(
        "#set",
        r"[ \t]*#(?:set|\{set\}) *\(",
        states=(_S.DEFAULT, *_NAMES),
        first=" \t#",
    ),
    _rule("$", r"\\*\$", states=_ALL, first="\\$", mode="more", escapes="$"),
    _rule("$", r"\\*\$\\*!", states=_ALL, first="\\$", mode="more", escapes="$"),
    _rule("raw", r"#\[\[", states=_ALL, first="#", mode="more"),
    _rule("comment", r"#\*", states=_ALL, first="#", mode="more"),
    _rule("#", "#", states=_ALL, first="#", mode="more"),
    # After `$x.y` there is no line comment: it prints, as it does on API Gateway.
    _rule(
        "##",
        "##",
        states=(_S.DEFAULT, _S.REFERENCE, _S.WORD, _S.DIRECTIVE),
        first="#",
    ),
    _rule("\\\\", r"\\\\", states=(_S.DEFAULT,), first="\\"),
    _rule("text", r"\\", states=(_S.DEFAULT,), first="\\"),
    _rule("text", r"[^$#\\]+", states=(_S.DEFAULT,), first=None),
    _rule("line end", r"\r\n|\n|\r", states=(_S.LINE_COMMENT,), first="\r\n"),
    _rule("comment end", r"\*#", states=(_S.BLOCK_COMMENT,), first="*"),
    _rule("raw text", r"\]\]#", states=(_S.RAW,), first="]"),
    _rule("skipped", r"[^*$#\\\r\n]+|.", states=_COMMENTS, first=None, mode="skip"),
    _rule("raw more", r"[^\]]+|\]", states=(_S.RAW,), first=None, mode="more"),
    _rule("blank", r"[ \t\n\r]+", states=_VALUES, first=" \t\n\r"),
    _rule(
        "string",
        r""" "[^"]*"(?:"[^"]*")*|'[^']*'(?:'[^']*')* """.strip(),
        states=_VALUES,
        first="\"'",
    ),
    _rule("boolean", "true|false", states=(_S.REFERENCE, _S.MODIFIER, *_VALUES), first="tf"),
    *(
        _rule(name, "|".join(map(re.escape, words)), states=(_S.DIRECTIVE,), first=first)
        for name, words, first in (
            ("-", ("-",), "-"),
            ("+", ("+",), "+"),
            ("*", ("*",), "*"),
            ("/", ("/",), "/"),
            ("%", ("%",), "%"),
            ("&&", ("&&", "and"), "&a"),
            ("||", ("||", "or"), "|o"),
            ("<", ("<", "lt"), "<l"),
            ("<=", ("<=", "le"), "<l"),
            (">", (">", "gt"), ">g"),
            (">=", (">=", "ge"), ">g"),
            ("==", ("==", "eq"), "=e"),
            ("!=", ("!=", "ne"), "!n"),
            ("!", ("!", "not"), "!n"),
            ("=", ("=",), "="),
        )
    ),
    _rule("#end", r"(?:end|\{end\})" + _EOL, states=(_S.WORD,), first="e{"),
    _rule("#if", r"if|\{if\}", states=(_S.WORD,), first="i{"),
    _rule("#elseif", r"elseif|\{elseif\}", states=(_S.WORD,), first="e{"),
    _rule("#else", r"(?:else|\{else\})" + _EOL, states=(_S.WORD,), first="e{"),
    _rule("integer", r"-?[0-9]+(?:\.\.)?", states=_NUMBERS, first="-" + _DIGITS),
    _rule(
        "float",
        rf"-?[0-9]+\.[0-9]*(?:{_EXPONENT})?|-?\.[0-9]+(?:{_EXPONENT})?|-?[0-9]+{_EXPONENT}",
        states=_NUMBERS,
        first="-." + _DIGITS,
    ),
    _rule("word", _NAME, states=(_S.WORD, _S.DIRECTIVE), first="_@" + _LETTERS),
    _rule("word", _BRACED, states=(_S.WORD, _S.DIRECTIVE), first="{"),
    _rule("name", "[A-Za-z_][A-Za-z0-9_-]*", states=_NAMES, first="_" + _LETTERS),
    _rule(".", r"\.(?=[A-Za-z])", states=_NAMES, first="."),
    _rule("ref {", r"\{", states=(_S.REFERENCE, _S.MODIFIER), first="{"),
    _rule("ref }", r"\}", states=(_S.REFERENCE, _S.MODIFIER), first="}"),
    _rule(
        "terminator",
        ".",
        states=(_S.REFERENCE, _S.MODIFIER),
        first=None,
        mode="special",
    ),
    _rule("terminator", ".", states=(_S.WORD,), first=None, mode="special"),
    _rule("text", r"\$(?:\\?!?\[|\.)", states=(_S.DEFAULT, _S.REFERENCE), first="$"),
)
BY_STATE: Final = {state: tuple(rule for rule in RULES if state in rule.states) for state in State}
