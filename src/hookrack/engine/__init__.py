"""The embedded Redis/Valkey: find it, guard its files, start it, keep it up, stop it."""

from hookrack.engine.config import check_config
from hookrack.engine.find import Server, find_server, inspect_server
from hookrack.engine.supervisor import Engine, open_engine

__all__ = ["Engine", "Server", "check_config", "find_server", "inspect_server", "open_engine"]
