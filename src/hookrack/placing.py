"""Where an event goes by the configuration of now, and for how long."""

from hookrack.errors import Code, Poison
from hookrack.flows import Configuration, WebhookKey
from hookrack.model import Event, Placement


def place(event: Event, configuration: Configuration) -> Placement:
    """Keys and times of an event by the configuration of now. Raises: Poison."""
    account = configuration.accounts.get(event.account)
    flow = account.flows.get(event.flow) if account else None
    if account is None or flow is None:
        raise Poison(Code.FLOW_UNKNOWN, f"There is no flow {event.account}/{event.flow}.")
    listed = {key.key: key for key in flow.keys}
    names = event.keys if event.keys is not None else tuple(listed)
    if not names:
        raise Poison(Code.KEYS_INVALID, "Neither the flow nor the event names a webhook key.")
    if fault := account.quotas.find_fault(names):
        raise Poison(Code.KEYS_INVALID, fault)
    keys = tuple(
        (name, account.resolve_ttl(flow, listed.get(name, WebhookKey(name)), own=event.ttl))
        for name in names
    )
    return Placement(event, keys, flow.dedupe.window)
