"""The one verifier: schemes and secrets made into a function once, when the flow is read."""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Final

from hookrack.edge.covered import Choices, compile_cover
from hookrack.edge.inside import CLAIMS
from hookrack.edge.matching import Match, compile_match
from hookrack.edge.schemes import Scheme
from hookrack.edge.sent import Lookup, Sent, Unfit, find
from hookrack.errors import Code, Rejected

HEADER_CHARS: Final = 4_096
SIGNATURES: Final = 8  # of one header that are tried
_DIGITS: Final = re.compile(r"[0-9]{1,16}")
_TIME_CHARS: Final = 40
_WRONG: Final = "no secret of this flow made it"
# Whether a request, its signature's header first, is what one of the secrets signed.
# Raises: ValueError; Unfit says why.
_Check = Callable[[str, Sent], None]


class Verifier:
    """What tells a sender's requests from everybody else's."""

    __slots__ = ("_checks",)

    def __init__(
        self, schemes: Sequence[Scheme], secrets: Sequence[str], *, choices: Choices
    ) -> None:
        """Read the secrets. Raises: ValueError in words without the secret."""
        checks: dict[str, list[_Check]] = {}
        for scheme in schemes:
            if own := [each for each in secrets if _is_for(each, scheme, schemes)]:
                checks.setdefault(scheme.header, []).append(_compile(scheme, own, choices))
        self._checks = tuple((name.encode(), tuple(each)) for name, each in checks.items())

    def look(self, header: Lookup) -> None:
        """Refuse what lacks the header of its signature, before its body is read.

        Raises: Rejected (`SIGNATURE_INVALID`).
        """
        if not any(not name or header(name) is not None for name, _ in self._checks):
            names = " or ".join(name.decode() for name, _ in self._checks)
            raise Rejected(Code.SIGNATURE_INVALID, f"The header {names} is missing.")

    def check(self, sent: Sent) -> None:
        """Refuse what none of the secrets signed, or at another time.

        Of the headers that can hold the signature the first one that is there decides.
        Raises: Rejected (`SIGNATURE_INVALID`) and nothing else, whatever was sent.
        """
        reason = "its header is missing"
        for name, checks in self._checks:
            value = sent.header(name) if name else ""
            if value is None:
                continue
            for check in checks:
                try:
                    check(value, sent)
                except Unfit as exc:
                    reason = str(exc)
                except ValueError:
                    reason = "what it stands in can't be read"
                else:
                    return
            break
        raise Rejected(Code.SIGNATURE_INVALID, f"The signature is refused: {reason}.")


def _is_for(secret: str, scheme: Scheme, schemes: Sequence[Scheme]) -> bool:
    """Secrets that begin as one scheme claims are its own; the others are for the others."""
    if scheme.claims:
        return secret.startswith(scheme.claims)
    return not any(each.claims and secret.startswith(each.claims) for each in schemes)


def _compile(scheme: Scheme, secrets: Sequence[str], choices: Choices) -> _Check:
    match = compile_match(scheme, secrets)
    if scheme.extract in CLAIMS:
        return _compile_inside(scheme, match, choices)
    return _compile_header(scheme, match, choices)


def _compile_inside(scheme: Scheme, match: Match, choices: Choices) -> _Check:
    """A check of signatures in the body, every one of them."""
    claims, in_time = CLAIMS[scheme.extract], _compile_clock(scheme, choices)

    def check(_value: str, sent: Sent) -> None:
        found = claims(sent, choices)
        if not all(match((each.signature,), each.message) for each in found):
            raise Unfit(_WRONG)
        if scheme.timestamp:
            in_time(find(scheme.timestamp, sent) or "", sent.now)

    return check


def _compile_header(scheme: Scheme, match: Match, choices: Choices) -> _Check:
    """A check of signatures in a header, any of them."""
    prefix, separator, start = scheme.prefix, scheme.separator, len(scheme.prefix)
    cover, in_time = compile_cover(scheme, choices), _compile_clock(scheme, choices)
    timed = bool(scheme.timestamp)
    objects = scheme.objects
    requires = [(each.encode(), value) for each, value in scheme.requires]

    def check(value: str, sent: Sent) -> None:
        if len(value) > HEADER_CHARS:
            raise Unfit("its header is too long")
        members = [each.strip(" ") for each in value.split(separator)] if separator else [value]
        given = [each[start:].encode("latin-1") for each in members if each.startswith(prefix)]
        if not 1 <= len(given) <= SIGNATURES:
            begins = f" that begins with {prefix}" if prefix else ""
            raise Unfit(f"its header has no signature{begins}, or more than {SIGNATURES}")
        if requires and any(sent.header(each) != wanted for each, wanted in requires):
            raise Unfit(f"the header {scheme.requires[0][0]} isn't {scheme.requires[0][1]}")
        if objects and sent.body[:1] != b"{":
            raise Unfit("what it stands for is no JSON object")
        time = _time(scheme, members, sent) if timed else ""
        if not sum([match(given, reading) for reading in cover(sent, time)]):
            raise Unfit(_WRONG)
        if timed:
            in_time(time or find(scheme.timestamp, sent) or "", sent.now)

    return check


def _time(scheme: Scheme, members: Sequence[str], sent: Sent) -> str:
    """The time as it stands in a header; empty where there is none, or the body has it."""
    kind, _, name = scheme.timestamp.partition(".")
    if kind == "member":
        found = [each for each in members if each.startswith(f"{name}=")]
        if len(found) != 1:
            raise Unfit(f"its header has no {name}= or several")
        return found[0].partition("=")[2]
    if kind == "header":
        text = sent.header(name.encode())
        if not text:
            raise Unfit(f"the header {name} is missing")
        return text
    return ""


def _compile_clock(scheme: Scheme, choices: Choices) -> Callable[[str, int], None]:
    """What refuses a time (as text) too far from now (ms), before it or after it."""
    span = choices.tolerance or dt.timedelta(seconds=scheme.tolerance)
    tolerance = span // dt.timedelta(milliseconds=1)
    unit = scheme.unit

    def check(text: str, now: int) -> None:
        if unit == "iso":
            made = _iso_ms(text)
        elif _DIGITS.fullmatch(text):
            made = int(text) if unit == "ms" else int(text) * 1_000
        else:
            raise Unfit("its time is no number")
        if abs(now - made) > tolerance:
            way = "old" if made < now else "ahead"
            raise Unfit(f"its time is more than {tolerance // 1_000} s {way}")

    return check


def _iso_ms(text: str) -> int:
    if len(text) > _TIME_CHARS:
        raise Unfit("its time is no date")
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise Unfit("its time has no zone")
    return int((moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(milliseconds=1))
