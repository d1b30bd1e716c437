"""`hookrack serve` as an operator meets it: starting, refusing, stopping, roles. Real processes."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from zlib import crc32

import httpx
import pytest
import redis.asyncio
from harness import ADMIN_TOKEN, EXAMPLE, SECRET_KEY, Served, hookrack, wait_until

from hookrack.model import Event, encode_envelope

Start = Callable[..., Served]


async def send(served: Served, flow: str = "acme/github", **body: object) -> str:
    """Send one event; its id."""
    async with served.client() as client:
        answer = await client.post(f"/in/{flow}", json=body)
    assert answer.status_code == 202
    return str(answer.json()["eventId"])


async def found(served: Served, key: str = "deploys") -> str | None:
    """The id of the newest event under a key of acme."""
    async with served.client() as client:
        answer = await client.get(f"/v1/keys/{key}")
    return str(answer.json()["eventId"]) if answer.status_code == 200 else None


async def test_the_banner_shows_what_to_type_next(short_dir: Path) -> None:
    """The banner has the ingest URL and two curl lines that work, and ends with `ready`."""
    data = short_dir / "data"
    command = [sys.executable, "-m", "hookrack", "serve", "--port", "0", "--data-dir", str(data)]
    with subprocess.Popen([*command, "--config", str(EXAMPLE)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().decode().rstrip()]
        while not lines[-1].startswith("ready"):
            lines.append(process.stdout.readline().decode().rstrip())
        try:
            assert any("/in/{account}/{flow}" in line for line in lines)
            sends, fetches = (line.strip() for line in lines if line.startswith("  curl"))
            sent = subprocess.run(["bash", "-c", f"{sends} -s"], capture_output=True, check=True)
            event_id = json.loads(sent.stdout)["eventId"]

            async def fetched() -> bool:
                got = subprocess.run(
                    ["bash", "-c", f"{fetches} -s"], capture_output=True, check=True
                )
                return bool(json.loads(got.stdout).get("eventId") == event_id)

            await wait_until(fetched, what="the event by the second curl line")
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(15) == 130


def test_the_data_directory_is_private(own_server: Start, short_dir: Path) -> None:
    """Data directory, engine socket, and the files with an address or a secret are ours alone."""
    served = own_server()
    assert served.data_dir.stat().st_mode & 0o777 == 0o700
    assert (served.data_dir / "engine.sock").stat().st_mode & 0o077 == 0
    assert (served.data_dir / "server.json").stat().st_mode & 0o777 == 0o600
    assert served.stop() == 0
    left = {path.name for path in served.data_dir.iterdir()}
    assert not left & {"server.json", "engine.pid", "engine.sock"}
    del short_dir


def test_a_made_admin_token_is_kept_in_a_private_file(short_dir: Path) -> None:
    """Without HOOKRACK_ADMIN_TOKEN a token is made at first start, and used from then on."""
    for _ in range(2):
        done = hookrack("get", "deploys", "--account", "acme", "--data-dir", str(short_dir / "d"))
        assert done.returncode == 1, done.stderr
    token = short_dir / "d" / "admin-token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert len(token.read_text().strip()) >= 32


async def test_a_stop_is_clean_and_loses_nothing(own_server: Start) -> None:
    """SIGTERM ends with exit code 0, engine included; what was accepted is there after a start."""
    served = own_server()
    engine = served.engine_pid
    event_id = await send(served)
    assert served.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(engine, 0)
    served.start()
    await wait_until(lambda: _is(found(served), event_id), what="the event after a restart")


async def _is(found_id: Awaitable[str | None], event_id: str) -> bool:
    return await found_id == event_id


async def test_edge_without_a_worker_only_keeps(own_server: Start, short_dir: Path) -> None:
    """With `--role edge,api` events wait in the queue; a worker that comes later stores them."""
    served = own_server("--role", "edge,api")
    ids = [await send(served, n=number) for number in range(20)]
    assert await found(served) is None
    assert "worker" not in (await _ready(served))["checks"]
    store = f"unix://{served.data_dir}/engine.sock"
    worker = own_server("--role", "worker", "--store", store, name="worker")
    await wait_until(lambda: _is(found(served), ids[-1]), what="the last event under its key")
    async with worker.client() as client:
        assert (await client.post("/in/acme/github", json={})).status_code == 404
        assert (await client.get("/v1/keys/deploys")).status_code == 404
    assert worker.stop() == 0
    assert await found(served) == ids[-1]
    del short_dir


async def _ready(served: Served) -> dict[str, dict[str, str]]:
    async with served.client() as client:
        answer = await client.get("/readyz")
    result: dict[str, dict[str, str]] = answer.json()
    return result


async def test_readiness_names_what_fails(own_server: Start) -> None:
    """While the engine doesn't answer /readyz is 503 and says so, senders get 503 with Retry-After;
    then both heal by themselves.
    """
    served = own_server()
    event_id = await send(served)
    os.kill(served.engine_pid, signal.SIGSTOP)
    try:
        async with served.client() as client:
            ready, sent = await asyncio.gather(
                client.get("/readyz", timeout=30),
                client.post("/in/acme/github", json={}, timeout=30),
            )
            assert (await client.get("/livez")).status_code == 200
    finally:
        os.kill(served.engine_pid, signal.SIGCONT)
    assert ready.status_code == 503
    assert "ok" not in ready.json()["checks"]["store"]
    assert (sent.status_code, sent.json()["code"]) == (503, "STORE_UNAVAILABLE")
    assert int(sent.headers["retry-after"]) >= 1

    async def heals() -> bool:
        async with served.client() as client:
            return (await client.get("/readyz")).status_code == 200

    async def kept() -> bool:
        async with served.client() as client:
            entries = (await client.get("/v1/keys/deploys/events")).json()["entries"]
        return event_id in {entry["eventId"] for entry in entries}

    await wait_until(heals, what="readiness", seconds=15)
    await wait_until(kept, what="the event acknowledged before", seconds=15)


async def test_a_killed_engine_is_started_again(own_server: Start) -> None:
    """If the engine is killed it comes back by itself, with everything that was acknowledged."""
    served = own_server()
    event_id = await send(served)
    await wait_until(lambda: _is(found(served), event_id), what="the event under its key")
    os.kill(served.engine_pid, signal.SIGKILL)

    async def answers() -> bool:
        async with served.client() as client:
            return (await client.post("/in/acme/github", json={})).status_code == 202

    await wait_until(answers, what="a 202 after the engine was killed")
    assert await found(served, "audit") is not None


async def test_a_foreign_message_is_buried_and_the_worker_lives(own_server: Start) -> None:
    """What somebody else puts on the stream, in whatever field, is a dead letter; events go on."""
    served = own_server()
    await send(served)
    async with redis.asyncio.Redis(unix_socket_path=f"{served.data_dir}/engine.sock") as engine:
        for stream in range(8):
            await engine.xadd(f"hr1:{{q}}:s:{stream}", {"body": "x", "more": "y"})

        async def buried() -> bool:
            return await engine.zcard("hr1:{q}:dl") == 8

        await wait_until(buried, what="eight dead letters")
    assert (await _ready(served))["checks"]["worker"] == "ok"
    event_id = await send(served)
    await wait_until(lambda: _is(found(served), event_id), what="the next event under its key")


async def test_a_lease_whose_reply_was_lost_comes_back_at_once(own_server: Start) -> None:
    """An engine that dies after it handed an event over, before the worker heard of it, costs no
    waiting for the end of the lease.
    """
    served = own_server()
    await send(served)
    lost = Event("lost", "acme", "github", 2**46, "application/json", b"{}")
    both = """
      redis.call('XADD', KEYS[1], '*', 'e', ARGV[1])
      redis.call('XREADGROUP', 'GROUP', 'w', 'embedded-1', 'STREAMS', KEYS[1], '>')
    """
    async with redis.asyncio.Redis(unix_socket_path=f"{served.data_dir}/engine.sock") as engine:
        await engine.eval(both, 1, f"hr1:{{q}}:s:{crc32(b'acme') % 8}", encode_envelope(lost))
    os.kill(served.engine_pid, signal.SIGKILL)
    await wait_until(lambda: _is(found(served), "lost"), what="the lost event", seconds=15.0)


async def test_get_on_the_command_line(own_server: Start) -> None:
    """`hookrack get` asks the running server, or the store itself where none runs."""
    served = own_server()
    event_id = await send(served, hello="world")
    await wait_until(lambda: _is(found(served), event_id), what="the event under its key")
    words = ("--account", "acme", "--data-dir", str(served.data_dir))
    token = {"HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN, "HOOKRACK_SECRET_KEY": SECRET_KEY}
    by_server = hookrack("get", "deploys", *words, **token)
    raw = hookrack("get", "deploys", "--raw", *words, **token)
    nothing = hookrack("get", "nothing-here", *words, **token)
    wrong = hookrack("get", "deploys", *words, HOOKRACK_TOKEN="wrong")
    served.stop()
    by_store = hookrack("get", "deploys", *words, **token)
    assert (by_server.returncode, by_store.returncode) == (0, 0), by_store.stderr
    assert json.loads(by_server.stdout)["eventId"] == event_id
    assert json.loads(by_store.stdout)["eventId"] == event_id
    assert json.loads(raw.stdout) == {"hello": "world"}
    assert nothing.returncode == 1
    assert "NO_EVENT" in nothing.stderr
    assert wrong.returncode == 1
    assert "TOKEN_INVALID" in wrong.stderr


def test_get_says_when_nothing_answers() -> None:
    """A server named by HOOKRACK_URL that isn't there is said so."""
    done = hookrack("get", "deploys", HOOKRACK_URL="http://127.0.0.1:9", HOOKRACK_TOKEN="x" * 32)
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "http://", "http://me:hunter2@127.0.0.1:9"])
def test_a_url_that_is_none_is_named_and_not_shown(url: str) -> None:
    """HOOKRACK_URL is http or https, to a host, without a password; else it's bad usage."""
    done = hookrack("get", "deploys", HOOKRACK_URL=url, HOOKRACK_TOKEN="x" * 32)
    assert done.returncode == 2
    assert "HOOKRACK_URL" in done.stderr
    assert "hunter2" not in done.stderr


def test_help_has_an_example() -> None:
    """Each command's --help ends with a line to copy."""
    for command in ("serve", "get", "check"):
        done = hookrack(command, "--help")
        assert done.returncode == 0
        assert f"Example: hookrack {command}" in done.stdout


async def test_senders_at_a_stop_get_an_answer_or_none_and_no_lie(own_server: Start) -> None:
    """Traffic during a stop: every 202 that was sent is kept."""
    served = own_server()
    accepted: list[str] = []
    stopping = asyncio.Event()

    async def traffic(client: httpx.AsyncClient) -> None:
        while not stopping.is_set():
            try:
                answer = await client.post("/in/acme/github", json={})
            except httpx.HTTPError:
                return
            if answer.status_code == 202:
                accepted.append(answer.json()["eventId"])

    async with served.client() as client:
        senders = [asyncio.create_task(traffic(client)) for _ in range(8)]
        await wait_until(lambda: len(accepted) > 50, what="some traffic")
        assert await asyncio.to_thread(served.stop) == 0
        stopping.set()
        await asyncio.gather(*senders)
    served.start()
    newest = max(accepted, key=_time_of)
    await wait_until(
        lambda: _newer(found(served), newest), what="the newest accepted event under its key"
    )


async def _newer(found_id: Awaitable[str | None], newest: str) -> bool:
    event_id = await found_id
    return event_id is not None and _time_of(event_id) >= _time_of(newest)


def _time_of(event_id: str) -> bytes:
    """The time in an id of ours, its first six bytes."""
    return base64.urlsafe_b64decode(event_id[:8])
