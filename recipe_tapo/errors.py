"""The error of input that a user can mend."""


class InputError(Exception):
    """Input that cannot be used; the message names the place and the remedy."""
