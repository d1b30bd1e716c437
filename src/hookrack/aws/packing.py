"""The packages of the Lambda functions: our code, the flow file with its files, pinned wheels.

    worker-ARCH.zip   the handlers worker_handler and edge_handler
    api-ARCH.zip      api_handler; the framework besides

Wheels are those of the lock files beside this one, by hash, for Lambda's platform and not this
machine's. What no function loads is left out: the command line, the SDK's other services, tests.
The same input gives the same bytes: names are sorted and times are all one.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import hookrack
from hookrack.aws.reading import read_source
from hookrack.errors import ConfigError
from hookrack.fields import load_yaml

PYTHON: Final = "3.13"  # Lambda's newest that everything has wheels for
FUNCTIONS: Final = ("worker", "api")
PLATFORMS: Final[Mapping[str, tuple[str, ...]]] = {
    "arm64": ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
    "x86_64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
}
UNPACKED_BYTES: Final = 250 * 1024 * 1024  # Lambda's limit for what is in a package
PIP_SECONDS: Final = 600
_TIME: Final = (1980, 1, 1, 0, 0, 0)  # the first that a zip knows
_FLOW_FILE: Final = "hookrack.yaml"  # where a function looks for it
_SERVICES: Final = ("sqs", "sts", "sso", "sso-oidc")  # of the SDK's; credentials are got by three
_USELESS_ENDS: Final = (".pyc", ".pyi", ".pyx", ".pxd", ".c", ".h", ".so.dbg")
_USELESS_PARTS: Final = frozenset({"__pycache__", "tests", "test", "bin"})
_USELESS_RECORDS: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
_OWN_USELESS: Final = {
    "worker": ("aws/", "entrypoints/cli/", "entrypoints/http/api/"),
    "api": ("aws/", "entrypoints/cli/"),
}

_Files = dict[str, Path]  # by their names in the package


@dataclass(frozen=True, slots=True)
class Package:
    """A finished package, with its size as a zip and unpacked."""

    path: Path
    size: int
    unpacked: int


def pack(
    flow_file: Path,
    out: Path,
    *,
    architectures: tuple[str, ...] = tuple(PLATFORMS),
    python: str = PYTHON,
    functions: tuple[str, ...] = FUNCTIONS,
) -> Iterator[Package]:
    """Write the packages for a flow file into a folder, one after the other.

    Raises: ConfigError: the file isn't good, its files are outside its folder, or wheels can't be
    had.
    """
    own = _flow_files(flow_file)
    out.mkdir(parents=True, exist_ok=True)
    for architecture in architectures:
        for function in functions:
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary)
                _fetch(function, folder, architecture=architecture, python=python)
                files = {**_wheel_files(folder), **_code_files(function), **own}
                yield _write(out / f"{function}-{architecture}.zip", files)


def _flow_files(flow_file: Path) -> _Files:
    """The flow file and what it names, once it has been found to be good."""
    read_source(flow_file, environ=os.environ)
    folder = flow_file.resolve().parent
    files: _Files = {_FLOW_FILE: flow_file}
    for name in _named_files(load_yaml(flow_file.read_text(encoding="utf-8"), str(flow_file))):
        path = (folder / name).resolve()
        if not path.is_relative_to(folder) or path == flow_file.resolve():
            raise ConfigError(
                f"{name} is outside the folder of the flow file",
                where=str(flow_file),
                mend="Put it below that folder.",
            )
        if path.is_file():
            files[PurePosixPath(path.relative_to(folder)).as_posix()] = path
    return files


def _named_files(document: Any) -> Iterator[str]:  # noqa: ANN401 - a YAML document
    """The paths of models and templates in a flow file that is good."""
    for account in (document.get("accounts") or {}).values():
        for flow in ((account or {}).get("flows") or {}).values():
            model, templates = flow.get("model"), flow.get("templates")
            named = [model, *(templates.values() if isinstance(templates, Mapping) else ())]
            yield from (each for each in named if isinstance(each, str))


def _fetch(function: str, folder: Path, *, architecture: str, python: str) -> None:
    """Have pip unpack the pinned wheels for Lambda. Raises: ConfigError."""
    if importlib.util.find_spec("pip") is None:
        raise ConfigError("pip is not installed", where=sys.executable, mend="Install it there.")
    platforms = [part for each in PLATFORMS[architecture] for part in ("--platform", each)]
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--no-input", "--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes"),
        *("--implementation", "cp", "--python-version", python, *platforms),
        *("--target", str(folder), "--requirement", str(_lock(function))),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            command, capture_output=True, text=True, timeout=PIP_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise _no_wheels(architecture, f"not within {PIP_SECONDS} s") from exc
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise _no_wheels(architecture, told[-1][:300] if told else "pip failed")


def _no_wheels(architecture: str, why: str) -> ConfigError:
    return ConfigError(
        f"the wheels for {architecture} could not be had: {why}",
        where="pip",
        mend="Look at its configuration; it needs a package index that it can reach.",
    )


def _lock(function: str) -> Path:
    return Path(__file__).with_name(f"{function}.lock")


def _wheel_files(folder: Path) -> _Files:
    return {name: path for name, path in _walk(folder) if _is_useful(PurePosixPath(name))}


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(folder).as_posix(), path


def _is_useful(name: PurePosixPath) -> bool:
    """Whether a file of a wheel is needed to run; licences stay."""
    if name.name.endswith(_USELESS_ENDS) or _USELESS_PARTS & set(name.parts[:-1]):
        return False
    if ".dist-info" in name.parts[0]:
        return name.name not in _USELESS_RECORDS
    if name.parts[:2] == ("botocore", "data") and len(name.parts) > 3:
        return name.parts[2] in _SERVICES
    return True


def _code_files(function: str) -> _Files:
    """Our own code but for what this function never loads."""
    folder = Path(hookrack.__file__).parent
    return {
        f"hookrack/{name}": path
        for name, path in _walk(folder)
        if not name.startswith(_OWN_USELESS[function]) and "__pycache__" not in name
    }


def _write(path: Path, files: _Files) -> Package:
    """The zip, whole or not at all. Raises: ConfigError where it is too large for Lambda."""
    unpacked = sum(each.stat().st_size for each in files.values())
    if unpacked > UNPACKED_BYTES:
        raise ConfigError(
            f"{path.name} would have {unpacked} bytes unpacked, and Lambda takes {UNPACKED_BYTES}",
            where=str(path),
            mend="Make the files that the flow file names smaller.",
        )
    draft = path.with_suffix(".part")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=_TIME)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            entry.external_attr = 0o100644 << 16
            package.writestr(entry, files[name].read_bytes())
    draft.replace(path)
    return Package(path, path.stat().st_size, unpacked)
