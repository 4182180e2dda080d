"""``image-sync run`` as a user meets it: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from cli_tools import FAST, Job, ask, column, dump, served, stored, without
from servers import Server

from sync.cli.run import worst
from sync.simulator import Simulator, World
from sync.store.connection import Target

TOLD = {
    *("run", "source", "status", "listed", "total", "created", "updated", "restored", "deleted", "held", "unchanged"),
    *("quarantined", "requests", "effective_at"),
}


@pytest.fixture
def job(tmp_path: Path, target: Target, cloud: Simulator) -> Job:
    """The job, with a database and a cloud."""
    return Job(tmp_path, target.url, cloud)


def test_first_run_makes_the_tables_equal_the_cloud(job: Job, cloud: Simulator) -> None:
    """One JSON object tells it all, the exit code is 0, and the database holds what the cloud serves."""
    done = job("run", "--format", "json")

    assert done.code == 0
    assert done.row.keys() >= TOLD
    assert (done.row["status"], done.row["listed"], done.row["total"], done.row["created"]) == (
        "done",
        1200,
        1200,
        1200,
    )
    assert stored(job.url) == served(cloud.world)
    assert done.row["effective_at"] == ask(
        job.url,
        "SELECT to_char(effective_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM inventory.runs",
    )


def test_second_run_rewrites_no_row(job: Job) -> None:
    """Nothing changed: all images are told unchanged, and no row but the run's and its source's was touched."""
    job("run")
    before = dump(job.url)
    done = job("run", "--format", "json")

    assert (done.row["unchanged"], done.row["created"], done.row["updated"]) == (1200, 0, 0)
    assert without(dump(job.url), "runs", "runs_run_seq", "sources") == without(
        before, "runs", "runs_run_seq", "sources"
    )


def test_every_style_tells_the_same_and_nothing_else(job: Job) -> None:
    """Standard output holds data only, in each style; all else goes to standard error, without colours."""
    done = {style: job("run", "--format", style) for style in ("json", "csv", "table")}
    (line,) = csv.DictReader(io.StringIO(done["csv"].out))
    row = done["json"].row

    assert list(line) == list(row)
    assert (line["run"], line["listed"], line["unchanged"]) == ("2", "1200", "1200")
    assert {"source", "listed", "default", "done", "1200"} <= set(done["table"].out.split())
    for each in done.values():
        assert "run ended" in each.err
        assert "run ended" not in each.out
        assert "\x1b" not in each.out + each.err


def test_run_makes_the_schema_in_an_empty_database(tmp_path: Path, server: Server, cloud: Simulator) -> None:
    """The first run needs no step before it."""
    job = Job(tmp_path, server.empty(), cloud)
    done = job("run", "--format", "json")

    assert (done.code, done.row["created"]) == (0, 1200)
    assert job("db", "status").code == 0


@pytest.mark.parametrize(
    ("revision", "advice"), [("0003", "unreleased version of this program"), ("9999", "made by a newer one")]
)
def test_schema_of_another_version_is_refused(job: Job, revision: str, advice: str) -> None:
    """An unreleased or newer schema: exit code 2 and what to do, from every command, and nothing is written."""
    ask(job.url, "UPDATE inventory.alembic_version SET version_num = %s RETURNING 1", revision)
    before = dump(job.url)
    done = [job(command) for command in ("run", "status")]

    assert [each.code for each in done] == [2, 2]
    assert all(advice in each.err for each in done)
    assert dump(job.url) == before


def test_list_that_cannot_be_proven_is_told_by_exit_code_4(tmp_path: Path, target: Target) -> None:
    """More than a page of images made at one moment, in another order each time: what came is kept, none is deleted."""
    world = World(seed=1, size=1)
    (image,) = world.truth().values()
    for number in range(700):
        world.put(image | {"id": f"tied-{number}"})
    with Simulator(world, unstable_ties=True) as cloud:
        done = Job(tmp_path, target.url, cloud, IMAGE_SYNC_MAX_READ_ATTEMPTS="1")("run", "--format", "json")

    assert (done.code, done.row["status"], done.row["proven"]) == (4, "withheld", False)
    assert done.row["deleted"] == 0
    assert "deletions were withheld" in done.err


def test_several_sources_do_not_keep_each_other_from_theirs(job: Job, cloud: Simulator, tmp_path: Path) -> None:
    """One source fails: the others are synced all the same, and the exit code is the worst of them."""
    good = f'endpoint = "{cloud.url}"\ntoken = "{cloud.token}"'
    bad = f'endpoint = "{cloud.url}"\ntoken = "nobody-knows-it"'
    tables = {"first": good, "broken": bad, "last": good}
    (tmp_path / "image-sync.toml").write_text(
        "\n".join(f'[[sources]]\nname = "{name}"\n{text}' for name, text in tables.items())
    )
    del job.settings["IMAGE_SYNC_ENDPOINT"], job.settings["IMAGE_SYNC_TOKEN"]
    done = job("run", "--format", "json")
    only = job("run", "--source", "last", "--format", "json")

    assert done.code == 1
    assert [(row["source"], row["status"]) for row in done.rows] == [
        ("first", "done"),
        ("broken", "failed"),
        ("last", "done"),
    ]
    assert stored(job.url, "first") == stored(job.url, "last") == served(cloud.world)
    assert (only.code, only.row["source"], only.row["unchanged"]) == (0, "last", 1200)


def test_worst_exit_code_is_told() -> None:
    """Of several sources the worst counts: failed, then settings, then withheld, then overtaken."""
    told = [worst([]), worst([0, 3]), worst([3, 4, 0]), worst([4, 2]), worst([2, 1, 4, 3, 0])]

    assert told == [0, 3, 4, 2, 1]


def test_changed_filter_is_refused_until_accepted(job: Job, cloud: Simulator) -> None:
    """Images outside a new filter are not gone: exit code 2 and what to do; then the run goes through."""
    job("run")
    before = dump(job.url)
    filtered = {"IMAGE_SYNC_FILTER": "visibility=private"}
    plan, refused = job("plan", **filtered), job("run", **filtered)
    after = dump(job.url)
    said = job("sources", "accept-filter", "default", **filtered)
    done = job("run", "--format", "json", **filtered)

    assert (plan.code, refused.code, said.code) == (2, 2, 0)
    assert "image-sync sources accept-filter default" in plan.err
    assert "image-sync sources accept-filter default" in refused.err
    assert without(after, "runs", "runs_run_seq") == without(before, "runs", "runs_run_seq")
    assert column(job.url, "SELECT status FROM inventory.runs ORDER BY run") == ["done", "failed", done.row["status"]]
    private = sum(image["visibility"] == "private" for image in cloud.world.truth().values())
    assert (done.row["total"], done.row["deleted"]) == (private, 0)


def test_terminal_gets_no_colour_where_none_is_wanted(job: Job) -> None:
    """On a terminal the heads of a table are bold and progress is shown; NO_COLOR takes the type away."""
    job("run")
    code, plain = job.on_terminal("status", NO_COLOR="1")
    _, rich = job.on_terminal("status")
    _, run = job.on_terminal("run")

    assert code == 0
    assert "default" in plain
    assert "\x1b" not in plain
    assert "\x1b[1m" in rich
    assert "reading default" in run


def test_logs_go_as_deep_as_asked(job: Job) -> None:
    """At level error a good run says nothing but its data; a failing one says why at any level."""
    quiet = job("run", IMAGE_SYNC_LOG_LEVEL="error")
    failed = job("run", IMAGE_SYNC_LOG_LEVEL="error", IMAGE_SYNC_TOKEN="stale", **FAST)

    assert quiet.err == ""
    assert "renew the token" in failed.err
