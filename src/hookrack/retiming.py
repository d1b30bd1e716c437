"""New times to live for what is stored already: what a changed account or flow comes to."""

from hookrack.entries import FlowTimes, Retimed, Times
from hookrack.flows import Account, Flow, WebhookKey
from hookrack.ports import Store


async def retime(account: Account, *, store: Store, flow: Flow | None = None) -> Retimed:
    """Give live entries the time to live that they would have if they were stored now.

    Those of one flow, or of the whole account: its flows, its direct sets, and events of flows
    that are gone, which are cut to the account's longest time. Raises: Unavailable.
    """
    flows = account.flows.values() if flow is None else [flow]
    times = {each.id: _times(account, each) for each in flows}
    if flow is None:
        times[""] = FlowTimes(account.resolve_direct_ttl(None), {})
    asked = Times(most=account.max_ttl, flows=times, others=flow is None)
    return await store.retime(account.id, asked)


def _times(account: Account, flow: Flow) -> FlowTimes:
    return FlowTimes(
        account.resolve_ttl(flow, WebhookKey("")),
        {key.key: account.resolve_ttl(flow, key) for key in flow.keys if key.ttl is not None},
    )
