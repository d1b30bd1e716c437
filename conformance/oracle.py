"""The second opinion, a Java process: compiled when its source is newer, asked over a pipe."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any, Final, NoReturn

HERE: Final = Path(__file__).parent
CLASSES: Final = HERE.parent / "build" / "conformance"
JARS: Final = [
    Path("/usr/share/java") / f"{name}.jar"
    for name in (
        *("velocity", "json-path", "json-smart", "commons-lang", "commons-collections3"),
        *("slf4j-api", "asm", "accessors-smart"),
    )
]
CLASS_PATH: Final = ":".join(map(str, [CLASSES, *JARS]))
BATCH: Final = 64  # cases on their way
ANSWER_SECONDS: Final = 60

Case = Mapping[str, Any]
Result = Mapping[str, Any]


def missing() -> str | None:
    """Why the oracle can't run here, or None."""
    absent = [name for name in ("java", "javac") if shutil.which(name) is None]
    absent += [str(jar) for jar in JARS if not jar.exists()]
    if not absent:
        return None
    return f"{', '.join(absent)} not found; conformance/install installs them on Debian"


class Oracle:
    """The running process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, case: Case) -> Result:
        """What Velocity makes of one case: `output` and the overrides, or `error`."""
        return next(self.ask_all([case]))

    def ask_all(self, cases: Iterable[Case]) -> Iterator[Result]:
        """The results of many cases, in their order."""
        waiting: list[Case] = []
        for case in cases:
            waiting.append(case)
            if len(waiting) == BATCH:
                yield from self._batch(waiting)
                waiting = []
        yield from self._batch(waiting)

    def _batch(self, cases: Sequence[Case]) -> Iterator[Result]:
        writing = Thread(target=self._write, args=(cases,), daemon=True)
        writing.start()  # beside the reading: both pipes could be full
        assert self._process.stdout is not None
        for _ in cases:
            with _in_time():
                line = self._process.stdout.readline()
            assert line, "the oracle ended"
            yield json.loads(line)
        writing.join()

    def _write(self, cases: Sequence[Case]) -> None:
        assert self._process.stdin is not None
        for case in cases:
            # The oracle's own reader drops a DEL from some strings, so that goes escaped.
            self._process.stdin.write(json.dumps(case).replace("\x7f", "\\u007f") + "\n")
        self._process.stdin.flush()


@contextmanager
def _in_time() -> Iterator[None]:
    """An oracle that thinks for too long ends the run."""

    def too_late(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise TimeoutError(f"no answer from the oracle for {ANSWER_SECONDS} s")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(ANSWER_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def running() -> Iterator[Oracle]:
    """The oracle, compiled and started."""
    _compile()
    with subprocess.Popen(
        ["java", "-Xmx512m", "-XX:+UseSerialGC", "-cp", CLASS_PATH, "Oracle"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="ascii",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    ) as process:
        try:
            yield Oracle(process)
        finally:
            process.kill()


def _compile() -> None:
    source = HERE / "Oracle.java"
    made = CLASSES / "Oracle.class"
    if made.exists() and made.stat().st_mtime > source.stat().st_mtime:
        return
    CLASSES.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["javac", "-nowarn", "-encoding", "UTF-8", "-d", CLASSES, "-cp", CLASS_PATH, source],
        check=True,
    )
