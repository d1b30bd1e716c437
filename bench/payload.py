"""What is sent: an order of a web shop, padded to a size, and its JSON Schema."""

import json
from typing import Any, Final

KILOBYTE: Final = 1024
_TEXT: Final = {"type": "string", "maxLength": 20_000}
_NUMBER: Final = {"type": "number", "minimum": 0}


def _object(**properties: object) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


_ITEM: Final = _object(sku=_TEXT, name=_TEXT, quantity={"type": "integer"}, price=_NUMBER)
MODEL: Final = _object(
    n={"type": "integer"},
    orderId={"type": "string", "pattern": "^[A-Z]-[0-9]+$"},
    placedAt=_TEXT,
    customer=_object(id={"type": "integer"}, name=_TEXT, email=_TEXT),
    items={"type": "array", "minItems": 1, "items": _ITEM},
    total=_NUMBER,
    note=_TEXT,
)


def order(size: int = KILOBYTE, *, number: int = 0) -> bytes:
    """An order as JSON of exactly `size` bytes; `number` tells it from others."""
    document = {
        "n": number,
        "orderId": "A-20417",
        "placedAt": "2026-11-22T09:30:00Z",
        "customer": {"id": 4711, "name": "Ada Example", "email": "ada@example.org"},
        "items": [
            {"sku": "KB-104", "name": "Keyboard", "quantity": 1, "price": 79.9},
            {"sku": "MS-20", "name": "Mouse", "quantity": 2, "price": 24.5},
        ],
        "total": 128.9,
        "note": "",
    }
    bare = len(json.dumps(document))
    assert size >= bare
    document["note"] = "x" * (size - bare)
    return json.dumps(document).encode()
