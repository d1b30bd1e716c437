"""`hookrack template render|test|explain`: mapping templates on the desk, without a server."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from hookrack.cpu_time import LIMITS
from hookrack.edge.mapping.cases import CaseInvalid, judge, read_request
from hookrack.edge.mapping.trial import Trial, try_template
from hookrack.entrypoints.cli.options import json_option
from hookrack.entrypoints.cli.output import write
from hookrack.errors import ConfigError

CASES: Final = "*.cases.json"


@click.group()
def template() -> None:
    """Try mapping templates out: render one, run cases, or see what each part of one does."""


def _request_options(command: Callable[..., int]) -> Callable[..., int]:
    for option in reversed(
        (
            click.option("--body", type=click.File("rb"), help="The request's body; - is stdin."),
            click.option("--content-type", help="Its Content-Type; JSON unless said otherwise."),
            click.option("--header", "headers", multiple=True, help="A header, as Name:value."),
            click.option("--query", multiple=True, help="A query parameter, as name=value."),
            click.option("--path", "path_", multiple=True, help="A path parameter, as name=value."),
            click.option("--stage-variable", "stage", multiple=True, help="As name=value."),
            click.option("--context", help="JSON for $context, such as '{\"stage\": \"prod\"}'."),
            click.option(
                "--request", "request_file", type=click.File("rb"),
                help="All of it as JSON: {request: {...}, context: {...}, stageVariables: {...}}.",
            ),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@template.command(epilog="Example: hookrack template render order.vtl --body order.json")
@click.argument("file", type=click.Path(path_type=Path))
@_request_options
def render(*, file: Path, **request: Any) -> int:  # noqa: ANN401 - the options above
    """Print what a template makes of a request, to the byte; exit code 1 if it fails."""
    source = _read(file)
    tried = _try(file, source, request)
    if tried.rendering is None:
        click.echo(_fault(tried, source), err=True)
        return 1
    write(tried.rendering.text.encode(errors="surrogatepass"))
    if sys.stdout.isatty() and not tried.rendering.text.endswith("\n"):
        write(b"\n")
    return 0


@template.command(epilog="Example: hookrack template explain order.vtl --body order.json")
@click.argument("file", type=click.Path(path_type=Path))
@_request_options
@json_option
def explain(*, file: Path, as_json: bool, **request: Any) -> int:  # noqa: ANN401 - the options above
    """Show a template's parsed tree, what each reference yielded, and traps it may hold."""
    source = _read(file)
    tried = _try(file, source, request)
    if as_json:
        write(json.dumps(tried.document()).encode() + b"\n")
    else:
        write("".join(f"{line}\n" for line in tried.lines()).encode(errors="replace"))
    return 1 if tried.fault else 0


@template.command(epilog="Example: hookrack template test templates/")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def test(*, folder: Path, as_json: bool) -> int:
    """Run every case in DIR's *.cases.json; exit code 1 if one fails."""
    files = [folder] if folder.is_file() else sorted(folder.rglob(CASES))
    if not folder.exists():
        raise ConfigError("isn't there", where=str(folder), mend="Check the name.")
    if not files:
        raise ConfigError(f"holds no {CASES}", where=str(folder), mend="Write one.")
    rows = [row for file in files for row in _run(file)]
    if not rows:
        raise ConfigError("holds no case", where=str(folder), mend="Write [{...}, ...].")
    failed = sum(row["outcome"] == "failed" for row in rows)
    if as_json or not sys.stdout.isatty():
        write(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    else:
        for row in rows:
            _show(row)
    click.echo(f"{len(rows) - failed} passed, {failed} failed", err=True)
    return 1 if failed else 0


def _try(file: Path, source: str, options: dict[str, Any]) -> Trial:
    try:
        request = read_request(_document(options))
    except CaseInvalid as exc:
        raise click.UsageError(f"The request can't be used: {exc}.") from exc
    return try_template(source, request, name=str(file), limits=LIMITS)


def _run(file: Path) -> list[dict[str, Any]]:
    """The rows of one file. Raises: ConfigError."""
    try:
        listed = json.loads(_read(file))
    except (ValueError, RecursionError) as exc:
        raise ConfigError("is not JSON", where=str(file), mend="Mend it.") from exc
    if not isinstance(listed, list):
        raise ConfigError("is no list of cases", where=str(file), mend="Write [{...}, ...].")
    texts = {
        name: _read(path)
        for each in listed
        if isinstance(each, dict)
        and isinstance(name := each.get("templateFile"), str)
        and (path := file.parent / name).is_file()
    }
    return [
        judge(each, files=texts, place=f"case {place + 1}", limits=LIMITS)
        for place, each in enumerate(listed)
    ]


def _show(row: dict[str, Any]) -> None:
    click.echo(f"{row['outcome']}  {row['name']}")
    if row["outcome"] == "failed":
        click.echo(f"    expected  {row['expected']!r}")
        click.echo(f"    actual    {row['actual']!r}")


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")  # an editor's mark at the start is no text
    except OSError as exc:
        raise ConfigError(
            f"can't be read: {exc.strerror}", where=str(path), mend="Check the name."
        ) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError("is not UTF-8", where=str(path), mend="Save it as UTF-8.") from exc


def _document(options: dict[str, Any]) -> dict[str, Any]:
    """The request's options as the document of a case."""
    document: dict[str, Any] = {}
    if options["request_file"] is not None:
        document = _json(options["request_file"].read(), "--request")
    request = document.setdefault("request", {})
    if options["body"] is not None:
        try:
            request["body"] = options["body"].read().decode()
        except UnicodeDecodeError as exc:
            raise click.UsageError("The body is not UTF-8, which no template can read.") from exc
    if options["content_type"]:
        request["contentType"] = options["content_type"]
    for name, option, mark in (
        ("headers", "headers", ":"), ("query", "query", "="), ("path", "path_", "="),
    ):  # fmt: skip
        if options[option]:
            request[name] = _pairs(options[option], mark)
    if options["stage"]:
        document["stageVariables"] = _pairs(options["stage"], "=")
    if options["context"]:
        document["context"] = _json(options["context"], "--context")
    return document


def _json(text: str | bytes, option: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise click.UsageError(f"{option} is not JSON.") from exc
    if not isinstance(found, dict):
        raise click.UsageError(f"{option} is no JSON object.")
    return found


def _pairs(given: Sequence[str], mark: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in given:
        name, there, value = each.partition(mark)
        if not there or not name:
            raise click.UsageError(f"{each!r} is not of the form name{mark}value.")
        found.setdefault(name, []).append(value.strip() if mark == ":" else value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _fault(tried: Trial, source: str) -> str:
    """The fault with its place, the line it is in, and a caret below it."""
    fault = tried.fault
    if fault is None:
        return ""
    lines = source.splitlines() or [""]
    line = lines[min(fault.line, len(lines)) - 1].expandtabs(1)
    shown = [f"hookrack: {fault}", f"    {line[:200]}", f"    {' ' * (fault.column - 1)}^"]
    hint = getattr(fault, "hint", "")
    return "\n".join([*shown, *([hint] if hint else [])])
