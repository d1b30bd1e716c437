"""Lua scripts: one file each, sent by digest, in full only where the server doesn't know it."""

from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any

from hookrack._redis.faults import ReplyError
from hookrack._redis.pipe import Pipe


class Script:
    """One .lua file, behind those whose functions it uses; a call is one command."""

    def __init__(self, path: Path, *before: Path) -> None:
        self._source = b"".join(each.read_bytes() for each in (*before, path))
        # The digest that EVALSHA asks for; nothing is protected by it.
        self._digest = sha1(self._source, usedforsecurity=False).hexdigest().encode()

    async def run(
        self, pipe: Pipe, keys: Sequence[bytes | str], args: Sequence[bytes | str | int]
    ) -> Any:  # noqa: ANN401 - what the script returns
        """Run it. Raises: Unavailable, or ReplyError for an error of the script's own."""
        try:
            return await pipe.call(b"EVALSHA", self._digest, len(keys), *keys, *args)
        except ReplyError as exc:
            if exc.prefix != "NOSCRIPT":
                raise
        return await pipe.call(b"EVAL", self._source, len(keys), *keys, *args)
