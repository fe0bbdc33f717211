"""The one error that every room raises for bad input."""


class InputError(ValueError):
    """Input that cannot be used; the message is one sentence made for the user.

    It names the file, line or argument, what was expected, what was found, and how to mend it.
    The command line prints it without a traceback.
    """
