"""Who may send: flows without and with secrets in their address."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookrack.edge.auth import Auth, check_credential
from hookrack.errors import Code, Rejected

SOME = settings(deadline=None, max_examples=150)
OPEN = Auth("none")
ROTATING = Auth.of_secrets(["new-7Qm2", "old-3bT8"])


def verdict(auth: Auth, credential: str | None) -> Code | None:
    """Why a credential is refused, or None where it opens the door."""
    try:
        check_credential(auth, credential)
    except Rejected as exc:
        return exc.code
    return None


def test_an_open_flow_takes_everybody() -> None:
    """A flow of type none asks for nothing."""
    assert verdict(OPEN, None) is None


@pytest.mark.parametrize("credential", ["", "x", "new-7Qm2"])
def test_an_open_flow_has_no_address_behind_it(credential: str) -> None:
    """Behind the address of an open flow there is nothing: 404, not 401."""
    assert verdict(OPEN, credential) is Code.NOT_FOUND


@pytest.mark.parametrize("credential", ["new-7Qm2", "old-3bT8"])
def test_several_secrets_are_valid_at_once(credential: str) -> None:
    """While a secret is rotated, the old one and the new one both open the door."""
    assert verdict(ROTATING, credential) is None


@pytest.mark.parametrize(
    "credential",
    [None, "", " ", "new-7qm2", "new-7Qm2 ", "new-7Qm2/", "new-7Qm", "new-7Qm2old-3bT8", "\ud800"],
    ids=ascii,
)
def test_anything_else_is_refused(credential: str | None) -> None:
    """A missing, misspelt, cut or decorated secret is a 401."""
    assert verdict(ROTATING, credential) is Code.CREDENTIAL_INVALID


@SOME
@given(secrets=st.lists(st.text(min_size=1), min_size=1, max_size=4), data=st.data())
def test_exactly_the_secrets_open_the_door(secrets: list[str], data: st.DataObject) -> None:
    """A credential is admitted when it is one of the secrets, letter by letter."""
    auth = Auth.of_secrets(secrets)
    given_ = data.draw(st.one_of(st.sampled_from(secrets), st.text(max_size=3), st.none()))
    assert (verdict(auth, given_) is None) == (given_ in secrets)


@pytest.mark.parametrize("show", [repr, str, ascii], ids=["repr", "str", "ascii"])
def test_a_rule_never_shows_its_secrets(show: Any) -> None:
    """What is kept of a secret is a digest, so no log or trace can show it."""
    assert "7Qm2" not in show(ROTATING)


def test_a_refusal_never_repeats_the_credential() -> None:
    """The answer to a wrong secret doesn't repeat it, nor tells the right one."""
    with pytest.raises(Rejected) as caught:
        check_credential(ROTATING, "wrong-1234")
    shown = repr(caught.value) + str(caught.value)
    assert "wrong-1234" not in shown
    assert "7Qm2" not in shown
