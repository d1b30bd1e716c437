"""Which parts of hookrack are installed: the bare install has no server."""

from importlib.util import find_spec
from typing import Final

from hookrack.errors import ConfigError

# One for each thing that serving or storing takes; they come together.
_SERVER: Final = ("cryptography", "fastapi", "prometheus_client", "redis", "uvicorn", "uvloop")


def need_server_parts() -> None:
    """Refuse what this install can't do. Raises: ConfigError, with the line to type."""
    lacking = [name for name in _SERVER if find_spec(name) is None]
    if lacking:
        raise ConfigError(
            f"lacks what it takes to serve, or to open a store ({', '.join(lacking)})",
            where="this installation",
            mend="Type: pip install 'hookrack[server]'. To use a server that runs elsewhere, "
            "set HOOKRACK_URL and HOOKRACK_TOKEN.",
        )
