"""The command line: thin verbs around the library, listed in `app`."""

from samepose.cli.app import main

__all__ = ["main"]
