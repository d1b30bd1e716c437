"""What is shipped to run hookrack with: a systemd unit and a container's recipe, as promised."""

import configparser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from harness import EXAMPLE, refused_start

from hookrack.settings import documented_settings

ROOT: Final = Path(__file__).parents[2]
UNIT: Final = ROOT / "deploy" / "hookrack.service"
RECIPE: Final = ROOT / "deploy" / "Containerfile"


def service() -> dict[str, str]:
    """The section Service; of a name that stands there twice the last one."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text())
    return dict(parser["Service"])


def instructions() -> list[tuple[str, str]]:
    """The recipe as instruction and arguments; lines that go on are one."""
    text = re.sub(r"^#.*\n", "", RECIPE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    words = [line.strip().partition(" ") for line in text.splitlines() if line.strip()]
    return [(name, re.sub(r"\s+", " ", rest)) for name, _, rest in words]


def last(name: str) -> str:
    """What the last such instruction of the recipe says."""
    return [rest for each, rest in instructions() if each == name][-1]


def test_a_stop_by_systemd_is_a_stop_of_ours() -> None:
    """SIGTERM goes to hookrack alone and has time; SIGHUP reloads; a bad setting isn't retried."""
    unit = service()
    assert (unit["KillMode"], unit["KillSignal"]) == ("mixed", "SIGTERM")
    assert 10 < int(unit["TimeoutStopSec"].removesuffix("s")) <= 60
    assert "-HUP" in unit["ExecReload"]
    assert unit["RestartPreventExitStatus"] == "2"
    assert int(unit["LimitNOFILE"]) > 10_256


def test_the_unit_gives_hookrack_as_little_as_it_needs() -> None:
    """A user of its own, one folder to write to, no privileges, no kinds of sockets but ours."""
    unit = service()
    assert (unit["DynamicUser"], unit["StateDirectory"]) == ("yes", "hookrack")
    assert unit["Environment"] == "HOOKRACK_DATA_DIR=%S/hookrack"
    assert (unit["StateDirectoryMode"], unit["UMask"]) == ("0700", "0077")
    assert (unit["ProtectSystem"], unit["CapabilityBoundingSet"]) == ("strict", "")
    for name in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome"):
        assert unit[name] == "yes"
    assert unit["RestrictAddressFamilies"].split() == ["AF_INET", "AF_INET6", "AF_UNIX"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """systemd-analyze has nothing to say about it; only the program's place is made ours."""
    text = UNIT.read_text().replace("/opt/hookrack/bin/hookrack", sys.executable)
    (tmp_path / "hookrack.service").write_text(text)
    command = ["systemd-analyze", "verify", str(tmp_path / "hookrack.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_linter_has_nothing_to_say_about_the_recipe() -> None:
    """The linter of Containerfiles finds no fault."""
    hadolint = Path(sys.executable).with_name("hadolint")
    command = [hadolint, RECIPE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_container_is_nobody_and_keeps_its_data_apart() -> None:
    """It runs as a number that isn't root's, on a volume, from images with a version."""
    assert int(last("USER")) > 0
    assert last("VOLUME") == "/data"
    assert last("STOPSIGNAL") == "SIGTERM"
    images = [rest for name, rest in instructions() if name == "FROM"]
    assert all(re.search(r":\d+\.\d+-slim", image) for image in images)
    assert (json.loads(last("ENTRYPOINT")), json.loads(last("CMD"))) == (["hookrack"], ["serve"])


def test_a_container_listens_for_others_and_says_so() -> None:
    """Its settings are real ones; it needs to be told of TLS or a proxy, and isn't by default."""
    given = dict(re.findall(r"(HOOKRACK_[A-Z_]+)=(\S+)", last("ENV")))
    assert given["HOOKRACK_HOST"] == "0.0.0.0"
    assert given["HOOKRACK_DATA_DIR"] == last("VOLUME")
    assert set(given) <= {row.variable for row in documented_settings()}
    assert not {"HOOKRACK_TRUSTED_PROXIES", "HOOKRACK_TLS_CERT"} & set(given)


def test_a_container_that_is_told_nothing_more_does_not_listen(tmp_path: Path) -> None:
    """With the image's own settings the start is refused, and TLS and proxies are named."""
    given = dict(re.findall(r"(HOOKRACK_[A-Z_]+)=(\S+)", last("ENV")))
    given["HOOKRACK_CONFIG"] = str(EXAMPLE)
    given["HOOKRACK_DATA_DIR"] = str(tmp_path / "data")
    error = refused_start(**given)
    assert "HOOKRACK_HOST" in error
    assert "--tls-cert" in error
    assert "--trusted-proxies" in error


def test_a_container_says_whether_it_is_well() -> None:
    """Its health check is a program for the Python that is there, asking /livez."""
    python, flag, program = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    assert (python, flag) == ("python", "-c")
    compile(program, "healthcheck", "exec")
    assert "/livez" in program
    assert "/data/server.json" in program
