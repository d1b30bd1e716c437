"""Signatures in flow files: fields, faults that are told at once, and the way out and in again."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from signing import (
    ED25519,
    ED25519_BASE64,
    ED25519_HEX,
    HEX_SECRET,
    OTHER_KEYS,
    P256_BASE64,
    RSA_PEM,
    SECRET,
    SIGNED,
    pem,
    verdict,
)

from hookrack.edge.presets import PRESETS
from hookrack.errors import ConfigError
from hookrack.flows import Flow, flow_document, parse_configuration, read_flow

ED25519_PEM = pem(ED25519.public_key())
NEEDED = {"paypal": {"webhookId": "WH-1"}, "sns": {"topicArn": "arn:x"}}


def flow_of(auth: dict[str, Any], **more: Any) -> Flow:
    """A flow with this auth, read from a flow file."""
    flow = {"keys": ["erp"], "auth": auth, **more}
    document = {"version": 1, "accounts": {"acme": {"flows": {"orders": flow}}}}
    found = parse_configuration(json.dumps(document), name="h.yaml", environ={"S": SECRET})
    return found.accounts["acme"].flows["orders"]


def fault(auth: dict[str, Any], **more: Any) -> ConfigError:
    """What is wrong with it; no secret is shown."""
    with pytest.raises(ConfigError) as caught:
        flow_of(auth, **more)
    assert "hunter2" not in f"{caught.value} {caught.value!r}"
    assert ".auth" in caught.value.where or "allow" in caught.value.where
    return caught.value


def secret_for(name: str) -> str:
    """A secret that this preset takes."""
    return SIGNED[name].auth.credentials[0].secret.reveal()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_comes_back_from_what_is_kept(name: str) -> None:
    """What a flow file says of a preset is written out and read again without a loss."""
    options: dict[str, Any] = {
        "tolerance": 90,
        "url": "https://h.example.com/in?x",
        "webhookId": "WH-1",
        "topicArn": "arn:x",
        "confirm": True,
        "verifyTokens": ["w-1", "w-2"],
    }
    auth = {each: options[each] for each in PRESETS[name].options}
    flow = flow_of({"type": name, "secrets": [secret_for(name)], **auth}, allow=["192.0.2.0/24"])
    document = flow_document(flow, show=lambda _place, each: each.secret.reveal())
    assert document["auth"] == {"type": name, "secrets": [secret_for(name)], **auth}
    assert read_flow("orders", document, account="acme") == flow


def test_fields_of_ones_own_come_back_too() -> None:
    """A signature by fields is the same flow after it was kept; another field is another flow."""
    auth = {
        "type": "signature",
        "secrets": [HEX_SECRET],
        "algorithm": "hmacSha512",
        "encoding": "base64",
        "header": "X-Sig",
        "prefix": "v1=",
        "separator": ",",
        "signed": "{method}:{url}:{header.X-Id}:{timestamp}.{body}",
        "timestamp": "member.t",
        "unit": "ms",
        "tolerance": "2m",
        "key": "hex",
        "url": "https://h.example.com/x",
    }
    flow = flow_of(auth)
    document = flow_document(flow, show=lambda _place, each: each.secret.reveal())
    assert read_flow("orders", document, account="acme") == flow
    assert flow_of(auth | {"tolerance": "3m"}) != flow
    assert flow.auth.choices.tolerance == timedelta(minutes=2)


def test_secrets_are_numbered_through() -> None:
    """Each secret of a flow has a place of its own, so that exports give each a variable."""
    flow = flow_of({"type": "meta", "secrets": ["a", "b"], "verifyTokens": ["c", "${S}"]})
    shown = flow_document(flow, show=lambda place, each: (place, each.variable))["auth"]
    assert shown["secrets"] == [(0, None), (1, None)]
    assert shown["verifyTokens"] == [(2, None), (3, "S")]


SMALL_RSA = pem(rsa.generate_private_key(65_537, 1_024).public_key())  # noqa: S505 - refused
P384 = pem(ec.derive_private_key(5, ec.SECP384R1()).public_key())
BAD_KEYS = [
    ("standardWebhooks", "whsec_hunter2!", "is not base64"),
    ("standardWebhooks", "whsec_", "is an empty key"),
    ("standardWebhooks", "whpk_hunter2", "is no public key"),
    ("svix", "hunter2", "is not base64"),
    ("gitlab", "whsec_hunter2", "is not base64"),
    ("adyen", "hunter2", "is not hex"),
    ("adyenHeader", "abc", "is not hex"),
    ("discord", "hunter2", "is no public key"),
    ("discord", "00" * 31, "is no public key"),
    ("discord", "zz" * 32, "is no public key"),
    ("discord", P256_BASE64, "is not an Ed25519"),
    ("telnyx", RSA_PEM, "is not an Ed25519"),
    ("sendgrid", ED25519_HEX, "is no public key"),
    ("sendgrid", RSA_PEM, "on the curve P-256"),
    ("sendgrid", P384, "on the curve P-256"),
    ("paypal", SMALL_RSA, "at least 2048 bits"),
    ("paypal", pem(OTHER_KEYS["ecdsaSha256"]), "is not an RSA"),
    ("sns", "-----BEGIN CERTIFICATE-----\nhunter2", "is no public key"),
    ("sns", "-----BEGIN PUBLIC KEY-----\n\u00fchunter2", "is no public key"),
]


@pytest.mark.parametrize(("name", "secret", "said"), BAD_KEYS)
def test_a_key_that_can_not_be_read_is_a_fault_of_the_file(
    name: str, secret: str, said: str
) -> None:
    """Which of the secrets is no key is told when the file is checked, not by the first request."""
    more = NEEDED.get(name, {})
    error = fault({"type": name, "secrets": [secret_for(name), secret], **more})
    assert "auth.secrets[1]" in error.where
    assert said in error.detail


MISTAKES: list[tuple[dict[str, Any], str, str, str]] = [
    ({"type": "strpe"}, "type", "is no type", "Did you mean stripe?"),
    ({"type": "zzz"}, "type", "is no type", "signature or a preset"),
    ({"type": "stripe"}, "secrets", "is missing", ""),
    ({"type": "github", "tolerance": 5}, "tolerance", "is no field", "Known are type, secrets"),
    ({"type": "stripe", "tolernce": 5}, "tolernce", "is no field", "Did you mean tolerance?"),
    ({"type": "stripe", "tolerance": "31d"}, "tolerance", "above 30 days", ""),
    ({"type": "paypal"}, "webhookId", "is missing", ""),
    ({"type": "sns", "topicArn": ""}, "topicArn", "is empty", ""),
    ({"type": "sns", "topicArn": "a", "confirm": "yes"}, "confirm", "neither true nor false", ""),
    ({"type": "square", "url": "hooks.example.com"}, "url", "is no address", "https://"),
    ({"type": "square", "url": "https://a:b@h/"}, "url", "is no address", ""),
    ({"type": "square", "url": "https://[h/"}, "url", "is no address", ""),
    ({"type": "square", "url": "https://h:99999/"}, "url", "is no address", ""),
    ({"type": "signature"}, "header", "is missing", ""),
    ({"header": "x y"}, "header", "is no header name", ""),
    ({"algorithm": "md5"}, "algorithm", "none of its words", "hmacSha256"),
    ({"encoding": "base32"}, "encoding", "none of its words", "hex, base64"),
    ({"key": "whsec"}, "key", "none of its words", ""),
    ({"prefix": "\u00fc"}, "prefix", "ASCII", ""),
    ({"separator": "x" * 201}, "separator", "ASCII", ""),
    ({"signed": "{bdy}"}, "signed", "unknown place {bdy}", "{header.x-name}"),
    ({"signed": "{crc32}{body}"}, "signed", "unknown place {crc32}", ""),
    ({"signed": "{header.}{body}"}, "signed", "unknown place", ""),
    ({"signed": "{timestamp}"}, "signed", "is without {body}", ""),
    ({"signed": "{timestamp}.{body}"}, "signed", "do not go together", ""),
    ({"timestamp": "header.x-t"}, "signed", "do not go together", ""),
    ({"timestamp": "body.t"}, "timestamp", "no place of a time", "member.t"),
    ({"timestamp": "header.x t"}, "timestamp", "no place of a time", ""),
    ({"timestamp": "member.t", "signed": "{timestamp}{body}"}, "timestamp", "is a member", ""),
    ({"tolerance": "5m"}, "tolerance", "without a timestamp", ""),
    ({"unit": "ms"}, "unit", "without a timestamp", ""),
]


@pytest.mark.parametrize(("auth", "field", "said", "mend"), MISTAKES)
def test_a_mistake_names_its_field(auth: dict[str, Any], field: str, said: str, mend: str) -> None:
    """Every field that is wrong or missing is named, with what would be right."""
    whole = auth if "type" in auth else {"type": "signature", "header": "x-sig", **auth}
    if field != "secrets":
        whole = {"secrets": ["hunter2"], **whole}
    error = fault(whole)
    assert f"auth.{field} in h.yaml" in error.where
    assert said in error.detail
    assert mend in error.mend


@pytest.mark.parametrize(
    ("allow", "said"),
    [
        ("10.0.0.0/8", "not a list"),
        ([], "not a list"),
        (["10.0.0.1/8"], "did you mean 10.0.0.0/8"),
        (["everywhere"], "no network"),
        ([7], "is not a text"),
    ],
)
def test_networks_are_checked(allow: object, said: str) -> None:
    """What is no network is told with its place."""
    error = fault({"type": "none"}, allow=allow)
    assert "allow" in error.where
    assert said in error.detail


@pytest.mark.parametrize("text", [ED25519_HEX.upper(), ED25519_BASE64, ED25519_PEM])
def test_a_public_key_may_be_written_in_several_ways(text: str) -> None:
    """Hex, base64 and PEM of a key are the same key."""
    signed = replace(SIGNED["discord"], auth=flow_of({"type": "discord", "secrets": [text]}).auth)
    assert verdict(signed) is None
