"""The page of signature schemes, from the table that the verifier is made of."""

from typing import Final

from docs.generate.text import code, page, table

from hookrack.edge.presets import PRESETS
from hookrack.edge.schemes import Greeting, Preset, Scheme

_HEAD: Final = """
Each of these is a `type` of `auth` in a [flow file](flow-file.md); how to use them is in the
[guide](../guides/signatures.md). A request that fails is answered with 401 `SIGNATURE_INVALID`,
whatever the provider; the detail says what was wrong. Times count both ways.
"""
_SIGNED: Final = """
## What is checked

`{…}` stands for a part of the request. Where a provider has several rows, secrets of either kind
may be listed; the first header that is there decides.
"""
_AROUND: Final = """
## What goes with it

`header.`, `body.` and `form.` name places of a request, `hash` is the SHA-256 of the body, `+`
joins. The ids are what telling repeats apart will use.
"""
_RULES: Final = {
    "adyen": "eight fields of each item, in the body",
    "mailgun": "time and token, in the body",
    "microsoftGraph": "nothing: `clientState` of each item, in the body",
    "qstash": "a JWT with address, times and the hash of the body",
    "sns": "the message's fields by name, in the body",
}
_KEYS: Final = {
    "text": "text as it is",
    "hex": "hex",
    "base64": "base64",
    "whsec": "base64, with or without `whsec_`",
    "whpk": "base64 with `whpk_`",
}
_GREETINGS: Final[dict[Greeting, str]] = {
    "": "",
    "slack": "POST, signed: gives `challenge` back",
    "zoom": "POST, signed: `plainToken` with its HMAC",
    "meta": "GET: gives `hub.challenge` back to who knows a word of `verifyTokens`, else 403",
    "discord": 'POST, signed: 204 to type 0, `{"type":1}` to type 1',
    "dropbox": "GET: gives `challenge` back",
    "asana": "POST: gives `X-Hook-Secret` back",
    "x": "GET: an HMAC of `crc_token`",
    "microsoftGraph": "POST: gives `validationToken` back",
    "trello": "HEAD: 200",
    "sns": "POST, signed: with `confirm: true` subscriptions are confirmed, at amazonaws.com only",
}


def schemes_page() -> str:
    """Two tables: what is checked, and what goes with it."""
    signed = [row for name, preset in PRESETS.items() for row in _signed(name, preset)]
    around = [_around(name, preset) for name, preset in PRESETS.items()]
    return page(
        "Signature schemes",
        _HEAD,
        _SIGNED,
        table(("type", "provider", "signature", "of", "tolerance", "secret", "options"), signed),
        _AROUND,
        table(("type", "delivery id", "event type", "questions", "good to know"), around),
    )


def _signed(name: str, preset: Preset) -> list[tuple[str, ...]]:
    options = ", ".join(code(each) for each in preset.options) or "none"
    return [
        (
            code(name),
            preset.title,
            _signature(scheme),
            _RULES.get(scheme.extract) or (code(scheme.signed) if scheme.signed else "nothing"),
            f"{scheme.tolerance} s" if scheme.timestamp else "no time",
            _secret(scheme),
            options,
        )
        for scheme in preset.schemes
    ]


def _signature(scheme: Scheme) -> str:
    if scheme.algorithm == "token":
        return f"none; the secret in {code(scheme.header) if scheme.header else 'the body'}"
    where = f", {code(scheme.header)}" if scheme.header else ""
    before = f" after {code(scheme.prefix)}" if scheme.prefix else ""
    return f"{scheme.algorithm}, {scheme.encoding}{where}{before}"


def _secret(scheme: Scheme) -> str:
    if scheme.public and scheme.key != "whpk":
        return (
            "public key: hex, base64 or PEM"
            if scheme.algorithm == "ed25519"
            else ("public key: base64 or PEM, or a certificate")
        )
    start = f", begins with {code(scheme.claims)}" if scheme.claims == "whsec_" else ""
    return _KEYS[scheme.key] + start


def _around(name: str, preset: Preset) -> tuple[str, ...]:
    answer = "" if preset.answer is None else f"The 202 has the body `{preset.answer}`. "
    if preset.answer == "":
        answer = "The 202 has no body. "
    return (
        code(name),
        " or ".join(code(each) for each in preset.delivery),
        code(preset.event) if preset.event else "none",
        _GREETINGS[preset.greeting] or "none",
        (answer + preset.caution).strip() or "nothing",
    )
