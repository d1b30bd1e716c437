"""Where the search begins: small inputs of each target, good ones and nearly good ones."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from fuzz.targets import an_event, pack
from signing import SIGNED

from hookrack.model import encode_envelope

FOUND: Final = Path(__file__).parent / "found"
_EXAMPLES: Final = Path(__file__).parents[1] / "examples"
_JSON: Final = (
    *(b"{}", b"[]", b"null", b"-0", b"1e400", b"-1.50E-7", b"01", b"1.", b"+1", b"NaN", b"- 1"),
    *(b'"\\ud83d\\ude00"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\x00"', b'"\xff"', b'"\\x"'),
    *(b'{"a":1,"a":2}', b'{"a" : [1, {"b":"]}"} ] }', b"[1,]", b'{"a":1,}', b"\xef\xbb\xbf{}"),
    *(
        b"[" * 1_001 + b"]" * 1_001,
        b" [\t1\n,\r2 ] ",
        b'{"\\ud800":1}',
        b'["\\"", "\\\\"]',
        b"[" * 40 + b"]" * 40,
        b"tru",
    ),
)
_PATHS: Final = (
    *("$", "$.a", "$['a b'].c[0][1]", "$.a[*].b", "$..b", "$.a[0:2]", "$.a[-1:]", "$.a[0,1].b"),
    *("$.a[?(@.b > 1)].c", "$.a[?(@.c == 'x' && !(@.d))]", "$.a[?(@.c =~ /x.*/i)]", "$.a.length()"),
    *("@.a", "$.", "$[", "$['a", "$.a[?(@.b in [1, 2])]", "$..*", "$.a[?(@['b'] nin ['x'])].b"),
    *("$.n\0{n: 1, 'm': [tru]}", '$..a\0[[[{"a":1}]]]', "$.a[?($.t == true)]", "$.a[1:5:2]"),
)
_TEMPLATES: Final = (
    "$input.json('$.a')\0{\"a\": [1, 2]}",
    '#set($r = $input.path("$"))#foreach($e in $r.a)$e.b#if($foreach.hasNext),#end#end\0{"a":[{}]}',
    '#macro(m $x)[$x]#end#m("y")#set($l = [1..5])$l.size()$l.subList(1, 3)',
    "#if($a && !$b || 1 > 2)x#elseif($c == 'y')z#{else}w#end ## c\n#*c*##[[raw]]#",
    "$util.escapeJavaScript($input.body)$util.base64Encode('x')$util.urlEncode(\"a b\")\0a'b",
    '#set($m = {"k": "v", "n": -1.5})$m.k${m.n}$!{m.x}$m.put("z", 2)$m.keySet()#set($ttl = 60)',
    "#define($d)x$d#end$d#stop#break$input.params('X-Id')$context.requestId\\$x\\\\$y",
    "$input.params().header.keySet()#set($webhookKeys = ['a'])$util.parseJson('{\"a\":1}').a",
    "#evaluate('$x')#include('f')#parse('g')#set($x = 7 / 0)$x#set($y = 2147483647 + 1)$y",
    '#set($s = "a$input.body")$s.replaceAll("(a)(b)?", "$1")$s.split(",").get(0)$s.substring(1)',
)


def seeds() -> Mapping[str, list[bytes]]:
    """The inputs of each target, those once found among them."""
    made = {
        "verifier": [pack(name, signed) for name, signed in SIGNED.items()],
        "envelope": list(_envelopes()),
        "json": list(_JSON),
        "jsonpath": [each.encode() for each in _PATHS],
        "template": [each.encode() for each in _TEMPLATES] + list(_examples()),
    }
    return {name: [*given, *_found(name)] for name, given in made.items()}


def _envelopes() -> Iterator[bytes]:
    whole = encode_envelope(an_event())
    yield whole
    yield encode_envelope(an_event(content_type="text/plain", keys=None, ttl=None, dedupe_id=None))
    yield whole.replace(b'"v":1', b'"v":2')
    yield whole.replace(b'"id"', b'"v":1,"id"')
    yield b'{"data": [1, 2], "z": {"data":3}, ' + whole.rpartition(b',"data":')[0][1:] + b" }"


def _examples() -> Iterator[bytes]:
    for path in sorted(_EXAMPLES.rglob("*.vtl")):
        yield path.read_bytes() + b'\0{"id": "o-1", "lines": [{"sku": "x", "n": 2}]}'


def _found(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((FOUND / name).glob("*"))]
