"""Public keys: read from what operators have at hand, and asked whether a signature is theirs."""

import base64
from collections.abc import Callable
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from hookrack.edge.schemes import Algorithm

Check = Callable[[bytes, bytes], bool]
_RSA_BITS: Final = 2_048  # at least
_ED25519_BYTES: Final = 32
_UNREADABLE: Final = "is no public key that can be read"


def public_key(algorithm: Algorithm, text: str) -> Check:
    """What tells whether a signature fits bytes, made of PEM, a certificate, hex or base64.

    Raises: ValueError in words that don't repeat the text.
    """
    key = _load(text.strip(), raw=algorithm == "ed25519")
    if algorithm == "ed25519":
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("is not an Ed25519 public key")
        return _check(key.verify)
    if algorithm == "ecdsaSha256":
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise ValueError("is not a public key on the curve P-256")
        ecdsa, scheme = key, ECDSA(SHA256())
        return _check(lambda signature, data: ecdsa.verify(signature, data, scheme))
    if not isinstance(key, RSAPublicKey) or key.key_size < _RSA_BITS:
        raise ValueError(f"is not an RSA public key of at least {_RSA_BITS} bits")
    rsa, padding, digest = key, PKCS1v15(), SHA256()
    return _check(lambda signature, data: rsa.verify(signature, data, padding, digest))


def _load(text: str, *, raw: bool) -> Any:  # noqa: ANN401 - any kind of public key
    try:
        if "-----BEGIN CERTIFICATE-----" in text:
            return x509.load_pem_x509_certificate(text.encode()).public_key()
        if "-----BEGIN" in text:
            return load_pem_public_key(text.encode())
        found = _bytes(text)
        if raw and len(found) == _ED25519_BYTES:
            return Ed25519PublicKey.from_public_bytes(found)
        return load_der_public_key(found)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise ValueError(_UNREADABLE) from exc


def _bytes(text: str) -> bytes:
    if len(text) == 2 * _ED25519_BYTES:
        return bytes.fromhex(text)
    return base64.b64decode(text, validate=True)


def _check(verify: Callable[[bytes, bytes], None]) -> Check:
    def check(signature: bytes, data: bytes) -> bool:
        try:
            verify(signature, data)
        except InvalidSignature:
            return False
        return True

    return check
