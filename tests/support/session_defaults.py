"""Settings of a database that would change results if a program relied on the defaults of its sessions."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql

# Everything here shadows PostgreSQL's own, for whoever finds it first.
HOSTILE = """
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.count(anyelement) RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint';
CREATE FUNCTION hostile.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT timestamptz ''2001-01-01''';
CREATE FUNCTION hostile.not_equal(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.not_equal);
CREATE FUNCTION hostile.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT ''''::bytea';
CREATE FUNCTION hostile.to_regclass(text) RETURNS regclass LANGUAGE sql AS 'SELECT NULL::regclass';
"""
DEFAULTS = {
    "default_transaction_isolation": "serializable",
    "datestyle": "German, DMY",
    "intervalstyle": "sql_standard",
    "timezone": "Asia/Kathmandu",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "extra_float_digits": "-15",
    "quote_all_identifiers": "on",
    "search_path": "hostile, pg_catalog",
    "row_security": "on",
    "jit": "on",
    "random_page_cost": "9",
    "statement_timeout": "100ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "200ms",
    "transaction_timeout": "100ms",
}
_HAS_TRANSACTION_TIMEOUT = 170000


def set_defaults(url: str, defaults: Mapping[str, str]) -> None:
    """Have all later sessions of a database begin with these settings."""
    with psycopg.connect(url, autocommit=True) as opened:
        opened.execute(HOSTILE)
        for name, value in defaults.items():
            if name == "transaction_timeout" and opened.info.server_version < _HAS_TRANSACTION_TIMEOUT:
                continue
            change = sql.SQL("ALTER DATABASE {} SET {} = ").format(*map(sql.Identifier, (opened.info.dbname, name)))
            # A path is a list, and its text as a whole would be one name.
            opened.execute(change + (sql.SQL(value) if name == "search_path" else sql.Literal(value)))  # type: ignore[arg-type]
