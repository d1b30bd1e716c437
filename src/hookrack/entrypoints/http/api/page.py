"""/docs: the OpenAPI document as one page, made here, with nothing fetched from elsewhere."""

from html import escape
from typing import Any, Final

_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{margin-top:2.5rem;border-bottom:1px solid #8886}code,pre{font-family:ui-monospace,monospace}
.call{margin:1rem 0;padding:.6rem 1rem;border:1px solid #8886;border-radius:6px}
.method{display:inline-block;min-width:4.5rem;font-weight:700}table{border-collapse:collapse}
td,th{text-align:left;padding:.1rem 1rem .1rem 0;vertical-align:top}
:root{color-scheme:light dark}
"""
_METHODS: Final = ("get", "put", "post", "delete")


def render(document: dict[str, Any]) -> str:
    """An HTML page for an OpenAPI 3.1 document."""
    info = document["info"]
    groups: dict[str, list[str]] = {}
    for path, calls in document["paths"].items():
        for method in _METHODS:
            if method in calls:
                tag = (calls[method].get("tags") or ["other"])[0]
                groups.setdefault(tag, []).append(_call(method, path, calls[method]))
    parts = [f"<h2>{escape(tag)}</h2>{''.join(calls)}" for tag, calls in groups.items()]
    title = f"{escape(info['title'])} {escape(info['version'])}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{escape(info['description'])}</p>"
        f'<p>The same for programs: <a href="/openapi.json">/openapi.json</a></p>{"".join(parts)}'
    )


def _call(method: str, path: str, call: dict[str, Any]) -> str:
    rows = [_parameter(each) for each in call.get("parameters", [])]
    body = call.get("requestBody", {})
    if body:
        about = body.get("description") or ", ".join(body.get("content", {}))
        rows.append(f"<tr><td>body</td><td></td><td>{escape(about)}</td></tr>")
    rows += [
        f"<tr><td>{escape(status)}</td><td></td><td>{escape(answer['description'])}</td></tr>"
        for status, answer in call["responses"].items()
    ]
    return (
        f'<div class="call"><code><span class="method">{method.upper()}</span>{escape(path)}</code>'
        f"<p>{escape(call.get('description', call.get('summary', '')))}</p>"
        f"<table>{''.join(rows)}</table></div>"
    )


def _parameter(parameter: dict[str, Any]) -> str:
    about = parameter.get("description", "")
    where = f"{parameter['in']}{', needed' if parameter.get('required') else ''}"
    name = escape(parameter["name"])
    return f"<tr><td><code>{name}</code></td><td>{where}</td><td>{escape(about)}</td></tr>"
