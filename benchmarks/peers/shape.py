"""What the peers share, so that they differ only in how they work: columns, addresses, one page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx

from sync.domain.apis import IEC
from sync.domain.fields import Field, Kind

_TYPES: dict[Kind, tuple[str, type]] = {
    Kind.INTEGER: ("int8", int),
    Kind.BOOLEAN: ("bool", bool),
    Kind.TIME: ("timestamptz", datetime),
}


def _types(field: Field) -> tuple[str, type]:
    """Type in SQL and in Python; what the API writes as text, or leaves blank, stays text."""
    return ("text", str) if field.blank else _TYPES.get(field.kind, ("text", str))


API = tuple(field.api for field in IEC.fields)
COLUMNS = tuple(field.column for field in IEC.fields)
SQL_TYPES = tuple(_types(field)[0] for field in IEC.fields)
PYTHON_TYPES = tuple(_types(field)[1] for field in IEC.fields)
NAMES = ", ".join(COLUMNS)
DEFINITIONS = ", ".join(f"{name} {kind}" for name, kind in zip(COLUMNS, SQL_TYPES, strict=True))
LIMIT = IEC.limit


def database_url() -> str:
    """Where to write."""
    return os.environ["BENCH_DATABASE_URL"]


def client() -> httpx.Client:
    """A client of the API."""
    headers = {"X-Auth-Token": os.environ["BENCH_TOKEN"]}
    return httpx.Client(base_url=os.environ["BENCH_ENDPOINT"], headers=headers, trust_env=False)


def page(client: httpx.Client, offset: int) -> httpx.Response:
    """One page."""
    query: dict[str, str | int] = {"limit": LIMIT, "offset": offset, "sort_key": "created_at", "sort_dir": "asc"}
    return client.get("/v1/images", params=query).raise_for_status()


def pages(client: httpx.Client) -> Iterator[list[dict[str, Any]]]:
    """All pages, one after the other, as most would read them."""
    offset, total = 0, 1
    while offset < total:
        answer = page(client, offset).json()
        yield answer["images"]
        offset, total = offset + LIMIT, answer["total"]
