"""default.toml is the defaults and their documentation; nothing else knows settings by name."""

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from hookrack.entrypoints.cli.serve import serve
from hookrack.settings import Documented, Settings, documented_settings

SRC: Final = Path(__file__).parents[2] / "src" / "hookrack"
ROWS: Final = documented_settings()
# What the contract's command line has of settings; more is welcome.
OPTIONS: Final = {
    *("--config", "--host", "--port", "--data-dir"),
    *("--store", "--queue", "--role", "--workers"),
}
# A command line can be read by every user of the machine.
NO_OPTIONS: Final = {"--admin-token", "--secret-key"}


def test_default_toml_names_every_setting_once() -> None:
    """The names in default.toml are the fields of Settings, and all of them."""
    fields = {field.name for field in dataclasses.fields(Settings)} - {"origins"}
    assert [row.field for row in ROWS] == list(dict.fromkeys(row.field for row in ROWS))
    assert {row.field for row in ROWS} == fields


def test_defaults_are_read_from_the_file() -> None:
    """What stands in default.toml is what holds."""
    text = (SRC / "default.toml").read_text()
    assert {row.name: row.default for row in ROWS} == tomllib.loads(text)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_setting_says_what_it_means(row: Documented) -> None:
    """Each setting has a help text of whole sentences, and nothing of another's."""
    assert re.fullmatch(r"[A-Z].{20,}\.", row.help)
    assert "default.toml" not in row.help


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_setting_has_one_name_in_four_spellings(row: Documented) -> None:
    """A dataDir in the file is data_dir inside, --data-dir and HOOKRACK_DATA_DIR outside."""
    assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", row.name)
    words = re.findall(r"[A-Z]?[a-z]+", row.name)
    assert row.field == "_".join(words).lower()
    assert row.option == "--" + "-".join(words).lower()
    assert row.variable == "HOOKRACK_" + "_".join(words).upper()


def test_serve_takes_every_setting_as_an_option() -> None:
    """Every setting but the secrets is an option of `serve`, with help, variable and default."""
    helps = {option: getattr(each, "help", "") for each in serve.params for option in each.opts}
    assert set(helps) == {row.option for row in ROWS} - NO_OPTIONS
    assert set(helps) >= OPTIONS
    for row in ROWS:
        if row.option in helps:
            assert helps[row.option].startswith(f"{row.help} [{row.variable}; default: ")


def test_the_environment_is_read_through_settings() -> None:
    """Only the command line's few own variables are named in the code; settings' never are."""
    own = {row.variable for row in ROWS}
    named = {
        variable
        for path in SRC.rglob("*.py")
        for variable in re.findall(r"environ[^\n]*\"(HOOKRACK_[A-Z_]+)\"", path.read_text())
    }
    assert not named & own - {"HOOKRACK_ADMIN_TOKEN"}  # the client commands may use the server's
