"""Does a signature fit bytes? Keys are read once; comparing takes as long whichever fits."""

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

from hookrack.edge.schemes import HMACS, Encoding, Scheme

# The signatures that came, and the bytes: is one of them right under one of the keys?
Match = Callable[[Sequence[bytes], bytes], bool]
_NO_SERVER: Final = "needs the packages of the server (pip install 'hookrack[server]')"


def compile_match(scheme: Scheme, secrets: Sequence[str]) -> Match:
    """Read the secrets as the scheme has them. Raises: ValueError in words without the secret."""
    if scheme.public:
        return _match_public(scheme, secrets)
    keys = tuple(_read_key(scheme, each) for each in secrets)
    if scheme.algorithm == "token":
        return _match_token(keys)
    encode = _ENCODE[scheme.encoding]
    name = HMACS.get(scheme.algorithm)
    begun = [hmac.new(key, digestmod=name) if name else sha256(key) for key in keys]
    fold = scheme.encoding == "hex"

    def match(given: Sequence[bytes], message: bytes) -> bool:
        made = []
        for each in begun:
            running = each.copy()
            running.update(message)
            made.append(encode(running.digest()))
        texts = [each.lower() for each in given] if fold else given
        return sum([hmac.compare_digest(text, own) for text in texts for own in made]) > 0

    return match


def _match_token(keys: Sequence[bytes]) -> Match:
    digests = [sha256(key).digest() for key in keys]

    def match(given: Sequence[bytes], _message: bytes) -> bool:
        texts = [sha256(each).digest() for each in given]
        return sum([hmac.compare_digest(text, own) for text in texts for own in digests]) > 0

    return match


def _match_public(scheme: Scheme, secrets: Sequence[str]) -> Match:
    try:
        from hookrack.edge.public_keys import public_key  # noqa: PLC0415 - the server's package
    except ImportError as exc:  # pragma: no cover - the bare install
        raise ValueError(_NO_SERVER) from exc
    texts = [each.removeprefix(scheme.claims) for each in secrets]
    checks = [public_key(scheme.algorithm, each) for each in texts]
    decode = _DECODE[scheme.encoding]

    def match(given: Sequence[bytes], message: bytes) -> bool:
        found = [raw for each in given if (raw := decode(each)) is not None]
        return any(check(raw, message) for raw in found for check in checks)

    return match


def _read_key(scheme: Scheme, text: str) -> bytes:
    if scheme.key == "text":
        return text.encode()
    try:
        if scheme.key == "hex":
            key = binascii.unhexlify(text.strip())
        else:
            key = base64.b64decode(text.strip().removeprefix("whsec_"), validate=True)
    except ValueError as exc:
        raise ValueError(f"is not {'hex' if scheme.key == 'hex' else 'base64'}") from exc
    if not key:
        raise ValueError("is an empty key")
    return key


def _base64(raw: bytes) -> bytes:
    return binascii.b2a_base64(raw, newline=False)


def _from_hex(text: bytes) -> bytes | None:
    try:
        return binascii.unhexlify(text)
    except binascii.Error:
        return None


def _from_base64(text: bytes) -> bytes | None:
    """Only the one text that stands for these bytes is taken."""
    try:
        raw = binascii.a2b_base64(text)
    except binascii.Error:
        return None
    return raw if _base64(raw) == text else None


_ENCODE: Final[dict[Encoding, Callable[[bytes], bytes]]] = {
    "hex": binascii.hexlify,
    "base64": _base64,
}
_DECODE: Final[dict[Encoding, Callable[[bytes], bytes | None]]] = {
    "hex": _from_hex,
    "base64": _from_base64,
}
