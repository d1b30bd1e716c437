"""The one place that knows Redis clients: `pipe` for the hot paths, `control` for the rest.

Both translate: what a caller sees is `Unavailable`, or `ReplyError` for an answer that only the
adapter who sent the command can judge.
"""

from hookrack._redis.control import connect, read_config
from hookrack._redis.faults import ReplyError
from hookrack._redis.pipe import Pipe
from hookrack._redis.scripts import Script
from hookrack._redis.subscriber import Subscriber

__all__ = ["Pipe", "ReplyError", "Script", "Subscriber", "connect", "read_config"]
