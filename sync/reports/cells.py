"""Cells of CSV files that no spreadsheet takes for a formula."""

from __future__ import annotations

# A spreadsheet runs a cell that starts so; the last four are the wide forms, which some take for the narrow ones.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def harmless(text: str) -> str:
    """The text, with an apostrophe before it if it starts dangerously, blanks aside."""
    return f"'{text}" if text.lstrip(" ").startswith(_DANGEROUS) else text
