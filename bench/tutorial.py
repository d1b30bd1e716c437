"""The service that a tutorial would write: FastAPI, a model, one XADD per request."""

import fastapi
import pydantic
import redis.asyncio


class Customer(pydantic.BaseModel):
    """Who orders."""

    id: int
    name: str
    email: str


class Item(pydantic.BaseModel):
    """What is ordered."""

    sku: str
    name: str
    quantity: int
    price: float


class Order(pydantic.BaseModel):
    """What `payload.order` writes."""

    n: int
    orderId: str  # noqa: N815 - as in the JSON
    placedAt: str  # noqa: N815
    customer: Customer
    items: list[Item]
    total: float
    note: str


def build(path: str) -> fastapi.FastAPI:
    """The application, writing to the engine at a socket."""
    app = fastapi.FastAPI()
    client = redis.asyncio.Redis(unix_socket_path=path)

    @app.post("/{path:path}", status_code=202)
    async def take(path: str, order: Order) -> dict[str, str]:
        del path
        entry = await client.xadd("bench:in", {"order": order.model_dump_json()})
        return {"eventId": str(entry), "status": "accepted"}

    return app
