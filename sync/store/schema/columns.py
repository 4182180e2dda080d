"""Columns that the tables have in common; those of images come from ``domain.fields``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    MetaData,
    Text,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import TypeEngine, UserDefinedType

from sync.domain.apis import column_comment
from sync.domain.fields import IMAGE_COLUMNS, Kind

SCHEMA = "inventory"
NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}
metadata = MetaData(schema=SCHEMA, naming_convention=NAMING)
ID_RANGE = f'CREATE TYPE {SCHEMA}.id_range AS RANGE (subtype = text, collation = "C")'
event.listen(metadata, "before_create", DDL(ID_RANGE))  # type: ignore[no-untyped-call]


class IdRange(UserDefinedType[str]):
    """A range of ids, in the order of their bytes."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The name of the type."""
        return f"{SCHEMA}.id_range"


TYPES: dict[Kind, TypeEngine[Any]] = {
    Kind.TEXT: Text(),
    Kind.INTEGER: BigInteger(),
    Kind.BOOLEAN: Boolean(),
    Kind.TIME: DateTime(timezone=True),
    Kind.TAGS: ARRAY(Text()),
}


def moment(name: str, comment: str, *, nullable: bool = True, now: bool = False) -> Column[object]:
    """A moment; ``now``: the database fills it in."""
    default = text("clock_timestamp()") if now else None
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default, comment=comment)


def count(name: str, comment: str) -> Column[int]:
    """A count, 0 by default."""
    return Column(name, BigInteger, nullable=False, server_default=text("0"), comment=comment)


def of_run(column: str) -> ForeignKeyConstraint:
    """The constraint that a column holds the number of a run of the row's own source.

    The two large tables have none: it would double the cost of a first load.
    """
    return ForeignKeyConstraint(["source", column], [f"{SCHEMA}.runs.source", f"{SCHEMA}.runs.run"])


def source(*, primary_key: bool = False, checked: bool = True) -> Column[str]:
    """The source of a row."""
    reference = [ForeignKey(f"{SCHEMA}.sources.name")] if checked else []
    comment = "Source the row belongs to"
    return Column("source", Text, *reference, primary_key=primary_key, nullable=False, comment=comment)


def fields() -> list[Column[object]]:
    """The columns of an image, and ``extra``."""
    typed = [
        Column(c.name, TYPES[c.kind], primary_key=c.name == "id", comment=column_comment(c)) for c in IMAGE_COLUMNS
    ]
    extra = "Everything else that the cloud sent: unknown fields, and values that do not fit their column, by API name"
    return [*typed, Column("extra", JSONB, comment=extra)]
