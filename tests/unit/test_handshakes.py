"""Questions of providers, and the answers they want; nobody else gets one."""

import base64
import contextlib
import hmac
import json
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signing import (
    ED25519,
    ED25519_HEX,
    NOW,
    SECRET,
    SIGNED,
    Signed,
    hmac_signed,
    reply_to,
    rule,
    sns_signed,
    verdict,
)

from hookrack.edge.auth import Auth, Credential, answer_question
from hookrack.edge.covered import Choices
from hookrack.edge.handshakes import ECHO_CHARS, Reply, is_amazon
from hookrack.edge.presets import PRESETS
from hookrack.errors import Code, Rejected
from hookrack.settings import Secret

META = Auth("meta", (Credential(Secret(SECRET)),), welcomes=(Credential(Secret("word")),))
SOME = settings(deadline=None, max_examples=60)
ODD = {
    b'{"type": "url_verification", "challenge": 1e999}',
    b'{"type": "url_verification", "challenge": {}}',
    b'{"type": "url_verification", "type": "url_verification", "challenge": "x"}',
    b'{"type": "url_verification", "challenge": "\\ud800"}',
    b'{"event": "endpoint.url_validation", "payload": []}',
    b'{"event": "endpoint.url_validation", "payload": {"plainToken": "\\udfff"}}',
    b'["endpoint.url_validation", "url_verification"' + b"[" * 999 + b"]" * 1000,
}
NOSNIFF = ((b"x-content-type-options", b"nosniff"),)


def asked(auth: Auth, query: str, *, method: str = "GET") -> Reply | None:
    """The answer to a GET."""
    return answer_question(auth, method, query=query.encode())


def discord(body: bytes) -> Signed:
    """What Discord signs."""
    made = ED25519.sign(b"%d%b" % (NOW, body)).hex()
    headers = {"x-signature-ed25519": made, "x-signature-timestamp": str(NOW)}
    return Signed(rule("discord", ED25519_HEX), headers, body)


def test_slack_gets_its_challenge() -> None:
    """url_verification is answered with the challenge as text; it has to be signed."""
    body = b'{"type": "url_verification", "challenge": "<b>3eZbrw</b>"}'
    signed = hmac_signed("slack", body)
    assert reply_to(signed) == Reply(body=b"<b>3eZbrw</b>", headers=NOSNIFF)
    assert verdict(replace(signed, headers={"x-slack-signature": "v0=00"})) is not None
    assert reply_to(hmac_signed("slack", b'{"type": "event_callback"}')) is None
    assert reply_to(hmac_signed("slack", b"text=url_verification")) is None
    longer = json.dumps({"type": "url_verification", "challenge": "x" * 9_999}).encode()
    found = reply_to(hmac_signed("slack", longer))
    assert found is not None
    assert len(found.body) == ECHO_CHARS


def test_zoom_gets_a_hash_of_its_token() -> None:
    """endpoint.url_validation is answered with the token and its HMAC under the secret."""
    body = (
        b'{"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}'
    )
    found = reply_to(hmac_signed("zoom", body))
    assert found is not None
    assert json.loads(found.body) == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        "encryptedToken": hmac.digest(SECRET.encode(), b"qgg8vlvZRS6UYooatFL8Aw", "sha256").hex(),
    }
    assert reply_to(hmac_signed("zoom", b'{"event": "meeting.started"}')) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"type": 0}', Reply(204, "application/json")),
        (b'{"type": 1}', Reply(200, "application/json", b'{"type":1}')),
        (b'{"type": 1, "event": {"type": "ENTITLEMENT_CREATE"}}', None),
        (b'{"type": 2, "data": {}}', None),
        (b'{"type": "1x"}', None),
    ],
)
def test_discord_is_ponged(body: bytes, expected: Reply | None) -> None:
    """A PING of webhook events is a 204, one of interactions a type 1; events are events."""
    assert reply_to(discord(body)) == expected


def test_discord_probes_with_bad_signatures() -> None:
    """A PING with another signature is refused with the code that is a 401."""
    signed = discord(b'{"type": 1}')
    bad = dict(signed.headers) | {"x-signature-ed25519": "00" * 64}
    assert verdict(replace(signed, headers=bad)) is Code.SIGNATURE_INVALID


def test_meta_has_to_know_the_word() -> None:
    """The challenge goes back to who knows the word; to others a bare 403."""
    query = "hub.mode=subscribe&hub.verify_token={}&hub.challenge=1158201444"
    assert asked(META, query.format("word")) == Reply(body=b"1158201444", headers=NOSNIFF)
    for word in ("", "Word", "word2", "%ff"):
        assert asked(META, query.format(word)) == Reply(status=403)
    assert asked(META, query.format("word").replace("subscribe", "x")) == Reply(status=403)
    assert asked(rule("meta", SECRET), query.format("")) == Reply(status=403)


def test_dropbox_gets_its_challenge() -> None:
    """The challenge is given back as text, if it isn't too long."""
    auth = rule("dropbox", SECRET)
    found = asked(auth, "challenge=" + quote("<script>\r\nx: y"))
    assert found == Reply(body=b"<script>\r\nx: y", headers=NOSNIFF)
    assert found.content_type.startswith("text/plain")
    for query in ("", "challenge=", "x=1", "challenge=" + "x" * 1_025, "&".join(["a=b"] * 99)):
        with pytest.raises(Rejected) as caught:
            asked(auth, query)
        assert caught.value.code is Code.QUERY_INVALID


def test_x_gets_a_hash_of_its_token() -> None:
    """crc_token is answered with its HMAC in JSON."""
    found = asked(rule("x", SECRET), "crc_token=abc-d&nonce=1")
    assert found is not None
    made = base64.b64encode(hmac.digest(SECRET.encode(), b"abc-d", "sha256")).decode()
    assert json.loads(found.body) == {"response_token": f"sha256={made}"}
    with pytest.raises(Rejected):
        asked(rule("x", SECRET), "crc=1")


def test_the_answer_to_x_signs_no_event() -> None:
    """Who asks for the HMAC of something gets none that would pass as an event."""
    auth = rule("x", SECRET)
    for body in (b'{"id": 1}', b"[1]", b"a b", b"\xff", b"x" * 129, b""):
        with pytest.raises(Rejected):
            asked(auth, "crc_token=" + quote(body))
    for word in ("123", "true", "abc"):
        found = asked(auth, f"crc_token={word}")
        assert found is not None
        header = {"x-twitter-webhooks-signature": json.loads(found.body)["response_token"]}
        assert verdict(Signed(auth, header, word.encode())) is Code.SIGNATURE_INVALID


def test_trello_asks_with_head() -> None:
    """HEAD is answered with 200, a GET is not for it."""
    assert asked(rule("trello", SECRET), "", method="HEAD") == Reply()
    assert asked(rule("trello", SECRET), "") is None


@pytest.mark.parametrize("name", [each for each in SIGNED if " " not in each])
def test_who_asks_by_post_is_not_answered_by_get(name: str) -> None:
    """Of all presets three answer a GET; the others' flows know no such question."""
    query = "challenge=x&crc_token=x&hub.challenge=x&hub.mode=subscribe&validationToken=x"
    answers = PRESETS[name].greeting in ("meta", "dropbox", "x")
    assert bool(asked(SIGNED[name].auth, query)) is answers


def test_graph_gets_its_token_before_any_secret() -> None:
    """ValidationToken in the query is given back as text; without it clientState counts."""
    auth = rule("microsoftGraph", SECRET)
    signed = Signed(auth, {}, b"", url="https://h/in/a/b?validationToken=Validation%3A%20T")
    assert reply_to(signed) == Reply(body=b"Validation: T", headers=NOSNIFF)
    for query in ("", "?validationToken=", "?validationToken=" + "x" * 2_000):
        assert verdict(replace(signed, url=f"https://h/{query}")) is Code.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "good", ["b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81"]
)
def test_asana_gets_its_secret_back(good: str) -> None:
    """X-Hook-Secret comes back in a header; what couldn't stand in one is no secret."""
    auth = rule("asana", SECRET)
    assert reply_to(Signed(auth, {"x-hook-secret": good}, b"")) == Reply(
        headers=((b"x-hook-secret", good.encode()),)
    )
    for bad in ("", "a b", "a\r\nb: c", "x" * 129, "\u00fc", "a\n"):
        assert verdict(Signed(auth, {"x-hook-secret": bad}, b"")) is Code.SIGNATURE_INVALID


ARN = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37f"


def test_sns_is_confirmed_where_the_flow_allows_it() -> None:
    """A signed subscription of the flow's topic is to be visited; else it is an event."""
    more = {"SubscribeURL": ARN, "Token": "2336412f37f"}
    signed = sns_signed("SubscriptionConfirmation", **more)
    assert reply_to(signed) == Reply(visit=ARN)
    silent = replace(signed.auth, choices=Choices(topic_arn=signed.auth.choices.topic_arn))
    assert reply_to(replace(signed, auth=silent)) is None
    elsewhere = sns_signed("SubscriptionConfirmation", **more | {"SubscribeURL": "https://h/x"})
    assert reply_to(elsewhere) is None
    forged = replace(signed, body=signed.body.replace(b"2336412f37f", b"2336412f37e"))
    assert verdict(forged) is Code.SIGNATURE_INVALID
    assert reply_to(sns_signed()) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/",
        "https://sns.eu-west-1.amazonaws.com.evil.example/",
        "https://evil.example/sns.eu-west-1.amazonaws.com",
        "https://user@sns.eu-west-1.amazonaws.com/",
        "https://sns.eu-west-1.amazonaws.com:8443/",
        "https://sns.eu-west-1.amazonaws.com\\@evil.example/",
        "https://evil.example\\.sns.eu-west-1.amazonaws.com/",
        "https://s3.eu-west-1.amazonaws.com/bucket",
        "https://sns.a.b.amazonaws.com/",
        "https://sns.eu-west-1.amazonaws.com/\r\nx",
        "https://sns.eu-west-1.amazonaws.com/" + "x" * 3_000,
        "https://[sns.eu-west-1.amazonaws.com/",
        "//sns.eu-west-1.amazonaws.com/",
        "",
    ],
)
def test_only_amazons_own_hosts_are_visited(url: str) -> None:
    """An address that isn't SNS itself by https is never visited."""
    assert is_amazon(ARN)
    assert not is_amazon(url)


@SOME
@given(query=st.binary(max_size=200), name=st.sampled_from(["meta", "dropbox", "x"]))
def test_any_query_is_answered_or_refused(query: bytes, name: str) -> None:
    """Whatever stands in a query, the answer is bounded text, JSON, or a refusal."""
    for prefix in (b"", b"challenge=", b"crc_token=", b"hub.mode=subscribe&hub.verify_token="):
        with contextlib.suppress(Rejected):
            reply = answer_question(SIGNED[name].auth, "GET", query=prefix + query)
            assert reply is not None
            assert len(reply.body) <= 4 * ECHO_CHARS
            assert reply.content_type.partition(";")[0] in ("text/plain", "application/json")


@SOME
@given(body=st.one_of(st.binary(max_size=60), st.sampled_from(sorted(ODD))))
@pytest.mark.parametrize("name", ["slack", "zoom"])
def test_any_signed_body_is_an_event_or_a_question(name: str, body: bytes) -> None:
    """Whatever was signed, looking for a question in it fails for none."""
    reply = reply_to(hmac_signed(name, body))
    assert reply is None or reply.status == 200
