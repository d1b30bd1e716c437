"""Generated templates: directives, references, white space, literals and methods, well and ill."""

from random import Random
from typing import Final

from conformance.bodies import path

_BLANKS: Final = ["", "", "", " ", " ", "  ", "\t", "\n", "\r\n", " \n", "\n  "]
_INSIDE: Final = ["", "", " ", " ", "\n"]
_NAMES: Final = ["s", "n", "f", "l", "m", "j", "t", "x", "nope", "foreach", "v"]
_TEXTS: Final = [
    *("a", "text", " ", "\n", "  \n", "\t", ".", ",", "{", "}", "[", "]", "(", ")", '"', "'"),
    *("$", "#", "$ ", "# ", "\\", "\\\\", "$$", "##c\n", "##", "#* c *#", "#** d *#", "!", "-"),
    *("#[[ $x #if ]]#", "#foo", "#foo(1)", "#end", "#else", "$!", "${", "$10", "é", "\r\n", "|"),
    *("#elsefoo", "#endfoo", "@", "#evaluate('x')", "#m('x')", "\x00", "<a href='#x'>", "/*"),
]
_INTS: Final = ["0", "1", "2", "-1", "3", "7", "-3", "10", "2147483647", "9223372036854775807"]
_FLOATS: Final = ["1.0", "1.5", ".5", "1e3", "-2.5", "1.", "1.0E-7", "12345678.9", "0.001", "-.5"]
_WORDS: Final = [
    *(
        "a",
        "b",
        "",
        " ",
        "abc",
        "A b",
        "1",
        "-1",
        "1.5",
        "true",
        "k",
        "x/y",
        "it''s",
        "a,b,,c,",
        "é",
    ),
    *(
        "$s",
        "${n}",
        "$n.x",
        "#if(true)y#end",
        "$nope",
        "\\",
        "\\n",
        "a\\\\b",
        "$l",
        "$!m",
        "#",
        "[a-c]",
    ),
    *("$input.json('$')", "%41+b", "YWJj", "<&>", "\n", '{"a":[1]}', "##", "$", "a|b", "(b)", "$1"),
]
_ARGUMENTS_OF: Final = {
    0: [
        *(
            "length",
            "isEmpty",
            "trim",
            "toUpperCase",
            "toLowerCase",
            "toString",
            "size",
            "iterator",
        ),
        *(
            "keySet",
            "values",
            "entrySet",
            "intValue",
            "longValue",
            "doubleValue",
            "hashCode",
            "clear",
        ),
        *("getClass", "strip", "next", "hasNext", "getKey", "getValue", "toArray", "floatValue"),
    ],
    1: [
        *("substring", "indexOf", "lastIndexOf", "charAt", "contains", "startsWith", "endsWith"),
        *("equals", "equalsIgnoreCase", "compareTo", "matches", "split", "concat", "get", "add"),
        *("remove", "containsKey", "containsValue", "addAll", "putAll", "parseInt", "valueOf"),
    ],
    2: [
        *("substring", "replace", "replaceAll", "replaceFirst", "put", "set", "add", "subList"),
        *("getOrDefault", "indexOf", "split", "startsWith", "putIfAbsent"),
    ],
}
_PROPERTIES: Final = [
    "a",
    "b",
    "k",
    "length",
    "size",
    "empty",
    "class",
    "key",
    "value",
    "count",
    "index",
]
_UTILS: Final = ["escapeJavaScript", "parseJson", "urlEncode", "urlDecode", "base64Encode", "nope"]
_OPERATORS: Final = [
    *("+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "&&", "||", "and", "or", "eq"),
    *("ne", "lt", "gt", "le", "ge"),
]
_ROOTS: Final = [
    *("input.body", "input.params('p')", "input.params()", "input.params().header", "context"),
    *("context.stage", "context.identity.sourceIp", "context.identity", "stageVariables.v"),
    *("stageVariables", "context.requestOverride.header.h", "input.params('h')", "util", "input"),
]
_TARGETS: Final = [
    *("$m.k", "$m['k']", '$m["$s"]', "$l[0]", "$l[9]", "${x}", "$!x", "$m.a.b", "$j.a", "$l[$n]"),
    "$context.requestOverride.header.h",
    "$context.requestOverride.querystring['q']",
    "$context.responseOverride.status",
    '$context.responseOverride.header["$s"]',
]
_ODD: Final = [
    *(
        "#break",
        "#stop",
        "$foreach.hasNext",
        "$velocityCount",
        "$foreach.parent.index",
        "$t",
        "$t()",
    ),
    *("$foreach.index", "$v", "$v.key", "\\#if", "\\#end", "\\#set($x=1)", "$foreach", "#{end}"),
]
_PRELUDES: Final = [
    "",
    "#set($s='a b')#set($n=5)#set($f=1.5)#set($l=[1,'a',2.5])#set($m={'k':'v','a':1})",
    "#set($j=$input.path('$'))#set($l=$input.path('$..*'))#set($s=$input.body)",
    "#set($m=$input.path('$'))\n#set($l=[3,1,2])\n#set($s=\"x,y,,\")\n#set($n=-7)\n",
    "#set($l=[])#set($m={})#set($x=$l.add('p'))#set($f=3.0)#set($n=0)",
]


class _Writer:
    """Writes one template."""

    def __init__(self, rnd: Random) -> None:
        self.rnd = rnd
        self.pick = rnd.choice

    def template(self) -> str:
        pieces = (self.piece(0) for _ in range(self.rnd.randint(1, 5)))
        return self.pick(_PRELUDES) + "".join(pieces)

    def piece(self, depth: int) -> str:
        kind = self.rnd.random()
        if kind < 0.25:
            return self.pick(_TEXTS)
        if kind < 0.55:
            return self.pick(["", "", "", "", "\\", "\\\\"]) + self.reference(1)
        if kind < 0.7 or (depth > 2 and kind < 0.9):
            return self.pick(_BLANKS) + self.set() + self.pick(_BLANKS)
        return self.block(depth + 1) if kind < 0.92 else self.pick(_ODD)

    def inner(self, depth: int) -> str:
        return "".join(self.piece(depth) for _ in range(self.rnd.randint(0, 3)))

    def block(self, depth: int) -> str:
        pick, blank, inside = self.pick, self.pick(_BLANKS), self.inner(depth)
        end = pick(["#end", "#end", "#end", "#{end}"]) + pick(_BLANKS)
        kind = self.rnd.randint(0, 5)
        if kind == 0:
            return f"#define($t){blank}{inside}{end}"
        if kind <= 2:
            return f"#foreach($v in {self.value(1)}){blank}{inside}{end}"
        start = pick(["#if(%s)", "#if (%s)", "#{if}(%s)", "#if( %s )"]) % self.expression(2)
        if kind == 3:
            return f"{start}{blank}{inside}{end}"
        other = pick(["#else", "#{else}"]) + pick(_BLANKS) + self.inner(depth)
        if kind == 4:
            return f"{start}{blank}{inside}{other}{end}"
        middle = f"#elseif({self.expression(1)}){pick(_BLANKS)}{self.inner(depth)}"
        return f"{start}{blank}{inside}{middle}{pick(['', other])}{end}"

    def set(self) -> str:
        target = self.pick(_TARGETS) if self.rnd.random() < 0.3 else "$" + self.pick(_NAMES)
        gap = self.pick(_INSIDE)
        return f"#set({target}{gap}={gap}{self.expression(2)})"

    def expression(self, depth: int) -> str:
        kind = self.rnd.random() if depth else 0
        if kind < 0.5:
            return self.value(1)
        if kind < 0.6:
            return self.pick(["!", "not ", "! "]) + self.expression(depth - 1)
        if kind < 0.7:
            return f"({self.expression(depth - 1)})"
        left, right = self.expression(depth - 1), self.expression(depth - 1)
        return left + self.pick([" ", " ", ""]) + self.pick(_OPERATORS) + " " + right

    def value(self, depth: int) -> str:
        kind = self.rnd.random()
        if kind < 0.4 or depth > 3:
            return self.simple()
        if kind < 0.75:
            return self.reference(depth + 1)
        if kind < 0.82:
            ends = ["0", "1", "3", "-2", "$v", "$n"]
            return f"[{self.pick(ends)}..{self.pick(ends)}]"
        values = [self.value(depth + 1) for _ in range(self.rnd.randint(0, 3))]
        if kind < 0.92:
            return "[" + ", ".join(values) + "]"
        return "{" + ", ".join(f"{self.string()} : {each}" for each in values) + "}"

    def simple(self) -> str:
        kind = self.rnd.randint(0, 9)
        if kind < 2:
            return self.pick(_INTS)
        if kind == 2:
            return self.pick(_FLOATS)
        if kind == 3:
            return self.pick(["true", "false", "null"])
        return self.string() if kind < 7 else "$" + self.pick(_NAMES)

    def string(self) -> str:
        mark = self.pick("'\"")
        return mark + self.pick(_WORDS) + mark

    def reference(self, depth: int) -> str:
        steps = (self.step(depth) for _ in range(self.pick([0, 0, 1, 1, 1, 2])))
        form = self.pick(["$%s", "$%s", "$%s", "$!%s", "${%s}", "$!{%s}"])
        return form.replace("%s", self.root(depth) + "".join(steps))

    def root(self, depth: int) -> str:
        kind = self.rnd.random()
        if kind < 0.6:
            return self.pick(_NAMES)
        if kind < 0.75:
            asked = path(self.rnd).replace("'", "")
            return f"input.{self.pick(['path', 'json'])}('{asked}')"
        if kind < 0.87:
            return f"util.{self.pick(_UTILS)}({self.argument(depth)})"
        return self.pick(_ROOTS)

    def argument(self, depth: int) -> str:
        return self.pick(_INSIDE) + self.value(depth + 1) + self.pick(_INSIDE)

    def step(self, depth: int) -> str:
        kind = self.rnd.random()
        if kind < 0.15:
            return "." + self.pick(_PROPERTIES)
        if kind < 0.3:
            return f"[{self.value(depth + 1)}]"
        number = self.rnd.randint(0, 2)
        name = self.pick(_ARGUMENTS_OF[number])
        return f".{name}({','.join(self.argument(depth) for _ in range(number))})"


def template(rnd: Random) -> str:
    """A template; most are well-formed, many fail when they run."""
    return _Writer(rnd).template()


def piece(rnd: Random) -> str:
    """A part of a template."""
    return _Writer(rnd).piece(0)
