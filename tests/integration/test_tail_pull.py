"""`hookrack tail` and `hookrack pull`, on a server, without one, in a pipe and on a terminal."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

import pytest
from harness import ADMIN_TOKEN, Served, hookrack, wait_until

from hookrack.client import AsyncClient

SLOW = "touch $FOLDER/begun; exec sleep 30"


@pytest.fixture
async def client(served: Served) -> AsyncIterator[AsyncClient]:
    """A client for acme on the shared server."""
    async with AsyncClient(served.url, ADMIN_TOKEN, account="acme") as client:
        yield client


@pytest.fixture
def key() -> str:
    """A webhook key of this test's own."""
    return f"k{token_hex(4)}"


@pytest.fixture
def reach(served: Served) -> dict[str, str]:
    """What leads commands to the shared server."""
    return {
        "HOOKRACK_URL": served.url,
        "HOOKRACK_TOKEN": ADMIN_TOKEN,
        "HOOKRACK_ACCOUNT": "acme",
    }


def lines(text: str) -> list[dict[str, object]]:
    """JSON lines."""
    return [json.loads(line) for line in text.splitlines() if line]


@contextmanager
def running(*words: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on; it is killed at the end if it still does."""
    clean = {name: value for name, value in os.environ.items() if "HOOKRACK_" not in name}
    with subprocess.Popen(
        [sys.executable, "-m", "hookrack", *words],
        env=clean | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()


def on_terminal(*words: str, **environ: str) -> str:
    """What a command writes on a terminal, errors as well."""
    ours, theirs = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if "HOOKRACK_" not in name}
    command = [sys.executable, "-m", "hookrack", *words]
    done = subprocess.Popen(command, env=clean | environ, stdout=theirs, stderr=theirs)
    os.close(theirs)
    found = b""
    with suppress(OSError):  # which is how a terminal ends
        while piece := os.read(ours, 4096):
            found += piece
    done.wait(timeout=30)
    os.close(ours)
    return found.decode()


async def test_tail_prints_lines(client: AsyncClient, key: str, reach: dict[str, str]) -> None:
    """In a pipe each entry is one JSON line with its data as it was written, oldest first."""
    await client.set(key, b'{\n "n": 12345678901234567890,\n\n "s": "a\\nb"}')
    second = await client.set(key, b"\x00", content_type="application/octet-stream")
    done = hookrack("tail", key, "--limit", "2", **reach)
    assert (done.returncode, done.stderr) == (0, "")
    first, last = done.stdout.splitlines()
    assert '"data":{  "n": 12345678901234567890,   "s": "a\\nb"}}' in first
    assert json.loads(last)["dataBase64"] == "AA=="
    assert json.loads(last)["cursor"] == second.cursor
    assert json.loads(first)["expiresAt"].endswith("Z")


async def test_tail_begins_where_it_is_told(
    client: AsyncClient, key: str, reach: dict[str, str]
) -> None:
    """--after and --from leave out what was before; what is no time is bad usage."""
    first, second = [await client.set(key, number) for number in range(2)]
    done = hookrack("tail", key, "--limit", "1", "--after", first.cursor, **reach)
    assert lines(done.stdout)[0]["eventId"] == second.event_id
    for since in ("1h", "2026-01-01T00:00:00Z"):
        done = hookrack("tail", key, "--limit", "1", "--from", since, **reach)
        assert lines(done.stdout)[0]["eventId"] == first.event_id
    done = hookrack("tail", key, "--from", "yesterday", **reach)
    assert done.returncode == 2
    assert "'yesterday' is no time" in done.stderr


async def test_tail_follows(client: AsyncClient, key: str, reach: dict[str, str]) -> None:
    """What comes later is printed when it comes; Ctrl-C ends it with 130."""
    await client.set(key, 1)
    with running("tail", key, **reach) as process:
        assert process.stdout is not None
        assert json.loads(await asyncio.to_thread(process.stdout.readline))["data"] == 1
        await client.set(key, 2)
        assert json.loads(await asyncio.to_thread(process.stdout.readline))["data"] == 2
        process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(process.wait, 10) == 130
        assert process.stderr is not None
        assert process.stderr.read().strip() == ""


async def test_tail_on_a_terminal(client: AsyncClient, key: str, reach: dict[str, str]) -> None:
    """On a terminal data is indented, and nothing in it can move the cursor."""
    stored = await client.set(key, {"a": [1, "\x9b2J"]})
    text = await asyncio.to_thread(on_terminal, "tail", key, "--limit", "1", **reach)
    assert stored.event_id in text
    assert '"a": [' in text.replace("\r\n", "\n").splitlines()[2]
    assert "\x9b" not in text


def test_without_a_server(tmp_path: Path) -> None:
    """Where none runs, tail and pull use the embedded store, for what it has."""
    environ = {"HOOKRACK_DATA_DIR": str(tmp_path / "d"), "HOOKRACK_ACCOUNT": "acme"}
    flows = tmp_path / "flows.yaml"
    flows.write_text("version: 1\naccounts: {acme: {}}\n")
    assert hookrack("apply", str(flows), **environ).returncode == 0
    for number in ("1", "2"):
        assert hookrack("set", "erp", stdin=number, **environ).returncode == 0
    done = hookrack("tail", "erp", **environ)
    assert done.returncode == 0
    assert [line["data"] for line in lines(done.stdout)] == [1, 2]
    assert "No server runs here" in done.stderr
    done = hookrack("pull", "erp", "--exec", "cat; test $HOOKRACK_ATTEMPT = 1", **environ)
    assert (done.returncode, done.stdout) == (0, "12")
    assert lines(done.stderr)[-1] == {"summary": {"acked": 2, "released": 0, "stale": 0}}
    done = hookrack("pull", "erp", "--wait", **environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no server runs to wait for" in done.stderr


async def test_pull_runs_a_command(
    client: AsyncClient, key: str, reach: dict[str, str], tmp_path: Path
) -> None:
    """The command gets the data byte for byte and the facts; exit code 0 acks."""
    data = b'{"b":  1}'
    stored = await client.set(key, data)
    command = 'cat > "$HOOKRACK_ATTEMPT-$HOOKRACK_EVENT_ID"; env | grep ^HOOKRACK_ | sort > facts'
    words = ("pull", key, "--group", "erp", "--exec", f"cd {tmp_path} && {command}")
    done = hookrack(*words, **reach)
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / f"1-{stored.event_id}").read_bytes() == data
    facts = dict(line.split("=", 1) for line in (tmp_path / "facts").read_text().splitlines())
    assert facts["HOOKRACK_WEBHOOK_KEY"] == key
    assert facts["HOOKRACK_GROUP"] == "erp"
    assert facts["HOOKRACK_CONTENT_TYPE"] == "application/json"
    assert facts["HOOKRACK_RECEIVED_AT"].endswith("Z")
    told, summary = lines(done.stderr)
    assert (told["status"], told["eventId"], told["attempt"]) == ("acked", stored.event_id, 1)
    assert summary == {"summary": {"acked": 1, "released": 0, "stale": 0}}
    again = hookrack(*words, **reach)
    assert lines(again.stderr) == [{"summary": {"acked": 0, "released": 0, "stale": 0}}]


async def test_pull_gives_back_what_failed(
    client: AsyncClient, key: str, reach: dict[str, str]
) -> None:
    """Another exit code gives the entry back, twice as late each time; the others go on."""
    for number in range(3):
        await client.set(key, number)
    words = ("pull", key, "--max", "2", "--exec", "read n; test $n != 1")
    done = await asyncio.to_thread(lambda: hookrack(*words, **reach))
    assert done.returncode == 1
    *told, summary = lines(done.stderr)
    assert [line["status"] for line in told] == ["acked", "released", "acked"]
    assert (told[1]["exitCode"], told[1]["delaySeconds"]) == (1, 1)
    assert summary == {"summary": {"acked": 2, "released": 1, "stale": 0}}
    done = await asyncio.to_thread(lambda: hookrack(*words, "--wait", "--limit", "1", **reach))
    assert lines(done.stderr)[0]["delaySeconds"] == 2
    assert lines(done.stderr)[0]["attempt"] == 2


async def test_pull_in_order(client: AsyncClient, key: str, reach: dict[str, str]) -> None:
    """With --ordered nothing is worked on before what was stored ahead of it is acked."""
    for number in range(3):
        await client.set(key, number)
    words = ("pull", key, "--ordered", "--raw", "--max", "3")
    command = "read n; echo $n; test $n != 1 || test $HOOKRACK_ATTEMPT = 2"
    done = hookrack(*words, "--exec", command, **reach)
    assert (done.returncode, done.stdout) == (1, "0\n1\n")
    done = await asyncio.to_thread(
        lambda: hookrack(*words, "--exec", command, "--wait", "--limit", "2", **reach)
    )
    assert (done.returncode, done.stdout) == (0, "1\n2\n")


async def test_a_command_that_does_not_read(
    client: AsyncClient, key: str, reach: dict[str, str]
) -> None:
    """It need not read its input, however much it is; one that isn't there is a failure."""
    await client.set(key, b'"%b"' % (b"x" * 1_000_000))
    assert hookrack("pull", key, "--exec", "true", **reach).returncode == 0
    done = hookrack("pull", key, "--group", "g2", "--exec", "not-there-at-all", **reach)
    assert done.returncode == 1
    assert '"exitCode":127' in done.stderr


async def test_pull_without_a_command(client: AsyncClient, key: str, reach: dict[str, str]) -> None:
    """Without --exec entries are printed, with --raw their data alone, and acked."""
    for number in range(3):
        await client.set(key, number)
    done = hookrack("pull", key, "--limit", "1", **reach)
    assert [line["data"] for line in lines(done.stdout)] == [0]
    done = hookrack("pull", key, "--raw", "--max", "10", **reach)
    assert (done.stdout, done.stderr, done.returncode) == ("1\n2\n", "", 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_pull_gives_back(
    number: signal.Signals, client: AsyncClient, key: str, reach: dict[str, str], tmp_path: Path
) -> None:
    """Ctrl-C and SIGTERM end the command, give back all that is held at once, and end with 130."""
    for each in range(2):
        await client.set(key, each)
    words = ("pull", key, "--max", "2", "--lease-seconds", "600", "--exec", SLOW)
    with running(*words, **reach, FOLDER=str(tmp_path)) as process:
        await wait_until((tmp_path / "begun").exists, what="the command")
        process.send_signal(number)
        assert await asyncio.to_thread(process.wait, 10) == 130
        assert process.stderr is not None
        assert lines(process.stderr.read())[-1]["summary"] is not None
    async with client.lease(key, max=5) as lease:
        assert [entry.attempt for entry in lease] == [2, 2]


async def test_pull_on_a_terminal(client: AsyncClient, key: str, reach: dict[str, str]) -> None:
    """On a terminal there is a line for each entry, and a summary."""
    stored = await client.set(key, 1)
    text = await asyncio.to_thread(on_terminal, "pull", key, "--exec", "exit 3", **reach)
    assert f"{stored.event_id}  attempt 1" in text
    assert "released (exit code 3), again in 1 s" in text
    assert "0 acked, 1 given back\r\n" in text


async def test_tail_follows_through_a_restart(own_server: Callable[..., Served]) -> None:
    """A server that goes away and comes back is followed on; why nothing comes is said once."""
    server = own_server()
    environ = {"HOOKRACK_URL": server.url, "HOOKRACK_TOKEN": ADMIN_TOKEN}
    async with AsyncClient(server.url, ADMIN_TOKEN, account="acme") as client:
        await client.set("erp", 1)
        with running("tail", "erp", "--account", "acme", **environ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert json.loads(await asyncio.to_thread(process.stdout.readline))["data"] == 1
            server.kill()
            assert "Trying again." in await asyncio.to_thread(process.stderr.readline)
            server.command[server.command.index("--port") + 1] = server.url.rpartition(":")[2]
            server.start()
            await client.set("erp", 2)
            assert json.loads(await asyncio.to_thread(process.stdout.readline))["data"] == 2
            process.send_signal(signal.SIGINT)
            assert await asyncio.to_thread(process.wait) == 130
            assert process.stderr.read().count("Trying again.") == 0


async def test_pull_waits_through_a_restart(
    own_server: Callable[..., Served], tmp_path: Path
) -> None:
    """With --wait the work goes on when the server is back, also if there was none before; that it
    is away is said once.
    """
    server = own_server()
    environ = {"HOOKRACK_URL": server.url, "HOOKRACK_TOKEN": ADMIN_TOKEN}
    words = ("pull", "erp", "--account", "acme", "--wait", "--exec", f"cat >> {tmp_path}/out")
    async with AsyncClient(server.url, ADMIN_TOKEN, account="acme") as client:
        with running(*words, **environ) as process:
            assert process.stderr is not None
            async with server.client() as asking:

                async def idle() -> bool:
                    return "gateway_waiting_readers 1.0" in (await asking.get("/metrics")).text

                await wait_until(idle, what="a command that waits")
            port = server.url.rpartition(":")[2]
            server.kill()
            away = json.loads(await asyncio.to_thread(process.stderr.readline))
            assert (away["status"], away["code"]) == ("away", "STORE_UNAVAILABLE")
            server.command[server.command.index("--port") + 1] = port
            server.start()
            await client.set("erp", 2)
            assert json.loads(await asyncio.to_thread(process.stderr.readline))["attempt"] == 1
    assert (tmp_path / "out").read_text() == "2"
