"""What a comparison with Velocity 1.7 itself found to differ, each as small as it could be made."""

import pytest

from hookrack.edge.mapping import MappingFault, MappingRequest, compile_template

BIG = "#set($g=9223372036854775807)#set($g=$g+1)"


def rendered(template: str, body: str = "") -> str:
    """What a template prints."""
    return compile_template(template).render(MappingRequest(body)).text


@pytest.mark.parametrize(
    ("template", "printed"),
    [
        ("$t.x##$0", "0"),
        ("$t.x## $0 b", "## $0 b"),
        ("#define($t)#$t x#end$t", "#$t x x"),
        ("#define($t)\\\\$t#end$t.", "\\\\$t."),
        ("#define($t)x#end#set($m={'k':$t})a$$m.k", "ax"),
        ("#set($f=1.9)#foreach($v in [$f..3])$v,#end", "1,2,3,"),
        (BIG + "#set($x=1E5*$g)$x", "922337203685477580800000"),
        ("#set($s='a')#set($x=1+$s.charAt(0))$!x", ""),
        ("#set($m={'a':1})#set($m[1]=9)$m[1]", "9"),
        ("#set($l=[1,2,3])$l.removeAll([2])$l", "true[1, 3]"),
        ("#set($m={'a':1})$m.remove('a',2)$m.replace('a',1,2)$m", "falsetrue{a=2}"),
        ("#set($x=-9223372036854775808*-1)$x", "-9223372036854775808"),
        ("#set($nope[-1]=7)", ""),
        ("#foreach($v in [1])#set($foreach.z=5)#foreach($w in [1])$foreach.z#end#end", "5"),
    ],
)
def test_what_differed_prints_as_velocity_prints_it(template: str, printed: str) -> None:
    """Each difference that was found stays mended."""
    assert rendered(template) == printed


@pytest.mark.parametrize("value", ["$util", "$foreach", "$s.charAt(0)", "$l.iterator()"])
def test_what_is_no_json_is_written_as_an_empty_object(value: str) -> None:
    """No object of ours shows where it stands in memory when it is put into a document."""
    start = "#set($s='a')#set($l=[1])#set($m=$input.path('$'))#foreach($v in [1])"
    assert rendered(f"{start}#set($m.x={value})#end$input.json('$')") == '{"x":{}}'


def test_half_a_pair_can_be_decoded_and_encoded() -> None:
    """A sender's half surrogate is no fault of ours: it stays, or is a question mark in UTF-8."""
    body = '{"a":"\\ud83d%41"}'
    assert rendered("$util.urlDecode($input.path('$.a')).length()", body) == "2"
    assert rendered('$util.urlEncode("\\ud83d")') == "%3F"


@pytest.mark.parametrize("call", ["format({})", "join('', [0])"])
def test_a_format_or_list_of_another_kind_is_no_crash(call: str) -> None:
    """What Java has no method for prints nothing; what it fails at is a fault with its place."""
    template = f"#set($s='')#set($d={{}})$s.{call.replace('{}', '$d,1')}"
    if "format" in call:
        assert rendered(template) == ""
    else:
        with pytest.raises(MappingFault, match="ClassCast"):
            rendered(template)


def test_foreach_can_not_be_the_variable_of_a_loop() -> None:
    """`$foreach` is what each loop lends to its body."""
    with pytest.raises(MappingFault, match="foreach"):
        rendered("#foreach($foreach in [1])a#end")


@pytest.mark.parametrize(
    ("items", "sorted_"),
    [
        ("[3,1,2]", "[1, 2, 3]"),
        ("['b','B','a']", "[B, a, b]"),
        ("[0.5,-1.5]", "[-1.5, 0.5]"),
        ("['x']", "[x]"),
        ("[true,false]", "[false, true]"),
    ],
)
def test_a_list_is_sorted_in_place(items: str, sorted_: str) -> None:
    """`$list.sort(null)` puts values of one class in their natural order, and prints nothing."""
    assert rendered(f"#set($l={items})$l.sort(null)$l") == sorted_


@pytest.mark.parametrize("items", ["[1,'a']", "[1,3000000000]", "[[1],[2]]", "$input.path('$.l')"])
def test_what_has_no_order_is_not_sorted(items: str) -> None:
    """Values of several classes, lists and null can't be compared: a fault, as in Java."""
    with pytest.raises(MappingFault, match=r"ClassCast|NullPointer"):
        rendered(f"#set($l={items})$l.sort(null)", '{"l":[1,null]}')


def test_a_loop_over_a_null_variable_gives_it_back() -> None:
    """While a loop's variable is null nothing set to it counts, until a loop within that has the
    same one has ended, however deep it stands.
    """
    loops = "#foreach($v in $y)#foreach($u in $l)#foreach($v in $l)$v#end$v;#end#end"
    start = "#set($y=$input.path('$.y'))#set($l=['p','q'])"
    assert rendered(start + loops, '{"y":[1,null,2]}') == "pq1;pq1;;pq;pq2;pq2;"
