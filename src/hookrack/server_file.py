"""server.json in the data directory: where the server that is alive is reached.

Its writer holds a lock on it for as long as it lives, however it ends. What nobody holds was left
behind: at the address in it anybody may listen now, so it is as good as not there.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hookrack.errors import ConfigError

SERVER_FILE: Final = "server.json"


class Announcement:
    """What one server says of itself; `withdraw` takes it back."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / SERVER_FILE
        self._held: int | None = None

    def put(self, content: Mapping[str, Any]) -> None:
        """Say it, in place of what was said before. Raises: ConfigError."""
        draft = self._path.with_name(f"{SERVER_FILE}.{os.getpid()}")
        try:
            held = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.write(held, json.dumps(content).encode() + b"\n")
                with contextlib.suppress(OSError):  # no locks there: nobody will take our word
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                draft.rename(self._path)
            except BaseException:
                os.close(held)
                draft.unlink(missing_ok=True)
                raise
        except OSError as exc:
            raise ConfigError(
                f"can't be written: {exc.strerror}",
                where=str(self._path),
                mend="Make room there, or name a folder that this user may write, with --data-dir.",
            ) from exc
        self._let_go()
        self._held = held

    def withdraw(self) -> None:
        """Take it back, unless another server speaks there by now."""
        if self._held is None:
            return
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(self._held), self._path.stat()):
                self._path.unlink()
        self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
        self._held = None


def announced(folder: Path) -> dict[str, Any]:
    """What the server that is alive says of itself; empty where none is."""
    try:
        with (folder / SERVER_FILE).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found = json.loads(file.read())
                return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        pass
    return {}
