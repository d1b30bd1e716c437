"""Errors: what they say, and which shell does what with them."""

import pytest

from hookrack.errors import (
    CATALOGUE,
    Code,
    CodedError,
    ConfigError,
    HookrackError,
    Poison,
    Rejected,
    Unavailable,
)


def test_a_config_error_says_where_what_and_how_to_mend() -> None:
    """A terminal shows place, fault and mend of a setting in one line."""
    error = ConfigError("is not a port", where="--port", mend="Write 0 to 65535.")
    assert str(error) == "--port: is not a port. Write 0 to 65535."
    assert (error.where, error.detail, error.mend) == (
        *("--port", "is not a port", "Write 0 to 65535."),
    )


@pytest.mark.parametrize("kind", [Rejected, Unavailable, Poison])
def test_a_coded_error_carries_its_row(kind: type[CodedError]) -> None:
    """An error with a code knows its status and title, and prints code and detail."""
    error = kind(Code.STORE_FULL, "80 % are used.")
    assert str(error) == "STORE_FULL: 80 % are used."
    assert error.problem is CATALOGUE[Code.STORE_FULL]


def test_an_outage_says_when_to_come_back() -> None:
    """An outage asks for a second of patience, or for as much as its raiser says."""
    assert Unavailable(Code.STORE_FULL, "x").retry_after == 1
    assert Unavailable(Code.STORE_FULL, "x", retry_after=30).retry_after == 30


def test_the_categories_exclude_each_other() -> None:
    """The category decides what happens, so no error is of two."""
    kinds = [ConfigError, Rejected, Unavailable, Poison]
    assert all(issubclass(kind, HookrackError) for kind in kinds)
    assert not [(a, b) for a in kinds for b in kinds if a is not b and issubclass(a, b)]


def test_our_errors_are_no_value_errors() -> None:
    """A handler of Python's own errors never catches ours by accident."""
    assert not issubclass(HookrackError, ValueError | OSError | RuntimeError | LookupError)
