"""The configuration that is in force: what the registry holds, read as accounts, flows and tokens.

A flow file that `serve` was given owns what it declares; the rest is the API's. Every process
holds a `Live` view that follows the registry's changes.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from hookrack.edge.auth import Credential
from hookrack.errors import Code, ConfigError, Rejected, Unavailable
from hookrack.flow_auth import CREDENTIAL_FIELDS
from hookrack.flows import (
    Account,
    Configuration,
    Flow,
    account_document,
    flow_document,
    read_account,
    read_flow,
)
from hookrack.ports import Registry
from hookrack.records import Change, Records
from hookrack.sealing import Sealer
from hookrack.telemetry import emit, log
from hookrack.tokens import Token, Tokens

Owner = Literal["file", "api"]
_TRIES: Final = 20  # of a change, when others change the configuration at the same time


@dataclass(frozen=True, slots=True)
class Owned:
    """Who declared what; names of flows are `account/flow`."""

    account: Mapping[str, Owner] = field(default_factory=dict)
    flow: Mapping[str, Owner] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Known:
    """A flow as it was read from a record, so that an unchanged one isn't compiled again."""

    text: str
    owner: Owner
    flow: Flow


class Live:
    """The configuration in force in this process."""

    def __init__(self, registry: Registry, *, sealer: Sealer, tokens: Tokens) -> None:
        self._registry = registry
        self._sealer = sealer
        self._admin = tokens
        self.configuration = Configuration()
        self.tokens = tokens
        self.owned = Owned()
        self._known: dict[str, _Known] = {}
        self._reading = asyncio.Lock()

    async def refresh(self) -> Records:
        """Read what is kept and put it in force.

        Raises: Unavailable; ConfigError when it can't be opened with this secret key.
        """
        async with self._reading:
            records = await self._registry.load()
            if all(self._is_known(name, text) for name, text in records.flow.items()):
                self.configuration, self.owned = self._read(records)
            else:  # a large template takes seconds, in which others are answered
                self.configuration, self.owned = await asyncio.to_thread(self._read, records)
            kept = {digest: Token.parse(text) for digest, text in records.token.items()}
            self.tokens = self._admin.along_with(kept)
        return records

    async def follow(self) -> None:
        """Keep in force what is kept, until cancelled."""
        async for _ in self._registry.changes():
            try:
                await self.refresh()
            except (Unavailable, ConfigError) as exc:
                emit(log.CONFIGURATION_STALE, detail=str(exc))

    async def update(self, plan: Callable[[Records], Sequence[Change]]) -> None:
        """Make the changes that `plan` finds right for what is kept, and put them in force here.

        Raises: what `plan` raises; Unavailable, also when others change it again and again.
        """
        for _ in range(_TRIES):
            records = await self.refresh()
            changes = plan(records)
            if not changes or await self._registry.write(changes, expected=records.version):
                await self.refresh()
                return
        raise Unavailable(Code.STORE_UNAVAILABLE, "The configuration changes all the time.")

    async def adopt_file(self, file: Configuration) -> None:
        """Put a served file in force: upsert what it declares, drop what it owned and lacks."""
        await self.update(lambda _: self._file_changes(file))

    async def apply(self, file: Configuration, *, prune: bool) -> None:
        """Upsert what a file declares as the API would; with `prune` drop what it lacks.

        Raises: Rejected (`OWNED_BY_FILE`) when it differs from what a served file owns.
        """
        await self.update(lambda _: self._api_changes(file, prune=prune))

    async def put_account(self, account: Account) -> None:
        """Set an account's own fields. Raises: Rejected (`OWNED_BY_FILE`)."""
        await self.update(lambda _: self._account_changes(account, "api"))

    async def put_flow(self, flow: Flow) -> None:
        """Set a flow of an account. Raises: Rejected (`OWNED_BY_FILE`, `ACCOUNT_UNKNOWN`)."""

        def plan(_: Records) -> list[Change]:
            if flow.account not in self.configuration.accounts:
                raise Rejected(Code.ACCOUNT_UNKNOWN, f"There is no account {flow.account}.")
            return self._flow_changes(flow, "api")

        await self.update(plan)

    async def drop_flow(self, account: str, flow: str) -> None:
        """Forget a flow. Raises: Rejected (`OWNED_BY_FILE`, `FLOW_UNKNOWN`)."""
        name = f"{account}/{flow}"

        def plan(records: Records) -> list[Change]:
            if name not in records.flow:
                raise Rejected(Code.FLOW_UNKNOWN, f"There is no flow {name}.")
            self._refuse_owned("flow", name)
            return [Change("flow", name, None)]

        await self.update(plan)

    async def drop_account(self, account: str) -> None:
        """Forget an account with its flows, and the tokens that were for it alone.

        Raises: Rejected (`OWNED_BY_FILE`, `ACCOUNT_UNKNOWN`).
        """

        def plan(records: Records) -> list[Change]:
            if account not in records.account:
                raise Rejected(Code.ACCOUNT_UNKNOWN, f"There is no account {account}.")
            self._refuse_owned("account", account)
            flows = [name for name in records.flow if name.partition("/")[0] == account]
            for name in flows:
                self._refuse_owned("flow", name)
            return [
                Change("account", account, None),
                *(Change("flow", name, None) for name in flows),
                *self._token_changes(records, account),
            ]

        await self.update(plan)

    @staticmethod
    def _token_changes(records: Records, account: str) -> Iterable[Change]:
        """Tokens for this account alone go; from the others it is taken out."""
        for digest, text in records.token.items():
            token = Token.parse(text)
            if token.accounts is not None and account in token.accounts:
                rest = token.without(account)
                yield Change("token", digest, rest.text() if rest.accounts else None)

    def _file_changes(self, file: Configuration) -> list[Change]:
        changes: list[Change] = []
        for account in file.accounts.values():
            changes += self._account_changes(account, "file")
            for flow in account.flows.values():
                changes += self._flow_changes(flow, "file")
        flows = {f"{flow.account}/{flow.id}" for flow in file.flows()}
        changes += _drops("account", self.owned.account, keep=file.accounts, owner="file")
        changes += _drops("flow", self.owned.flow, keep=flows, owner="file")
        return changes

    def _api_changes(self, file: Configuration, *, prune: bool) -> list[Change]:
        changes: list[Change] = []
        for account in file.accounts.values():
            changes += self._account_changes(account, "api")
            for flow in account.flows.values():
                changes += self._flow_changes(flow, "api")
        if prune:
            flows = {f"{flow.account}/{flow.id}" for flow in file.flows()}
            changes += _drops("account", self.owned.account, keep=file.accounts, owner="api")
            changes += _drops("flow", self.owned.flow, keep=flows, owner="api")
        return changes

    def _account_changes(self, account: Account, owner: Owner) -> list[Change]:
        there = self.configuration.accounts.get(account.id)
        same = there is not None and account_document(there) == account_document(account)
        if same and (owner == self.owned.account.get(account.id) or owner == "api"):
            return []
        if owner == "api":
            self._refuse_owned("account", account.id)
        text = json.dumps({"owner": owner, "fields": account_document(account)})
        return [Change("account", account.id, text)]

    def _flow_changes(self, flow: Flow, owner: Owner) -> list[Change]:
        name = f"{flow.account}/{flow.id}"
        same = self.configuration.find_flow(flow.account, flow.id) == flow
        if same and (owner == self.owned.flow.get(name) or owner == "api"):
            return []
        if owner == "api":
            self._refuse_owned("flow", name)

        def sealed(_place: int, credential: Credential) -> dict[str, Any]:
            text = self._sealer.seal(credential.secret.reveal(), about=name)
            return {"sealed": text, "variable": credential.variable}

        document = flow_document(flow, show=sealed)
        return [Change("flow", name, json.dumps({"owner": owner, "fields": document}))]

    def _refuse_owned(self, kind: Literal["account", "flow"], name: str) -> None:
        owners = self.owned.account if kind == "account" else self.owned.flow
        if owners.get(name) == "file":
            detail = f"The {kind} {name} stands in the flow file that the server was given."
            raise Rejected(Code.OWNED_BY_FILE, detail)

    def _is_known(self, name: str, text: str) -> bool:
        known = self._known.get(name)
        return known is not None and known.text == text

    def _read(self, records: Records) -> tuple[Configuration, Owned]:
        owners: dict[str, Owner] = {}
        flows: dict[str, dict[str, Flow]] = {}
        for name, text in records.flow.items():
            account, _, flow_id = name.partition("/")
            if not self._is_known(name, text):
                record = json.loads(text)
                document = self._opened(name, record["fields"])
                flow = read_flow(flow_id, document, account=account)
                self._known[name] = _Known(text, record["owner"], flow)
            known = self._known[name]
            owners[name] = known.owner
            flows.setdefault(account, {})[flow_id] = known.flow
        self._known = {name: self._known[name] for name in records.flow}
        accounts, account_owners = {}, dict[str, Owner]()
        for name, text in records.account.items():
            record = json.loads(text)
            account_owners[name] = record["owner"]
            accounts[name] = read_account(name, record["fields"], flows=flows.get(name, {}))
        return Configuration(accounts=accounts), Owned(account_owners, owners)

    def _opened(self, name: str, document: dict[str, Any]) -> dict[str, Any]:
        """A kept flow with its secrets readable. Raises: ConfigError."""
        auth = document["auth"]
        for listed in CREDENTIAL_FIELDS:
            if listed in auth:
                auth[listed] = [self._open(name, each) for each in auth[listed]]
        return document

    def _open(self, name: str, kept: dict[str, Any]) -> dict[str, Any]:
        try:
            value = self._sealer.open(kept["sealed"], about=name)
        except ValueError as exc:
            raise ConfigError(
                f"the secrets of flow {name} are {exc}",
                where="secretKey",
                mend="Set HOOKRACK_SECRET_KEY to the key that they were stored under.",
            ) from exc
        return {"value": value, "variable": kept["variable"]}


def _drops(
    kind: Literal["account", "flow"],
    owners: Mapping[str, Owner],
    *,
    keep: Iterable[str],
    owner: Owner,
) -> list[Change]:
    """What this owner declared and no longer does."""
    stays = set(keep)
    return [
        Change(kind, name, None)
        for name, whose in owners.items()
        if whose == owner and name not in stays
    ]
