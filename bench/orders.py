"""The templates of the mapping rows, and the bodies; both engines render them alike."""

import json
from typing import Final

LARGE: Final = 64 * 1024

THIRTY_LINES: Final = """\
#set($order = $input.path('$'))
#set($customer = $order.customer)
#set($webhookKeys = ["erp", "crm"])
#set($ttl = 3600)
{
  "type": "order.placed",
  "order": "$util.escapeJavaScript($order.orderId)",
  "placedAt": "$util.escapeJavaScript($order.placedAt)",
  "customer": {
    "id": $customer.id,
    "name": "$util.escapeJavaScript($customer.name)",
#if($customer.email && $customer.email != "")
    "email": "$util.escapeJavaScript($customer.email)",
#else
    "email": null,
#end
    "isNew": false
  },
  "lines": [
#foreach($item in $order.items)
    {
      "sku": "$util.escapeJavaScript($item.sku)",
      "name": "$util.escapeJavaScript($item.name)",
      "quantity": $item.quantity,
      "price": $item.price
    }#if($foreach.hasNext),#end
#end
  ],
  "total": $order.total,
  "note": "$util.escapeJavaScript($order.note)"
}
"""

FIVE_LINES: Final = """\
#set($order = $input.path('$'))
{
  "order": "$util.escapeJavaScript($order.orderId)",
  "total": $order.total, "all": $input.json('$')
}
"""

TEN_PATHS: Final = (
    "[$input.json('$')"
    + "".join(
        f", $input.json('{path}')"
        for path in (
            *("$.orderId", "$.placedAt", "$.total", "$.customer.name", "$.customer.email"),
            *("$.items[0].sku", "$.items[7].price", "$.items[-1:].name", "$.nothing", "$.items[3]"),
        )
    )
    + "]"
)


def order(items: int) -> bytes:
    """An order of so many items."""
    document = {
        "orderId": "A-20417",
        "placedAt": "2026-11-22T09:30:00Z",
        "customer": {"id": 4711, "name": "Ada Example", "email": "ada@example.org"},
        "items": [
            {"sku": f"KB-{each:05}", "name": "Keyboard", "quantity": each, "price": each + 0.75}
            for each in range(items)
        ],
        "total": 128.9,
        "note": "leave it at the door",
    }
    return json.dumps(document).encode()


def large() -> bytes:
    """An order of 64 KB."""
    each = len(order(2)) - len(order(1)) + 6
    return order(LARGE // each)
