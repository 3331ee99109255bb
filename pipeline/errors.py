"""The one exception for what a user can mend: its message says what is wrong, where, and what to do."""


class UserError(Exception):
    """A mistake in what was given. The command line prints the message alone and exits with status 2."""
