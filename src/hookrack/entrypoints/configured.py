"""What a process was told, and the flow file that it serves: for the command line and Lambda."""

from collections.abc import Mapping
from typing import Any

from hookrack.flows import Configuration, read_configuration
from hookrack.settings import Settings, load_settings, pick_setting


def load(
    options: Mapping[str, Any], *, environ: Mapping[str, str]
) -> tuple[Settings, Configuration | None]:
    """Settings, and what the flow file declares if there is one. Raises: ConfigError."""
    path, origin = pick_setting("config", options, environ=environ)
    if origin.endswith("default.toml") and not path.exists():
        return load_settings(options, environ=environ), None
    file = read_configuration(path, environ=environ)
    settings = load_settings(options, environ=environ, file=file.settings, file_name=str(path))
    return settings, file
