"""``python -m hatrack``."""

from hatrack.cli.main import main

main()
