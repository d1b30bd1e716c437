"""`python -m hookrack`, the same as the command `hookrack`."""

from hookrack.entrypoints.cli import main

main()
