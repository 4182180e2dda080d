"""The views of each API: every documented field under its own name, typed, whatever the cloud sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg
import pytest
from builders import encoded
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from servers import Server

from sync.domain.apis import APIS, GLANCE, IEC, IMS, Api
from sync.domain.fields import COLUMNS, Field, Kind
from sync.domain.image import Image, Reader
from sync.domain.values import converter

TYPES = {
    Kind.TEXT: "text",
    Kind.INTEGER: "bigint",
    Kind.NUMERAL: "bigint",
    Kind.BOOLEAN: "boolean",
    Kind.FLAG: "boolean",
    Kind.TIME: "timestamp with time zone",
    Kind.TAGS: "text[]",
}
ENCODE = msgspec.json.Encoder(decimal_format="number").encode
COLUMNS_OF = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum
"""
ODD: list[Any] = [
    "text",
    "",
    5,
    "5",
    "-7",
    "007",
    " 5",
    "5\n",
    "٣",
    2**63 - 1,
    2**63,
    str(2**63 - 1),
    str(-(2**63)),
    str(2**63),
    "9" * 400,
    10**30,
    1.5,
    "1.5",
    "1e3",
    True,
    False,
    "true",
    "false",
    "True",
    "TRUE\n",
    "2024-05-01T00:00:00Z",
    "infinity",
    [],
    ["b", "a", "b"],
    ["a", 1],
    {},
    {"a": [1, None]},
]


@pytest.fixture
def connection(each_server: Server) -> Iterator[psycopg.Connection[Any]]:
    """An inventory with a source of each API."""
    with psycopg.connect(each_server.migrated(), autocommit=True) as opened:
        for name in APIS:
            opened.execute(
                "INSERT INTO inventory.sources (name, api, endpoint, filter) VALUES (%s, %s, '', '')", [name, name]
            )
        yield opened


def store(connection: psycopg.Connection[Any], api: Api, document: dict[str, Any], **more: Any) -> None:
    """Store an image as it is read from its API."""
    read = Reader(api=api).read(encoded(document))
    assert isinstance(read, Image), read
    values = dict(zip(COLUMNS, (list(v) if isinstance(v, tuple) else v for v in read.values), strict=True))
    moments = dict.fromkeys(("first_seen_at", "valid_from", "listed_since"), "2026-01-01T00:00:00Z")
    values |= {"source": api.name, "extra": Jsonb(read.extra, dumps=ENCODE), "valid_from_run": 1} | moments | more
    values |= {"raw_digest": b"\0" * 16, "content_digest": read.content}
    names = ", ".join(values)
    places = ", ".join(f"%({name})s" for name in values)
    connection.execute(f"INSERT INTO inventory.images ({names}) VALUES ({places})".encode(), values)


def rows(connection: psycopg.Connection[Any], api: Api) -> list[dict[str, Any]]:
    """The rows of an API's view."""
    query = f"SELECT * FROM inventory.{api.name}_images ORDER BY id"
    return connection.cursor(row_factory=dict_row).execute(query.encode()).fetchall()


def shown(api: Api) -> list[Field]:
    """The fields that its view has."""
    return [field for field in api.fields if field.api not in api.never_stored]


@pytest.mark.parametrize("api", APIS.values(), ids=APIS)
def test_each_documented_field_is_a_column(connection: psycopg.Connection[Any], api: Api) -> None:
    """The view has the source, each field under its own name with its type, ``extra``, and the two moments."""
    expected = [
        ("source", "text"),
        *((field.api, TYPES[field.kind]) for field in shown(api)),
        ("extra", "jsonb"),
        ("first_seen_at", "timestamp with time zone"),
        ("valid_from", "timestamp with time zone"),
    ]

    assert connection.execute(COLUMNS_OF, [f"inventory.{api.name}_images"]).fetchall() == expected
    assert {"locations", "direct_url"}.isdisjoint(name for name, _ in expected)


@pytest.mark.parametrize("api", APIS.values(), ids=APIS)
def test_no_value_makes_a_view_fail(connection: psycopg.Connection[Any], api: Api) -> None:
    """A value that fits is shown; one that does not is NULL, and stays in ``extra``; the words may be capital."""
    fields = [field for field in shown(api) if field.api != "id"]
    for n, value in enumerate(ODD):
        store(connection, api, {field.api: value for field in fields} | {"id": f"{n:03}"})

    found = rows(connection, api)

    assert len(found) == len(ODD)
    for row, value in zip(found, ODD, strict=True):
        for field in fields:
            fits = converter(field)(value)
            if not field.column and TYPES[field.kind] == "boolean" and value == "True":
                fits = True
            expected = list(fits) if isinstance(fits, tuple) else fits
            assert row[field.api] == expected, (field.api, value)
            assert type(row[field.api]) is type(expected)
            if fits is None and value != "":
                assert row["extra"][field.api] == value


@pytest.mark.parametrize("api", APIS.values(), ids=APIS)
def test_only_live_images_of_the_api_are_shown(connection: psycopg.Connection[Any], api: Api) -> None:
    """Deleted and invisible images, and those of other APIs, are in none of its rows."""
    gone = {"deleted_at": "2026-01-02T00:00:00Z", "deleted_run": 2}
    hidden = {"invisible_since": "2026-01-02T00:00:00Z", "invisible_run": 2}
    for other in (IEC, IMS, GLANCE):
        store(connection, other, {"id": f"{other.name}-live"})
        store(connection, other, {"id": f"{other.name}-gone"}, **gone)
        store(connection, other, {"id": f"{other.name}-hidden"}, **hidden)

    assert [(row["source"], row["id"]) for row in rows(connection, api)] == [(api.name, f"{api.name}-live")]


@pytest.mark.parametrize(
    ("api", "document", "expected"),
    [
        (IEC, {"__os_version": "CentOS 7.9 64bit"}, "CentOS 7.9 64bit"),
        (IMS, {"__os_version": "Debian 10", "os_distro": "x", "os_version": "y"}, "Debian 10"),
        (GLANCE, {"os_distro": "ubuntu", "os_version": "22.04"}, "ubuntu 22.04"),
        (GLANCE, {"os_distro": "ubuntu"}, "ubuntu"),
        (GLANCE, {"os_distro": {"a": 1}, "os_version": ""}, None),
        (IMS, {"__os_version": "", "os_distro": "debian", "os_version": "12"}, "debian 12"),
        (IEC, {}, None),
    ],
)
def test_the_operating_system_of_any_api(
    connection: psycopg.Connection[Any], api: Api, document: dict[str, Any], expected: str | None
) -> None:
    """It is ``__os_version`` where there is one, else the two properties that Glance's users set."""
    store(connection, api, {"id": "x"} | document)

    query = "SELECT inventory.operating_system(os_version, extra) FROM inventory.live_images"
    assert connection.execute(query).fetchone() == (expected,)


def test_functions_take_constants(connection: psycopg.Connection[Any]) -> None:
    """The casts do not fail either where the planner computes them."""
    for value in ODD:
        text = json.dumps(value).replace("'", "''")
        query = f"SELECT inventory.bigint_of('{text}'), inventory.boolean_of('{text}'), inventory.text_of('{text}')"
        assert connection.execute(query.encode()).fetchone() is not None
