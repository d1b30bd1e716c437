"""The data directory as a whole: made private, and marked with the format of what is in it.

An older format is migrated here, step by step; a newer one is refused, because a hookrack that
doesn't know it could only lose something.
"""

from pathlib import Path
from typing import Final

from hookrack.errors import ConfigError
from hookrack.private_file import read_or_create

FORMAT: Final = 1
FORMAT_FILE: Final = "FORMAT"
_MEND: Final = "Run the hookrack that wrote it, or a newer one."


def check_format(folder: Path) -> None:
    """Refuse a directory of a newer format, before anything in it is touched.

    Raises: ConfigError.
    """
    path = folder / FORMAT_FILE
    try:
        there = path.exists()
    except OSError:
        return  # whoever uses the directory says what is wrong with it
    if there:
        _judge(path, read_or_create(path, make=str, mend=_MEND))


def open_folder(folder: Path, *, where: str) -> Path:
    """The directory, made with mode 0700 if need be, and marked. Raises: ConfigError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"{folder} can't be made: {exc.strerror}",
            where=where,
            mend="Name a folder that this user may write, with --data-dir.",
        ) from exc
    path = folder / FORMAT_FILE
    mend = "Name a folder that this user may write, with --data-dir."
    _judge(path, read_or_create(path, make=lambda: str(FORMAT), mend=mend))
    return folder


def _judge(path: Path, text: str) -> None:
    if not (text.isascii() and text.isdigit()):
        raise ConfigError("holds no format number", where=str(path), mend=_MEND)
    if int(text) > FORMAT:
        detail = f"is of format {text}, this hookrack knows {FORMAT}"
        raise ConfigError(detail, where=str(path), mend=_MEND)
