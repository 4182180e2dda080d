"""Rows as Parquet on standard output, one row group at a time; needs the extra ``parquet``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sync.domain.fields import IMAGE_COLUMNS, Kind
from sync.errors import UsageError

_GROUP = 5_000  # rows held in memory at a time
_KINDS = {column.name: column.kind for column in IMAGE_COLUMNS} | {
    "valid_from": Kind.TIME,
    "observed_run": Kind.INTEGER,
    "observed_at": Kind.TIME,
    "observed_next_run": Kind.INTEGER,
    "observed_next_at": Kind.TIME,
    "observed_doubt": Kind.BOOLEAN,
}


def write(rows: Iterable[Mapping[Any, Any]], columns: Sequence[str]) -> None:
    """Write rows as Parquet, with ``extra`` as JSON text.

    Raises:
        UsageError: the extra is not installed, or standard output is a terminal.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise UsageError("Parquet needs an extra; install it with: pip install 'image-sync[parquet]'") from error
    if sys.stdout.isatty():
        raise UsageError("Parquet is binary; redirect it to a file, such as > images.parquet")
    types = {
        Kind.TEXT: pa.string(),
        Kind.INTEGER: pa.int64(),
        Kind.BOOLEAN: pa.bool_(),
        Kind.TIME: pa.timestamp("us", tz="UTC"),
        Kind.TAGS: pa.list_(pa.string()),
    }
    schema = pa.schema([(name, types[_KINDS.get(name, Kind.TEXT)]) for name in columns])
    remaining = iter(rows)
    with pq.ParquetWriter(pa.PythonFile(sys.stdout.buffer, "w"), schema, compression="zstd") as out:
        while group := [_plain(row) for row in islice(remaining, _GROUP)]:
            out.write_table(pa.Table.from_pylist(group, schema))
    sys.stdout.buffer.flush()


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    extra = row["extra"]
    return dict(row) | {"extra": None if extra is None else json.dumps(extra, ensure_ascii=False)}
