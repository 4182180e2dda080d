"""A list compared with the stored images: every row is counted once, and no change passes as unchanged."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
from builders import answer, encoded, image, read
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from sync.domain.apis import GLANCE
from sync.domain.comparison import BLOCK, Comparison
from sync.domain.image import DIGEST_BYTES, Image, Reader, Unreadable, raw_digest
from sync.domain.run import Source
from sync.domain.stored_digests import StoredDigests
from sync.errors import ContractError, TooLargeError
from sync.store.runs.spool import FileSpool

Record = dict[str, Any] | bytes
NAMES = "abcdef"
MAX_IMAGES = 10**6


def known(*stored: Record) -> StoredDigests:
    """The digests of these stored images."""
    texts = [record if isinstance(record, bytes) else encoded(record) for record in stored]
    return StoredDigests(b"".join(map(raw_digest, texts)), b"".join(read(text).content for text in texts))


def compared(
    pages: Sequence[Sequence[Record]], *stored: Record, ignore: tuple[str, ...] = (), max_images: int = MAX_IMAGES
) -> Comparison:
    """The comparison of these pages with these stored images."""
    comparison = Comparison(known(*stored), FileSpool(), Reader(ignore), max_images)
    for page in pages:
        comparison.add_page(answer(*page))
    return comparison


def spooled(comparison: Comparison) -> list[str]:
    """The ids in the spool, in order."""
    with closing(comparison.spool) as spool:
        return [row[1] for row in spool.rows()]


records = st.one_of(
    st.builds(
        lambda name, value: image(name, name=value), st.sampled_from(NAMES), st.sampled_from(["old", "new", "x"])
    ),
    st.builds(lambda name: encoded(image(name, name="old")).replace(b'":', b'" :'), st.sampled_from(NAMES)),
    st.sampled_from(
        [b'{"name":"nameless"}', b'{"id":7}', b'{"id":"a","name":"\\u0000"}', b"null", b"[]", b'{"id":"a","n":1e9999}']
    ),
)
listings = st.lists(st.lists(records, max_size=6), max_size=4)
stores = st.sets(st.sampled_from(NAMES)).map(lambda names: [image(name, name="old") for name in sorted(names)])


@given(listings, stores)
def test_every_row_is_counted_once(pages: list[list[Record]], stored: list[Record]) -> None:
    """Every received row is unchanged, changed, a duplicate or unreadable, in any order."""
    comparison = compared(pages, *stored)
    counts = comparison.counts

    assert counts.received == sum(map(len, pages))
    assert counts.received == counts.unchanged + counts.changed + counts.duplicates + len(comparison.unreadable)


@given(listings, stores)
def test_ids_are_counted_once(pages: list[list[Record]], stored: list[Record]) -> None:
    """The distinct ids are those of the readable records, and `contains` knows every id of the list and no other."""
    comparison = compared(pages, *stored)
    came = {_id(record) for page in pages for record in page} - {""}

    assert comparison.distinct == len(came)
    assert all(comparison.contains(name) == (name in came | _unreadable_ids(comparison)) for name in NAMES)


@given(listings, stores)
def test_unlisted_images_did_not_come_as_stored(pages: list[list[Record]], stored: list[Record]) -> None:
    """A stored image is unlisted exactly if no record came that equals it."""
    comparison = compared(pages, *stored)
    same = {_id(record) for page in pages for record in page if _name(record) == "old"}

    unlisted = list(comparison.known.unlisted())

    assert sorted(unlisted) == sorted(raw_digest(encoded(one)) for one in stored if _id(one) not in same)


@given(listings, stores)
def test_contradictions_are_ids_with_two_contents(pages: list[list[Record]], stored: list[Record]) -> None:
    """An id is contradicted exactly if it came with more than one content."""
    comparison = compared(pages, *stored)
    contents: dict[str, set[str]] = {}
    for record in (record for page in pages for record in page if _id(record)):
        contents.setdefault(_id(record), set()).add(_name(record))

    assert comparison.contradicted.keys() == {name for name, versions in contents.items() if len(versions) > 1}
    old = {_id(one) for one in stored}
    assert comparison.as_stored == {name for name in comparison.contradicted.keys() & old if "old" in contents[name]}


@given(listings, stores, st.randoms(use_true_random=False))
def test_the_order_of_pages_does_not_matter(pages: list[list[Record]], stored: list[Record], rng: Any) -> None:
    """In any order of the pages, the ids, contradictions and unreadable records are the same."""
    mixed_pages = rng.sample(pages, len(pages))

    in_order, mixed_order = compared(pages, *stored), compared(mixed_pages, *stored)

    assert in_order.fingerprint() == mixed_order.fingerprint()
    assert in_order.distinct == mixed_order.distinct
    assert in_order.contradicted.keys() == mixed_order.contradicted.keys()
    assert in_order.unreadable.keys() == mixed_order.unreadable.keys()


def test_known_bytes_are_not_parsed() -> None:
    """An image whose bytes are stored is unchanged, without being parsed."""
    raw = encoded(image("a"))
    store = StoredDigests(raw_digest(raw), bytes(DIGEST_BYTES))
    comparison = Comparison(store, FileSpool(), Reader(), MAX_IMAGES)

    comparison.add_page(answer(raw))

    assert comparison.counts.unchanged == 1
    assert list(store.unlisted()) == []


def test_other_bytes_of_the_same_content_are_unchanged() -> None:
    """F12: an image in another format is unchanged."""
    comparison = compared([[encoded(image("a")).replace(b'":', b'" :')]], image("a"), image("b"))

    assert (comparison.counts.unchanged, comparison.counts.changed) == (1, 0)
    assert list(comparison.known.unlisted()) == [raw_digest(encoded(image("b")))]


@pytest.mark.parametrize("new", [0, 20])
def test_a_page_in_descending_order_needs_no_index(new: int) -> None:
    """The end of the list, newest image first, is found where it is expected, also behind some new images."""
    stored = [image(f"id-{number:03}") for number in range(200)]
    listed = [*stored, *(image(f"new-{number}") for number in range(new))]
    comparison = Comparison(known(*stored), FileSpool(), Reader(), MAX_IMAGES)

    comparison.add_page(answer(*listed[:60]))
    comparison.add_page(answer(*listed[:-61:-1], descending=True))
    comparison.add_page(answer(*listed[50:110], offset=50))

    assert (comparison.counts.unchanged, comparison.counts.changed) == (110 + 60 - new, new)
    assert ("_by_raw" in vars(comparison.known)) == bool(new)  # a new image is looked for everywhere


def test_changes_and_news_go_to_the_spool_once() -> None:
    """New and changed images go to the spool once, even if pages share them; unchanged ones do not."""
    pages = [[image("a"), image("b", name="new")], [image("b", name="new"), image("c")]]

    comparison = compared(pages, image("a"), image("b"))

    assert spooled(comparison) == ["b", "c"]
    assert comparison.counts.duplicates == 1


def test_a_contradiction_keeps_all_its_contents() -> None:
    """A12: all new contents of an id go to the spool, and the database decides; the stored one is not repeated."""
    pages = [[image("a"), image("a", name="new"), image("b", name="x"), image("b", name="y")]]

    comparison = compared(pages, image("a"))

    assert spooled(comparison) == ["a", "b", "b"]
    assert comparison.contradicted == {"a": False, "b": False}
    assert comparison.distinct == 2


def test_unreadable_records_are_kept_raw_and_once() -> None:
    """An unreadable record is kept with its raw bytes; the same bytes again are a duplicate."""
    raw = b'{"name":"nameless"}'

    comparison = compared([[raw, raw], [raw]])

    assert [record.raw for record in comparison.unreadable.values()] == [raw]
    assert comparison.counts.duplicates == 2


def test_garbage_without_end_is_refused() -> None:
    """Unreadable records of more than 64 MiB together are an error."""
    big = (json.dumps({"name": str(n), "filler": "x" * 1_000_000}).encode() for n in range(100))

    with pytest.raises(ContractError, match="68 records are not images, together more than 64 MiB: no id"):
        compared([[record] for record in big])


def test_an_unreadable_record_still_lists_its_id() -> None:
    """An image that cannot be read is not missing."""
    comparison = compared([[b'{"id":"a","name":"\\u0000"}']])

    assert comparison.contains("a")
    assert not comparison.contains("b")
    assert comparison.distinct == 0


def test_a_list_that_is_far_too_long_is_refused() -> None:
    """One image more than allowed is an error; duplicates do not count."""
    images = [image(str(n)) for n in range(6)]

    assert compared([images[:5], images[:5]], max_images=5).distinct == 5
    with pytest.raises(TooLargeError, match="more than 5 images, while 0 are live; nothing was written"):
        compared([images[:5], images[5:]], max_images=5)


@pytest.mark.parametrize(("live", "max_length"), [(0, 300_000), (10, 10_000), (1000, 100_000), (100_000, 300_000)])
def test_how_long_a_list_may_be(live: int, max_length: int) -> None:
    """A first list may have `max_images`, a later one a hundred times the live images, but at least 10,000."""
    assert Source("s", "https://cloud.invalid", max_images=300_000).max_list_length(live) == max_length


def test_unknown_fields_are_reported() -> None:
    """F07: fields of new or changed images that the API document lacks are reported; wrong types do not count."""
    comparison = compared([[image("a", new=1, min_disk="x"), image("b", other="")]])

    assert comparison.unknown == {"new", "other"}
    assert comparison.counts.type_mismatches == 1


def test_an_ignored_change_is_no_change() -> None:
    """An image that differs in an ignored field alone is unchanged."""
    raw = encoded(image("a"))
    store = StoredDigests(raw_digest(raw), read(raw, ("updated_at",)).content)
    comparison = Comparison(store, FileSpool(), Reader(("updated_at",)), MAX_IMAGES)

    comparison.add_page(answer(image("a", updated_at="2026-01-01T00:00:00Z")))

    assert comparison.counts.unchanged == 1


def test_a_new_reading_starts_without_marks() -> None:
    """Which images one reading listed does not affect the next."""
    store = known(image("a"))
    comparison = Comparison(store, FileSpool(), Reader(), MAX_IMAGES)
    comparison.add_page(answer(image("a")))

    assert list(store.unlisted()) == []
    assert len(list(store.unmark_all().unlisted())) == 1


def test_digests_that_begin_alike_are_told_apart() -> None:
    """Digests with the same first half, which is only an index, are compared completely."""
    half = b"\x01" * 8
    digests = [half + bytes([n]) * 8 for n in range(5)]
    store = StoredDigests(b"".join(reversed(digests)), bytes(DIGEST_BYTES) * 5)

    assert [store.find(digest) for digest in digests] == [4, 3, 2, 1, 0]
    assert store.find(half + b"\xff" * 8) is None
    assert store.find(b"\x00" * 16) is None


@given(st.sets(st.binary(min_size=16, max_size=16) | st.integers(0, 9).map(lambda n: b"\7" * 15 + bytes([n]))))
def test_every_digest_is_found_where_it_is(digests: set[bytes]) -> None:
    """Every stored digest is found at its position, and no other digest is found."""
    order = list(digests)
    store = StoredDigests(b"".join(order), b"".join(order))

    assert [store.find(digest) for digest in order] == list(range(len(order)))
    assert [store.find_content(digest) for digest in order] == list(range(len(order)))
    assert store.find(b"\x08" * 16) == (order.index(b"\x08" * 16) if b"\x08" * 16 in digests else None)


def test_nothing_is_known_of_a_new_source() -> None:
    """A new source has no digests, so nothing is found or unlisted."""
    store = StoredDigests()

    assert (len(store), store.find(bytes(16)), store.find_content(bytes(16)), [*store.unlisted()]) == (
        0,
        None,
        None,
        [],
    )


def test_a_million_digests_are_small() -> None:
    """A stored image takes under 60 bytes of memory, indexes included."""
    count = 200_000
    raws, contents = os.urandom(count * DIGEST_BYTES), os.urandom(count * DIGEST_BYTES)

    tracemalloc.start()
    store = StoredDigests(bytes(bytearray(raws)), bytes(bytearray(contents)))
    store.find_content(bytes(DIGEST_BYTES))
    current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(store) == count
    assert current < 60 * count
    assert peak < 160 * count


def _id(record: Record) -> str:
    """The id of a record that can be read, else ""."""
    result = Reader().read(record if isinstance(record, bytes) else encoded(record))
    return getattr(result, "id", None) or "" if not hasattr(result, "reason") else ""


def _name(record: Record) -> str:
    if not _id(record):
        return ""
    return str(read(record).values[1])


def _unreadable_ids(comparison: Comparison) -> set[str | None]:
    return {record.id for record in comparison.unreadable.values()}


@pytest.mark.parametrize("size", [1, BLOCK, BLOCK + 1])
def test_a_block_of_stored_images_does_not_hide_a_changed_one(size: int) -> None:
    """An image that came changed and comes again as stored is contradicted, however many stored images surround it."""
    stored = [image(f"id-{number}", name="old") for number in range(size)]
    changed = image("id-0", name="new")

    comparison = compared([[changed], stored], *stored)

    assert comparison.contradicted.keys() == comparison.as_stored == {"id-0"}
    assert (comparison.counts.unchanged, comparison.counts.duplicates) == (size - 1, 1)


def test_tags_in_another_order_are_recognized_by_their_bytes() -> None:
    """An image whose tags come in another order is unchanged, and is not read for that."""
    reader = Unreading(api=GLANCE)
    before, now = (encoded({"id": "a", "tags": tags}) for tags in (["x", "y"], ["y", "x"]))
    comparison = Comparison(StoredDigests(reader.digest(Raw(before)), bytes(16), live=1), FileSpool(), reader, 10)

    comparison.add_page(answer(now))

    assert (comparison.counts.unchanged, comparison.counts.changed) == (1, 0)


class Unreading(Reader):
    """A reader that must not be needed."""

    def read(self, raw: bytes) -> Image | Unreadable:
        """Fail the test."""
        pytest.fail(f"read {raw!r}")
