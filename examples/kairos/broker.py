"""A real ActiveMQ for a moment, and a relay before it that counts what goes through."""

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

HOME: Final = Path(os.environ.get("ACTIVEMQ_HOME", "/usr/share/activemq"))  # of Debian's package
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_CONFIG: Final = """\
<beans xmlns="http://www.springframework.org/schema/beans"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans
  http://www.springframework.org/schema/beans/spring-beans.xsd
  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" useJmx="false" brokerName="kairos"
          dataDirectory="{folder}/data">
    <persistenceAdapter><kahaDB directory="{folder}/data/kahadb"/></persistenceAdapter>
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp+nio://127.0.0.1:{port}"/>
    </transportConnectors>
  </broker>
</beans>
"""


class Relay:
    """Stands before the broker and counts the bytes of both directions."""

    def __init__(self, port: int) -> None:
        self.bytes = 0
        self._broker = port

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen, on a port of its own."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self._broker)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._pass_on(reader, to_broker))
            both.create_task(self._pass_on(from_broker, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(65_536):
                self.bytes += len(piece)
                writer.write(piece)
                await writer.drain()
        writer.close()


def why_missing() -> str | None:
    """Why there can be no broker here; None where there can."""
    if shutil.which("java") is None:
        return "java is not installed"
    if not (HOME / "bin" / "activemq.jar").exists():
        return f"there is no ActiveMQ in {HOME} (Debian: apt-get install activemq)"
    return None


@asynccontextmanager
async def running_broker() -> AsyncIterator[int]:
    """Start ActiveMQ with a folder of its own; its STOMP port. Stopped and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="kairos-mq-"))
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    (folder / "conf").mkdir()
    (folder / "data").mkdir()
    (folder / "conf" / "activemq.xml").write_text(_CONFIG.format(folder=folder, port=port))
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *_command(folder), cwd=folder, stdout=log, stderr=log
        )
    try:
        await _answers(port, process, folder / "log")
        yield port
    finally:
        await _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _command(folder: Path) -> list[str]:
    options = {"home": HOME, "base": folder, "conf": folder / "conf", "data": folder / "data"}
    return [
        *("java", "-Xmx256M"),
        *(f"-Dactivemq.{name}={value}" for name, value in options.items()),
        *("-jar", str(HOME / "bin" / "activemq.jar")),
        *("start", f"xbean:file:{folder}/conf/activemq.xml"),
    ]


async def _answers(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until it takes connections. Raises: SystemExit with the end of its log."""
    try:
        async with asyncio.timeout(_START_SECONDS):
            while process.returncode is None:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return
                await asyncio.sleep(0.1)
    except TimeoutError:
        pass
    raise SystemExit(f"ActiveMQ did not start:\n{log.read_text(errors='replace')[-2000:]}")


async def _stop(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
