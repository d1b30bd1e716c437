"""The handlers for AWS Lambda; each takes an event to the pipeline and brings the answer back.

    worker_handler   a batch of the queue -> process -> batchItemFailures
    edge_handler     one request of API Gateway or a function URL -> the front door -> the queue
    api_handler      the same -> the Set/Get API

They are told what a server is told, by HOOKRACK_... in the environment and the flow file beside
them. A container keeps one event loop and its connections from one invocation to the next.
"""

from typing import Any

_Event = dict[str, Any]


def worker_handler(event: _Event, context: Any) -> _Event:  # noqa: ANN401 - Lambda's own
    """Store a batch of the queue; what isn't stored is named, and nothing else."""
    from hookrack.entrypoints.awslambda.batches import WORKER  # noqa: PLC0415 - its own imports

    return WORKER.handle(event, context)


def edge_handler(event: _Event, context: Any) -> _Event:  # noqa: ANN401 - Lambda's own
    """Take one webhook in."""
    from hookrack.entrypoints.awslambda.requests import EDGE  # noqa: PLC0415 - its own imports

    return EDGE.handle(event, context)


def api_handler(event: _Event, context: Any) -> _Event:  # noqa: ANN401 - Lambda's own
    """Answer one call of the Set/Get API."""
    from hookrack.entrypoints.awslambda.requests import API  # noqa: PLC0415 - its own imports

    return API.handle(event, context)
