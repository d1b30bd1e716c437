"""The data directory: marked with its format, and refused where that is newer."""

from pathlib import Path

import pytest

from hookrack.data_folder import FORMAT, check_format, open_folder
from hookrack.errors import ConfigError


def test_a_new_folder_is_private_and_marked(tmp_path: Path) -> None:
    """A data directory is made with mode 0700 and says which format it has."""
    folder = open_folder(tmp_path / "a" / "b", where="--data-dir")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "FORMAT").read_text().strip() == str(FORMAT)
    check_format(folder)
    assert open_folder(folder, where="--data-dir") == folder


@pytest.mark.parametrize("text", [str(FORMAT + 1), "999", "", "one", "-1", "1.5"])
def test_a_newer_format_is_refused(tmp_path: Path, text: str) -> None:
    """A directory that a newer hookrack wrote isn't touched, and what would help is said."""
    (tmp_path / "FORMAT").write_text(text)
    for opened in (check_format, lambda folder: open_folder(folder, where="--data-dir")):
        with pytest.raises(ConfigError, match="newer one"):
            opened(tmp_path)
    assert (tmp_path / "FORMAT").read_text() == text


def test_a_folder_that_is_not_there_has_no_format_yet(tmp_path: Path) -> None:
    """Before the first start there is nothing to refuse."""
    check_format(tmp_path / "nothing")


def test_a_folder_that_can_not_be_made_names_its_setting(tmp_path: Path) -> None:
    """A data directory below a file is a fault of the setting that named it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--data-dir"):
        open_folder(tmp_path / "file" / "data", where="--data-dir")
