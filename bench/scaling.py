"""What more events need on AWS, worked out: `python -m bench.scaling` writes the page about it.

    --check            only say whether docs/concepts/scaling.md is what this makes
    --handler-us N     your own figures instead of the measured ones; then the tables are printed
    --engine-us N

Arithmetic alone: what one event costs was measured (`make bench BENCH="lambda memory"`), quotas and
prices are AWS's lists. Nothing of it was run on AWS.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[1] / "docs" / "concepts" / "scaling.md"
STEPS: Final = (1_000, 100_000, 1_000_000)  # events a second
HOUR: Final = 3_600
BODY: Final = 1_024  # bytes
MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """What an event of 1 KB under one key took on 2026-11-24, see docs/reference/performance.md."""

    handler_us: float = 132.0  # of the handler, from batch to answer
    handler_cpu_us: float = 30.0  # of that, its own CPU
    engine_us: float = 46.0  # the engine's CPU, of one core
    stored_bytes: float = 1.38 * BODY


@dataclass(frozen=True, slots=True)
class Stack:
    """The generated template's defaults, and what we allow ourselves of them."""

    batch: int = 100
    window: float = 1.0  # seconds for which a batch may wait
    memory_gb: float = 0.5
    vcpu_gb: float = 1.769  # of memory, for which Lambda gives a whole CPU
    busy: float = 0.6  # of the store's one core, so that bursts and readers fit
    node_gb: float = 26.0  # of memory in a node, for example; a fifth of it is kept free
    full: float = 0.8


# The defaults of an account in one region; the first two are raised on request.
GATEWAY_PER_SECOND: Final = 10_000
LAMBDA_AT_ONCE: Final = 1_000
IN_FLIGHT: Final = 120_000
MAPPING_AT_ONCE: Final = 1_000  # MaximumConcurrency of one event source mapping
LAMBDA_PER_MINUTE: Final = 300  # more runs at once that a mapping starts in a minute

# Dollars, us-east-1, list prices as known in November 2026.
REQUESTS: Final = 3.50 / MILLION
CALLS: Final = 0.40 / MILLION
RUNS: Final = 0.20 / MILLION
GB_SECOND: Final = 0.0000133334
LOGGED: Final = 300 * 0.50 / 1e9


@dataclass(frozen=True, slots=True)
class Need:
    """What a rate needs."""

    rate: float
    at_once: float  # runs of the worker
    in_flight: float
    runs: float  # of the worker, a second
    cores: int  # of engines, one for each store
    gb_hour: float  # kept for one hour
    dollars_hour: dict[str, float]


def run_seconds(measured: Measured, stack: Stack, batch: float) -> float:
    """One run of the worker, on the part of a CPU that its memory buys."""
    share = min(1.0, stack.memory_gb / stack.vcpu_gb)
    own = measured.handler_cpu_us / share
    waited = max(0.0, measured.handler_us - measured.handler_cpu_us)
    return batch * (own + waited) / 1e6


def need(rate: float, measured: Measured, stack: Stack) -> Need:
    """All that a rate of events needs."""
    batch = min(stack.batch, max(1.0, rate * stack.window))
    seconds = run_seconds(measured, stack, batch)
    runs = rate / batch
    at_once = runs * seconds
    dollars = {
        "API Gateway": rate * REQUESTS * HOUR,
        "SQS": rate * (1 + 2 / 10) * CALLS * HOUR,
        "Lambda": (runs * RUNS + at_once * stack.memory_gb * GB_SECOND) * HOUR,
        "access log": rate * LOGGED * HOUR,
    }
    return Need(
        rate=rate,
        at_once=at_once,
        in_flight=rate * (stack.window + seconds),
        runs=runs,
        cores=math.ceil(rate * measured.engine_us / 1e6 / stack.busy),
        gb_hour=rate * HOUR * measured.stored_bytes / 1e9,
        dollars_hour=dollars,
    )


def limits(measured: Measured, stack: Stack) -> list[tuple[float, str, str]]:
    """The rate at which each thing gives out, what it is, and what then; the first one first."""
    one = need(MILLION, measured, stack)
    hour = stack.node_gb * stack.full * MILLION / one.gb_hour
    found = [
        (
            float(GATEWAY_PER_SECOND),
            "requests of API Gateway",
            "have the quota raised, or more accounts and regions; a burst has 5,000",
        ),
        (
            LAMBDA_AT_ONCE * MILLION / one.at_once,
            f"{LAMBDA_AT_ONCE:,} runs at once in the account",
            "have the quota raised; larger batches take fewer runs, not less time",
        ),
        (
            MAPPING_AT_ONCE * MILLION / one.at_once,
            "`WorkerConcurrency` at its most",
            "provisioned pollers, or a second stack",
        ),
        (
            IN_FLIGHT * MILLION / one.in_flight,
            f"{IN_FLIGHT:,} messages being worked on",
            "a shorter `BatchWindowSeconds`, or a queue more",
        ),
        (
            stack.busy / measured.engine_us * 1e6,
            f"one store's core, {stack.busy:.0%} busy",
            "accounts on several stacks: an account stays in one store",
        ),
        (
            hour,
            f"a node of {stack.node_gb:.0f} GB, events kept for one hour",
            "larger nodes, a shorter time to live, or several stacks",
        ),
        (
            hour / 24,
            f"a node of {stack.node_gb:.0f} GB, events kept for a day",
            "as for an hour",
        ),
    ]
    return sorted(found)


def _rows(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for place, row in enumerate(rows):
        yield "| " + " | ".join(row) + " |"
        if not place:
            yield "| " + " | ".join("---" for _ in row) + " |"


def _number(value: float) -> str:
    return f"{value:,.1f}" if value < 10 else f"{float(f'{value:.3g}'):,.0f}"


def needs_table(measured: Measured, stack: Stack) -> str:
    """What each step needs."""
    found = [need(rate, measured, stack) for rate in STEPS]
    usable = stack.node_gb * stack.full

    def row(name: str, value: Callable[[Need], str]) -> list[str]:
        return [name, *(value(each) for each in found)]

    def number(name: str, value: Callable[[Need], float]) -> list[str]:
        return row(name, lambda each: _number(value(each)))

    rows = [
        row("", lambda each: f"{each.rate:,.0f}/s"),
        number("API Gateway, times the quota", lambda each: each.rate / GATEWAY_PER_SECOND),
        number("SQS, calls a second, two of them in tens", lambda each: each.rate * 1.2),
        number("SQS, messages being worked on", lambda each: each.in_flight),
        number("Lambda, runs a second", lambda each: each.runs),
        number("Lambda, runs at once", lambda each: each.at_once),
        number("minutes until there are as many", lambda each: each.at_once / LAMBDA_PER_MINUTE),
        row("stores, by their core", lambda each: f"{each.cores:,}"),
        number("memory of an hour's events, GB", lambda each: each.gb_hour),
        row(
            f"stores of {stack.node_gb:.0f} GB for that",
            lambda each: f"{math.ceil(each.gb_hour / usable):,}",
        ),
        row("first limit met", lambda each: _first(each.rate, measured, stack)),
    ]
    return "\n".join(_rows(rows))


def _first(rate: float, measured: Measured, stack: Stack) -> str:
    """What gives out first on the way to a rate, and what else does."""
    met = [name for at, name, _ in limits(measured, stack) if at < rate]
    if not met:
        return "none"
    return met[0] + (f", and {len(met) - 1} more" if len(met) > 1 else "")


def limits_table(measured: Measured, stack: Stack) -> str:
    """Where each limit is."""
    rows = [["events a second", "what gives out", "then"]]
    rows += [[_number(at), name, then] for at, name, then in limits(measured, stack)]
    return "\n".join(_rows(rows))


def money_table(measured: Measured, stack: Stack) -> str:
    """Dollars an hour, without the stores."""
    found = [need(rate, measured, stack) for rate in STEPS]
    rows = [["dollars an hour", *(f"{each.rate:,.0f}/s" for each in found)]]
    rows += [
        [name, *(f"{each.dollars_hour[name]:,.2f}" for each in found)]
        for name in found[0].dollars_hour
    ]
    totals = [sum(each.dollars_hour.values()) for each in found]
    rows.append(["**all of them**", *(f"**{total:,.2f}**" for total in totals)])
    million = [
        total / HOUR / each.rate * MILLION for total, each in zip(totals, found, strict=True)
    ]
    rows.append(["a million events", *(f"{each:,.2f}" for each in million)])
    return "\n".join(_rows(rows))


_TEXT: Final = """\
# What more events need on AWS

`python -m bench.scaling` makes this page from what one event costs. It is arithmetic, not a
measurement: nothing of it was run on AWS. What one event costs was measured on 2 shared virtual
cores, see [performance](../reference/performance.md); a function and a store on AWS have other
cores and a network in between, so put your own figures in: `python -m bench.scaling --handler-us
300 --engine-us 60` prints the tables anew.

An event here is 1 KB under one key on a direct flow (API Gateway sends it to SQS, no function runs
on the way in), in batches of {batch} that may wait {window:.0f} s.

| one event takes | |
| --- | --- |
| the worker's handler, from batch to answer | {handler:.0f} us, {cpu:.0f} us of it its own CPU |
| the same in a function of {memory:.1f} GB, which has {share:.0%} of a CPU | {run:.0f} us |
| the store's engine | {engine:.0f} us of one core |
| memory, one key | {stored:,.0f} bytes |

## What each step needs

{needs}

A store is one primary with its replicas; hookrack doesn't spread one over several shards, and an
account's events stay together. So "stores" are stacks of their own, each with some of the accounts
and its own queue, functions and API, or parts of an API; of both rows the larger one counts.

## Where the limits are

{limits}

The queue is none of them: SQS takes what API Gateway lets in and keeps it for days, so a store that
is too slow makes events late and not lost. A single account can't have more than one store, that is
its own limit. Replicas, not counted here, read for those who only get.

## What it costs

{money}

The stores come on top: their number above, twice for a replica each, times the hourly price of a
node of that size. Traffic between zones and readers aren't counted either.

## Where the numbers are from

Quotas: AWS's pages "Amazon API Gateway quotas", "Amazon SQS message quotas", "Lambda quotas" and
"Using Lambda with Amazon SQS", for one account in one region, as known in November 2026; those of
API Gateway's requests and Lambda's runs are raised on request. Prices: the list prices of us-east-1
(API Gateway REST, first tier; SQS standard, first tier; Lambda on arm64; CloudWatch Logs), known in
November 2026, without discounts for volume, which at a million events a second would be large.
**Both change: look yours up before you rely on them.**
"""


def page(measured: Measured | None = None, stack: Stack | None = None) -> str:
    """The whole page."""
    measured, stack = measured or Measured(), stack or Stack()
    return _TEXT.format(
        batch=stack.batch,
        window=stack.window,
        handler=measured.handler_us,
        cpu=measured.handler_cpu_us,
        memory=stack.memory_gb,
        share=stack.memory_gb / stack.vcpu_gb,
        run=run_seconds(measured, stack, 1) * 1e6,
        engine=measured.engine_us,
        stored=measured.stored_bytes,
        needs=needs_table(measured, stack),
        limits=limits_table(measured, stack),
        money=money_table(measured, stack),
    )


def main(words: Sequence[str], *, path: Path = PAGE) -> int:
    """Write the page, or check it, or print the tables for other figures."""
    parser = argparse.ArgumentParser(prog="bench.scaling", description="What more events need.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it differs")
    parser.add_argument("--handler-us", type=float, help="of the handler for an event")
    parser.add_argument("--engine-us", type=float, help="of the engine's core for an event")
    options = parser.parse_args(words)
    if options.handler_us or options.engine_us:
        own = Measured()
        handler = options.handler_us or own.handler_us
        share = own.handler_cpu_us / own.handler_us
        measured = Measured(handler, handler * share, options.engine_us or own.engine_us)
        for table in (needs_table, limits_table, money_table):
            print(table(measured, Stack()), end="\n\n")
        return 0
    if options.check:
        return 0 if path.exists() and path.read_text(encoding="utf-8") == page() else 1
    path.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
