"""Generated templates: directives, references, white space, literals and methods, well and ill."""

from typing import Final

from hypothesis import strategies as st

from conformance.bodies import PATHS

_BLANKS: Final = st.sampled_from(["", "", "", " ", " ", "  ", "\t", "\n", "\r\n", " \n", "\n  "])
_INSIDE: Final = st.sampled_from(["", "", " ", " ", "\n"])
_NAMES: Final = st.sampled_from(["s", "n", "f", "l", "m", "j", "t", "x", "nope", "foreach", "v"])
_TEXTS: Final = st.sampled_from(
    [
        *("a", "text", " ", "\n", "  \n", "\t", ".", ",", "{", "}", "[", "]", "(", ")", '"', "'"),
        *("$", "#", "$ ", "# ", "\\", "\\\\", "$$", "##c\n", "##", "#* c *#", "#** d *#", "!", "-"),
        *("#[[ $x #if ]]#", "#foo", "#foo(1)", "#end", "#else", "$!", "${", "$10", "é", "\r\n", "|"),
        *("#elsefoo", "#endfoo", "@", "#evaluate('x')", "#m('x')", "\x00", "<a href='#x'>", "/*"),
    ]
)
_INTS: Final = ["0", "1", "2", "-1", "3", "7", "-3", "10", "2147483647", "9223372036854775807"]
_FLOATS: Final = ["1.0", "1.5", ".5", "1e3", "-2.5", "1.", "1.0E-7", "12345678.9", "0.001", "-.5"]
_WORDS: Final = [
    *("a", "b", "", " ", "abc", "A b", "1", "-1", "1.5", "true", "k", "x/y", "it''s", "a,b,,c,", "é"),
    *("$s", "${n}", "$n.x", "#if(true)y#end", "$nope", "\\", "\\n", "a\\\\b", "$l", "$!m", "#", "[a-c]"),
    *("$input.json('$')", "%41+b", "YWJj", "<&>", "\n", "{\"a\":[1]}", "##", "$", "a|b", "(b)", "$1"),
]


def _word(quoted: tuple[str, str]) -> str:
    return quoted[0] + quoted[1] + quoted[0]


_STRINGS: Final = st.tuples(st.sampled_from(["'", '"']), st.sampled_from(_WORDS)).map(_word)
_ARGUMENTS_OF: Final = {
    0: [
        *("length", "isEmpty", "trim", "toUpperCase", "toLowerCase", "toString", "size", "iterator"),
        *("keySet", "values", "entrySet", "intValue", "longValue", "doubleValue", "hashCode", "clear"),
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
_PROPERTIES: Final = ["a", "b", "k", "length", "size", "empty", "class", "key", "value", "count", "index"]
_UTILS: Final = ["escapeJavaScript", "parseJson", "urlEncode", "urlDecode", "base64Encode", "nope"]


@st.composite
def _call(draw: st.DrawFn, arguments: st.SearchStrategy[str]) -> str:
    number = draw(st.integers(0, 2))
    name = draw(st.sampled_from(_ARGUMENTS_OF[number]))
    given = [draw(_INSIDE) + draw(arguments) + draw(_INSIDE) for _ in range(number)]
    return f".{name}({','.join(given)})"


def _steps(arguments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        _call(arguments),
        st.sampled_from(_PROPERTIES).map(lambda name: f".{name}"),
        arguments.map(lambda value: f"[{value}]"),
    )


@st.composite
def _reference(draw: st.DrawFn, arguments: st.SearchStrategy[str]) -> str:
    root = draw(
        st.one_of(
            _NAMES,
            _NAMES,
            PATHS.filter(lambda path: "'" not in path).map(lambda path: f"input.path('{path}')"),
            PATHS.filter(lambda path: "'" not in path).map(lambda path: f"input.json('{path}')"),
            st.tuples(st.sampled_from(_UTILS), arguments).map(lambda each: f"util.{each[0]}({each[1]})"),
            st.sampled_from(
                [
                    *("input.body", "input.params('p')", "input.params()", "input.params().header"),
                    *("context.stage", "context.identity.sourceIp", "context.identity", "context"),
                    *("stageVariables.v", "stageVariables", "context.requestOverride.header.h"),
                ]
            ),
        )
    )
    whole = root + "".join(draw(st.lists(_steps(arguments), max_size=2)))
    return draw(st.sampled_from(["$%s", "$%s", "$%s", "$!%s", "${%s}", "$!{%s}"])) % whole


_SIMPLE: Final = st.one_of(
    st.sampled_from(_INTS),
    st.sampled_from(_FLOATS),
    _STRINGS,
    st.sampled_from(["true", "false", "null"]),
    _NAMES.map(lambda name: f"${name}"),
)


def _listed(values: list[str]) -> str:
    return "[" + ", ".join(values) + "]"


def _mapped(members: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{name} : {value}" for name, value in members) + "}"


_RANGES: Final = st.tuples(
    st.sampled_from(["0", "1", "3", "-2", "$v"]), st.sampled_from(["0", "2", "4", "-1", "$v"])
).map(lambda ends: f"[{ends[0]}..{ends[1]}]")
_VALUES: Final = st.recursive(
    st.one_of(_SIMPLE, _RANGES, _reference(_SIMPLE)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(_listed),
        st.lists(st.tuples(_STRINGS, inner), max_size=3).map(_mapped),
        _reference(inner),
    ),
    max_leaves=4,
)
_OPERATORS: Final = st.sampled_from(
    [
        *("+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "&&", "||", "and", "or", "eq"),
        *("ne", "lt", "gt", "le", "ge"),
    ]
)


@st.composite
def _expression(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.integers(0, 5)) if depth else 0
    if kind == 4:
        return draw(st.sampled_from(["!", "not ", "! "])) + draw(_expression(depth - 1))
    if kind == 5:
        return "(" + draw(_expression(depth - 1)) + ")"
    if kind >= 2:
        left, right = draw(_expression(depth - 1)), draw(_expression(depth - 1))
        return left + draw(st.sampled_from([" ", " ", ""])) + draw(_OPERATORS) + " " + right
    return draw(_VALUES)


_REFERENCES: Final = _reference(_VALUES)
_TARGETS: Final = st.one_of(
    _NAMES.map(lambda name: f"${name}"),
    st.sampled_from(
        [
            *("$m.k", "$m['k']", '$m["$s"]', "$l[0]", "$l[9]", "${x}", "$!x", "$m.a.b", "$j.a"),
            "$context.requestOverride.header.h",
        ]
    ),
)
_VOID: Final = st.tuples(_TARGETS, _INSIDE, _expression()).map(
    lambda each: f"#set({each[0]}{each[1]}={each[1]}{each[2]})"
)


def _block(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(_expression(), _BLANKS, inner, _BLANKS).map(
            lambda each: f"#if({each[0]}){each[1]}{each[2]}#end{each[3]}"
        ),
        st.tuples(_expression(), _BLANKS, inner, _BLANKS, inner).map(
            lambda each: f"#if({each[0]}){each[2]}{each[3]}#else{each[1]}{each[4]}#{{end}}{each[3]}"
        ),
        st.tuples(_expression(), inner, _expression(), inner, _BLANKS).map(
            lambda each: f"#if ({each[0]}){each[1]}#elseif({each[2]}){each[4]}{each[3]}#end"
        ),
        st.tuples(_VALUES, _BLANKS, inner, _BLANKS).map(
            lambda each: f"#foreach($v in {each[0]}){each[1]}{each[2]}#end{each[3]}"
        ),
        st.tuples(inner, _BLANKS).map(lambda each: f"#define($t){each[1]}{each[0]}#end{each[1]}"),
    )


_PIECES: Final = st.recursive(
    st.one_of(
        _TEXTS,
        _REFERENCES,
        st.tuples(st.sampled_from(["\\", "\\\\"]), _REFERENCES).map("".join),
        st.tuples(_BLANKS, _VOID, _BLANKS).map("".join),
        st.sampled_from(
            [
                *("#break", "#stop", "$foreach.hasNext", "$velocityCount", "$foreach.parent.index"),
                *("$foreach.index", "$v", "$v.key", "$t", "$t()", "\\#if", "\\#end", "\\#set($x=1)"),
            ]
        ),
    ),
    lambda inner: _block(st.lists(inner, max_size=3).map("".join)),
    max_leaves=6,
)
_PRELUDES: Final = st.sampled_from(
    [
        "",
        "#set($s='a b')#set($n=5)#set($f=1.5)#set($l=[1,'a',2.5])#set($m={'k':'v','a':1})",
        "#set($j=$input.path('$'))#set($l=$input.path('$..*'))#set($s=$input.body)",
        "#set($m=$input.path('$'))\n#set($l=[3,1,2])\n#set($s=\"x,y,,\")\n#set($n=-7)\n",
    ]
)
TEMPLATES: Final = st.tuples(_PRELUDES, st.lists(_PIECES, min_size=1, max_size=6).map("".join)).map(
    "".join
)
