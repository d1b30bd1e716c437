"""Fuzzing with atheris: `python -m fuzz [--seconds N] [TARGET ...]`, as `make fuzz` calls it.

`targets.py` says what may never happen, `seeds.py` where the search begins, and `found/` keeps what
it once found; tests/unit/test_fuzz_targets.py goes over both on every run, without atheris.
"""
