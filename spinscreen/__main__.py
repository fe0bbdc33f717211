"""`python -m spinscreen`, the same as the command `spinscreen`."""

from spinscreen.workflows.cli import main

if __name__ == "__main__":
    main()
