"""Finds the rules of an inventory at rest that do not hold; see ``sync.store.queries.rules``."""
# ruff: noqa: S608 - nothing but the column names of fields.py is put into these texts

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg
from psycopg.rows import tuple_row

from sync.store.errors import translate_errors
from sync.store.queries.rules import COMMON, RULES
from sync.store.runs import digests

UNCHAINED = "I13: a run whose digest does not follow from its record and the run before it"
ALTERED = "I13: a run whose changes are not those its digest was made of: versions of it were altered"
_EXAMPLES = 5  # per violation


class Violation(NamedTuple):
    """A rule that does not hold.

    Attributes:
        rule: the rule, after the name of its invariant.
        cases: how many ids or runs violate it.
        examples: some of them.
    """

    rule: str
    cases: int
    examples: str


def violations(connection: psycopg.Connection[Any]) -> list[Violation]:
    """Find the rules that do not hold; reads all of the inventory.

    Args:
        connection: in a transaction that sees one snapshot, if anyone may write meanwhile.

    Raises:
        StoreError: it can't be read.
    """
    with translate_errors("verifying the inventory", connection), connection.transaction():
        violated = [Violation(*row) for row in connection.cursor(row_factory=tuple_row).execute(_all_rules())]
        for rule, runs in ((UNCHAINED, digests.unchained(connection)), (ALTERED, digests.altered(connection))):
            if runs:
                violated.append(Violation(rule, len(runs), ", ".join(map(str, runs[:_EXAMPLES]))))
        return violated


def _all_rules() -> str:
    parts = [
        f"(SELECT '{name}', count(*), string_agg(what, ', ') FILTER (WHERE n <= {_EXAMPLES})"
        f" FROM (SELECT what, row_number() OVER () AS n FROM ({query}) AS q (what)) AS q HAVING count(*) > 0)"
        for name, query in RULES.items()
    ]
    return COMMON + "\nUNION ALL\n".join(parts)
