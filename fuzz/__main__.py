"""`python -m fuzz [--seconds N] [TARGET ...]`: each target by itself, for so long."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
NAMES: Final = ("verifier", "envelope", "json", "jsonpath", "template")
_BYTES: Final = 4_096  # of one input
_GRACE_S: Final = 120  # for the start, whose instruments are slow


def main() -> int:
    """0 where every promise held; 1 after the first input that broke one, which is written out."""
    parser = argparse.ArgumentParser(prog="fuzz", description="Fuzz what reads hostile bytes.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=30, help="for each target (default 30)")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--corpus", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return _run(options.one, seconds=options.seconds, corpus=options.corpus)
    if unknown := set(options.targets) - set(NAMES):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    bad = [name for name in options.targets or NAMES if not _child(name, seconds=options.seconds)]
    print(f"broken: {', '.join(bad)}" if bad else "all promises held")
    return 1 if bad else 0


def _child(name: str, *, seconds: int) -> bool:
    """Fuzz one target in a process of its own, which libFuzzer ends; its last words are shown."""
    with tempfile.TemporaryDirectory() as corpus:
        words = ["--one", name, "--seconds", str(seconds), "--corpus", corpus]
        done = subprocess.run(
            [sys.executable, "-m", "fuzz", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds + _GRACE_S,
        )
    said = (done.stdout + done.stderr).strip().splitlines()
    print(f"{name}: {said[-1] if said else 'silent'}", flush=True)
    if done.returncode:
        print("\n".join(said[-60:]), flush=True)
    return done.returncode == 0


def _run(name: str, *, seconds: int, corpus: Path) -> int:
    """Within the child: this doesn't return unless atheris is missing."""
    try:
        import atheris  # noqa: PLC0415 - installed by `make fuzz` alone
    except ImportError:
        print("atheris is not installed: run `make fuzz`")
        return 1
    with atheris.instrument_imports(include=["hookrack"]):
        from fuzz.seeds import FOUND, seeds  # noqa: PLC0415 - watched from the first import
        from fuzz.targets import TARGETS  # noqa: PLC0415
    for number, seed in enumerate(seeds()[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    kept = FOUND / name
    kept.mkdir(parents=True, exist_ok=True)
    limits = [
        f"-max_total_time={seconds}",
        f"-max_len={_BYTES}",
        "-timeout=20",
        "-rss_limit_mb=2048",
    ]
    atheris.Setup(["fuzz", str(corpus), *limits, f"-artifact_prefix={kept}/"], TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
