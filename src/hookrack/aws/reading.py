"""A flow file as it is read for AWS: secrets are known there, and only their names here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hookrack.errors import ConfigError
from hookrack.flows import Configuration, read_configuration

STAND_IN: Final = "x" * 64  # long enough for a secret of any scheme, and for a key in base64


class StandIns(dict[str, str]):
    """An environment that has something for every variable, and keeps the names asked for."""

    def __init__(self, known: Mapping[str, str]) -> None:
        super().__init__(known)
        self.asked: set[str] = set()

    def __bool__(self) -> bool:
        return True  # an empty one has something for every variable, too

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as dict has it
        """The variable, or a stand-in."""
        del default
        self.asked.add(name)
        return super().get(name) or STAND_IN


@dataclass(frozen=True, slots=True)
class Source:
    """A flow file that is good, and the variables that a process needs to read it.

    Each comes with its bytes: of its value where that is known here, else of a stand-in's.
    """

    name: str
    configuration: Configuration
    variables: Mapping[str, int]


def read_source(path: Path, *, environ: Mapping[str, str]) -> Source:
    """Read a flow file whose secrets may be elsewhere.

    Raises: ConfigError: the file isn't good, or what isn't secret in it hangs on a variable.
    """
    known = StandIns(environ)
    configuration = read_configuration(path, environ=known)
    for flow in configuration.flows():
        variables = flow.mapping.stage_variables if flow.mapping else {}
        for name, value in variables.items():
            if STAND_IN in value:
                raise ConfigError(
                    "names an environment variable that is not set",
                    where=f"accounts.{flow.account}.flows.{flow.id}.stageVariables.{name}",
                    mend="Set it: stage variables are no secrets and stand in the template.",
                )
    sizes = {each: len(known.get(each).encode()) for each in sorted(known.asked)}
    return Source(str(path), configuration, sizes)
