"""`hookrack serve` as an operator meets it: starting, refusing, stopping, roles. Real processes."""

import asyncio
import base64
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from harness import (
    ADMIN_TOKEN,
    EXAMPLE,
    SECRET_KEY,
    Served,
    hookrack,
    refused_start,
    wait_until,
)

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

    await wait_until(heals, what="readiness", seconds=15)
    assert await found(served) is not None
    del event_id


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


def test_a_port_in_use_is_refused(short_dir: Path) -> None:
    """A port that somebody listens on is named, with the mend, before anything is started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        error = refused_start("--port", port, "--data-dir", str(short_dir / "d"))
    assert port in error
    assert "--port" in error
    assert not (short_dir / "d").exists()


def test_a_second_server_on_the_same_data_is_refused(own_server: Start) -> None:
    """Two servers with an embedded store can't share a data directory."""
    served = own_server()
    error = refused_start("--port", "0", "--data-dir", str(served.data_dir))
    assert str(served.pid) in error


def test_a_bind_that_others_can_reach_is_refused(short_dir: Path) -> None:
    """Without TLS or a trusted proxy the server listens on loopback only."""
    error = refused_start("--host", "0.0.0.0", "--data-dir", str(short_dir / "d"))
    assert "--host" in error


def test_a_store_that_does_not_answer_is_named(short_dir: Path) -> None:
    """A store URL without a server behind it is refused, and its password isn't shown."""
    store = "redis://user:pa55word@127.0.0.1:9/0"
    error = refused_start("--store", store, "--port", "0", "--data-dir", str(short_dir / "d"))
    assert "127.0.0.1:9" in error
    assert "--store" in error
    assert "pa55word" not in error


async def test_a_store_that_can_lose_events_is_refused(
    own_server: Start, engines: Callable[..., object], short_dir: Path
) -> None:
    """An existing store without AOF is refused, unless the operator accepts just that loss."""
    del engines
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    binary = _binary()
    with subprocess.Popen(
        [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(short_dir)],
        stdout=subprocess.DEVNULL,
    ) as redis:
        try:
            store = f"redis://127.0.0.1:{port}/0"
            await wait_until(lambda: _listens(port), what="the Redis to listen")
            error = refused_start("--store", store, "--port", "0", "--data-dir", str(short_dir))
            assert "appendonly" in error
            assert "storeAcceptLoss" in error
            served = own_server("--store", store, "--store-accept-loss", "aof", name="own")
            event_id = await send(served)
            await wait_until(lambda: _is(found(served), event_id), what="the event")
            assert any(line["event"] == "store.risk" for line in served.log())
            assert served.stop() == 0
        finally:
            redis.terminate()


def _binary() -> str:
    from hookrack.engine import find_server  # noqa: PLC0415

    return str(find_server().path)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--config", "/nothing/here.yaml"), "/nothing/here.yaml"),
        (("--port", "eighty"), "--port"),
        (("--role", "edge,chef"), "chef"),
        (("--workers", "0"), "--workers"),
        (("--store", "mysql://x"), "--store"),
        (("--queue", "sqs://x"), "SQS"),
        (("--data-dir", "/proc/nothing"), "/proc/nothing"),
    ],
)
def test_bad_options_are_named(words: tuple[str, ...], told: str, short_dir: Path) -> None:
    """A setting that can't be used ends with exit code 2, its name, and what would be valid."""
    assert told in refused_start("--data-dir", str(short_dir / "d"), *words)


def test_a_short_admin_token_is_refused_and_not_shown(short_dir: Path) -> None:
    """An admin token below 32 characters is refused by its variable's name alone."""
    error = refused_start("--data-dir", str(short_dir), HOOKRACK_ADMIN_TOKEN="short-secret")
    assert "HOOKRACK_ADMIN_TOKEN" in error
    assert "short-secret" not in error


def test_check_says_good_or_what_is_wrong(tmp_path: Path) -> None:
    """`hookrack check` ends with 0 for good files and 2 for others, naming file, line and mend."""
    good = hookrack("check", str(EXAMPLE))
    assert (good.returncode, good.stderr) == (0, "")
    bad = tmp_path / "bad.yaml"
    bad.write_text(EXAMPLE.read_text().replace("keys: [billing]", "kyes: [billing]"))
    done = hookrack("check", str(EXAMPLE), str(bad))
    assert done.returncode == 2
    assert "bad.yaml, line" in done.stderr
    assert "Did you mean keys?" in done.stderr
    assert "hookrack.yaml: good" in done.stdout


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
