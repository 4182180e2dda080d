"""Recognize the errors of a connection pooler, such as PgBouncer, and say what to do.

All its errors have the same code, or none while connecting, so only their words distinguish them: those of PgBouncer
1.18 to 1.25, which PostgreSQL itself never uses.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import psycopg

from sync.errors import DatabaseRefusedError, DatabaseUnavailableError, StoreError


class PoolerError(psycopg.OperationalError):
    """A pooler refused, or closed the connection; the text has its words, and where it is.

    Args:
        words: what it said.
        address: where it is.
        meaning: what that means.
    """

    def __init__(self, words: str, address: str, meaning: Meaning) -> None:
        self.meaning = meaning
        super().__init__(f"{words}; {meaning.sentence(address)}")


class Meaning(NamedTuple):
    """What a pooler means, and what to do about it."""

    words: str  # a regular expression
    kind: type[StoreError]
    what: str
    advice: str

    def sentence(self, address: str) -> str:
        """Say it of the pooler at this address."""
        return f"the pooler at {address} {self.what}: {self.advice}"


def meaning_of(words: str) -> Meaning | None:
    """The meaning of an error that a pooler raised, or None if none did."""
    return next((meaning for meaning in _MEANINGS if re.search(meaning.words, words)), None)


# The first that fits counts.
_MEANINGS = (
    Meaning(
        "transaction blocks not allowed in statement pooling mode",
        DatabaseRefusedError,
        "is in statement mode, in which there are no transactions",
        "set pool_mode = transaction for this database in it, or connect to PostgreSQL itself",
    ),
    Meaning(
        "unsupported (options )?startup parameter",
        DatabaseRefusedError,
        "refuses this parameter",
        "remove it from the database URL and the environment (PGOPTIONS), as image-sync needs none, or add it to the "
        "pooler's ignore_startup_parameters",
    ),
    Meaning(
        r"no such database: |database .* is disabled|FATAL:\s+not allowed$",
        DatabaseRefusedError,
        "does not serve this database",
        "correct the database in the URL, or add it to the pooler's [databases]",
    ),
    Meaning(
        "authentication failed$|no such user|login rejected|no authentication method",  # the server adds "for user"
        DatabaseRefusedError,
        "does not accept this user with this password",
        "correct them in the URL, or in the pooler's auth_file or auth_query; PostgreSQL must accept the same ones",
    ),
    Meaning(
        "SSL required",
        DatabaseRefusedError,
        "accepts only TLS",
        "add sslmode=verify-full and sslrootcert=... to the database URL",
    ),
    Meaning(
        "no more connections allowed|client connections exceeded",
        DatabaseUnavailableError,
        "accepts no more connections",
        "lower `jobs`, or raise this limit of the pooler (SHOW CLIENTS lists its users); the next run tries again",
    ),
    Meaning(
        "query_wait_timeout",
        DatabaseUnavailableError,
        "had no free connection to PostgreSQL in time",
        "raise the pooler's default_pool_size, lower `jobs`, or RESUME the pooler if it is paused; its log says "
        "whether PostgreSQL is down; the next run tries again",
    ),
    Meaning(
        "server_login_retry|server login failed|cannot connect to server|client_login_timeout",
        DatabaseUnavailableError,
        "can't log in to PostgreSQL",
        "see whether PostgreSQL is up, and the pooler's log for the reason; the next run tries again",
    ),
    Meaning(
        "client_idle_timeout",
        DatabaseUnavailableError,
        "closed the connection, as it was idle",
        "raise the pooler's client_idle_timeout; the next run tries again",
    ),
    Meaning(
        "^(idle[ _])?(query|transaction)[ _]timeout$",
        DatabaseUnavailableError,
        "ended a statement or transaction",
        "set the pooler's query_timeout, transaction_timeout and idle_transaction_timeout to 0, as image-sync "
        "sets its own limits; the next run tries again",
    ),
    Meaning(
        "server shutting down|pooler is shutting down|admin forced disconnect|database removed|configuration changed"
        "|connect string changed|suspend_timeout|pause mode",
        DatabaseUnavailableError,
        "was stopped, paused or reconfigured",
        "the next run tries again",
    ),
    Meaning(
        "server conn crashed|server connection closed|server lifetime over",
        DatabaseUnavailableError,
        "lost its connection to PostgreSQL",
        "PostgreSQL's log has the reason; the next run tries again",
    ),
)
