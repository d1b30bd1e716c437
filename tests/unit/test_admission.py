"""Who may enter a flow, before the body is read."""

import base64

import pytest

from hookrack.edge.auth import Auth, Credential
from hookrack.errors import Code, Rejected
from hookrack.flows import Account, Configuration, Flow, WebhookKey
from hookrack.pipeline import admit
from hookrack.settings import Secret

KEYS = (WebhookKey("erp"),)
RULES = {
    "orders": Auth("none"),
    "closed": Auth.of_secrets(["s3cret"]),
    "basic": Auth("basic", (Credential(Secret("pa:ss")), Credential(Secret("old"))), username="kp"),
    "keyed": Auth("apiKey", (Credential(Secret("k-1")),), header="x-api-key"),
}
CONFIGURATION = Configuration(
    {
        "acme": Account(
            "acme", {name: Flow("acme", name, KEYS, rule) for name, rule in RULES.items()}
        )
    }
)


@pytest.mark.parametrize(
    ("address", "credential", "code"),
    [
        ("acme/orders", "x", Code.NOT_FOUND),
        ("acme/closed", None, Code.CREDENTIAL_INVALID),
        ("acme/closed", "wrong", Code.CREDENTIAL_INVALID),
        ("acme/gone", None, Code.FLOW_UNKNOWN),
        ("gone/closed", "s3cret", Code.FLOW_UNKNOWN),
        ("/", None, Code.FLOW_UNKNOWN),
    ],
)
def test_who_may_not_enter_is_told_why(address: str, credential: str | None, code: Code) -> None:
    """A request to no flow, or without the flow's credential, is turned away."""
    with pytest.raises(Rejected) as caught:
        admit(CONFIGURATION, *address.split("/"), credential=credential)
    assert caught.value.code is code


@pytest.mark.parametrize(("flow", "credential"), [("orders", None), ("closed", "s3cret")])
def test_a_flow_admits_by_its_own_rule(flow: str, credential: str | None) -> None:
    """A request that fulfils its flow's rule gets the flow."""
    found = admit(CONFIGURATION, "acme", flow, credential=credential)
    assert found is CONFIGURATION.accounts["acme"].flows[flow]


def basic(text: str) -> str:
    """The Authorization header of RFC 7617."""
    return "Basic " + base64.b64encode(text.encode()).decode()


def verdict(flow: str, name: bytes, value: str | None) -> Code | None:
    """Why a request with this header is refused, or None where it is admitted."""
    headers = {name: value}
    try:
        admit(CONFIGURATION, "acme", flow, credential=None, header=headers.get)
    except Rejected as exc:
        return exc.code
    return None


def enters(flow: str, name: bytes, value: str | None) -> bool:
    """Whether it is admitted; if not, it is for its credential."""
    found = verdict(flow, name, value)
    assert found in (None, Code.CREDENTIAL_INVALID)
    return found is None


@pytest.mark.parametrize("given", [basic("kp:pa:ss"), basic("kp:old").replace("Basic", "bAsIc")])
def test_basic_takes_the_name_with_any_of_its_passwords(given: str) -> None:
    """Name and password open the door; during rotation the old password too."""
    assert enters("basic", b"authorization", given)


@pytest.mark.parametrize(
    "given",
    [
        *(
            None,
            "",
            "Basic",
            "Basic !!!",
            "Basic \u00e9",
            basic("kp"),
            basic("kp:"),
            basic(":pa:ss"),
        ),
        *(basic("other:pa:ss"), basic("kp:wrong"), "Bearer pa:ss", basic("kp:pa:ss")[:-2] + "*"),
        "Basic " + base64.b64encode(b"kp:\xff").decode(),
    ],
    ids=ascii,
)
def test_basic_refuses_everything_else(given: str | None) -> None:
    """A missing, malformed or wrong Basic header is 401, never an error."""
    assert not enters("basic", b"authorization", given)


def test_an_api_key_stands_in_its_header() -> None:
    """The key of a flow opens the door in the header that the flow names, and nowhere else."""
    assert enters("keyed", b"x-api-key", "k-1")
    assert not enters("keyed", b"x-api-key", "k-2")
    assert not enters("keyed", b"authorization", "k-1")


@pytest.mark.parametrize("flow", ["basic", "keyed"])
def test_a_flow_with_a_header_has_no_longer_address(flow: str) -> None:
    """Nothing stands behind a flow whose credential is in a header."""
    with pytest.raises(Rejected) as caught:
        admit(CONFIGURATION, "acme", flow, credential="k-1")
    assert caught.value.code is Code.NOT_FOUND
