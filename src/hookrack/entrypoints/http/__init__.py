"""HTTP: plain ASGI functions in front of any framework.

`asgi` finds the function for a path, `ingest` and `keys` are the hot ones, `problems` turns errors
into answers, `server` is uvicorn with our socket and our order of stopping.
"""
