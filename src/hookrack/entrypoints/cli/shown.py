"""Entries as commands print them: for eyes on a terminal, a JSON line each elsewhere."""

import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import click
import orjson

from hookrack.client import Entry
from hookrack.entrypoints.cli.output import write
from hookrack.jsontext import is_json_type
from hookrack.model import format_time, parse_duration

_SHOWN: Final = 4_000  # characters of one entry's data on a terminal
_LINE_ENDS: Final = bytes.maketrans(b"\r\n", b"  ")  # in JSON they stand only between its parts


def time_text(time: datetime) -> str:
    """A time as the API writes it."""
    return format_time(round(time.timestamp() * 1000))


def entry_line(entry: Entry) -> bytes:
    """An entry as one line of JSON, its data as it was written but for line ends."""
    facts = {
        "eventId": entry.event_id,
        "webhookKey": entry.webhook_key,
        "account": entry.account,
        "flow": entry.flow,
        "receivedAt": time_text(entry.received_at),
        "storedAt": time_text(entry.stored_at),
        "expiresAt": time_text(entry.expires_at),
        "cursor": entry.cursor,
        "contentType": entry.content_type,
    }
    if is_json_type(entry.content_type):
        data = entry.raw.translate(_LINE_ENDS)
        return b'%b,"data":%b}\n' % (orjson.dumps(facts)[:-1], data)
    from base64 import b64encode  # noqa: PLC0415 - rarely

    return orjson.dumps(facts | {"dataBase64": b64encode(entry.raw).decode()}) + b"\n"


def show_entry(entry: Entry, *, as_json: bool) -> None:
    """Print an entry."""
    if as_json or not sys.stdout.isatty():
        write(entry_line(entry))
        return
    source = entry.flow or "set directly"
    head = f"{time_text(entry.received_at)}  {source}  {entry.event_id}"
    click.echo(f"{click.style(head, bold=True)}\n{_data_text(entry)}\n")


def _data_text(entry: Entry) -> str:
    """The data for eyes: indented, cut where it is long, nothing in it that moves a cursor."""
    if not is_json_type(entry.content_type):
        return f"{len(entry.raw)} bytes of {entry.content_type}"
    try:
        text = orjson.dumps(orjson.loads(entry.raw), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:  # numbers that no double holds
        text = entry.raw.decode(errors="replace")
    cut = text[:_SHOWN]
    safe = "".join(each if each.isprintable() or each == "\n" else "?" for each in cut)
    left = f"\n... {len(text) - _SHOWN} more characters; --json has them all"
    return safe + (left if len(text) > _SHOWN else "")


def parse_since(text: str) -> datetime:
    """A place in time: RFC 3339, how long ago (15m), or `now`. Raises: BadParameter."""
    now = datetime.now(UTC)
    if text == "now":
        return now
    with suppress(ValueError, OverflowError):
        return now - parse_duration(text)
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as exc:
        told = f"{text!r} is no time; write 2026-11-23T10:00:00Z, 15m or now"
        raise click.BadParameter(told, param_hint="--from") from exc
