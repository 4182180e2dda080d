"""Changed images wait on disk and come back exactly as they were added."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders import image, read
from checkout import CHECKOUT
from hypothesis import given
from hypothesis import strategies as st
from servers import environment

from sync.domain.image import raw_digest
from sync.store.runs.spool import BATCH, MEMORY, FileSpool


@pytest.fixture
def spool() -> Iterator[FileSpool]:
    """An empty spool."""
    with closing(FileSpool()) as spool:
        yield spool


moments = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat())
contents = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        "min_disk": st.integers(-(2**63), 2**63 - 1),
        "protected": st.booleans(),
        "created_at": moments,
        "deleted_at": moments,
        "new": st.integers(-(10**30), 10**30) | st.lists(st.text("abc\u6587", max_size=3)),
    },
)


@given(st.lists(contents, max_size=6))
def test_rows_come_back_unchanged(documents: list[dict[str, object]]) -> None:
    """Rows come back with every value, in order, as often as they are read, even if more are added in between."""
    images = [read(image(f"i{n}", **document)) for n, document in enumerate(documents)]
    with closing(FileSpool()) as spool:
        for n, one in enumerate(images):
            spool.add(one, raw_digest(b"%d" % n))
            assert [row[0] for row in spool.rows()] == list(range(n + 1))
        rows = list(spool.rows())

    assert len(rows) == len(images)
    for n, (row, one) in enumerate(zip(rows, images, strict=True)):
        assert row[1:-3] == one.values
        assert (row[-3] is None) == (not one.extra)
        assert row[-2:] == (raw_digest(b"%d" % n), one.content)


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH])
def test_any_number_comes_back(spool: FileSpool, count: int) -> None:
    """Any number of rows comes back, at the edges of a batch too, and the length is right."""
    for n in range(count):
        spool.add(read(image(f"i{n}")), bytes(16))

    assert len(spool) == count
    assert [row[1] for row in spool.rows()] == [f"i{n}" for n in range(count)]


def test_a_cleared_spool_is_empty(spool: FileSpool) -> None:
    """A cleared spool holds nothing and numbers its rows from 0 again."""
    for n in range(BATCH + 1):
        spool.add(read(image(f"i{n}")), bytes(16))
    spool.clear()

    assert (len(spool), list(spool.rows())) == (0, [])
    spool.add(read(image("again")), bytes(16))
    assert [row[:2] for row in spool.rows()] == [(0, "again")]


def test_the_extremes_of_time_come_back(spool: FileSpool) -> None:
    """The earliest and latest representable times come back, to the microsecond."""
    last = datetime.max.replace(tzinfo=UTC)
    spool.add(read(image("a", created_at="0001-01-01T00:00:00Z", updated_at=last.isoformat())), bytes(16))

    (row,) = spool.rows()

    assert datetime.min.replace(tzinfo=UTC) in row
    assert last in row
    assert all(value.utcoffset() == timedelta(0) for value in row if isinstance(value, datetime))


def test_memory_stays_flat(spool: FileSpool) -> None:
    """Once the spool is on disk, more rows take no more memory."""
    one = read(image("a", name="x" * 4_000))
    for _ in range(MEMORY // 4_000 + 2 * BATCH):
        spool.add(one, bytes(16))

    tracemalloc.start()
    for _ in range(MEMORY // 4_000):
        spool.add(one, bytes(16))
    count = sum(1 for _ in spool.rows())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == len(spool)
    assert peak < MEMORY


def test_no_file_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file on disk has no name, so that not even a killed process leaves it behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with closing(FileSpool()) as spool:
        one = read(image("a", name="x" * 100_000))
        for _ in range(BATCH):
            spool.add(one, bytes(16))

        assert list(tmp_path.iterdir()) == []
        assert sum(1 for _ in spool.rows()) == BATCH


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device to write to")
def test_a_full_disk_is_reported() -> None:
    """If there is no space for the changes, the error says what to do."""
    code = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({MEMORY}, {MEMORY}))
from sync.domain.image import Reader
from sync.errors import SpoolError
from sync.store.runs.spool import FileSpool
one = Reader().read(b'{{"id":"a","name":"' + b"x" * 100_000 + b'"}}')
spool = FileSpool()
try:
    for _ in range(2_000):
        spool.add(one, bytes(16))
except SpoolError as error:
    print(error)
"""

    result = subprocess.run(
        [sys.executable, "-c", code], env=environment(PYTHONPATH=str(CHECKOUT)), capture_output=True, check=True
    )

    assert "set TMPDIR" in result.stdout.decode()
    assert os.strerror(27) in result.stdout.decode()
