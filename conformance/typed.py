"""Generated statements that fit the types of what they act on, so that most of them work.

What `templates` writes by chance fails early half the time. Here numbers of every class meet every
operator, each type its own methods, and white space, escapes and loops come in the combinations
that the rules are about.
"""

import json
from pathlib import Path
from random import Random
from typing import Any, Final

from conformance.bodies import body, path

_START: Final = (
    "#set($s='a b')#set($n=5)#set($f=1.5)#set($t=true)#set($l=[3,'a',2.5,true])"
    "#set($m={'k':'v','a':1,'n':[1]})#set($d={})#set($e=[])#set($w=3000000000)"
    "#set($g=9223372036854775807)#set($g=$g+1)#set($j=$input.path('$'))"
    '#set($p=$util.parseJson(\'{"x":0.12345678901234567890,"y":[1,null,{"z":"a/b"}],'
    '"i":12345678901234567890,"q":1e400,"h":-0.0,"u":[]}\'))'
)
_PARTS: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("typed.json").read_text())
_WHOLE: Final[list[str]] = _PARTS["whole"]
_HUGE: Final = ["$g", "$p.i", "9223372036854775808", "123456789012345678901234567890"]
_DOUBLES: Final[list[str]] = _PARTS["doubles"]
_NUMBERS: Final = [*_WHOLE, *_DOUBLES, "$p.x", "$p.x"]
_OTHERS: Final[list[str]] = _PARTS["others"]
_SUMS: Final = ["+", "-", "*", "/", "%"]
_TESTS: Final[list[str]] = _PARTS["tests"]
_TEXTS: Final[list[str]] = _PARTS["texts"]
_PATTERNS: Final[list[str]] = _PARTS["patterns"]
_REPLACEMENTS: Final[list[str]] = _PARTS["replacements"]
_FORMATS: Final[list[str]] = _PARTS["formats"]
_JSONS: Final[list[str]] = _PARTS["jsons"]
_CALLS: Final[dict[str, list[str]]] = _PARTS["calls"]
_HOLDERS: Final[dict[str, list[str]]] = _PARTS["holders"]
_MOULDS: Final[list[str]] = _PARTS["moulds"]
_LOOPED: Final[list[str]] = _PARTS["looped"]
_LOOPS: Final[list[str]] = _PARTS["loops"]


class _Typist:
    def __init__(self, rnd: Random) -> None:
        self.rnd = rnd
        self.pick = rnd.choice

    def statement(self) -> str:
        return self.pick(_STATEMENTS)(self)

    def quoted(self, texts: list[str]) -> str:
        mark = "'" if self.rnd.random() < 0.9 else '"'
        return mark + self.pick(texts) + mark

    def sum(self) -> str:
        """Numbers of every class, added up, and how that prints.

        Beyond 64 bits they only grow: one that comes back is a BigInteger to Java, to us it isn't.
        """
        if self.rnd.random() < 0.2:
            return f"#set($x={self.pick(_HUGE)} {self.pick('+*')} {self.pick(['2', '7', '$w', '$g', '$p.x'])})$x;"
        parts = [self.pick(_NUMBERS)]
        for _ in range(self.rnd.randint(1, 3)):
            other = self.pick(_OTHERS) if self.rnd.random() < 0.1 else self.pick(_NUMBERS)
            other = f"({other} - {self.pick(_NUMBERS)})" if self.rnd.random() < 0.2 else other
            parts.append(f" {self.pick(_SUMS)} {other}")
        return f"#set($x={''.join(parts)})$x;"

    def test(self) -> str:
        """A comparison of any two values."""
        left, right = (self.pick(self.pick([_NUMBERS, _OTHERS])) for _ in range(2))
        sign = self.pick(_TESTS)
        if self.rnd.random() < 0.2:
            left = self.pick(["!", "not "]) + left
        if self.rnd.random() < 0.2:
            right = f"({right} {self.pick(_TESTS)} {self.pick(_OTHERS)})"
        whole = f"{left} {sign} {right}"
        return f"#if({whole})y#{{else}}n#end" if self.rnd.random() < 0.6 else f"#set($o={whole})$o;"

    def call(self) -> str:
        """Methods of one type, one upon the other, now and then kept in a variable."""
        kind = self.pick(list(_CALLS))
        steps = "." + self.filled(self.pick(_CALLS[kind]))
        if self.rnd.random() < 0.3:
            steps += "." + self.filled(self.pick(_CALLS[self.pick(list(_CALLS))]))
        holder = self.pick(_HOLDERS[kind])
        if self.rnd.random() < 0.4:
            target = self.pick(["x", "r", "o"])
            return f"#set(${target}={holder}{steps})${target};{holder};"
        return (
            f"{holder}{steps};"
            if self.rnd.random() < 0.5
            else f"${{{holder[1:]}{steps}}};{holder};"
        )

    def filled(self, call: str) -> str:
        """A call with an argument of each kind that it asks for."""
        name, _, kinds = call.partition("(")
        return name + "".join(self.argument(each) for each in f"({kinds}") if kinds else name

    def argument(self, kind: str) -> str:
        if not kind.isupper():
            return kind
        if self.rnd.random() < 0.04:
            return self.pick(["null", "$nope", *_OTHERS])
        if kind == "A":
            return self.pick(self.pick([_OTHERS, _NUMBERS]))
        if kind in "LM":
            return self.pick(_HOLDERS[kind])
        if kind == "I":
            return self.pick(["0", "1", "2", "3", "-1", "$n", "9", "97", "16"])
        texts = {
            "S": [*_TEXTS, "a", "b", "k", "x"],
            "R": _PATTERNS,
            "P": _REPLACEMENTS,
            "F": _FORMATS,
        }
        return self.quoted(texts[kind]) if kind in texts else self.pick(_NUMBERS)

    def moulds(self) -> str:
        """Marks, blanks and words side by side, which may be anything."""
        return "".join(self.pick(_MOULDS) for _ in range(self.rnd.randint(2, 7)))

    def balanced(self) -> str:
        """The same within what closes it."""
        inner = "".join(
            self.pick(_MOULDS[:60] + _MOULDS[-20:]) for _ in range(self.rnd.randint(1, 4))
        )
        start = self.pick(
            [
                *("#if(true)%s#end", "#if(false)a#else%s#end", "#define($q)%s#end$q", "#[[%s]]#"),
                *("#foreach($v in [1,2])%s#end", "#*%s*#", '#set($y="%s")$y', "#set($y='%s')$y"),
                *(
                    "#macro(m)%s#end",
                    "##%s\n",
                    "#if($t)\n  %s\n#end\n",
                ),
                *("#if(false)%s#elseif(true) %s #end", "#define($q)\n%s\n#end\n$q"),
            ]
        )
        return start.replace("%s", inner)

    def loop(self, depth: int = 0) -> str:
        """A loop, and what a loop lends to its body."""
        parts = [self.pick(_LOOPED) for _ in range(self.rnd.randint(1, 4))]
        if depth < 2 and self.rnd.random() < 0.3:
            parts.insert(self.rnd.randint(0, len(parts)), self.loop(depth + 1))
        name = self.pick(["$v", "$v", "$v", "$u", "$s", "$foreach", "${v}", "$!v"])
        blank = self.pick(["", "", "\n", " "])
        after = self.pick(["", "$v$!u", "$velocityCount", "$foreach.index", "$s", "$foreach"])
        return f"#foreach({name} in {self.pick(_LOOPS)}){blank}{''.join(parts)}#end{blank}{after}"

    def util(self) -> str:
        """A function of `$util` on odd text."""
        name = self.pick(
            ["escapeJavaScript", "urlEncode", "urlDecode", "base64Encode", "base64Decode"]
        )
        given = self.quoted(_TEXTS) if self.rnd.random() < 0.7 else self.pick([*_OTHERS, *_NUMBERS])
        return f"$util.{name}({given});"

    def json(self) -> str:
        """What only a permissive parser reads, and how it prints."""
        text = self.pick(_JSONS) if self.rnd.random() < 0.5 else body(self.rnd)
        text = text.replace("'", "''")
        shown = self.pick(
            ["$o;", "$o.a;", "$o.get('a').class;", "$o[0];$o[1];", "#foreach($v in $o)$v,#end"]
        )
        kept = self.pick(
            ["", "", "#set($j.x=$o)$input.json('$');", "#set($d.x=$o)$d;", "#set($o.a=$l)$o;"]
        )
        return f"#set($o=$util.parseJson('{text}')){shown}{kept}"

    def assign(self) -> str:
        """A value set somewhere, and all that shows it."""
        target = self.pick(
            [
                *(
                    "$m.k",
                    "$m['k']",
                    "$m.n[0]",
                    "$l[0]",
                    "$l[-1]",
                    "$l[$n]",
                    "$d.x.y",
                    '$d["$s"]',
                    "$j.a",
                    "$j.b.c",
                ),
                *(
                    "$x",
                    "$nope.x",
                    "$s.x",
                    "$p.y[0]",
                    "$p.y[2].z",
                    "$m[1]",
                    "$d[true]",
                    "$context.x",
                    "$n",
                    "${m.k}",
                ),
                *(
                    "$d.get('a')",
                    "$m.get('n')[0]",
                    "$foreach.x",
                    "$util.x",
                    "$stageVariables.v",
                    "$input",
                    "$l.x",
                ),
                *(
                    "$context.requestOverride.header.h",
                    "$context.responseOverride.status",
                    "$m.entrySet()",
                ),
            ]
        )
        value = self.pick([*_OTHERS, *_NUMBERS])
        gap = self.pick(["", " ", "  ", "\n"])
        shown = self.pick(
            ["$m;", "$l;", "$d;", "$j;", "$p;", "$input.json('$');", "$context;", "$x;"]
        )
        return f"#set({gap}{target}{gap}={gap}{value}{gap}){shown}{target};"

    def asked(self) -> str:
        """A path asked of the body, its result used further."""
        found = path(self.rnd).replace("'", "''")
        use = self.pick([".size()", "", "[0]", ".class", ".a", "[-1]", ".length()", ".get(0)"])
        return f"#set($o=$input.path('{found}'))$o{use};$input.json('{found}');"


_STATEMENTS: Final = [
    *(_Typist.sum, _Typist.test, _Typist.call, _Typist.call, _Typist.call, _Typist.moulds),
    *(_Typist.moulds, _Typist.balanced, _Typist.loop, _Typist.util, _Typist.json, _Typist.assign),
    _Typist.asked,
]


def typed(rnd: Random) -> str:
    """A template of one to three statements, each of its own kind."""
    typist = _Typist(rnd)
    return _START + "".join(typist.statement() for _ in range(rnd.randint(1, 3)))
