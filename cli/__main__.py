"""`python -m isnad.cli` is the same as `isnad`."""

from .app import main

main()
