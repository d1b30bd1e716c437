"""Calls of SQS signed by hand, against the SDK's own signer."""

import datetime as dt
from typing import Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from hookrack.queues.sqs_hot import ACTIONS
from hookrack.queues.sqs_signing import Credentials, Signer

WRITTEN: Final = "%Y%m%dT%H%M%SZ"
KEYS: Final = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=16, max_size=20)
SECRETS: Final = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60
)
TOKENS: Final = st.just("") | st.text("abcXYZ0189+/=", min_size=1, max_size=400)
HOSTS: Final = st.sampled_from(
    [
        *("sqs.eu-west-1.amazonaws.com", "sqs.cn-north-1.amazonaws.com.cn", "127.0.0.1:4566"),
        *(
            "localhost:8080",
            "vpce-1a2b.sqs.us-east-1.vpce.amazonaws.com",
            "sqs-fips.us-east-1.api.aws",
        ),
    ]
)
MOMENTS: Final = st.datetimes(
    min_value=dt.datetime(2000, 1, 1),  # noqa: DTZ001 - the SDK's clock is naive, too
    max_value=dt.datetime(2100, 1, 1),  # noqa: DTZ001
)


def theirs(
    body: bytes, headers: dict[str, str], *, host: str, region: str, by: Credentials
) -> dict[str, str]:
    """The headers that the SDK signs a call with, at the moment that the headers tell."""
    kept = {name: headers[name] for name in ("Host", "Content-Type", "X-Amz-Target")}
    scheme = "http" if ":" in host else "https"
    request = AWSRequest("POST", f"{scheme}://{host}/", headers=kept, data=body)
    request.context["timestamp"] = headers["X-Amz-Date"]
    signer = SigV4Auth(
        ReadOnlyCredentials(by.access_key, by.secret_key, by.token or None, None), "sqs", region
    )
    signer._modify_request_before_signing(request)  # from here on as `add_auth` without its clock
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    return dict(request.headers.items())


@settings(max_examples=200, deadline=None)
@given(
    body=st.binary(max_size=2_000),
    action=st.sampled_from(sorted(ACTIONS.values())),
    where=st.tuples(st.sampled_from(["eu-west-1", "us-gov-east-1", "cn-north-1"]), HOSTS),
    by=st.builds(Credentials, KEYS, SECRETS, TOKENS),
    moments=st.lists(MOMENTS, min_size=1, max_size=3),
)
def test_a_signature_is_the_sdks(
    body: bytes,
    action: str,
    where: tuple[str, str],
    by: Credentials,
    moments: list[dt.datetime],
) -> None:
    """The same call gets the same headers, by one signer over days, with a session and without."""
    region, host = where
    signer = Signer(host, region)
    for moment in moments:
        ours = signer.headers(body, action, credentials=by, now=moment.strftime(WRITTEN))
        assert ours == theirs(body, ours, host=host, region=region, by=by)


def test_other_credentials_sign_at_once() -> None:
    """When credentials are renewed, the very next call is signed with the new ones."""
    signer, host = Signer("127.0.0.1:1", "eu-west-1"), "127.0.0.1:1"
    for by in (Credentials("A", "one"), Credentials("A", "two"), Credentials("A", "two", "t")):
        ours = signer.headers(b"{}", "X", credentials=by, now="20260131T235959Z")
        assert ours == theirs(b"{}", ours, host=host, region="eu-west-1", by=by)


def test_secrets_do_not_show() -> None:
    """Credentials that end up in a log or a traceback tell the key's id alone."""
    assert repr(Credentials("AKIA", "secret", "token")) == "Credentials(access_key='AKIA')"
