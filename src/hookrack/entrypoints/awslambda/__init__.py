"""hookrack on AWS Lambda; a function's handler is hookrack.entrypoints.awslambda.worker_handler,
edge_handler or api_handler.
"""

from hookrack.entrypoints.awslambda.handlers import api_handler, edge_handler, worker_handler

__all__ = ["api_handler", "edge_handler", "worker_handler"]
