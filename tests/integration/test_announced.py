"""Whom a client command on the same machine takes for the server."""

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from harness import ADMIN_TOKEN, SECRET_KEY, Served, hookrack

from hookrack.server_file import SERVER_FILE, announced

Start = Callable[..., Served]
TOKEN = {"HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN, "HOOKRACK_SECRET_KEY": SECRET_KEY}


@contextlib.contextmanager
def foreigner(port: int) -> Iterator[list[bytes]]:
    """Somebody else who listens there, says yes to everything, and notes what he is told."""
    told: list[bytes] = []
    body = b'{"eventId":"forged"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"

    def listen() -> None:
        while True:
            try:
                line, _ = sock.accept()
            except OSError:
                return
            with line:
                told.append(line.recv(65536))
                line.sendall(head % len(body) + body)

    with socket.create_server(("127.0.0.1", port)) as sock:
        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield told
        sock.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def test_a_killed_server_leaves_no_address_that_is_believed(own_server: Start) -> None:
    """After kill -9 somebody else listens at the address in server.json: no command asks him or
    sends him a token; the store itself is asked, as where no server runs.
    """
    served = own_server()
    port = urlsplit(served.url).port
    os.kill(served.pid, signal.SIGKILL)
    os.kill(served.engine_pid, signal.SIGKILL)
    served.stop()
    assert json.loads((served.data_dir / SERVER_FILE).read_text())["url"] == served.url
    assert announced(served.data_dir) == {}
    words = ("--data-dir", str(served.data_dir))
    with foreigner(port or 0) as told:
        got = hookrack("get", "deploys", "--account", "acme", *words, **TOKEN)
        doctor = hookrack("doctor", *words, **TOKEN)
    assert told == []
    assert (got.returncode, "NO_EVENT" in got.stderr) == (1, True), got.stderr
    assert "none runs on this data directory" in doctor.stdout


def test_a_second_server_leaves_the_first_ones_address_alone(own_server: Start) -> None:
    """A second server of the same data directory, on the first one's engine, neither replaces the
    address that is announced nor takes it away when it ends.
    """
    first = own_server()
    file = first.data_dir / SERVER_FILE
    said = file.read_text()
    second = own_server("--store", f"unix://{first.data_dir}/engine.sock")
    assert file.read_text() == said
    assert second.pid != first.pid
    assert second.stop() == 0
    assert file.read_text() == said
    assert announced(first.data_dir)["pid"] == first.pid


def test_who_serves_the_api_is_announced_before_who_does_not(own_server: Start) -> None:
    """A worker alone is announced until a server comes that a command can ask, which remains."""
    first = own_server("--role", "edge,worker")
    words = ("--account", "acme", "--data-dir", str(first.data_dir))
    alone = hookrack("get", "deploys", *words, **TOKEN)
    assert alone.returncode == 2
    assert f"pid {first.pid}" in alone.stderr
    second = own_server("--role", "api", "--store", f"unix://{first.data_dir}/engine.sock")
    assert announced(first.data_dir)["pid"] == second.pid
    assert hookrack("get", "deploys", *words, **TOKEN).returncode == 1
    assert second.stop() == 0
    assert announced(first.data_dir) == {}
    assert first.stop() == 0


def test_what_is_no_announcement_is_none(tmp_path: Path) -> None:
    """No file, garbage, a list: nobody is there."""
    assert announced(tmp_path) == {}
    for text in ("", "{", "[]", "\x00"):
        (tmp_path / SERVER_FILE).write_text(text)
        assert announced(tmp_path) == {}
