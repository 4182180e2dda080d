"""Records that are invalid or contradict each other are kept raw and reported, and never cause a deletion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from builders import SAMPLE, canonical, encoded, image
from servers import Server
from store_tools import Edge

from sync.domain.apis import IEC
from sync.domain.image import raw_digest, to_json
from sync.domain.status import Status
from sync.errors import ContractError

KEPT = "SELECT id, raw, digest, reason, first_run FROM inventory.quarantine ORDER BY id NULLS FIRST, raw"


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """Forty live images, and one with the id x."""
    with Edge(server) as edge:
        edge.world.put(image("x", name="old", updated_at="2026-01-01T00:00:00Z"))
        edge.run()
        yield edge


def stored(edge: Edge, name: str) -> dict[str, Any]:
    """A stored image as JSON; empty if there is none."""
    rows = edge.inventory.all(f"SELECT * FROM inventory.images WHERE id = '{name}'")
    return to_json(rows[0], rows[0]["extra"]) if rows else {}


def quarantined(edge: Edge) -> list[bytes]:
    """The raw records in quarantine, each checked against its digest."""
    rows = edge.rows(KEPT)
    assert all(row[2] == raw_digest(row[1]) for row in rows)
    return [row[1] for row in rows]


# --- unreadable records -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"id":"x","name":"a\\u0000b"}', id="NUL"),
        pytest.param(b'{"id":"x","new":{"k\\u0000":[1]}}', id="NUL in a key"),
        pytest.param(b'{"id":"x","min_disk":1e99999}', id="number beyond reason"),
        pytest.param(b'{"id":"x","name":"' + b"n" * (1 << 20) + b'"}', id="too large"),
    ],
)
def test_a_record_that_cannot_be_stored(edge: Edge, raw: bytes) -> None:
    """F01-F04: it is quarantined as it came, with its id; its image stays as it was, and others are synced."""
    edge.world.put(raw)
    edge.world.change(3)

    outcome = edge.run()

    assert (outcome.quarantined, outcome.plan.updated, outcome.missing) == (1, 3, 0)
    assert edge.rows("SELECT id, raw, first_run FROM inventory.quarantine") == [("x", raw, outcome.run)]
    assert quarantined(edge) == [raw]
    assert stored(edge, "x")["name"] == "old"
    assert outcome.status is Status.DONE


def test_a_lone_surrogate_is_quarantined(edge: Edge) -> None:
    """F02: a lone surrogate affects only its own image."""
    edge.world.put(b'{"id":"x","name":"\\ud83d"}')
    edge.world.change(3)

    outcome = edge.run()

    assert (outcome.quarantined, outcome.plan.updated, outcome.missing) == (1, 3, 0)
    (raw,) = quarantined(edge)
    assert json.loads(raw) == {"id": "x", "name": "\ud83d"}


@pytest.mark.parametrize(
    "raw",
    [
        b'{"name":"nameless"}',
        b'{"id":null}',
        b'{"id":""}',
        b'{"id":7}',
        b'{"id":["x"]}',
        b'{"id":"a b"}',
        b'{"id":"nul\\u0000"}',
        b'{"id":"' + b"x" * 12_000 + b'"}',
        b"null",
        b"[]",
        b'"x"',
    ],
)
def test_a_nameless_record_blocks_all_deletions(edge: Edge, raw: bytes) -> None:
    """F06: a record without an id might be any missing image, so nothing is deleted; the rest is synced."""
    key = edge.world.put(raw)
    edge.world.delete(2)
    edge.world.create(1)

    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.plan.created, outcome.unconfirmed, outcome.quarantined) == (0, 1, 2, 1)
    assert (outcome.status, outcome.exit_code) == (Status.WITHHELD, 4)
    assert "without a readable id: 1" in outcome.reason
    assert quarantined(edge) == [raw]
    assert edge.run().plan.deleted == 0
    edge.world.remove(key)
    assert edge.run().plan.deleted == 2


def test_a_record_with_an_id_blocks_no_other_deletion(edge: Edge) -> None:
    """F01: an unreadable record with an id blocks no deletion of other images."""
    edge.world.put(b'{"id":"x","name":"\\u0000"}')
    edge.world.delete(2)

    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.status) == (2, Status.DONE)
    assert "x" in edge.inventory.live()


def test_a_record_is_kept_once(edge: Edge) -> None:
    """The same record is quarantined once; another record of the same image is quarantined too."""
    edge.world.put(b'{"id":"x","name":"\\u0000"}')
    first = edge.run()
    rows = edge.rows("SELECT xmin::text, first_run FROM inventory.quarantine")
    second = edge.run()

    assert (first.quarantined, second.quarantined) == (1, 1)
    assert edge.rows("SELECT xmin::text, first_run FROM inventory.quarantine") == rows
    edge.world.put(b'{"id":"x","name":"\\u0000\\u0000"}')
    edge.run()
    assert len(quarantined(edge)) == 2


def test_a_fixed_record_is_stored(edge: Edge) -> None:
    """A record that becomes readable is stored; its quarantined form stays as evidence."""
    edge.world.put(b'{"id":"x","name":"\\u0000"}')
    edge.run()
    edge.world.put(image("x", name="mended"))

    assert edge.run().plan.updated == 1
    assert stored(edge, "x")["name"] == "mended"
    assert len(quarantined(edge)) == 1


def test_pages_with_odd_ids_leave_evidence(edge: Edge) -> None:
    """A page that begins and ends with unreadable records leaves its evidence like any other."""
    for n, name in enumerate(('"nul\\u0000"', '"tab\\t"', '"\\ud800"', '"' + "x" * 5_000 + '"')):
        for moment in ("2001-01-01T00:00:0%dZ" % n, "2099-01-01T00:00:0%dZ" % n):
            edge.world.put(b'{"id":%s,"created_at":"%s"}' % (name.encode(), moment.encode()))
        edge.world.create(1)
        outcome = edge.run()
        assert edge.value("SELECT count(*) FROM inventory.run_pages WHERE run = %s", outcome.run) == 1


# --- two contents of one image ----------------------------------------------------------------------------------------


def list_x(edge: Edge, *contents: dict[str, Any]) -> None:
    """List the image x once with each of these contents."""
    edge.world.remove("x")
    for n, content in enumerate(contents):
        edge.world.put(image("x", **content), twice=n > 0)


OLD = {"name": "old", "updated_at": "2026-01-01T00:00:00Z"}
NEW = {"name": "new", "updated_at": "2026-01-02T00:00:00Z"}
NEWER = {"name": "newer", "updated_at": "2026-01-03T00:00:00Z"}
TIED = {"name": "tied", "updated_at": "2026-01-02T00:00:00Z"}


@pytest.mark.parametrize("contents", [(NEW, NEWER), (NEWER, NEW), (OLD, NEWER), (NEWER, OLD), (NEW, NEWER, OLD, NEW)])
def test_the_newest_content_is_stored(edge: Edge, contents: tuple[dict[str, Any], ...]) -> None:
    """A12: of several contents of one id, the one updated last is stored, in whatever order they came."""
    list_x(edge, *contents)

    outcome = edge.run_unclear()

    assert (outcome.plan.updated, outcome.quarantined, outcome.missing) == (1, 0, 0)
    assert stored(edge, "x") == image("x", **NEWER)
    assert edge.value("SELECT count(*) FROM inventory.image_versions WHERE id = 'x'") == 1


@pytest.mark.parametrize("contents", [(NEW, TIED), (TIED, NEW), (OLD, NEW, TIED)])
def test_tied_contents_are_quarantined(edge: Edge, contents: tuple[dict[str, Any], ...]) -> None:
    """A12: if several contents are the newest, all are quarantined; the stored one stays, and is not missing."""
    list_x(edge, *contents)
    edge.world.change(2)

    outcome = edge.run_unclear()

    assert (outcome.plan.updated, outcome.quarantined, outcome.missing) == (2, 1, 0)
    assert stored(edge, "x") == image("x", **OLD)
    kept = edge.rows("SELECT id, raw, reason FROM inventory.quarantine")
    assert len(kept) == 2
    assert {row[0] for row in kept} == {"x"}
    assert all("two contents" in row[2] for row in kept)


@pytest.mark.parametrize("contents", [(NEW, TIED), (TIED, NEW)])
def test_tied_contents_can_be_read_back(edge: Edge, contents: tuple[dict[str, Any], ...]) -> None:
    """A12: tied contents can be read back from the quarantine, with every field."""
    contents = tuple({**content, "unknown": {"deep": [1.50, None]}, "min_disk": "forty"} for content in contents)
    list_x(edge, *contents)
    edge.run_unclear()

    kept = [json.loads(row[1]) for row in edge.rows(KEPT)]

    assert sorted(map(_comparable, kept)) == sorted(_comparable(image("x", **content)) for content in contents)


def test_the_stored_content_beside_an_older_one(edge: Edge) -> None:
    """A12: if the stored content is listed beside an older one, nothing changes."""
    list_x(edge, OLD, {"name": "ancient", "updated_at": "2025-01-01T00:00:00Z"})

    outcome = edge.run_unclear()

    assert (outcome.plan.changes, outcome.quarantined) == (0, 0)
    assert stored(edge, "x") == image("x", **OLD)


def test_the_stored_content_beside_one_that_ties(edge: Edge) -> None:
    """A12: if the stored content is listed beside one of the same time, it stays, and the other is quarantined."""
    list_x(edge, OLD, {"name": "tied", "updated_at": OLD["updated_at"]})

    outcome = edge.run_unclear()

    assert (outcome.plan.changes, outcome.quarantined) == (0, 1)
    assert stored(edge, "x") == image("x", **OLD)
    assert len(edge.rows(KEPT)) == 1


def test_a_new_image_with_tied_contents(edge: Edge) -> None:
    """A12: a new image with tied contents is not stored until only one of them is listed."""
    edge.world.put(image("y", name="one"))
    edge.world.put(image("y", name="two"), twice=True)

    assert edge.run_unclear().quarantined == 1
    assert stored(edge, "y") == {}
    edge.world.remove("y")
    edge.world.put(image("y", name="one"))
    assert edge.run_unclear().plan.created == 1


def test_a_deleted_image_with_tied_contents(edge: Edge) -> None:
    """A12: a deleted image with tied contents stays deleted until only one of them is listed."""
    edge.world.remove("x")
    edge.run_unclear()
    list_x(edge, NEW, TIED)

    assert edge.run_unclear().plan.restored == 0
    assert edge.inventory.deleted() == {"x"}
    list_x(edge, NEW)
    assert edge.run_unclear().plan.restored == 1


def test_the_same_content_twice_is_no_contradiction(edge: Edge) -> None:
    """A11: the same content twice is counted as a duplicate, however it is formatted."""
    edge.world.remove("x")
    edge.world.put(image("x", **NEW))
    edge.world.put(encoded(image("x", **NEW)).replace(b'":', b'" :'), twice=True)

    outcome = edge.run_unclear()

    assert (outcome.plan.updated, outcome.quarantined, outcome.duplicates) == (1, 0, 1)


def test_a_contradiction_without_times(edge: Edge) -> None:
    """A12: a content with a readable update time wins over one without; without any, both are quarantined."""
    list_x(edge, {"name": "a", "updated_at": "yesterday"}, NEW)
    edge.run_unclear()
    assert stored(edge, "x") == image("x", **NEW)

    list_x(edge, {"name": "a", "updated_at": ""}, {"name": "b", "updated_at": None})
    assert edge.run_unclear().quarantined == 1
    assert stored(edge, "x") == image("x", **NEW)


# --- odd but valid images ---------------------------------------------------------------------------------------------


def test_mistyped_values_are_stored_and_counted(edge: Edge) -> None:
    """Mistyped values and unknown fields are stored beside the columns, to the last digit, and counted."""
    odd = image(
        "odd",
        min_disk="forty",
        protected="perhaps",
        created_at="yesterday",
        related_job_id="j",
        new={"deep": [1.5, None, "\u6587", {"": []}], "big": 123456789012345678901234567890},
    )
    edge.world.put(odd)

    outcome = edge.run()

    assert outcome.type_mismatches == 3
    assert stored(edge, "odd") == odd
    assert edge.rows("SELECT min_disk, protected, created_at FROM inventory.images WHERE id = 'odd'") == [
        (None, None, None)
    ]
    assert edge.run().plan.changes == 0


def test_numbers_are_stored_to_the_last_digit(edge: Edge) -> None:
    """F04: numbers that no float can hold are stored exactly."""
    edge.world.put(
        b'{"id":"odd","a":0.1000000000000000055511151231257827,"b":1e400,"c":1.50,"d":-0.0,"e":%s}' % (b"7" * 900)
    )

    edge.run_unclear()  # the tests compare floats, which would lose digits

    row = edge.rows(
        "SELECT extra->>'a', (extra->>'b')::numeric = 1e400, extra->>'c', extra->>'e' FROM inventory.images WHERE id = 'odd'"
    )
    assert row == [("0.1000000000000000055511151231257827", True, "1.50", "7" * 900)]
    assert edge.run_unclear().plan.changes == 0


@pytest.mark.parametrize(
    "name", ["'); DROP TABLE inventory.images; --", "%s", "%(id)s", "{}", "\\.", "\\N", "\t\r\n", "=1+1"]
)
def test_texts_are_inert(edge: Edge, name: str) -> None:
    """F13: no value and no field name is interpreted by the database."""
    odd = image("odd", name=name) | {name: name}
    edge.world.put(odd)

    edge.run()

    assert stored(edge, "odd") == odd
    assert (name,) in edge.rows("SELECT subject FROM inventory.findings")


def test_ids_are_inert(edge: Edge) -> None:
    """F13: no id is interpreted by the database or in a request."""
    names = ["%s", "{}", "a'b", 'a"b', "a&b=c#d", "\u6587\u5b57", "a%00b", "../x", "a+b", "\\N", "x" * 255]
    for name in names:
        edge.world.put(image(name))
    assert edge.run().plan.created == len(names)
    for name in names[:-1]:
        edge.world.remove(name)

    assert edge.run(max_daily_deletions=100, max_deletions=100).plan.deleted == len(names) - 1


def test_a_new_field_is_reported_once(edge: Edge) -> None:
    """F07: the finding names the field and the run that met it first; the images are stored with it."""
    edge.world.put(image("y", brand_new=1))
    first = edge.run()
    edge.world.put(image("z", brand_new=2))
    edge.run()

    assert edge.rows("SELECT subject, first_run, kind FROM inventory.findings") == [
        ("brand_new", first.run, "contract")
    ]


@pytest.mark.parametrize("length", [3_000, 100_000])
def test_the_name_of_a_field_may_be_long(edge: Edge, length: int) -> None:
    """F07, F03: a field name of any length is stored and does not end the run."""
    name = "".join(Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=length))
    edge.world.put(image("y") | {name: 1})

    assert edge.run().plan.created == 1
    assert stored(edge, "y")[name] == 1


def test_a_duplicate_key_ends_the_run(edge: Edge) -> None:
    """F05: a record with a duplicate key fails the run, and nothing is written."""
    edge.world.put(b'{"id":"y","name":"a","name":"b"}')
    edge.world.change(1)

    edge.fails(ContractError)


def test_a_new_field_on_all_images_updates_each_once(edge: Edge) -> None:
    """A18: a new field on all images updates each of them once."""
    for n in range(5):
        edge.world.put(image(f"y{n}"))
    edge.run()
    for n in range(5):
        edge.world.put(image(f"y{n}", data_centre="a"))

    assert edge.run().plan.updated == 5
    assert edge.run().plan.changes == 0


def _comparable(document: dict[str, Any]) -> str:
    assert set(document) & set(IEC.by_name)
    return repr(sorted(canonical(document).items(), key=lambda pair: pair[0]))


def test_the_sample_can_be_quarantined_too(edge: Edge) -> None:
    """The API document's example with a NUL in it is kept byte by byte."""
    raw = encoded(SAMPLE).replace(b'"ces"', b'"c\\u0000s"')
    edge.world.put(raw)

    edge.run()

    assert quarantined(edge) == [raw]
