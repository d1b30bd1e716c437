"""The command line on a running server, and on the store alone: same commands, same answers."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import warm
from harness import ADMIN_TOKEN, EXAMPLE, SECRET_KEY, Served

Run = Callable[..., subprocess.CompletedProcess[str]]


def hookrack(data_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a data directory."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HOOKRACK_")}
    own = {
        "HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN,
        "HOOKRACK_SECRET_KEY": SECRET_KEY,
        "SECRET_ONE": "s",
    }
    return warm.run(["hookrack", *words, "--data-dir", str(data_dir)], clean | own)


@pytest.fixture(params=["server", "store"])
def run(request: pytest.FixtureRequest, short_dir: Path) -> Iterator[Run]:
    """Commands on a data directory with a server on it, and on one without."""
    data_dir = short_dir / "data"
    empty = short_dir / "empty.yaml"
    empty.write_text("version: 1\n")
    server = Served(data_dir, config=empty)
    if request.param == "server":
        server.start()
    yield lambda *words: hookrack(data_dir, *words)
    server.stop()


def good(done: subprocess.CompletedProcess[str]) -> str:
    """What a command printed that ended well."""
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_get_waits(run: Run) -> None:
    """`--wait` holds the answer for a key that has nothing."""
    run("apply", str(EXAMPLE))
    begun = time.monotonic()
    assert run("get", "nothing", "--account", "acme", "--wait", "1").returncode == 1
    assert time.monotonic() - begun >= 1
    assert run("get", "nothing", "--account", "acme", "--wait", "31").returncode == 2


def test_apply_and_export_are_each_others_reverse(run: Run, tmp_path: Path) -> None:
    """What was applied is exported as a flow file that changes nothing when applied again; secrets
    stand in it as variables.
    """
    file = tmp_path / "flows.yaml"
    text = EXAMPLE.read_text().replace("try-orders-7Qm2", '"${SECRET_ONE}"')
    file.write_text(text.replace("try-whsec-5Kd8", '"${SECRET_ONE}"'))
    assert "made acme/flows/orders" in good(run("apply", str(file)))
    exported = good(run("export"))
    assert "${SECRET_ONE}" in exported
    assert "${HOOKRACK_KAIROS_PAYMENTS_1}" in exported
    assert "try-payments" not in exported
    without = exported.replace("${HOOKRACK_KAIROS_PAYMENTS_", "x-").replace("}\n", "}\n")
    (tmp_path / "again.yaml").write_text(without.replace("x-1}", "x-1").replace("x-2}", "x-2"))
    again = good(run("apply", str(tmp_path / "again.yaml")))
    assert "made" not in again


def test_apply_drops_only_with_prune(run: Run, tmp_path: Path) -> None:
    """Flows that the file lacks stay, unless --prune is said."""
    good(run("apply", str(EXAMPLE)))
    less = tmp_path / "less.yaml"
    less.write_text("version: 1\naccounts:\n  acme: {flows: {}}\n")
    good(run("apply", str(less)))
    assert "payments" in good(run("export"))
    assert "dropped kairos/flows/payments" in good(run("apply", str(less), "--prune"))
    assert "payments" not in good(run("export"))


def test_what_is_set_is_got(short_dir: Path) -> None:
    """`set` stores standard input under a key, `get` prints it; each starts the store by itself."""
    data, words = short_dir / "d", ("--account", "acme")
    good(hookrack(data, "apply", str(EXAMPLE)))
    environ = os.environ | {"HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN, "HOOKRACK_SECRET_KEY": SECRET_KEY}
    command = [sys.executable, "-m", "hookrack", "set", "erp", *words, "--ttl", "1h"]
    made = subprocess.run(
        [*command, "--data-dir", str(data)], input=b'{"n":  1}', capture_output=True, env=environ,
        check=True,
    )  # fmt: skip
    entry = json.loads(made.stdout)
    assert (entry["webhookKey"], entry["flow"]) == ("erp", None)
    assert good(hookrack(data, "get", "erp", "--raw", *words)) == '{"n":  1}'
    assert hookrack(data, "get", "nothing", *words).returncode == 1


def test_tokens_are_made_listed_and_revoked(run: Run) -> None:
    """A token is shown once, listed without its text, and gone when revoked."""
    made = json.loads(good(run("token", "create", "erp", "--account", "acme", "--scope", "read")))
    assert made["token"].startswith("hr_")
    listed = [json.loads(line) for line in good(run("token", "list")).splitlines()]
    assert [each["id"] for each in listed] == [made["id"]]
    assert made["token"] not in json.dumps(listed)
    good(run("token", "revoke", made["id"]))
    assert good(run("token", "list")) == ""
    assert run("token", "revoke", made["id"]).returncode == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("token", "create", "x", "--scope", "read"), 2, "--all-accounts"),
        (("token", "create", "x", "--all-accounts", "--scope", "root"), 2, "root"),
        (("token", "create", "x", "--all-accounts", "--scope", "read", "--expires-at", "soon"), 1,
         "expiresAt"),
        (("apply", "/nothing/here.yaml"), 2, "/nothing/here.yaml"),
        (("get", "k"), 2, "several accounts. Name it with --account."),
        (("get", "a*", "--account", "acme"), 1, "KEY_INVALID: Not a webhook key. Use 1 to 128"),
        (("get", "..", "--account", "acme"), 1, "KEY_INVALID"),
        (("get", "../tokens", "--account", "acme"), 1, "KEY_INVALID"),
        (("set", "../set", "--account", "acme"), 1, "KEY_INVALID"),
        (("get", "k", "--account", "\u00e4"), 2, "--account: holds a letter beyond ASCII"),
        (("set", "k", "--account", "acme", "--ttl", "1h\r\nX: y"), 2, "--ttl: holds"),
        (("set", "k", "--account", "acme", "--content-type", "a/b\nX: y"), 2, "--content-type"),
        (("token", "revoke", "nope"), 1, "The command list shows what there is."),
        (("serve", "--workers", "-1"), 2, "'-1' is not a whole number from 1 to"),
        (("serve", "--store", "redis://127.0.0.1:1"), 2, "doesn't answer. Start it"),
    ],
)  # fmt: skip
def test_bad_usage_is_told(words: tuple[str, ...], code: int, told: str, short_dir: Path) -> None:
    """Each wrong word ends with its exit code and says what is wrong; never with a trace."""
    done = hookrack(short_dir / "data", *words)
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_on_a_terminal_rows_are_a_table(short_dir: Path) -> None:
    """What is JSON lines in a pipe is a table with headings for eyes."""
    hookrack(short_dir / "d", "token", "create", "erp", "--all-accounts", "--scope", "admin")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "hookrack", "token", "list", "--data-dir"]
    environ = os.environ | {"HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN, "HOOKRACK_SECRET_KEY": SECRET_KEY}
    done = subprocess.run([*command, short_dir / "d"], stdout=theirs, env=environ, check=False)
    os.close(theirs)
    text = os.read(ours, 10_000).decode()
    os.close(ours)
    assert done.returncode == 0
    head, row = text.splitlines()
    assert head.split() == ["id", "name", "accounts", "scopes", "createdAt"]
    assert row.split()[1:4] == ["erp", "*", "admin"]
