"""The Python client: get, set, read on and lease what waits under webhook keys.

`Client` for ordinary code, `AsyncClient` for asyncio; the same calls, answers and errors. What is
asked and retried stands once, in `works`; `blocking` and `nonblocking` only carry it out. Nothing
of the server is imported here.
"""

from hookrack.client.blocking import Client, Lease
from hookrack.client.entries import Entry, LeasedEntry, Life, Page
from hookrack.client.errors import (
    ApiError,
    BadCall,
    Conflict,
    CursorGone,
    Denied,
    Missing,
    ServerFault,
    Unready,
)
from hookrack.client.nonblocking import AsyncClient, AsyncLease
from hookrack.client.steps import Retries
from hookrack.errors import Code, ConfigError

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncLease",
    "BadCall",
    "Client",
    "Code",
    "ConfigError",
    "Conflict",
    "CursorGone",
    "Denied",
    "Entry",
    "Lease",
    "LeasedEntry",
    "Life",
    "Missing",
    "Page",
    "Retries",
    "ServerFault",
    "Unready",
]
