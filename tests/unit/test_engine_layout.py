"""DATA_DIR: made private, refused when it can't be used, and locked."""

import os
import re
from pathlib import Path

import pytest

from hookrack.engine.layout import SOCKET_PATH_LIMIT, Layout, prepare
from hookrack.engine.lock import serving, try_lock
from hookrack.errors import ConfigError


def mode(path: Path) -> int:
    """Its permission bits."""
    return path.stat().st_mode & 0o777


def test_directories_are_made_private(tmp_path: Path) -> None:
    """DATA_DIR and engine/ are 0700, even below a directory that is not there yet."""
    layout = prepare(tmp_path / "a" / "b")
    assert mode(layout.data_dir) == mode(layout.engine_dir) == 0o700
    assert prepare(tmp_path / "a" / "b") == layout


@pytest.mark.parametrize("content", [None, "serve.lock"])
def test_an_empty_or_known_directory_is_closed(tmp_path: Path, content: str | None) -> None:
    """One that is empty, or was ours before, is closed to others."""
    if content:
        (tmp_path / content).touch()
    tmp_path.chmod(0o755)
    prepare(tmp_path)
    assert mode(tmp_path) == 0o700


def test_a_foreign_open_directory_is_refused(tmp_path: Path) -> None:
    """One with other things in it that others can enter is left as it is."""
    (tmp_path / "thesis.txt").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigError, match=f"chmod 700 {tmp_path}"):
        prepare(tmp_path)
    assert mode(tmp_path) == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    """A file where the directory, or one above it, should be."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match=f"data-dir {file}: is not a directory"):
        prepare(file)
    with pytest.raises(ConfigError, match="can't be made or written"):
        prepare(file / "below")


def test_somebody_elses_directory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner must be us, root included."""
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match=r"belongs to user \d+, not to us"):
        prepare(tmp_path)


def test_a_read_only_place_is_refused(tmp_path: Path) -> None:
    """Where nothing can be made (for root: not even by root), the reason is given."""
    place = tmp_path / "closed"
    place.mkdir(mode=0o500)
    if os.geteuid() == 0:
        place = Path("/proc/self")
        if not place.is_dir():
            pytest.skip("root may write everywhere here")
    with pytest.raises(ConfigError, match=r"can't be made or written \(.+\)\. Choose another"):
        prepare(place / "data")


def test_a_long_path_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    """The socket's path has a limit in bytes, counted with its name and in UTF-8."""
    fits = SOCKET_PATH_LIMIT - len(os.fsencode(tmp_path / "x" / "engine.sock")) + 1
    prepare(tmp_path / ("d" * fits))
    for name in ("d" * (fits + 1), "ü" * (fits // 2 + 1)):
        with pytest.raises(ConfigError, match="Choose a shorter --data-dir"):
            prepare(tmp_path / name)
        assert not (tmp_path / name).exists()


def test_the_second_holder_is_told_about_the_first(tmp_path: Path) -> None:
    """serve.lock names its holder, and is free again afterwards."""
    layout = prepare(tmp_path)
    with serving(layout):
        said = rf"hookrack \(pid {os.getpid()}\).*--store unix://{re.escape(str(layout.socket))}"
        with pytest.raises(ConfigError, match=said), serving(layout):
            pass
    layout.serve_lock.write_text("")  # a holder that has not got so far as to write its pid
    with serving(layout):
        pass


def test_a_lock_belongs_to_every_heir_of_its_descriptor(tmp_path: Path) -> None:
    """It is free when the last copy of the descriptor is closed, not the first."""
    layout = Layout(tmp_path)
    lock = try_lock(layout.engine_lock)
    assert lock is not None
    assert not os.get_inheritable(lock)
    heir = os.dup(lock)
    os.close(lock)
    assert try_lock(layout.engine_lock) is None
    os.close(heir)
    again = try_lock(layout.engine_lock)
    assert again is not None
    os.close(again)


def test_the_pid_file_holds_one_pid(tmp_path: Path) -> None:
    """A shorter pid leaves nothing of a longer one, and there is never half a file."""
    layout = Layout(tmp_path)
    for pid in (4_194_304, 7):
        layout.write_pid(pid)
        assert int(layout.pid_file.read_text()) == pid
    assert [path.name for path in tmp_path.iterdir()] == ["engine.pid"]
