"""The errors a user can cause, each a single line that names the input and the remedy."""

from __future__ import annotations


class SameposeError(Exception):
    """Something the user can mend. `str(error)` is one line; the CLI prints it without a traceback.

    `exit_code` follows the command line's contract: 2 wrong usage, 3 nothing could be done.
    """

    exit_code = 3


class UsageError(SameposeError):
    """The call itself is wrong: an option's value, a combination, a name that does not exist."""

    exit_code = 2


class MediaError(SameposeError):
    """An image or video could not be read. The message begins with its path."""


class FormatError(SameposeError):
    """A pose, motion or label file is not what it should be. The message begins with its path."""


class StoreError(SameposeError):
    """An index is missing, damaged, locked, or made by another model or version."""
