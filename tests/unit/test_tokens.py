"""The admin token: where it comes from, and whom it lets in."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hookrack.errors import Code, ConfigError, Rejected
from hookrack.settings import SECRET_CHARS, Secret
from hookrack.tokens import ADMIN_TOKEN_FILE, Tokens, admin_token

TOKEN = "an-admin-token-for-this-test-only-42"
NONE = Secret("")

# Makes a token in each folder that it is told on its standard input, and prints it.
MAKER = """
import sys
from pathlib import Path
from hookrack.settings import Secret
from hookrack.tokens import admin_token
for line in sys.stdin:
    print(admin_token(Secret(""), data_dir=Path(line.strip())).reveal(), flush=True)
"""


def refusal(authorization: str | None, account: str | None) -> Code | None:
    """Why a call is refused, or None where it is let in."""
    try:
        Tokens.of_admin(Secret(TOKEN)).authorize(authorization, account)
    except Rejected as exc:
        return exc.code
    return None


def test_a_token_from_the_settings_is_taken_as_it_is(tmp_path: Path) -> None:
    """A token that is set is the token, and nothing is written."""
    assert admin_token(Secret(TOKEN), data_dir=tmp_path).reveal() == TOKEN
    assert not list(tmp_path.iterdir())


def test_without_one_a_token_is_made_once(tmp_path: Path) -> None:
    """At first start a token is made and kept; later starts find the same one."""
    first = admin_token(NONE, data_dir=tmp_path)
    assert len(first.reveal()) >= SECRET_CHARS
    assert admin_token(NONE, data_dir=tmp_path) == first
    assert (tmp_path / ADMIN_TOKEN_FILE).read_text() == first.reveal() + "\n"


def test_each_installation_has_a_token_of_its_own(tmp_path: Path) -> None:
    """Two data directories get two tokens."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    tokens = {admin_token(NONE, data_dir=folder).reveal() for folder in folders}
    assert len(tokens) == 2


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_file_is_for_its_owner_only(tmp_path: Path, umask: int) -> None:
    """The file of the token has mode 0600 whatever the umask is, and no draft stays behind."""
    before = os.umask(umask)
    try:
        admin_token(NONE, data_dir=tmp_path)
    finally:
        os.umask(before)
    path = tmp_path / ADMIN_TOKEN_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_two_processes_agree_on_one_token(tmp_path: Path) -> None:
    """Two processes that start at once on one data directory get one token, the file's."""
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", MAKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    folders = [tmp_path / str(place) for place in range(12)]
    tokens: list[set[str]] = []
    for folder in folders:
        folder.mkdir()
        for maker in makers:
            assert maker.stdin is not None
            maker.stdin.write(f"{folder}\n")
            maker.stdin.flush()
        tokens.append({maker.stdout.readline().strip() for maker in makers if maker.stdout})
    for maker in makers:
        maker.communicate()
    assert tokens == [{(folder / ADMIN_TOKEN_FILE).read_text().strip()} for folder in folders]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(b"", "fewer than 32", id="empty"),
        pytest.param(b"\n\n", "fewer than 32", id="blank"),
        pytest.param(b"hunter2-too-short\n", "fewer than 32", id="too-short"),
        pytest.param(b"x" * 31 + b" \n", "fewer than 32", id="one-too-few"),
        pytest.param(b"\xff" * 40, "can't be made or read: not ASCII", id="not-ascii"),
    ],
)
def test_a_file_without_a_token_is_refused(tmp_path: Path, content: bytes, fault: str) -> None:
    """A file that holds no token is named and left as it is; nothing of it is shown."""
    path = tmp_path / ADMIN_TOKEN_FILE
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=fault) as caught:
        admin_token(NONE, data_dir=tmp_path)
    assert caught.value.where == str(path)
    assert "HOOKRACK_ADMIN_TOKEN" in caught.value.mend
    assert "hunter2" not in str(caught.value)
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """What can't be read is named, not replaced."""
    (tmp_path / ADMIN_TOKEN_FILE).mkdir()
    with pytest.raises(ConfigError, match="can't be made or read: Is a directory"):
        admin_token(NONE, data_dir=tmp_path)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    """Where no file can be made, the path and the reason are named."""
    with pytest.raises(ConfigError, match="can't be made or read: No such file"):
        admin_token(NONE, data_dir=tmp_path / "missing")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="can't be made or read: Not a directory"):
        admin_token(NONE, data_dir=tmp_path / "file")


def test_a_folder_that_cannot_be_looked_into_is_refused(tmp_path: Path) -> None:
    """A data directory that the system refuses to look into is a fault of the settings."""
    with pytest.raises(ConfigError):
        admin_token(NONE, data_dir=tmp_path / ("x" * 300))


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_the_token_opens_any_account(scheme: str) -> None:
    """The admin token is for all accounts; a call names the one that it is for."""
    tokens = Tokens.of_admin(Secret(TOKEN))
    assert tokens.authorize(scheme + TOKEN, "acme") == "acme"
    assert tokens.authorize(scheme + TOKEN, "kairos") == "kairos"


@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer{TOKEN}", f" {TOKEN}"),
        *(f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN.upper()}", "Bearer \ud800"),
        *(f"Bearer {TOKEN} {TOKEN}", f"Bearer {TOKEN},", "Bearer \u00e9"),
    ],
    ids=lambda authorization: ascii(authorization)[:24],
)
@pytest.mark.parametrize("account", ["acme", None, "../x"])
def test_no_token_no_answer(authorization: str | None, account: str | None) -> None:
    """Without the right token a call is a 401, whatever account it names."""
    assert refusal(authorization, account) is Code.TOKEN_INVALID


def test_a_call_must_name_its_account() -> None:
    """With a token for all accounts a call without one is a 400."""
    assert refusal(f"Bearer {TOKEN}", None) is Code.ACCOUNT_REQUIRED


@pytest.mark.parametrize("account", ["", "Acme", "a/b", "a\n", "*", "x" * 64])
def test_an_account_that_can_not_be_is_unknown(account: str) -> None:
    """What is no account id can't be an account: 404."""
    assert refusal(f"Bearer {TOKEN}", account) is Code.ACCOUNT_UNKNOWN


def test_tokens_never_show_themselves(tmp_path: Path) -> None:
    """Neither the table of tokens nor a refusal holds the token."""
    made = admin_token(NONE, data_dir=tmp_path)
    tokens = Tokens.of_admin(made)
    with pytest.raises(Rejected) as caught:
        tokens.authorize(f"Basic {made.reveal()}", "acme")
    assert made.reveal() not in f"{tokens!r} {made!r} {made} {caught.value!r} {caught.value}"
