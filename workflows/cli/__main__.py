"""`python -m spinscreen.workflows.cli`, as job scripts call it."""

from . import main

main()
