"""Clients that hang up in mid-request, in many accounts at once: nobody may see another's bytes.

    python -m chaos.cancel --cancels 100000 --accounts 50 --seed 7

Every payload, flow and webhook key of an account bears the account's own random word. Each client
has the token of one account, asks several things in a row on one connection, and hangs up at a
random moment or reads to the end; whatever it got is searched for words that aren't its own. At the
end so are all entries of every account.
"""

import argparse
import asyncio
import random
import re
import secrets
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
from chaos.kill import TOKEN, Target

CLIENTS: Final = 64
READS: Final = 0.2  # of all connections are read to the end
PIPELINED: Final = 4
PATIENCE: Final = 0.004  # seconds until most hang up
WORD: Final = re.compile(rb"own-[0-9a-f]{24}")
END: Final = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@dataclass
class Report:
    """Requests abandoned before their answer was there, answers read, and what was wrong."""

    cancelled: int = 0
    answered: int = 0
    words: int = 0  # of its own that a client saw
    foreign: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Account:
    """One account: its word, and what it asks."""

    name: str
    word: str
    token: str

    def requests(self) -> list[bytes]:
        """One of each kind: hot paths, the framework's, waits, leases, sets, and the front door."""
        own = f"Authorization: Bearer {self.token}\r\n"
        data = f'{{"word": "{self.word}", "n": {secrets.randbits(20)}}}'
        many = f'{{"keys": ["{self.word}", "none"]}}'
        both = f'{{"keys": ["{self.word}", "b"], "data": {data}}}'
        lease = '{"max": 2, "leaseSeconds": 1}'
        key = f"/v1/keys/{self.word}"
        return [
            _request("GET", key, own),
            _request("GET", f"{key}?raw=true", own),
            _request("GET", f"{key}/events?limit=5", own),
            _request("GET", f"{key}-never?wait=1", own),
            _request("GET", f"/v1/accounts/{self.name}/flows", own),
            _request("POST", "/v1/get", own, many),
            _request("POST", "/v1/set", own, both),
            _request("PUT", key, own, data),
            _request("POST", f"{key}/lease", own, lease),
            _request("POST", f"/in/{self.name}/{self.word}", "", data),
        ]


def _request(method: str, path: str, headers: str, body: str = "") -> bytes:
    """A request as bytes."""
    if body:
        headers += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}".encode()


async def _prepare(url: str, count: int) -> list[Account]:
    """Accounts with a flow, an entry and a token each."""
    made = list[Account]()
    admin = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=url, headers=admin, trust_env=False, timeout=30) as api:
        for number in range(count):
            name, word = f"chaos-{number}", f"own-{secrets.token_hex(12)}"
            flow = {"keys": [word], "auth": {"type": "none"}, "ttl": "10m"}
            scopes = ["read", "write", "ack", "admin"]
            token = {"name": name, "accounts": [name], "scopes": scopes}
            answers = [
                await api.put(f"/v1/accounts/{name}", json={}),
                await api.put(f"/v1/accounts/{name}/flows/{word}", json=flow),
                await api.post("/v1/tokens", json=token),
            ]
            for answer in answers:
                answer.raise_for_status()
            made.append(Account(name, word, answers[-1].json()["token"]))
    return made


async def _client(
    url: str, accounts: list[Account], chance: random.Random, report: Report, wanted: int
) -> None:
    """One client after the other, each of any account, until enough was cancelled."""
    where = urlsplit(url)
    while report.cancelled < wanted and not report.foreign:
        account = chance.choice(accounts)
        asked = chance.choices(account.requests(), k=chance.randint(1, PIPELINED))
        try:
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
        except OSError as exc:
            report.failures.append(f"connect: {exc}")
            await asyncio.sleep(0.1)
            continue
        reads = chance.random() < READS
        writer.write(b"".join([*asked, END] if reads else asked))
        got = b""
        try:
            async with asyncio.timeout(30 if reads else chance.uniform(0, PATIENCE)):
                while piece := await reader.read(1 << 16):
                    got += piece
        except TimeoutError:
            if reads:
                report.failures.append(f"no end after 30 s: {asked[-1][:60]!r}")
        except OSError as exc:
            report.failures.append(f"{type(exc).__name__}: {exc}")
        writer.transport.abort()
        _judge(account, got, len(asked), report, whole=reads)


def _judge(account: Account, got: bytes, asked: int, report: Report, *, whole: bool) -> None:
    """Count what was answered and what wasn't, and look for words of others."""
    answers = len(re.findall(rb"HTTP/1\.1 (?!100)\d", got))
    if whole:
        report.answered += min(answers, asked)
        if answers != asked + 1 or b"HTTP/1.1 5" in got:
            report.failures.append(f"{answers - 1} of {asked} answers: {got[:200]!r}")
    else:
        report.cancelled += max(0, asked - answers)
    words = WORD.findall(got)
    report.words += len(words)
    for word in {*words} - {account.word.encode()}:
        report.foreign.append(f"{account.name} saw {word.decode()}")


async def _look_through(url: str, accounts: list[Account], report: Report) -> None:
    """All entries of every account bear its own word alone."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as api:
        for account in accounts:
            for key in (account.word, "b"):
                after = ""
                while True:
                    answer = await api.get(
                        f"/v1/keys/{key}/events?limit=1000{after}",
                        headers={"Authorization": f"Bearer {account.token}"},
                    )
                    _judge(account, answer.content, 0, report, whole=False)
                    page = answer.json()
                    after = f"&after={page['cursor']}"
                    if not page["more"]:
                        break


async def run(cancels: int, *, accounts: int, seed: int) -> Report:
    """Cancel so many requests; the report has every foreign word."""
    report, chance = Report(), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="hr-", dir="/tmp") as folder:
        target = Target(Path(folder))
        target.start()
        try:
            made = await _prepare(target.url, accounts)
            clients = (_client(target.url, made, chance, report, cancels) for _ in range(CLIENTS))
            await asyncio.gather(*clients)
            await _look_through(target.url, made, report)
        finally:
            target.stop()
    return report


def main() -> int:
    """The command line: 0 if nobody saw a foreign byte and nobody who waited was failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cancels", type=int, default=100_000)
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    chosen = parser.parse_args()
    began = time.monotonic()
    report = asyncio.run(run(chosen.cancels, accounts=chosen.accounts, seed=chosen.seed))
    print(
        f"seed {chosen.seed}: {report.cancelled} requests cancelled over {chosen.accounts} "
        f"accounts in {time.monotonic() - began:.0f} s, {report.answered} answered, "
        f"{report.words} own words seen, {len(report.foreign)} foreign ones, "
        f"{len(report.failures)} failures"
    )
    print(*report.foreign[:10], *report.failures[:10], sep="\n")
    return 1 if report.foreign or report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
