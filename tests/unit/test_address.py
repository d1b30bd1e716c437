"""From where a flow may be sent to."""

import ipaddress

import pytest

from hookrack.edge.address import check_address
from hookrack.edge.auth import Auth
from hookrack.errors import Code, Rejected
from hookrack.flows import Account, Configuration, Flow, WebhookKey
from hookrack.pipeline import admit, answer_setup

ALLOW = (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/32"))
FLOW = Flow("acme", "orders", (WebhookKey("erp"),), Auth.of_secrets(["s"]), allow=ALLOW)
CONFIGURATION = Configuration({"acme": Account("acme", {"orders": FLOW})})


@pytest.mark.parametrize("client", ["192.0.2.0", "192.0.2.255", "2001:db8::1"])
def test_an_address_of_the_networks_is_taken(client: str) -> None:
    """Whoever is in one of the networks may send, by either version of IP."""
    check_address(client, ALLOW)
    assert admit(CONFIGURATION, "acme", "orders", credential="s", client=lambda: client) is FLOW


@pytest.mark.parametrize("client", ["192.0.3.0", "2001:db9::1", "", "unix", "192.0.2.1:80"])
def test_every_other_address_is_refused_before_its_credential(client: str) -> None:
    """Others, and who has no address at all, learn nothing of the credential."""
    for credential in ("s", "wrong", None):
        with pytest.raises(Rejected) as caught:
            admit(CONFIGURATION, "acme", "orders", credential=credential, client=lambda: client)
        assert caught.value.code is Code.ADDRESS_NOT_ALLOWED
    with pytest.raises(Rejected) as caught:
        answer_setup(FLOW, "GET", query=b"", client=lambda: client)
    assert caught.value.code is Code.ADDRESS_NOT_ALLOWED
