"""What is asked of the inventory: its state, its state at a moment, its changes, one image's history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import ColumnElement, Connection, Select, and_, create_engine, func, literal, pool, select, union_all
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.selectable import Subquery

from sync.domain.fields import COLUMNS
from sync.errors import UnknownError
from sync.store import migrate
from sync.store.connect import Target, connect, translated
from sync.store.tables import findings, held_deletions, image_versions, images, quarantine, runs, sources

Row = Mapping[Any, Any]  # by column name
CONTENT = (*COLUMNS, "extra")
_CHUNK = 2_000  # rows held in memory at a time


class Inventory:
    """Answers questions about the inventory; writes nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def status(self) -> list[Row]:
        """One row a source: its last run, when its list was last proven, and what is withheld."""
        last = _last_run()
        columns = [
            sources.c.name.label("source"),
            sources.c.scope,
            runs.c.run,
            runs.c.status,
            runs.c.started_at,
            func.round(func.extract("epoch", func.clock_timestamp() - sources.c.proven_at)).label("proven_seconds_ago"),
            _count(images, images.c.deleted_at.is_(None)).label("live"),
            _count(images, images.c.deleted_at.is_not(None)).label("deleted"),
            _count(held_deletions, held_deletions.c.closed_at.is_(None)).label("held"),
            _count(quarantine, literal(True)).label("quarantined"),  # noqa: FBT003 - SQL's TRUE
            _count(findings, literal(True)).label("findings"),  # noqa: FBT003 - SQL's TRUE
            runs.c.proof,
            runs.c.reason,
        ]
        joined = sources.outerjoin(runs, runs.c.run == last)
        return self._all(select(*columns).select_from(joined).order_by(sources.c.name))

    def findings(self) -> list[Row]:
        """What is worth knowing about the sources."""
        columns = [findings.c[name] for name in ("source", "kind", "subject", "detail", "first_run", "first_seen_at")]
        return self._all(select(*columns).order_by(findings.c.first_run, findings.c.subject))

    def held(self) -> list[Row]:
        """Deletions that wait for a person."""
        columns = [
            held_deletions.c[name]
            for name in ("source", "run", "id", "held_at", "last_seen_at", "approved_at", "reason")
        ]
        query = select(*columns[:3], images.c.name, *columns[3:]).join(
            images, and_(images.c.source == held_deletions.c.source, images.c.id == held_deletions.c.id)
        )
        return self._all(query.where(held_deletions.c.closed_at.is_(None)).order_by("source", "run", "id"))

    def as_of(self, moment: datetime, source: str | None) -> Iterator[Row]:
        """The images that existed at a moment, streamed."""
        state = _state(moment, source, CONTENT)
        return self._stream(select(state).order_by(state.c.source, state.c.id))

    def history(self, image_id: str, source: str | None) -> list[Row]:
        """All versions of one image, oldest first, each with what changed from the one before.

        Raises:
            UnknownError: it never was live.
        """
        columns = ("source", "valid_from", "valid_from_run", *CONTENT)
        open_one = select(*_pick(images, columns), literal(None).label("valid_to")).where(images.c.deleted_at.is_(None))
        closed = select(*_pick(image_versions, columns), image_versions.c.valid_to)
        both = union_all(
            closed.where(image_versions.c.id == image_id), open_one.where(images.c.id == image_id)
        ).subquery()
        query = select(both).order_by(both.c.source, both.c.valid_from)
        rows = self._all(query if source is None else query.where(both.c.source == source))
        if not rows:
            raise UnknownError(self._why_no_version(image_id))
        return list(_versions(rows))

    def diff(self, before: datetime, after: datetime, source: str | None) -> Iterator[Row]:
        """What changed between two moments: a row a changed field of each image."""
        old, new = _state(before, source, CONTENT, "old"), _state(after, source, CONTENT, "new")
        touched = _touched(before, after)
        first = images.c.first_seen_at <= before
        pairs = (
            select(touched.c.source, touched.c.id, first.label("known_before"))
            .add_columns(*(old.c[name].label(f"old_{name}") for name in CONTENT))
            .add_columns(*(new.c[name].label(f"new_{name}") for name in CONTENT))
            .select_from(touched)
            .join(images, and_(images.c.source == touched.c.source, images.c.id == touched.c.id))
            .outerjoin(old, and_(old.c.source == touched.c.source, old.c.id == touched.c.id))
            .outerjoin(new, and_(new.c.source == touched.c.source, new.c.id == touched.c.id))
            .order_by(touched.c.source, touched.c.id)
        )
        for pair in self._stream(pairs):
            yield from _changes(pair)

    def moment(self, run: int) -> datetime:
        """When a run took effect; of one that wrote nothing, when it began.

        Raises:
            UnknownError: there is no such run.
        """
        found = self._connection.execute(
            select(func.coalesce(runs.c.effective_at, runs.c.started_at)).where(runs.c.run == run)
        ).scalar()
        if not isinstance(found, datetime):
            newest = self._connection.execute(select(func.max(runs.c.run))).scalar()
            raise UnknownError(f"there is no run {run}; the newest is {newest or 'none at all'}")
        return found

    def now(self) -> datetime:
        """The database's clock."""
        found: datetime = self._connection.execute(select(func.clock_timestamp())).scalar_one()
        return found

    def check_source(self, source: str | None) -> None:
        """Make sure that a source is known.

        Raises:
            UnknownError: it is not.
        """
        known = list(self._connection.execute(select(sources.c.name).order_by(sources.c.name)).scalars())
        if source is not None and source not in known:
            raise UnknownError(
                f"there is no source {source} in the database; it knows {', '.join(known) or 'none yet'}"
            )

    def _why_no_version(self, image_id: str) -> str:
        if self._all(select(images.c.id).where(images.c.id == image_id, images.c.deleted_at == images.c.first_seen_at)):
            return f"image {image_id} never was live here: the cloud listed it as deleted when it was first seen"
        return f"no image {image_id} was ever seen; `image-sync as-of now` lists those that exist"

    def _all(self, query: Select[Any]) -> list[Row]:
        return list(self._connection.execute(query).mappings())

    def _stream(self, query: Select[Any]) -> Iterator[Row]:
        options = {"stream_results": True, "yield_per": _CHUNK}
        return iter(self._connection.execute(query, execution_options=options).mappings())


@contextmanager
def inventory(target: Target) -> Iterator[Inventory]:
    """Open the inventory for reading, in one snapshot.

    Raises:
        SchemaVersionError: the schema is not the program's.
        StoreError: the database can't be read.
    """
    with connect(target) as own:
        migrate.check(own)
    engine = create_engine("postgresql+psycopg://", creator=lambda: connect(target), poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True).exec_driver_sql(
                "SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true)"
            )
            yield Inventory(connection)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise translated(error.orig, "reading the inventory") from error
        raise


def _last_run() -> Any:
    other = runs.alias("other")
    newest = select(func.max(other.c.run)).where(other.c.source == sources.c.name)
    return newest.correlate(sources).scalar_subquery()


def _count(table: Any, condition: ColumnElement[bool]) -> Any:
    counted = select(func.count()).select_from(table).where(table.c.source == sources.c.name, condition)
    return counted.correlate(sources).scalar_subquery()


def _pick(table: Any, names: Iterable[str]) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in names]


def _state(moment: datetime, source: str | None, names: Iterable[str], label: str = "state") -> Subquery:
    columns = ("source", *names)
    live = select(*_pick(images, columns)).where(images.c.deleted_at.is_(None), images.c.valid_from <= moment)
    past = select(*_pick(image_versions, columns)).where(
        image_versions.c.valid_from <= moment, image_versions.c.valid_to > moment
    )
    if source is not None:
        live, past = live.where(images.c.source == source), past.where(image_versions.c.source == source)
    return union_all(live, past).subquery(label)


def _touched(before: datetime, after: datetime) -> Subquery:
    """Images with a version that began or ended within the interval."""
    ended = select(image_versions.c.source, image_versions.c.id).where(
        image_versions.c.valid_to > before, image_versions.c.valid_to <= after
    )
    began = select(images.c.source, images.c.id).where(images.c.valid_from > before, images.c.valid_from <= after)
    later = select(image_versions.c.source, image_versions.c.id).where(
        image_versions.c.valid_from > before, image_versions.c.valid_from <= after
    )
    return ended.union(began, later).subquery("touched")


def _versions(rows: Iterable[Row]) -> Iterator[Row]:
    before: Row | None = None
    for row in rows:
        follows = before is not None and before["source"] == row["source"]
        touches = follows and before is not None and before["valid_to"] == row["valid_from"]
        yield {
            **row,
            "change": "updated" if touches else "restored" if follows else "created",
            "changes": _told(before, row) if follows and before is not None else "",
        }
        before = row


def _told(before: Row, after: Row) -> str:
    return "; ".join(
        f"{name}: {_shown(before[name])} -> {_shown(after[name])}" for name in CONTENT if before[name] != after[name]
    )


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _changes(pair: Row) -> Iterator[Row]:
    old = {name: pair[f"old_{name}"] for name in CONTENT}
    new = {name: pair[f"new_{name}"] for name in CONTENT}
    common = {"source": pair["source"], "id": pair["id"], "name": new["name"] or old["name"]}
    if new["id"] is None or old["id"] is None:
        if new["id"] is None and old["id"] is None:
            return  # came and went within the interval
        change = "deleted" if new["id"] is None else "restored" if pair["known_before"] else "created"
        yield {**common, "change": change, "field": None, "old": None, "new": None}
        return
    for name in CONTENT:
        if old[name] != new[name]:
            yield {**common, "change": "updated", "field": name, "old": old[name], "new": new[name]}
