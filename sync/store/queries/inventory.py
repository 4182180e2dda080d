"""Questions to the inventory, answered by the views and functions of the schema, which analysts use as well."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, ResourceClosedError, StatementError

from sync.domain.fields import COLUMNS
from sync.domain.values import iso
from sync.errors import UnknownError, UsageError
from sync.store import session
from sync.store.connection import Target, connect, transaction
from sync.store.engine import engine_connection
from sync.store.runs.records import ABANDONED_AFTER
from sync.store.schema import migrate

Row = Mapping[Any, Any]  # by column name
Value = datetime | str | int | None
CONTENT = (*COLUMNS, "extra")
OF_SOURCE = "(CAST(:source AS text) IS NULL OR source = :source)"
_CHUNK = 2_000  # rows held in memory at a time

_STATUS = """
SELECT f.source, s.api, f.filter, s.scope, last_run AS run, last_status AS status, last_started_at AS started_at,
       round(extract(epoch FROM age)) AS proven_seconds_ago,
       greatest(round(extract(epoch FROM greatest(last_started_at, s.effective_at) - clock_timestamp())), 0)
           AS in_future_seconds,
       live, deleted, invisible, held, still_there, unconfirmed, pending, pending_until, quarantined, findings,
       failed_since, last_proof AS proof, last_reason AS reason
FROM inventory.freshness f JOIN inventory.sources s ON s.name = f.source ORDER BY f.source
"""
_FINDINGS = """
SELECT source, kind, subject, detail, first_run, first_seen_at FROM inventory.findings ORDER BY first_run, subject
"""
_HELD = """
SELECT h.source, h.run, h.id, i.name, h.held_at, h.last_seen_at, h.approved_at, h.reason
FROM inventory.held_deletions h JOIN inventory.live_images i USING (source, id)
WHERE h.closed_at IS NULL ORDER BY h.source, h.run, h.id
"""
_MISSING = """
SELECT m.source, m.id, i.name, m.state, m.since, m.pending_until,
       CASE WHEN m.state = 'unconfirmed' THEN r.reason END AS reason FROM inventory.missing_images m
JOIN inventory.live_images i USING (source, id) JOIN inventory.runs r ON r.source = m.source AND r.run = m.state_run
WHERE m.ended_at IS NULL ORDER BY m.source, m.state, m.id
"""
_AS_OF = "SELECT * FROM inventory.images_as_of(:moment, :source) ORDER BY source, id"
_DIFF = """
SELECT source, id, name, change, field, old, new FROM inventory.images_diff(:before, :after, :source)
ORDER BY source, id, field
"""
_OBSERVED = "SELECT * FROM inventory.observed(:moment, :source) ORDER BY source"
# By way of the sources, since the keys begin with them.
_HISTORY = f"""
SELECT h.source, h.valid_from, h.valid_to, h.valid_from_run, {", ".join(f"h.{name}" for name in CONTENT)},
       c.kind AS change, coalesce(c.changes, '') AS changes, c.not_before
FROM inventory.sources s JOIN inventory.image_history h ON h.source = s.name
LEFT JOIN LATERAL (
    SELECT min(kind) AS kind, min(not_before) AS not_before, string_agg(
        field || ': ' || coalesce(old, 'nothing') || ' -> ' || coalesce(new, 'nothing'), '; ' ORDER BY field
    ) AS changes
    FROM inventory.image_changes
    WHERE source = h.source AND id = h.id AND at = h.valid_from AND kind NOT IN ('deleted', 'invisible')
) AS c ON true
WHERE h.id = :id AND (CAST(:source AS text) IS NULL OR h.source = :source)
ORDER BY h.source, h.valid_from
"""  # noqa: S608 - nothing but the column names of fields.py is put into the text
_WHERE_KNOWN = """
SELECT s.name AS source FROM inventory.sources s
LEFT JOIN LATERAL (
    SELECT h.id FROM inventory.image_history h WHERE h.source = s.name AND h.id = :id LIMIT 1) AS h ON true
WHERE EXISTS (SELECT FROM inventory.images i WHERE i.source = s.name AND i.id = :id) OR h.id IS NOT NULL
ORDER BY s.name
"""
_READ_TO = "SELECT read_to FROM inventory.report_bookmarks WHERE source = :source AND name = :name"
_MOMENT = "SELECT source, coalesce(effective_at, started_at) AS moment FROM inventory.runs WHERE run = :run"
_FIRST_LAST = f"""
SELECT min(effective_at) AS first, max(effective_at) AS last FROM inventory.runs
WHERE effective_at IS NOT NULL AND {OF_SOURCE}
"""  # noqa: S608 - a constant
# The transaction began before its snapshot was taken; a running run takes effect after it was put on record.
_SETTLED = f"""
SELECT least(
    (SELECT min(started_at) FROM inventory.runs
     WHERE status = 'running' AND deadline_at > now() - {ABANDONED_AFTER} AND {OF_SOURCE}),
    (SELECT min(greatest(now(), effective_at)) FROM inventory.sources
     WHERE CAST(:source AS text) IS NULL OR name = :source)
) AS moment
"""  # noqa: S608 - constants


_BLOCK_COMMENT = r"/\*(?:[^*/]|\*(?!/)|/(?!\*))*+\*/"
for _ in range(4):  # comments nest in PostgreSQL, and regular expressions don't
    _BLOCK_COMMENT = rf"/\*(?:[^*/]|\*(?!/)|/(?!\*)|{_BLOCK_COMMENT})*+\*/"
# Everything that may hold a colon: texts, names, comments, casts, parameters; only a parameter sets the group `name`.
# A doubled quote is two texts here, side by side.
_COLON = re.compile(
    rf"""(?<!\w)[eE]'(?:[^'\\]|\\.|'')*' | '[^']*' | "[^"]*"
    | (?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$ | --[^\n]* | {_BLOCK_COMMENT}
    | :: | (?<!\w):(?P<name>[^\W\d]\w*) | :""",
    re.VERBOSE | re.DOTALL,
)


class Inventory:
    """Answers questions about the inventory; writes nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def status(self) -> list[Row]:
        """One row per source: its last run, when its list was last proven, and what is withheld."""
        return self.rows(_STATUS)

    def findings(self) -> list[Row]:
        """Things worth knowing about the sources."""
        return self.rows(_FINDINGS)

    def held(self) -> list[Row]:
        """Deletions that wait for a person."""
        return self.rows(_HELD)

    def missing(self) -> list[Row]:
        """Live images that the last proven list lacked, and why they are not deleted."""
        return self.rows(_MISSING)

    def as_of(self, moment: datetime, source: str | None) -> Iterator[Row]:
        """The images that existed at a moment, streamed."""
        return self._stream(_AS_OF, moment=moment, source=source)

    def history(self, image_id: str, source: str | None) -> list[Row]:
        """All versions of one image, oldest first, each with its changes from the one before.

        Raises:
            UnknownError: it never was live.
        """
        rows = self.rows(_HISTORY, id=image_id, source=source)
        if not rows:
            raise UnknownError(self._why_no_version(image_id, source))
        return rows

    def diff(self, before: datetime, after: datetime, source: str | None) -> Iterator[Row]:
        """The changes between two moments: one row per image and changed field, streamed."""
        return self._stream(_DIFF, before=before, after=after, source=source)

    def observed(self, moment: datetime, source: str | None) -> list[Row]:
        """One row per source: the proven runs before and after a moment, and what that means for an answer."""
        return self.rows(_OBSERVED, moment=moment, source=source)

    def rows(self, query: str, **values: object) -> list[Row]:
        """The rows of a query that names its values as ``:name``; values that it does not name are ignored."""
        return list(self._connection.execute(text(query), values).mappings())

    def ask(self, what: str, query: str, values: Mapping[str, object]) -> list[Row]:
        """Carry out a user's own query; it can write nothing.

        Args:
            what: the owner of the query, for messages.
            query: the SQL.
            values: by name; a colon that does not begin one of these names is SQL.

        Raises:
            UsageError: it can't be carried out.
        """
        names = [match["name"] for match in _COLON.finditer(query) if match["name"]]
        escaped = _COLON.sub(lambda match: match[0] if match["name"] in values else match[0].replace(":", r"\:"), query)
        try:
            with self._connection.begin_nested() as savepoint:
                self._connection.exec_driver_sql(session.PATH_OF_USERS)
                rows = self.rows(escaped, **values)
                savepoint.rollback()  # and with it whatever the query has set
                return rows
        except (StatementError, ResourceClosedError) as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
            reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
            unknown = [f":{name}" for name in dict.fromkeys(names) if name not in values]
            hint = f"; it has no parameter {', '.join(unknown)}, only :{', :'.join(values)}" if unknown else ""
            raise UsageError(f"the SQL of {what} can't be carried out: {reason}{hint}") from error

    def moment(self, run: int) -> datetime:
        """When a run took effect, or when it began if it wrote nothing.

        Raises:
            UnknownError: there is no such run.
        """
        rows = self.rows(_MOMENT, run=run)
        if not rows:
            newest = self.rows("SELECT max(run) AS run FROM inventory.runs")[0]["run"]
            raise UnknownError(f"there is no run {run}; the newest is {newest or 'none at all'}")
        moment: datetime = rows[0]["moment"]
        return moment

    def bounds(self, source: str | None) -> tuple[datetime | None, datetime | None]:
        """When the first and the last run took effect; twice None if there is none."""
        row = self.rows(_FIRST_LAST, source=source)[0]
        return row["first"], row["last"]

    def now(self) -> datetime:
        """The database's clock."""
        moment: datetime = self.rows("SELECT clock_timestamp() AS now")[0]["now"]
        return moment

    def settled(self, source: str | None = None) -> datetime:
        """The last moment whose answers no running run, of this source or of any, can still change."""
        moment: datetime = self.rows(_SETTLED, source=source)[0]["moment"]
        return moment

    def read_to(self, reader: str, source: str | None) -> datetime | None:
        """The moment up to which a reader has had reports on a source, or on all of them; None: never."""
        rows = self.rows(_READ_TO, name=reader, source=source or "")
        return rows[0]["read_to"] if rows else None

    def check_source(self, source: str | None) -> None:
        """Make sure that the database knows a source.

        Raises:
            UnknownError: it does not.
        """
        known = [row["name"] for row in self.rows("SELECT name FROM inventory.sources ORDER BY name")]
        if source is not None and source not in known:
            raise UnknownError(
                f"there is no source {source} in the database; it knows {', '.join(known) or 'none yet'}"
            )

    def _why_no_version(self, image_id: str, source: str | None) -> str:
        known = [row["source"] for row in self.rows(_WHERE_KNOWN, id=image_id)]
        if source is not None and known and source not in known:
            return f"source {source} has no image {image_id}; {', '.join(known)} has"
        if known:
            return (
                f"image {image_id} has no version: either it never was live, as the cloud already listed it as deleted "
                "when it was first seen, or its history was pruned"
            )
        return f"no image {image_id} was ever seen; `image-sync as-of now` lists those that exist"

    def _stream(self, query: str, **values: object) -> Iterator[Row]:
        options = {"stream_results": True, "yield_per": _CHUNK}
        return iter(self._connection.execute(text(query), values, execution_options=options).mappings())


@contextmanager
def inventory(target: Target) -> Iterator[Inventory]:
    """Open the inventory for reading, in one snapshot.

    Raises:
        SchemaVersionError: the schema is not the program's.
        StoreError: the database can't be read.
    """
    patient = target.without_hurry()
    with connect(target) as own:
        with transaction(own, target, "reading the version of the schema"):
            migrate.check(own)
        with engine_connection(own, patient, "reading the inventory") as connection:
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            connection.exec_driver_sql(patient.session_settings)
            yield Inventory(connection)


def inline_parameters(query: str, values: Mapping[str, Value]) -> str:
    """Write a query with its values in place of ``:name``, so that anyone can carry it out in ``psql``."""

    def literal(match: re.Match[str]) -> str:
        return _literal(values[match["name"]]) if match["name"] in values else match[0]

    return _COLON.sub(literal, query.strip()) + ";"


def _literal(value: Value) -> str:
    if isinstance(value, datetime):
        return f"timestamptz '{iso(value)}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "NULL" if value is None else str(value)
