"""What a client wants done, without doing it: each call is a generator of steps.

`blocking` and `nonblocking` take the steps, one with threads' I/O and one with asyncio's, and send
back what came of them. So what is asked, retried and resumed is written once.
"""

import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, TypeVar

import httpx

from hookrack.client.errors import ApiError, Unready, read_error
from hookrack.errors import Code

_RETRIED: Final = frozenset({429, 502, 503, 504})
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Call:
    """One request; the answer to it is sent back, or a `Failed`.

    `wait` is how long the server may hold it; `safe` says that it may be made twice.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    wait: float = 0.0
    safe: bool = True


@dataclass(frozen=True, slots=True)
class Open:
    """A request whose answer is read piece by piece; sent back as of a call, without its body."""

    call: Call


@dataclass(frozen=True, slots=True)
class Read:
    """The next piece of what is open: bytes, None at its end, or a `Failed`."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Some time without anything."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Give:
    """An item for the caller's loop."""

    item: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> ApiError:
        """What it means where it isn't what was asked for."""
        return read_error(self.status, self.body, headers=self.headers)


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer came; `sent` where the server may have got it; `final`: it never will."""

    detail: str
    sent: bool = True
    final: bool = False

    @property
    def error(self) -> ApiError:
        """The same as an error."""
        return Unready(Code.STORE_UNAVAILABLE, self.detail)


Step = Call | Open | Read | Pause | Give
Work = Generator[Step, Any, _Result]


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a call is made at most, and how long it is waited in between (seconds).

    Each wait is random, between half and all of a time that doubles from `first` to `longest`. A
    server that names a time gets that and the random one; one that names more than `patience` ends
    the call, with the time in the error.
    """

    calls: int = 4
    first: float = 0.2
    longest: float = 5.0
    patience: float = 60.0

    def wait(self, made: int, told: float | None = None) -> float:
        """How long before the next call, where `made` of them have failed."""
        most = min(self.longest, self.first * 2.0 ** min(made - 1, 32))
        return (told or 0.0) + random.uniform(most / 2, most)  # noqa: S311 - to spread callers


def sent(work: Work[None], reply: object) -> Step | None:
    """The step after a reply; None at the end."""
    try:
        return work.send(reply)
    except StopIteration:
        return None


def asked(
    call: Call, retries: Retries, *, fine: frozenset[int] = frozenset({200, 201, 204})
) -> Work[Answer]:
    """Make a call until it is answered with a status in `fine`. Raises: ApiError."""
    for made in count(1):
        answer: Answer | Failed = yield call
        if isinstance(answer, Answer) and answer.status in fine:
            return answer
        if made >= retries.calls or not may_repeat(call, answer, retries=retries):
            raise answer.error
        yield Pause(retries.wait(made, answer.error.retry_after))
    raise AssertionError  # the count has no end


def may_repeat(call: Call, answer: Answer | Failed, *, retries: Retries) -> bool:
    """Whether it is worth it, and does no harm, to make a call again."""
    if isinstance(answer, Failed):
        return not answer.final and (call.safe or not answer.sent)
    told = answer.error.retry_after or 0.0
    return answer.status in _RETRIED and call.safe and told <= retries.patience


def failed(exc: httpx.HTTPError, url: object) -> Failed:
    """What came of a request that wasn't answered."""
    if "CERTIFICATE_VERIFY_FAILED" in str(exc):
        detail = f"The certificate of {url} is not trusted. Name its authority with HOOKRACK_CA."
        return Failed(detail, sent=False, final=True)
    never_sent = isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return Failed(f"{url} doesn't answer ({type(exc).__name__}).", sent=not never_sent)
