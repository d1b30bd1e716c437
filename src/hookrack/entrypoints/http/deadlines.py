"""How long a connection may wait for its peer: one look at all of them, once a second.

No connection and no request has a timer of its own: a look adds the time since the last one to what
the connection has spent in its state, and whatever changes the state begins anew.
"""

from typing import Final

from hookrack.entrypoints.http.framing import BODY, CLOSING, HEAD, IDLE
from hookrack.entrypoints.http.protocol import Connection
from hookrack.errors import Code, Rejected
from hookrack.telemetry import emit, log

_LINGER_SECONDS: Final = 5.0  # for a client that still sends to read what we said


def sweep(connection: Connection, seconds: float) -> None:
    """End the connection if its peer took too long; `seconds` have gone by since the last look."""
    _check_answers(connection, seconds)
    if connection.flow.read_paused:  # it waits for us
        connection.seconds = 0.0
        return
    connection.seconds += seconds
    state, limits = connection.state, connection.limits
    if state is CLOSING:
        if connection.seconds >= _LINGER_SECONDS and not connection.unsent:
            connection.socket.abort()
    elif state is IDLE:
        if connection.seconds >= limits.keep_alive_seconds:
            connection.socket.close()
    elif connection.refusal is not None:
        return
    elif state is HEAD:
        if connection.seconds >= limits.header_seconds:
            connection.refuse(Rejected(Code.REQUEST_TIMEOUT, "The headers took too long."))
    elif state is BODY:
        _check_body(connection)


def _check_body(connection: Connection) -> None:
    if connection.cycle.response_complete:
        if connection.seconds >= _LINGER_SECONDS:
            connection.socket.close()
    elif connection.limits.too_slow(connection.body_bytes, connection.seconds):
        connection.refuse(Rejected(Code.REQUEST_TIMEOUT, "The body took too long."))


def _check_answers(connection: Connection, seconds: float) -> None:
    """Give up a client that doesn't take what we send."""
    unsent = connection.socket.get_write_buffer_size()
    if unsent == 0 or unsent > connection.unsent:
        connection.unsent, connection.unsent_seconds = unsent, 0.0
        return
    connection.unsent_seconds += seconds
    if connection.limits.too_slow(connection.unsent - unsent, connection.unsent_seconds):
        emit(log.ANSWER_UNREAD, client=connection.peer(), bytes=unsent)
        connection.unsent_seconds = 0.0
        connection.socket.abort()
