"""The commands that read: ``status``, ``history``, ``as-of`` and ``diff``, by moment and by run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cli_tools import Job, dump, finished
from pyarrow import parquet
from servers import Server
from store_tools import Edge

from sync.domain.fields import COLUMNS
from sync.simulator import Simulator, World

# Text that a terminal, a console library and a spreadsheet would each interpret.
NASTY = "=1+1 \x1b[31mred\x07 [bold red]x[/] \u202eevil\nnext line\u200b\x9b31m"


class Past(NamedTuple):
    """A database after five runs, and the cloud's images at each."""

    job: Job
    truths: list[dict[str, dict[str, Any]]]
    moments: list[str]
    returned: str
    gone: str


@pytest.fixture(scope="module")
def past(server_newest: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    """Five runs: the first load, changes, deletions, a return, and an image with a nasty name."""
    with Simulator(World(seed=3, size=60)) as cloud:
        world = cloud.world
        job = Job(tmp_path_factory.mktemp("reading"), server_newest.migrated(), cloud)
        truths, moments = [], []

        def run() -> None:
            done = job("run", "--format", "json")
            assert done.code == 0
            truths.append(world.truth())
            moments.append(done.row["effective_at"])

        run()
        world.change(5)
        world.create(4)
        run()
        gone = world.delete(6)
        run()
        returned = world.restore(2)
        run()
        world.put({**next(iter(world.truth().values())), "id": "nasty", "name": NASTY, "new_field": {"a": [1, None]}})
        run()
        yield Past(job, truths, moments, returned[0], next(name for name in gone if name not in returned))


def test_as_of_a_run_is_what_the_cloud_had(past: Past) -> None:
    """A run's number, its moment, and any moment before the next run all give the images of that run."""
    just_before = (datetime.fromisoformat(past.moments[3]) - timedelta(microseconds=1)).isoformat()
    moments = ("3", past.moments[2], just_before)
    by_run, by_moment, until_the_next = (past.job("as-of", when, "--format", "json") for when in moments)

    assert {row["id"]: (row["name"], row["min_disk"]) for row in by_run.rows} == {
        name: (image["name"], image["min_disk"]) for name, image in past.truths[2].items()
    }
    assert by_moment.out == until_the_next.out == by_run.out


def test_as_of_now_in_every_format(past: Past) -> None:
    """CSV and JSON have all columns and the table the main ones; --source selects one source."""
    table, text, lines = (past.job("as-of", "now", "--format", style) for style in ("table", "csv", "json"))
    one = past.job("as-of", "now", "--source", "default", "--format", "json")
    rows = list(csv.DictReader(io.StringIO(text.out)))

    assert len(rows) == len(lines.rows) == len(past.truths[-1]) == table.out.count("default")
    assert list(rows[0])[: len(COLUMNS) + 3] == ["source", *COLUMNS, "extra", "valid_from"]
    assert one.out == lines.out
    assert (table.err, text.err, lines.err) == ("", "", "")


def test_diff_of_runs_lists_every_changed_field(past: Past) -> None:
    """The difference of two runs lists created and deleted images, and each changed field with both values."""
    rows = past.job("diff", "1", "3", "--format", "json").rows
    first, third = past.truths[0], past.truths[2]

    assert {row["id"] for row in rows if row["change"] == "created"} == third.keys() - first.keys()
    assert {row["id"] for row in rows if row["change"] == "deleted"} == first.keys() - third.keys()
    changed = {(row["id"], row["field"], row["old"], row["new"]) for row in rows if row["change"] == "updated"}
    names = {name for name in first.keys() & third.keys() if first[name] != third[name]}
    assert {each[0] for each in changed} == names
    for name in names:
        if first[name]["name"] != third[name]["name"]:
            assert (name, "name", first[name]["name"], third[name]["name"]) in changed
    assert past.job("diff", past.moments[0], past.moments[2], "--format", "json").rows == rows


def test_relative_moments(past: Past) -> None:
    """The last run and relative moments can be given; `diff last` lists the changes of the last run."""
    last = past.job("diff", "last", "--format", "json")
    as_of_last, now = past.job("as-of", "last", "--format", "json"), past.job("as-of", "now", "--format", "json")

    assert last.rows == past.job("diff", "4", "5", "--format", "json").rows
    assert {row["id"] for row in last.rows} == {"nasty"}
    assert as_of_last.out == now.out
    for words in ("-90m", "-2h", "-7d", "-1w", "yesterday"):
        done = past.job("diff", words)
        assert (done.code, "before the beginning" in done.err) == (2, True)


def test_as_of_in_parquet(past: Past) -> None:
    """Parquet has the same rows as JSON, typed; it is refused on a terminal."""
    process = past.job.start("as-of", "now", "--format", "parquet", PYTHONUTF8="1")
    assert process.stdout is not None
    with process:
        table = parquet.read_table(io.BytesIO(process.stdout.buffer.read()))
    rows = past.job("as-of", "now", "--format", "json").rows

    assert table.column_names[: len(COLUMNS) + 1] == ["source", *COLUMNS]
    assert str(table.schema.field("tags").type.value_type) == "string"
    assert [str(table.schema.field(name).type) for name in ("min_disk", "protected", "created_at", "extra")] == [
        *("int64", "bool", "timestamp[us, tz=UTC]", "string")
    ]
    assert [(row["id"], row["name"], row["min_disk"]) for row in table.to_pylist()] == [
        (row["id"], row["name"], row["min_disk"]) for row in rows
    ]
    assert {row["id"]: row["extra"] for row in table.to_pylist()}["nasty"] == '{"new_field": {"a": [1, null]}}'
    code, shown = past.job.on_terminal("as-of", "now", "--format", "parquet")
    assert (code, "Parquet is binary" in shown) == (2, True)


def test_diff_from_the_only_run_is_all_that_it_found(tmp_path: Path, server: Server) -> None:
    """After the first run, ``diff last`` lists every image as created."""
    with Edge(server, 5) as edge:
        edge.run()

        rows = Job(tmp_path, edge.url)("diff", "last", "--format", "json").rows

    assert [row["change"] for row in rows] == ["created"] * 5


def test_an_image_of_another_source(tmp_path: Path, server: Server) -> None:
    """Asking a source for another source's image names the source that has it."""
    with Edge(server, 5) as edge:
        edge.run()
        edge.do("INSERT INTO inventory.sources (name, endpoint, filter) VALUES ('other', 'x', '')")
        name = edge.value("SELECT min(id) FROM inventory.images")

        done = Job(tmp_path, edge.url)("history", name, "--source", "other")

    assert (done.code, f"source other has no image {name}; {edge.inventory.source.name} has" in done.err) == (2, True)


def test_answers_about_a_gap_have_a_warning(past: Past, server: Server) -> None:
    """An answer about a moment between proven runs has a warning, one about a proven run has none."""
    assert past.job("as-of", "2").err == past.job("diff", "1", "3").err == ""
    with Edge(server) as edge:
        edge.run()
        edge.run_unproven()
        edge.run()
        job = Job(past.job.folder, edge.url)

        assert "in a gap" in job("as-of", "2").err
        assert job("as-of", "3").err == ""


def test_diff_of_a_moment_with_itself_is_empty(past: Past) -> None:
    """A run does not differ from itself; a returned image is restored; the second moment defaults to now."""
    same = past.job("diff", "2", "2", "--format", "json")
    later = past.job("diff", "3", "--format", "json")

    assert (same.code, same.out) == (0, "")
    assert {row["change"] for row in later.rows if row["id"] == past.returned} == {"restored"}
    assert "nasty" in {row["id"] for row in later.rows}


def test_history_of_a_returned_image(past: Past) -> None:
    """Each version has its period and change, with a gap for the time the image was deleted."""
    rows = past.job("history", past.returned, "--format", "json").rows

    assert [row["change"] for row in rows][0 :: len(rows) - 1] == ["created", "restored"]
    assert rows[-1]["valid_to"] is None
    assert (rows[-2]["valid_to"], rows[-1]["valid_from"]) == (past.moments[2], past.moments[3])
    assert [row["valid_from_run"] for row in rows] == sorted(row["valid_from_run"] for row in rows)
    assert past.job("history", past.gone, "--format", "json").rows[-1]["valid_to"] == past.moments[2]


def test_status(past: Past) -> None:
    """The status has the last run, the age of the proof, and the live, deleted and held images."""
    status, held = past.job("status", "--format", "json"), past.job("status", "--held")
    table = past.job("status")

    row = status.row
    assert (row["source"], row["run"], row["status"], row["live"], row["held"]) == (
        *("default", 5, "done"),
        len(past.truths[-1]),
        0,
    )
    assert row["deleted"] == 4
    assert row["proven_seconds_ago"] >= 0
    assert (held.code, held.out.strip()) == (0, "nothing to show")
    assert "default: proven: " in table.err


def test_reading_needs_no_credentials(past: Past) -> None:
    """Without a token the commands that read work, and a run is refused."""
    analyst = Job(past.job.folder, past.job.url, IMAGE_SYNC_ENDPOINT="https://cloud.invalid")

    assert analyst("status", "--format", "json").row["run"] == 5
    assert analyst("db", "status").code == 0
    assert analyst("run").code == 2


WRONG = [
    (["history", "no-such-id"], "no image no-such-id was ever seen"),
    (["history", "nasty", "--source", "nobody"], "there is no source nobody"),
    (["as-of", "now", "--source", "nobody"], "it knows default"),
    (["as-of", "6"], "there is no run 6; the newest is 5"),
    (["as-of", "999999999999999999"], "there is no run"),
    (["as-of", "2026-02-30"], "2026-02-30 is no moment"),
    (["as-of", "2020-01-01"], "the first run took effect at"),
    (["diff", "-9999w"], "-9999w is before the beginning"),
    (["as-of", "2126-03-31"], "lies in the future"),
    (["diff", "2", "1"], "give the earlier moment first"),
    (["history", b"\xff"], "ID is not text in UTF-8"),
]


def test_unknown_things_exit_with_2(past: Past) -> None:
    """Unknown ids, sources, runs and moments exit with 2, one sentence, and no data."""
    results = [finished(past.job.start(*command)) for command, _ in WRONG]

    assert [each.code for each in results] == [2] * len(WRONG)
    for each, (_, message) in zip(results, WRONG, strict=True):
        assert message in each.err
        assert (each.out, len(each.err.splitlines())) == ("", 1)


def test_reading_writes_nothing(past: Past) -> None:
    """Reading changes no row and no sequence."""
    before = dump(past.job.url)
    codes = [past.job(*command).code for command in (["as-of", "now"], ["diff", "1"])]

    assert codes == [0, 0]
    assert dump(past.job.url) == before


def test_hostile_names_are_harmless(past: Past) -> None:
    """Control characters and markup in names are shown as text, and formulas are quoted in CSV."""
    table = past.job("as-of", "now").out
    _, terminal = past.job.on_terminal("diff", "4")
    cells = csv.DictReader(io.StringIO(past.job("as-of", "now", "--format", "csv").out))
    rows = past.job("as-of", "now", "--format", "json").rows

    shown = r"=1+1 \x1b[31mred\x07 [bold red]x[/] \u202eevil\nnext line\u200b\x9b31m"
    assert shown in table
    assert not any(char in table for char in "\x1b\x07\u202e\u200b\x9b")
    assert "\x1b[31m" not in terminal
    assert not any(char in terminal for char in "\x07\u202e\u200b\x9b")
    assert next(row["name"] for row in cells if row["id"] == "nasty") == f"'{NASTY}"
    assert next(row["name"] for row in rows if row["id"] == "nasty") == NASTY


@pytest.mark.parametrize("style", ["table", "csv", "json"])
def test_output_fits_every_terminal_and_pipe(past: Past, style: str) -> None:
    """A table escapes what a terminal cannot show, CSV and JSON are UTF-8 everywhere; a closed pipe is no traceback."""
    ascii_only = past.job("as-of", "now", "--format", style, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    closed_pipe = past.job.start("as-of", "now", "--format", style)
    assert closed_pipe.stdout is not None
    closed_pipe.stdout.close()
    assert closed_pipe.stderr is not None
    errors = closed_pipe.stderr.read()
    closed_pipe.wait()
    closed_pipe.stderr.close()

    assert (ascii_only.code, ascii_only.err) == (0, "")
    assert ascii_only.out.isascii() == (style == "table")
    assert style == "table" or "备份" in ascii_only.out
    assert "Traceback" not in errors
