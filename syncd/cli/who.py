"""Who types a command: what is kept beside a decision of theirs."""

from __future__ import annotations

import getpass
import os


def operator() -> str:
    """The user's name on this host."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in a container
        return f"user {os.getuid()}"
