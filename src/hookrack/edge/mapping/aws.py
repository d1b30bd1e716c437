"""A flow's template, written out for API Gateway: it sends the envelope to SQS and nothing else.

What a template prints is never trusted to stay where it was printed. The user's template is
captured and rendered into a text, which goes into the envelope as base64; the variables it set go
in escaped as JSON strings; the envelope is captured the same way and leaves form-encoded. So a
quote in the data can't break out of the JSON, and an ampersand can't add a parameter for SQS.
"""

from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from hookrack.edge.mapping import Place, Template, TemplateInvalid, compile_template
from hookrack.edge.mapping.syntax import Block, Define, Leave, Text

_PREFIX: Final = "hookrack"  # of the variables that are ours

# What the envelope needs is taken before the user's template could change it.
_TAKE: Final = (
    '#set($hookrackUtil=$util)#set($hookrackId="$context.extendedRequestId")'
    '#set($hookrackTime="$context.requestTimeEpoch")'
)

# `${hookrackNone}` is nothing: behind it a newline is text, as at the start of a template, where
# behind the `)` of #define it would be eaten.
_CAPTURE: Final = "#define($hookrackData)${hookrackNone}%s#end"

# A quote that escapeJavaScript escapes for the sake of scripts is no escape in JSON.
_ESCAPED: Final = """$hookrackUtil.escapeJavaScript(%s).replaceAll("\\\\'","'")"""

# Half of a surrogate pair would silently become a question mark; escaped it is no JSON, and with
# it the event becomes a dead letter instead.
_RENDER: Final = (
    '#set($hookrackOut="$hookrackData")'
    "#if($hookrackUtil.urlDecode($hookrackUtil.urlEncode($hookrackOut))!=$hookrackOut)"
    "#set($hookrackOut=$hookrackUtil.escapeJavaScript($hookrackOut))#end"
    '#set($hookrackKeys="$!webhookKeys")'
    '#set($hookrackTtl="$!ttl")'
    '#set($hookrackDedupe="$!dedupeId")'
)

_KEYS: Final = (
    '#if($hookrackKeys!=""),"keys":['
    '#foreach($hookrackEach in $webhookKeys)#set($hookrackKey="$!hookrackEach")'
    f'"{_ESCAPED % "$hookrackKey"}"#if($foreach.hasNext),#{{end}}#{{end}}'
    # The loop ends after 1,000, behind a comma: one more, so that they are refused, not cut.
    '#if($webhookKeys.size()>1000)""#end]#{end}'
)

_TTL: Final = (
    '#if($hookrackTtl!=""),"ttl":'
    '#if($hookrackTtl.matches("[1-9][0-9]*"))'
    # The account's maxTtl caps it; more digits than these are no number to every reader.
    f"#if($hookrackTtl.length()>18){'9' * 18}#{{else}}$hookrackTtl#end#{{else}}"
    f'"{_ESCAPED % "$hookrackTtl"}"#{{end}}#{{end}}'
)

_DEDUPE: Final = f'#if($hookrackDedupe!=""),"dedupeId":"{_ESCAPED % "$hookrackDedupe"}"#{{end}}'

_ENVELOPE: Final = (
    '#define($hookrackEnvelope){"v":1,"id":"$hookrackId",'
    '"account":"%s","flow":"%s","receivedAt":$hookrackTime,'
    '"contentType":"application/json","dataBase64":"$hookrackUtil.base64Encode($hookrackOut)"'
    f"{_KEYS}{_TTL}{_DEDUPE}}}#end"
)

_SEND: Final = (
    '#set($hookrackBody="$hookrackEnvelope")'
    "Action=SendMessage&MessageGroupId=%s&MessageBody=$hookrackUtil.urlEncode($hookrackBody)"
)


class NotDirect(ValueError):  # noqa: N818 - named for what is the case
    """A template that API Gateway can't run as part of a larger one, with the reason."""


def sqs_template(template: Template, *, account: str, flow: str) -> str:
    """The template that API Gateway gets for one flow and media type.

    It renders to the body of an SQS `SendMessage` call in the query protocol, whose message is the
    envelope of contract version 1. Account and flow are ids, so they need no escape.
    Raises: NotDirect.
    """
    source = template.source
    if _has_stop(template.tree):
        raise NotDirect("#stop would end the whole template, and nothing would be sent")
    if f"${_PREFIX}" in source.replace("!", "").replace("{", ""):
        raise NotDirect(f"its variables may not begin with {_PREFIX}")
    if "requestOverride" in source:
        raise NotDirect("requestOverride would change the call that sends the event")
    if _ends_in_comment(source):
        source += "\n"  # which the comment takes with it
    elif source.endswith("\\"):
        raise NotDirect("a backslash at its end would escape what comes behind it")
    head = _TAKE + _CAPTURE % source
    written = head + _RENDER + _ENVELOPE % (account, flow) + _SEND % account
    try:
        compiled = compile_template(written, name=f"{account}/{flow} for API Gateway")
    except TemplateInvalid as exc:
        raise NotDirect(f"it can't stand inside another template: {exc}") from exc
    if not _holds(compiled.tree, template.tree):
        raise NotDirect("it would read differently inside another template")
    return written


def _holds(whole: Block, inner: Block) -> bool:
    """Whether a template is, within the first definition of another one, what it is by itself."""
    captured = next((each for each in whole.nodes if isinstance(each, Define)), None)
    if captured is None:
        return False
    return _shape(captured.body.nodes[1:]) == _shape(inner.nodes)


def _shape(node: object) -> object:
    """A tree without the places of its parts; texts side by side are one."""
    if isinstance(node, tuple | list):
        return [_shape(each) for each in _joined(node)]
    if isinstance(node, Place) or not is_dataclass(node):
        return None if isinstance(node, Place) else node
    return [type(node), *(_shape(getattr(node, each.name)) for each in fields(node))]


def _joined(nodes: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for each in nodes:
        if isinstance(each, Text) and found and isinstance(found[-1], Text):
            found[-1] = replace(found[-1], text=found[-1].text + each.text)
        else:
            found.append(each)
    return found


def _has_stop(node: object) -> bool:
    """Whether there is a `#stop` anywhere in a tree."""
    if isinstance(node, Leave):
        return node.is_all
    if isinstance(node, tuple | list):
        return any(_has_stop(each) for each in node)
    if is_dataclass(node):
        return any(_has_stop(getattr(node, each.name)) for each in fields(node))
    return False


def _ends_in_comment(source: str) -> bool:
    """Whether what is put behind a template would belong to a comment of its last line."""
    mark = " mark"
    nodes = compile_template(source + mark).tree.nodes
    last = nodes[-1] if nodes else None
    return not (isinstance(last, Text) and last.text.endswith(mark))
