"""Who sits at the keyboard, for the record."""

from __future__ import annotations

import getpass
import os


def who() -> str:
    """The name of the user, or the number where it has none, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
