"""TLS as a server offers it: 1.2 or newer, one certificate, and each fault said by its file."""

import ssl
from pathlib import Path
from typing import Final, NoReturn

from hookrack.errors import ConfigError
from hookrack.settings import Settings

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


class _Encrypted(Exception):  # noqa: N818 - a state of the key, raised and caught right here
    """The key wants a passphrase, and there is nobody to ask."""


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """What to speak TLS with, or None without a certificate. Raises: ConfigError."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    leaf_certificate(settings)
    if "PRIVATE KEY-----" not in _read(settings.tls_key, settings.origins["tls_key"]):
        raise ConfigError(
            f"{settings.tls_key} holds no private key",
            where=settings.origins["tls_key"],
            mend="Name a PEM file with the private key of the certificate.",
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=_no_passphrase)
    except _Encrypted as exc:
        raise ConfigError(
            f"{settings.tls_key} has a passphrase",
            where=settings.origins["tls_key"],
            mend="Write it without one (openssl pkey -in KEY -out NEW), readable by us alone.",
        ) from exc
    except (ssl.SSLError, ValueError) as exc:
        raise _unfit(settings, exc) from exc
    return context


def renew_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    """Show the certificate that the files hold now to new connections. Raises: ConfigError."""
    server_context(settings)  # both are good, so that there are never halves of two in use
    if settings.tls_cert is not None and settings.tls_key is not None:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)


def leaf_certificate(settings: Settings) -> str | None:
    """The first certificate of `tlsCert`, the server's own, as PEM text. Raises: ConfigError."""
    if settings.tls_cert is None:
        return None
    text = _read(settings.tls_cert, settings.origins["tls_cert"])
    _, begin, rest = text.partition(_BEGIN)
    body, end, _ = rest.partition(_END)
    if not end:
        raise ConfigError(
            f"{settings.tls_cert} holds no certificate",
            where=settings.origins["tls_cert"],
            mend="Name a PEM file with the certificate first and its chain behind it.",
        )
    return f"{begin}{body}{end}\n"


def _unfit(settings: Settings, exc: Exception) -> ConfigError:
    """What OpenSSL has against the two files."""
    if getattr(exc, "reason", "") == "KEY_VALUES_MISMATCH":
        return ConfigError(
            f"{settings.tls_key} is not the key of {settings.tls_cert}",
            where=settings.origins["tls_key"],
            mend="Name the private key that the certificate was made with.",
        )
    words = getattr(exc, "reason", None) or "it is damaged"
    return ConfigError(
        f"{settings.tls_cert} can't be used: {words}",
        where=settings.origins["tls_cert"],
        mend="Name a PEM file with a certificate, and one with its private key.",
    )


def _read(path: Path, origin: str) -> str:
    try:
        return path.read_text(encoding="latin-1")
    except OSError as exc:
        raise ConfigError(
            f"{path} can't be read: {exc.strerror}",
            where=origin,
            mend="Name a PEM file that this user may read.",
        ) from exc


def _no_passphrase() -> NoReturn:
    raise _Encrypted
