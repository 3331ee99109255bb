"""The exception for mistakes that a user can correct: its message says what is wrong, where, and what to do."""


class UserError(Exception):
    """A mistake in a user's options, files or folders. The command line prints the message and exits with 2."""
