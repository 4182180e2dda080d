"""The settings of a session that results and messages depend on, made at the beginning of each transaction.

A role, a database, a server, the environment and a pooler may each set others. Start-up options would be refused by
poolers, and what SET leaves behind goes to whoever gets the server's process next; these end with their transaction.
The level of isolation can't be set this way: it belongs to BEGIN.
"""

from __future__ import annotations

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"  # the fence waits for other runs and must then see what they wrote
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

_SETTINGS = {
    # How values are written and read where they travel as text.
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "array_nulls": "on",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "quote_all_identifiers": "off",
    # All names of ours are qualified, so no table, function or operator of others may take the place of PostgreSQL's.
    "search_path": "pg_catalog, pg_temp",
    # A policy that hides rows is an error: hidden rows would look like images that are gone.
    "row_security": "off",
    # A few changed images are looked up in a table that was just read, so random access is cheap, and compiling a plan
    # costs more than running it.
    "random_page_cost": "1.1",
    "jit": "off",
}
# A limit on whole transactions, which PostgreSQL has since version 17; each statement and each pause has one of ours.
_NO_TRANSACTION_TIMEOUT = """CASE WHEN pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL
    THEN pg_catalog.set_config('transaction_timeout', '0', true) END"""
# For SQL of users, who may rely on the path of their database; PostgreSQL's own names still come first.
PATH_OF_USERS = """
SELECT set_config('search_path', concat_ws(', ', 'pg_catalog', nullif(reset_val, '')), true)
FROM pg_catalog.pg_settings WHERE name = 'search_path'
"""


def settings(*, lock_timeout: float, statement_timeout: float, idle_timeout: float) -> str:
    """The one statement that makes all settings of a transaction.

    Args:
        lock_timeout: seconds a statement may wait for a lock; 0 is forever, here and below.
        statement_timeout: seconds a statement may take.
        idle_timeout: seconds the transaction may do nothing before the server ends it, so that the locks of a process
            or machine that is paused block nobody else.
    """
    limits = {
        "lock_timeout": lock_timeout,
        "statement_timeout": statement_timeout,
        "idle_in_transaction_session_timeout": idle_timeout,
    }
    milliseconds = {name: str(int(seconds * 1000)) for name, seconds in limits.items()}
    made = (f"pg_catalog.set_config('{name}', '{value}', true)" for name, value in (milliseconds | _SETTINGS).items())
    return f"SELECT {', '.join(made)}, {_NO_TRANSACTION_TIMEOUT}"
