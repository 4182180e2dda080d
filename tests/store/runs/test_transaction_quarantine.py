"""Records that are no image, or contradict each other: kept raw, told, and never the reason that something is deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from builders import SAMPLE, canonical, encoded, image
from servers import Server
from store_tools import Edge

from sync.domain.fields import BY_API
from sync.domain.image import raw_digest, to_json
from sync.domain.status import Status
from sync.errors import ContractError

KEPT = "SELECT id, raw, digest, reason, first_run FROM inventory.quarantine ORDER BY id NULLS FIRST, raw"


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """Forty live images, and one called x."""
    with Edge(server) as made:
        made.world.put(image("x", name="old", updated_at="2026-01-01T00:00:00Z"))
        made.run()
        yield made


def stored(edge: Edge, name: str) -> dict[str, Any]:
    """A stored image as JSON."""
    rows = edge.inventory.all(f"SELECT * FROM inventory.images WHERE id = '{name}'")
    return to_json(rows[0], rows[0]["extra"]) if rows else {}


def quarantined(edge: Edge) -> list[bytes]:
    """The raw records, each under the digest of just these bytes."""
    rows = edge.rows(KEPT)
    assert all(row[2] == raw_digest(row[1]) for row in rows)
    return [row[1] for row in rows]


# --- records that can't be read ---------------------------------------------------------------------------------------


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
    """F01-F04: kept as it came, with its id; its image stays as it was, and the others go on."""
    edge.world.put(raw)
    edge.world.change(3)

    outcome = edge.run()

    assert (outcome.quarantined, outcome.plan.updated, outcome.missing) == (1, 3, 0)
    assert edge.rows("SELECT id, raw, first_run FROM inventory.quarantine") == [("x", raw, outcome.run)]
    assert quarantined(edge) == [raw]
    assert stored(edge, "x")["name"] == "old"
    assert outcome.status is Status.DONE


def test_half_a_pair_is_kept_and_told(edge: Edge) -> None:
    """F02: an escape that is no character spoils its own image only."""
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
def test_a_nameless_record_keeps_all_deletions_back(edge: Edge, raw: bytes) -> None:
    """F06: any missing image might be the one it is of; everything else goes through."""
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


def test_a_record_with_an_id_keeps_no_deletion_back(edge: Edge) -> None:
    """F01: it is known which image it is of, so others may go."""
    edge.world.put(b'{"id":"x","name":"\\u0000"}')
    edge.world.delete(2)

    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.status) == (2, Status.DONE)
    assert "x" in edge.inventory.live()


def test_a_record_is_kept_once(edge: Edge) -> None:
    """The same record again is no news, and no dead row; another one of the same image is."""
    edge.world.put(b'{"id":"x","name":"\\u0000"}')
    first = edge.run()
    rows = edge.rows("SELECT xmin::text, first_run FROM inventory.quarantine")
    second = edge.run()

    assert (first.quarantined, second.quarantined) == (1, 1)
    assert edge.rows("SELECT xmin::text, first_run FROM inventory.quarantine") == rows
    edge.world.put(b'{"id":"x","name":"\\u0000\\u0000"}')
    edge.run()
    assert len(quarantined(edge)) == 2


def test_a_record_that_is_mended_is_an_image(edge: Edge) -> None:
    """Once it can be read it is stored; what was kept of it stays as evidence."""
    edge.world.put(b'{"id":"x","name":"\\u0000"}')
    edge.run()
    edge.world.put(image("x", name="mended"))

    assert edge.run().plan.updated == 1
    assert stored(edge, "x")["name"] == "mended"
    assert len(quarantined(edge)) == 1


def test_records_of_any_id_are_evidence(edge: Edge) -> None:
    """A page that begins and ends with such records leaves its evidence like any other."""
    for n, name in enumerate(('"nul\\u0000"', '"tab\\t"', '"\\ud800"', '"' + "x" * 5_000 + '"')):
        for moment in ("2001-01-01T00:00:0%dZ" % n, "2099-01-01T00:00:0%dZ" % n):
            edge.world.put(b'{"id":%s,"created_at":"%s"}' % (name.encode(), moment.encode()))
        edge.world.create(1)
        outcome = edge.run()
        assert edge.value("SELECT count(*) FROM inventory.run_pages WHERE run = %s", outcome.run) == 1


# --- two contents of one image ----------------------------------------------------------------------------------------


def twice(edge: Edge, *contents: dict[str, Any]) -> None:
    """List x with these contents."""
    edge.world.remove("x")
    for n, content in enumerate(contents):
        edge.world.put(image("x", **content), twice=n > 0)


OLD = {"name": "old", "updated_at": "2026-01-01T00:00:00Z"}
NEW = {"name": "new", "updated_at": "2026-01-02T00:00:00Z"}
NEWER = {"name": "newer", "updated_at": "2026-01-03T00:00:00Z"}
TIED = {"name": "tied", "updated_at": "2026-01-02T00:00:00Z"}


@pytest.mark.parametrize("contents", [(NEW, NEWER), (NEWER, NEW), (OLD, NEWER), (NEWER, OLD), (NEW, NEWER, OLD, NEW)])
def test_the_newest_content_stands(edge: Edge, contents: tuple[dict[str, Any], ...]) -> None:
    """A12: of two contents of one id the one updated last is stored, in whatever order they came."""
    twice(edge, *contents)

    outcome = edge.run_unclear()

    assert (outcome.plan.updated, outcome.quarantined, outcome.missing) == (1, 0, 0)
    assert stored(edge, "x") == image("x", **NEWER)
    assert edge.value("SELECT count(*) FROM inventory.image_versions WHERE id = 'x'") == 1


@pytest.mark.parametrize("contents", [(NEW, TIED), (TIED, NEW), (OLD, NEW, TIED)])
def test_of_two_that_tie_neither_stands(edge: Edge, contents: tuple[dict[str, Any], ...]) -> None:
    """A12: no one can say which holds: both are kept, the stored one stays, and the image is not missing."""
    twice(edge, *contents)
    edge.world.change(2)

    outcome = edge.run_unclear()

    assert (outcome.plan.updated, outcome.quarantined, outcome.missing) == (2, 1, 0)
    assert stored(edge, "x") == image("x", **OLD)
    kept = edge.rows("SELECT id, raw, reason FROM inventory.quarantine")
    assert len(kept) == 2
    assert {row[0] for row in kept} == {"x"}
    assert all("two contents" in row[2] for row in kept)


@pytest.mark.parametrize("contents", [(NEW, TIED), (TIED, NEW)])
def test_what_ties_is_kept_as_json(edge: Edge, contents: tuple[dict[str, Any], ...]) -> None:
    """A12: each of the contents can be read back from the quarantine, every field of it."""
    contents = tuple({**content, "unknown": {"deep": [1.50, None]}, "min_disk": "forty"} for content in contents)
    twice(edge, *contents)
    edge.run_unclear()

    kept = [json.loads(row[1]) for row in edge.rows(KEPT)]

    assert sorted(map(_told, kept)) == sorted(_told(image("x", **content)) for content in contents)


def test_the_stored_content_beside_an_older_one(edge: Edge) -> None:
    """A12: the list shows the stored content and an older one: nothing changes."""
    twice(edge, OLD, {"name": "ancient", "updated_at": "2025-01-01T00:00:00Z"})

    outcome = edge.run_unclear()

    assert (outcome.plan.changes, outcome.quarantined) == (0, 0)
    assert stored(edge, "x") == image("x", **OLD)


def test_the_stored_content_beside_one_that_ties(edge: Edge) -> None:
    """A12: the stored one stays; the other is kept."""
    twice(edge, OLD, {"name": "tied", "updated_at": OLD["updated_at"]})

    outcome = edge.run_unclear()

    assert (outcome.plan.changes, outcome.quarantined) == (0, 1)
    assert stored(edge, "x") == image("x", **OLD)
    assert len(edge.rows(KEPT)) == 1


def test_a_new_image_that_ties_with_itself(edge: Edge) -> None:
    """A12: never seen before, and shown with two contents: it is not stored until the list makes up its mind."""
    edge.world.put(image("y", name="one"))
    edge.world.put(image("y", name="two"), twice=True)

    assert edge.run_unclear().quarantined == 1
    assert stored(edge, "y") == {}
    edge.world.remove("y")
    edge.world.put(image("y", name="one"))
    assert edge.run_unclear().plan.created == 1


def test_a_deleted_image_that_ties_with_itself(edge: Edge) -> None:
    """A12: it stays deleted, for now."""
    edge.world.remove("x")
    edge.run_unclear()
    twice(edge, NEW, TIED)

    assert edge.run_unclear().plan.restored == 0
    assert edge.inventory.deleted() == {"x"}
    twice(edge, NEW)
    assert edge.run_unclear().plan.restored == 1


def test_the_same_content_twice_is_no_contradiction(edge: Edge) -> None:
    """A11: counted, and harmless, however it is written."""
    edge.world.remove("x")
    edge.world.put(image("x", **NEW))
    edge.world.put(encoded(image("x", **NEW)).replace(b'":', b'" :'), twice=True)

    outcome = edge.run_unclear()

    assert (outcome.plan.updated, outcome.quarantined, outcome.duplicates) == (1, 0, 1)


def test_a_contradiction_without_times(edge: Edge) -> None:
    """A12: where updated_at can't be read, the content that has one stands; without any, neither does."""
    twice(edge, {"name": "a", "updated_at": "yesterday"}, NEW)
    edge.run_unclear()
    assert stored(edge, "x") == image("x", **NEW)

    twice(edge, {"name": "a", "updated_at": ""}, {"name": "b", "updated_at": None})
    assert edge.run_unclear().quarantined == 1
    assert stored(edge, "x") == image("x", **NEW)


# --- what is odd and yet an image -------------------------------------------------------------------------------------


def test_values_that_do_not_fit_come_back(edge: Edge) -> None:
    """Misfits and unknown fields are stored beside the columns, to the last digit, and counted."""
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
    """F04: what no float could hold is in the database as it came."""
    edge.world.put(
        b'{"id":"odd","a":0.1000000000000000055511151231257827,"b":1e400,"c":1.50,"d":-0.0,"e":%s}' % (b"7" * 900)
    )

    edge.run_unclear()  # the tests' own truth is in floats

    row = edge.rows(
        "SELECT extra->>'a', (extra->>'b')::numeric = 1e400, extra->>'c', extra->>'e' FROM inventory.images WHERE id = 'odd'"
    )
    assert row == [("0.1000000000000000055511151231257827", True, "1.50", "7" * 900)]
    assert edge.run_unclear().plan.changes == 0


@pytest.mark.parametrize(
    "name", ["'); DROP TABLE inventory.images; --", "%s", "%(id)s", "{}", "\\.", "\\N", "\t\r\n", "=1+1"]
)
def test_texts_are_inert(edge: Edge, name: str) -> None:
    """F13: nothing in a value, or in the name of a field, means anything to the database."""
    odd = image("odd", name=name) | {name: name}
    edge.world.put(odd)

    edge.run()

    assert stored(edge, "odd") == odd
    assert (name,) in edge.rows("SELECT subject FROM inventory.findings")


def test_ids_are_inert(edge: Edge) -> None:
    """F13: nor in an id, also where it is asked for by name."""
    names = ["%s", "{}", "a'b", 'a"b', "a&b=c#d", "\u6587\u5b57", "a%00b", "../x", "a+b", "\\N", "x" * 255]
    for name in names:
        edge.world.put(image(name))
    assert edge.run().plan.created == len(names)
    for name in names[:-1]:
        edge.world.remove(name)

    assert edge.run(max_daily_deletions=100, max_deletions=100).plan.deleted == len(names) - 1


def test_a_new_field_is_told_once(edge: Edge) -> None:
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
    """F07, F03: no name is too long to be told, in some way, and it does not end the run."""
    name = "".join(Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=length))
    edge.world.put(image("y") | {name: 1})

    assert edge.run().plan.created == 1
    assert stored(edge, "y")[name] == 1


def test_a_key_that_comes_twice_ends_the_run(edge: Edge) -> None:
    """F05: no one can say which value holds; nothing is written."""
    edge.world.put(b'{"id":"y","name":"a","name":"b"}')
    edge.world.change(1)

    edge.fails(ContractError)


def test_a_field_everywhere_is_one_version_each(edge: Edge) -> None:
    """A18: a field that appears in all images changes them all, once."""
    for n in range(5):
        edge.world.put(image(f"y{n}"))
    edge.run()
    for n in range(5):
        edge.world.put(image(f"y{n}", data_centre="a"))

    assert edge.run().plan.updated == 5
    assert edge.run().plan.changes == 0


def _told(document: dict[str, Any]) -> str:
    assert set(document) & set(BY_API)
    return repr(sorted(canonical(document).items(), key=lambda pair: pair[0]))


def test_the_sample_can_be_quarantined_too(edge: Edge) -> None:
    """The document's example with a NUL in it is kept byte by byte."""
    raw = encoded(SAMPLE).replace(b'"ces"', b'"c\\u0000s"')
    edge.world.put(raw)

    edge.run()

    assert quarantined(edge) == [raw]
