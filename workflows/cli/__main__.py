"""`python -m spinscreen.workflows.cli`, as job scripts call it."""

from .entry import main

main()
