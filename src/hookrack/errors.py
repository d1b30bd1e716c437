"""Everything that can go wrong, in one tree and one table.

    HookrackError
    ├── ConfigError    the operator's: names the setting, where it came from, the mend (exit 2)
    ├── Rejected       the caller's: a 4xx with a stable code; nothing was kept
    ├── Unavailable    a dependency's: 503 with Retry-After at the edge, Retry in the worker;
    │                  spends no attempt
    └── Poison         this message will never work: it becomes a dead letter

The category decides what happens; the code says which thing. Statuses and titles stand in
`CATALOGUE` and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """The stable names of failures; they appear in problem bodies, logs and dead letters."""

    # refused before there is a request that anybody could answer
    REQUEST_INVALID = "REQUEST_INVALID"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    URL_TOO_LONG = "URL_TOO_LONG"
    HEADERS_TOO_LARGE = "HEADERS_TOO_LARGE"
    TOO_MANY_CONNECTIONS = "TOO_MANY_CONNECTIONS"
    # rejected at the front door or by the Set/Get API
    BODY_NOT_JSON = "BODY_NOT_JSON"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    BODY_INCOMPLETE = "BODY_INCOMPLETE"
    CONTENT_TYPE_UNSUPPORTED = "CONTENT_TYPE_UNSUPPORTED"
    CREDENTIAL_INVALID = "CREDENTIAL_INVALID"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    ADDRESS_NOT_ALLOWED = "ADDRESS_NOT_ALLOWED"
    CONFIRMATION_FAILED = "CONFIRMATION_FAILED"
    RATE_LIMITED = "RATE_LIMITED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    FLOW_UNKNOWN = "FLOW_UNKNOWN"
    ACCOUNT_REQUIRED = "ACCOUNT_REQUIRED"
    ACCOUNT_UNKNOWN = "ACCOUNT_UNKNOWN"
    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105 - a code, not a secret
    SCOPE_MISSING = "SCOPE_MISSING"
    OWNED_BY_FILE = "OWNED_BY_FILE"
    CONFIG_INVALID = "CONFIG_INVALID"
    MODEL_VIOLATION = "MODEL_VIOLATION"
    MAPPING_FAILED = "MAPPING_FAILED"
    KEY_INVALID = "KEY_INVALID"
    KEYS_INVALID = "KEYS_INVALID"
    TTL_INVALID = "TTL_INVALID"
    NO_EVENT = "NO_EVENT"
    EVENT_UNKNOWN = "EVENT_UNKNOWN"
    CURSOR_INVALID = "CURSOR_INVALID"
    ID_CONFLICT = "ID_CONFLICT"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    QUERY_INVALID = "QUERY_INVALID"
    ENTRY_TOO_LARGE = "ENTRY_TOO_LARGE"
    NOT_ON_LAMBDA = "NOT_ON_LAMBDA"
    GROUP_INVALID = "GROUP_INVALID"
    GROUPS_FULL = "GROUPS_FULL"
    READER_TOO_SLOW = "READER_TOO_SLOW"
    # a dependency, or what there is no room for
    TOO_MANY_WAITERS = "TOO_MANY_WAITERS"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    STORE_FULL = "STORE_FULL"
    # a message that will never work
    ENVELOPE_INVALID = "ENVELOPE_INVALID"
    ENVELOPE_VERSION = "ENVELOPE_VERSION"
    ATTEMPTS_EXHAUSTED = "ATTEMPTS_EXHAUSTED"
    WORKER_CRASHED = "WORKER_CRASHED"
    MAX_RECEIVES = "MAX_RECEIVES"
    # a bug
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Problem:
    """One row of the catalogue: the HTTP status, a title, and how to mend it."""

    status: int
    title: str
    mend: str


_RETRY = "Send the same request again after the seconds in Retry-After."
_FIX_TTL = "Use whole seconds or a duration such as 90s, 15m, 6h or 7d."

CATALOGUE: dict[Code, Problem] = {
    Code.REQUEST_INVALID: Problem(400, "Not an HTTP request", "Send HTTP/1.1 as RFC 9112 has it."),
    Code.REQUEST_TIMEOUT: Problem(408, "Request took too long", "Send it whole, without pauses."),
    Code.URL_TOO_LONG: Problem(414, "Address is too long", "Send a shorter address."),
    Code.HEADERS_TOO_LARGE: Problem(
        431, "Headers are too large", "Send fewer or shorter headers, or raise maxHeaderBytes."
    ),
    Code.TOO_MANY_CONNECTIONS: Problem(503, "Too many connections", _RETRY),
    Code.BODY_NOT_JSON: Problem(400, "Body is not JSON", "Send JSON, or its true Content-Type."),
    Code.BODY_TOO_LARGE: Problem(413, "Body is too large", "Send less, or raise maxBodyBytes."),
    Code.BODY_INCOMPLETE: Problem(400, "Body was cut off", "Send the whole body."),
    Code.CONTENT_TYPE_UNSUPPORTED: Problem(
        415, "Content type is not usable", "Send a Content-Type of the form type/subtype."
    ),
    Code.CREDENTIAL_INVALID: Problem(
        401, "Credential is missing or wrong", "Use the credential that the flow was given."
    ),
    Code.SIGNATURE_INVALID: Problem(
        401, "Signature is missing or wrong", "Compare secret, scheme and clock of both sides."
    ),
    Code.ADDRESS_NOT_ALLOWED: Problem(
        403, "Address may not send here", "Add it to allow, or mend trustedProxies."
    ),
    Code.CONFIRMATION_FAILED: Problem(
        502, "Subscription was not confirmed", "Let it be sent again, or confirm it by hand."
    ),
    Code.RATE_LIMITED: Problem(429, "Too many requests", _RETRY),
    Code.QUOTA_EXCEEDED: Problem(
        429, "Account has as much as it may have", "Let entries end or purge some; or raise limits."
    ),
    Code.FLOW_UNKNOWN: Problem(404, "No such flow", "Check account and flow in the address."),
    Code.ACCOUNT_REQUIRED: Problem(
        400, "Account is not named", "Name it in the header Hookrack-Account."
    ),
    Code.ACCOUNT_UNKNOWN: Problem(404, "No such account", "Check the header Hookrack-Account."),
    Code.TOKEN_INVALID: Problem(
        401, "Token is missing or wrong", "Send the header Authorization: Bearer <token>."
    ),
    Code.SCOPE_MISSING: Problem(
        403, "Token lacks the scope", "Use a token that has it, or have one made."
    ),
    Code.OWNED_BY_FILE: Problem(
        409, "Declared in the server's flow file", "Change it there and send the server SIGHUP."
    ),
    Code.CONFIG_INVALID: Problem(
        400, "Configuration is not valid", "See the detail; the fields are the flow file's."
    ),
    Code.MODEL_VIOLATION: Problem(
        400, "Body does not fit the model", "Send what the model of the flow asks for."
    ),
    Code.MAPPING_FAILED: Problem(
        400, "Template made no event of it", "Try it with hookrack template explain."
    ),
    Code.KEY_INVALID: Problem(
        400, "Not a webhook key", "Use 1 to 128 of A-Z a-z 0-9 . _ ~ : - and not dots alone."
    ),
    Code.KEYS_INVALID: Problem(
        400, "List of webhook keys is not usable", "Name 1 to 1,000 different webhook keys."
    ),
    Code.TTL_INVALID: Problem(400, "Not a time to live", _FIX_TTL),
    Code.NO_EVENT: Problem(404, "No event under this webhook key", "Ask again later."),
    Code.EVENT_UNKNOWN: Problem(
        404, "No such event", "Events are known until 24 hours past their end."
    ),
    Code.CURSOR_INVALID: Problem(
        410, "Cursor is not valid here any more", "Resume with from, a time, instead of after."
    ),
    Code.ID_CONFLICT: Problem(
        409, "Id stands for something else", "Use another id, or the same data, keys and type."
    ),
    Code.NOT_FOUND: Problem(404, "No such address", "See the HTTP reference for the addresses."),
    Code.METHOD_NOT_ALLOWED: Problem(405, "Method not allowed", "Use a method from Allow."),
    Code.QUERY_INVALID: Problem(400, "Query is not usable", "See the HTTP reference."),
    Code.ENTRY_TOO_LARGE: Problem(
        413, "Entry is too large for Lambda", "Ask a hookrack server for it, or purge it."
    ),
    Code.NOT_ON_LAMBDA: Problem(
        501, "Not possible on Lambda", "Ask again with wait, or ask a hookrack server."
    ),
    Code.GROUP_INVALID: Problem(
        400, "Not the name of a group", "Use 1 to 64 of A-Z a-z 0-9 . _ ~ - in it."
    ),
    Code.GROUPS_FULL: Problem(
        409, "Key has too many groups", "Use one of its groups, or wait until the key is empty."
    ),
    Code.READER_TOO_SLOW: Problem(
        408, "Stream was not read", "Connect again with Last-Event-ID, and read faster."
    ),
    Code.TOO_MANY_WAITERS: Problem(503, "Too many readers wait", _RETRY),
    Code.STORE_UNAVAILABLE: Problem(503, "Store is not available", _RETRY),
    Code.STORE_FULL: Problem(503, "Store is full", _RETRY),
    Code.ENVELOPE_INVALID: Problem(422, "Message is no envelope", "Mend its producer."),
    Code.ENVELOPE_VERSION: Problem(
        422, "Envelope version is unknown", "Run the hookrack that wrote it, or a newer one."
    ),
    Code.ATTEMPTS_EXHAUSTED: Problem(
        500, "Every attempt failed", "See the last error of the dead letter, then redrive it."
    ),
    Code.WORKER_CRASHED: Problem(
        500, "Worker died on it again and again", "Keep the envelope and report it as a bug."
    ),
    Code.MAX_RECEIVES: Problem(
        500,
        "SQS gave up handing it over",
        "Look for workers that died, timed out or could not reach the store, then redrive it.",
    ),
    Code.INTERNAL: Problem(500, "Unexpected error", "See the log for the trace; report it."),
}


class HookrackError(Exception):
    """Base of all errors that hookrack raises on purpose."""


class ConfigError(HookrackError):
    """A setting or flow file can't be used.

    `where` names the setting or field and where its value came from, `mend` what would be valid.
    """

    def __init__(self, detail: str, *, where: str, mend: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        """Three parts in one line, as a terminal shows them."""
        return f"{self.where}: {self.detail.rstrip('.')}. {self.mend}"


class CodedError(HookrackError):
    """An error with a stable code; `detail` is safe to show to the caller.

    `retry_after`: in how many seconds it can be otherwise, where that is worth saying.
    """

    retry_after: float | None = None

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    @property
    def problem(self) -> Problem:
        """The catalogue row of this error's code."""
        return CATALOGUE[self.code]


@dataclass(frozen=True, slots=True)
class Violation:
    """Where a body breaks its model (RFC 6901 pointer) and how, without the value itself."""

    pointer: str
    message: str


class Rejected(CodedError):  # noqa: N818 - the outcome's name, one of the twelve words' family
    """The caller's fault: answered with a 4xx, nothing kept.

    `challenge`: the HTTP authentication scheme that would have been taken.
    """

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        violations: Sequence[Violation] = (),
        challenge: str | None = None,
    ) -> None:
        super().__init__(code, detail)
        self.violations = violations
        self.challenge = challenge


class Limited(Rejected):
    """More than is taken: try again after `retry_after` seconds."""

    def __init__(self, code: Code, detail: str, *, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after: int = retry_after


class Unavailable(CodedError):  # noqa: N818 - names a state, as the contract's codes do
    """A dependency is away or full: try again after `retry_after` seconds."""

    def __init__(self, code: Code, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(code, detail)
        self.retry_after: int = retry_after


class Poison(CodedError):  # noqa: N818 - the field's word for such a message
    """A message that will never work; it is buried with the code as its reason."""
