"""`python -m conformance`: the recorded cases, then CASES generated ones, against the oracle."""

import argparse
import os
import sys
from pathlib import Path
from time import monotonic

from conformance import oracle as second
from conformance.corpus import corpus
from conformance.corpus import misses as misses_of_corpus
from conformance.drawing import Differs, check_drawn
from conformance.fuzz import KINDS, Tally, differences
from conformance.recorded import load, misses


def main() -> int:
    """Run what the arguments ask for; 1 when anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=3_000, help="generated cases of each kind")
    parser.add_argument("--seed", type=int, default=1, help="of the first case")
    parser.add_argument("--drawn", type=int, default=1_000, help="cases that hypothesis draws")
    parser.add_argument("--kind", choices=sorted(KINDS), action="append")
    options = parser.parse_args()
    absent = second.missing()
    if absent:
        sys.stderr.write(f"{absent}\n")
        return 2
    with second.running() as oracle:
        wrong = _recorded(oracle) + _corpus(oracle)
        for kind in options.kind or KINDS:
            wrong += _generated(kind, oracle, cases=options.cases, seed=options.seed)
            wrong += _drawn(kind, oracle, cases=options.drawn, seed=options.seed)
    return 1 if wrong else 0


def _recorded(oracle: second.Oracle) -> int:
    corpus = os.environ.get("HOOKRACK_CORPUS", "")
    path = Path(corpus) / "vtl_cases.json"
    if not corpus or not path.exists():
        print("recorded: HOOKRACK_CORPUS names no folder with vtl_cases.json; left out")
        return 0
    cases = load(path)
    found = list(misses(cases, oracle))
    for name, who, how in found:
        print(f"recorded {name}: {who} gives {how}")
    print(f"recorded: {len(cases)} cases, {len(found)} missed")
    return len(found)


def _corpus(oracle: second.Oracle) -> int:
    """What a direct flow sends of every template and payload of the corpus."""
    named = os.environ.get("HOOKRACK_CORPUS", "")
    cases = list(corpus(Path(named))) if named else []
    found = list(misses_of_corpus(cases, oracle))
    for name, how in found:
        print(f"corpus {name}:\n{how}")
    print(
        f"corpus, sent by API Gateway: {len(cases)} cases, {len(found)} differ from the local door"
    )
    return len(found)


def _generated(kind: str, oracle: second.Oracle, *, cases: int, seed: int) -> int:
    tally, number, began = Tally(), 0, monotonic()
    for each in differences(kind, oracle, seeds=range(seed, seed + cases), tally=tally):
        number += 1
        print(f"--- {kind}: {each.told()}", flush=True)
    print(
        f"{kind}: {tally.cases} cases ({tally.failing} fail), {number} differences, "
        f"{tally.excused} known ones or ours to bound, {monotonic() - began:.0f} s"
    )
    return number


def _drawn(kind: str, oracle: second.Oracle, *, cases: int, seed: int) -> int:
    """Up to the first difference, which is made as simple as hypothesis can."""
    began = monotonic()
    try:
        check_drawn(kind, oracle, cases=cases, start=seed)
    except Differs as exc:
        print(f"--- {kind}, drawn: {exc}", flush=True)
        return 1
    print(f"{kind}: {cases} cases drawn, no difference, {monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
