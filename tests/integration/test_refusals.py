"""What `hookrack serve` and `check` refuse at their start, and how they say it."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import EXAMPLE, Served, hookrack, wait_until

Start = Callable[..., Served]


def refused_start(*words: str, **environ: str) -> str:
    """Try to serve; it ends with exit code 2 and says why. The error output."""
    done = hookrack("serve", *words, **environ)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


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


def test_a_newer_data_directory_is_refused(short_dir: Path) -> None:
    """Data that a newer hookrack wrote isn't served, and no engine is started on it."""
    folder = short_dir / "d"
    folder.mkdir(mode=0o700)
    (folder / "FORMAT").write_text("2\n")
    assert "FORMAT" in refused_start("--port", "0", "--data-dir", str(folder))
    assert [path.name for path in folder.iterdir()] == ["FORMAT"]


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
            async with served.client() as client:
                assert (await client.post("/in/acme/github", json={})).status_code == 202
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
        (("--queue", "sqs://a/b"), "queue URL"),
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


def test_check_refuses_a_direct_flow_that_needs_code(tmp_path: Path) -> None:
    """`aws: {front: direct}` where API Gateway alone would lose something is told before anybody
    makes a template of it, with the flow, the reason and the mend.
    """
    file = tmp_path / "hookrack.yaml"
    flows = """
version: 1
accounts:
  acme:
    flows:
      fits: {keys: [k], auth: {type: none}, passthrough: never, aws: {front: direct},
             templates: {application/json: {inline: "{}"}}}
"""
    file.write_text(flows)
    assert hookrack("check", str(file)).returncode == 0
    file.write_text(flows + "      open: {keys: [k], auth: {type: none}, aws: {front: direct}}\n")
    done = hookrack("check", str(file))
    assert done.returncode == 2
    assert "accounts.acme.flows.open.aws.front" in done.stderr
    assert "it has no template" in done.stderr
    assert "front: auto" in done.stderr
