"""A file with one secret of ours in the data directory, mode 0600, made whole or not at all."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from hookrack.errors import ConfigError


def read_or_create(path: Path, *, make: Callable[[], str], mend: str) -> str:
    """The text of the file without blanks around it; where there is none, `make` it.

    Of processes that make it at once one wins, and all read that one's.
    Raises: ConfigError naming the file, with `mend`, when it can't be made or read.
    """
    try:
        if not path.exists():
            _create(path, make())
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not ASCII"
        raise ConfigError(f"can't be made or read: {reason}", where=str(path), mend=mend) from exc


def _create(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
