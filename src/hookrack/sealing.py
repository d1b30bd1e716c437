"""Secrets at rest: sealed with AES-256-GCM under a key that all replicas share.

The key comes from HOOKRACK_SECRET_KEY, or from the file `secret-key` in the data directory. Each
sealed text is bound to its place (`about`), so that it opens nowhere else.
"""

import base64
import binascii
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hookrack.errors import ConfigError
from hookrack.private_file import read_or_create
from hookrack.settings import SECRET_CHARS, Secret

SECRET_KEY_FILE: Final = "secret-key"  # noqa: S105 - a file's name
_NONCE_BYTES: Final = 12
_VERSION: Final = "s1."


class Sealer:
    """Seals and opens texts under one secret key; also derives keys for other uses."""

    def __init__(self, key: Secret) -> None:
        self._root = key.reveal().encode()
        self._cipher = AESGCM(self.derive("seal"))

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose (HKDF-SHA256, RFC 5869)."""
        hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"hookrack {purpose}".encode())
        return hkdf.derive(self._root)

    def seal(self, text: str, *, about: str) -> str:
        """`text` unreadable, as printable ASCII."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, text.encode(), about.encode())
        return _VERSION + base64.urlsafe_b64encode(sealed).decode()

    def open(self, sealed: str, *, about: str) -> str:
        """The text again. Raises: ValueError for another key, another place, or damage."""
        try:
            raw = base64.urlsafe_b64decode(sealed.removeprefix(_VERSION))
            nonce, text = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, text, about.encode()).decode()
        except (InvalidTag, binascii.Error, UnicodeError) as exc:
            raise ValueError("sealed under another key, or damaged") from exc


def secret_key(given: Secret, *, data_dir: Path, embedded: bool, where: str) -> Secret:
    """The key of this installation: `given`, or the one in the data directory.

    With the embedded store the file is made at first start; with an existing store it must be
    there (a second process on the same data directory), because replicas have to agree.
    Raises: ConfigError.
    """
    if given:
        return given
    path = data_dir / SECRET_KEY_FILE
    if not embedded and not path.exists():
        raise ConfigError(
            "an existing store needs the secret key that all processes on it share",
            where=where,
            mend="Set HOOKRACK_SECRET_KEY, the same everywhere (openssl rand -base64 32).",
        )
    mend = "Restore it from a backup; without it stored secrets can't be opened."
    text = read_or_create(path, make=lambda: secrets.token_urlsafe(32), mend=mend)
    if len(text) < SECRET_CHARS:
        raise ConfigError(f"is shorter than {SECRET_CHARS} characters", where=str(path), mend=mend)
    return Secret(text)
