"""Addresses of a Redis or Valkey: `redis://`, `rediss://` and `unix://` URLs."""

from urllib.parse import parse_qs, urlsplit


def is_redis_url(url: str) -> bool:
    """Whether a text is the URL of an engine, with a database number or none."""
    try:
        parts = urlsplit(url)
        database = (parse_qs(parts.query).get("db") or [parts.path.strip("/") or "0"])[0]
        _ = parts.port  # says ValueError where it is none
    except ValueError:
        return False
    if parts.scheme == "unix":
        return bool(parts.path)
    return parts.scheme in {"redis", "rediss"} and database.isascii() and database.isdigit()
