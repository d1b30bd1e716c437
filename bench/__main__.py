"""`python -m bench [--quick | --full] [ROW ...]`: measure, and print the table row by row."""

import argparse
import os
import signal
import sys
import time

from bench import (
    rows_aws,
    rows_door,
    rows_idle,
    rows_ingest,
    rows_mapping,
    rows_memory,
    rows_pull,
    rows_read,
    rows_worker,
)
from bench.machine import Share, core_count
from bench.row import DEFAULT, FULL, QUICK, Line, NotRunError, Row, Sizes

ROWS = (
    *rows_ingest.ROWS,
    *rows_door.ROWS,
    *rows_mapping.ROWS,
    *rows_read.ROWS,
    *rows_pull.ROWS,
    *rows_worker.ROWS,
    *rows_aws.ROWS,
    *rows_memory.ROWS,
    *rows_idle.ROWS,
)
_WIDTHS = (40, 36, 36, 18, 26)
_DISTURBED = 0.1  # of all cores used by others: worth a word


def main() -> int:
    """Exit code 0, or 1 if a row could not be measured; a goal that is missed is no failure."""
    options = _options()
    sizes = QUICK if options.quick else FULL if options.full else DEFAULT
    rows = [row for row in ROWS if not options.rows or row.name in options.rows]
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # stop what we started
    print(f"{core_count()} cores, load average {os.getloadavg()[0]:.1f}; {sizes.pairs} pairs\n")
    print(_joined(("row", "ours", "reference", "ratio (min..max)", "goal"), "reached"))
    failed = [row.name for row in rows if not _measure(row, sizes)]
    print(f"\n{time.monotonic() - began:.0f} s", f"; failed: {', '.join(failed)}" if failed else "")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench",
        description="Measure hookrack against references of the same run.",
        epilog="rows: " + "; ".join(f"{row.name} ({row.meaning})" for row in ROWS),
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="only these rows")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="see that every row runs")
    size.add_argument("--full", action="store_true", help="the sizes of the goals, some 20 minutes")
    options = parser.parse_args()
    if unknown := set(options.rows) - {row.name for row in ROWS}:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    return options


def _measure(row: Row, sizes: Sizes) -> bool:
    """Print the lines of a row; whether it ran, or rightly didn't."""
    share = Share.begin()
    try:
        for line in row.measure(sizes):
            _show(line)
    except NotRunError as exc:
        print(f"{row.name}: not run: {exc}", flush=True)
    except Exception as exc:  # noqa: BLE001 - the other rows are still worth measuring
        print(f"{row.name}: FAILED: {type(exc).__name__}: {exc}", flush=True)
        return False
    if (others := share.of_others()) > _DISTURBED:
        print(f"  others used {others:.0%} of the machine meanwhile", flush=True)
    return True


def _show(line: Line) -> None:
    verdict = {True: "yes", False: "NO", None: "-"}[line.reached]
    columns = (line.name, line.ours, line.reference, line.ratio, line.goal)
    print(_joined(columns, verdict), flush=True)
    if line.note:
        print(f"  {line.note}", flush=True)


def _joined(columns: tuple[str, ...], last: str) -> str:
    cells = [text.ljust(width) for text, width in zip(columns, _WIDTHS, strict=True)]
    return " ".join([*cells, last])


if __name__ == "__main__":
    sys.exit(main())
